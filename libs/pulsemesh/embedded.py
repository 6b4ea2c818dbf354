"""The embedded mesh: a broker and all services as processes of this machine, with one command and no set-up."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import httpx

from mesh.sandbox import die_with_parent
from mesh.settings import usable_cores
from pulsemesh import interruption
from pulsemesh.broker import Broker
from pulsemesh.session_folder import SessionFolder

SERVICES = ("gateway", "segmenter", "ppg", "magnifier")
START_S = 60.0  # for all services to be ready; two seconds are usual
STOP_S = 25.0  # a little more than services take to finish what runs; then they are killed
RESTARTS = 50  # of one service; a service that never comes up ends the mesh
BROKER_AWAY_S = 10.0


class EmbeddedMeshError(RuntimeError):
    """The mesh did not come up, or a part of it does not stay up."""


@dataclass
class _Service:
    name: str
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    started_at: float = field(default=0.0)


class EmbeddedMesh:
    """A mesh of its own, for as long as the `with` block lasts.

    Parameters
    ----------
    workers : int, optional
        Tasks of each service that run at once; one a core if not given.
    store : Path, optional
        Folder that keeps recordings from one run to the next; a temporary one, removed at the end, if not given.
    host, port
        Of the gateway; port 0 is any free one.
    environment : dict of str, optional
        More settings for the services, `PULSEMESH_…`.

    Attributes
    ----------
    url : str
        Of the gateway; empty before `start`.
    broker : Broker
    start_seconds : float
        How long the start took.
    failure : str or None
        Why a part of it does not stay up.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        store: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.workers = workers or usable_cores()
        self.url = ""
        self.start_seconds = 0.0
        self._session = SessionFolder()
        self._folder = self._session.path
        self.broker = Broker(store / "broker" if store is not None else self._folder / "broker")
        self._host, self._port = host, port
        self._more = environment or {}
        self._services: dict[str, _Service] = {}
        self._lock = threading.Lock()
        self._stopping, self._stopped = threading.Event(), threading.Event()
        self._watcher: threading.Thread | None = None
        self.failure: str | None = None

    # --- life

    def start(self) -> None:
        """Start everything and wait until all services are ready.

        Raises
        ------
        EmbeddedMeshError
            If a service does not come up; with what it said last. Also where another process has the port.
        BrokerError
            If the broker does not come up.
        """
        started = time.monotonic()
        try:
            self._check_port()
            (self._folder / "scratch").mkdir(exist_ok=True)
            self.broker.start()
            for name in SERVICES:
                self._services[name] = _Service(name, self._environment(name), self._folder / f"{name}.log")
                self._launch(self._services[name])
            deadline = time.monotonic() + START_S
            addresses = {name: self._address(name, deadline) for name in SERVICES}
            self.url = addresses["gateway"]
            for name, address in addresses.items():
                self._wait_ready(name, address, deadline)
        except BaseException:
            self.stop()
            raise
        # preexec_fn binds a process to the thread that started it: the watcher is one that lives as long as we do
        self._watcher = threading.Thread(target=self._watch, name="embedded mesh", daemon=True)
        self._watcher.start()
        self.start_seconds = time.monotonic() - started

    def _check_port(self) -> None:
        """Say it early and in plain words; the gateway itself would say it in its log."""
        try:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            with socket.socket(family) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind((self._host, self._port))
        except OSError as error:
            raise EmbeddedMeshError(
                f"the gateway cannot listen on {self._host} port {self._port}: {error.strerror or error}"
            ) from None

    def _environment(self, name: str) -> dict[str, str]:
        # one thread a task: as many tasks as cores run side by side
        threads = max(usable_cores() // self.workers, 1)
        own = {
            "PULSEMESH_SLOTS": str(self.workers),
            "PULSEMESH_SCRATCH": str(self._folder / "scratch"),
            "PULSEMESH_HOST": self._host if name == "gateway" else "127.0.0.1",
            "PULSEMESH_PORT": str(self._port if name == "gateway" else 0),
            "PULSEMESH_PORT_FILE": str(self._folder / f"{name}.port"),
            "PULSEMESH_ENCODER_THREADS": str(threads),
            "PULSEMESH_LOG_JSON": "false",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "TMPDIR": str(self._folder / "scratch"),
        }
        outer = {key: value for key, value in os.environ.items() if not key.startswith("PULSEMESH_NATS_")}
        return {**outer, **own, **self.broker.environment(), **self._more}

    def _launch(self, service: _Service) -> None:
        with service.log.open("ab") as log:
            service.process = subprocess.Popen(
                [sys.executable, "-m", service.name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=service.environment,
                start_new_session=True,  # Ctrl-C in the terminal is for us; we stop them in order
                # without its mesh there is no broker, and so no draining
                preexec_fn=functools.partial(die_with_parent, os.getpid()),
            )
        service.started_at = time.monotonic()

    def _said(self, name: str) -> str:
        with contextlib.suppress(OSError):
            return self._services[name].log.read_text(errors="replace")[-1500:].strip()
        return ""

    def _check(self, name: str, deadline: float) -> None:
        process = self._services[name].process
        if process is None or process.poll() is not None:
            raise EmbeddedMeshError(f"the {name} did not start:\n{self._said(name)}")
        if time.monotonic() > deadline:
            raise EmbeddedMeshError(f"the {name} was not ready within {START_S:g} s:\n{self._said(name)}")
        interruption.check()

    def _address(self, name: str, deadline: float) -> str:
        file = self._folder / f"{name}.port"
        while not file.exists():
            self._check(name, deadline)
            time.sleep(0.02)
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self._host, self._host) if name == "gateway" else "127.0.0.1"
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"http://{host}:{file.read_text()}"

    def _wait_ready(self, name: str, address: str, deadline: float) -> None:
        with httpx.Client(timeout=2.0, trust_env=False) as http:
            while True:
                self._check(name, deadline)
                with contextlib.suppress(httpx.TransportError):
                    if http.get(f"{address}/readyz").status_code == 200:
                        return
                time.sleep(0.02)

    def _watch(self) -> None:
        """Start services again that died. Stays until all have stopped: what it started ends with its thread."""
        broker_seen = time.monotonic()
        while not self._stopped.wait(0.2):
            if self._stopping.is_set():
                continue
            if self.broker.pid is not None:
                broker_seen = time.monotonic()
            elif time.monotonic() - broker_seen > BROKER_AWAY_S and self.failure is None:
                self.failure = "the broker (nats-server) has died"
            for service in self._services.values():
                with self._lock:
                    self._keep_up(service)

    def _keep_up(self, service: _Service) -> None:
        process = service.process
        if self._stopping.is_set() or self.failure is not None or process is None or process.poll() is None:
            return
        service.restarts += 1
        if service.restarts > RESTARTS:
            self.failure = f"the {service.name} died {service.restarts} times:\n{self._said(service.name)}"
            return
        if service.name == "gateway":  # clients know its address
            service.environment["PULSEMESH_PORT"] = self.url.rsplit(":", 1)[1]
        self._launch(service)

    def stop(self) -> None:
        """Stop all services, then the broker; removes what is temporary."""
        self._stopping.set()
        with self._lock:
            running = [s.process for s in self._services.values() if s.process is not None]
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        deadline = time.monotonic() + STOP_S
        for process in running:
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._stopped.set()
        if self._watcher is not None:
            self._watcher.join(5)
        self.broker.stop()
        self._session.remove()

    def __enter__(self) -> EmbeddedMesh:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- looking in

    def processes(self) -> dict[str, int]:
        """Process ids of the services and of the broker."""
        found = {s.name: s.process.pid for s in self._services.values() if s.process is not None}
        return found | ({"nats-server": self.broker.pid} if self.broker.pid is not None else {})

    def restarts(self) -> dict[str, int]:
        """How often each service was started again."""
        return {s.name: s.restarts for s in self._services.values()}
