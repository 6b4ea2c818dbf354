"""Resumable uploads that are cut at random bytes while gateways are killed: is every byte right in the end?

    python bench/tus_uploads.py --uploads 100

Clients are real ones: tuspy, and tus-js-client where Node is. They reach two gateways through a proxy that sends each
connection to one of them by chance and cuts some after a random number of bytes, while one gateway after the other is
killed (SIGKILL) and started again. The SHA-256 that the mesh has of each clip is compared with the file's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from phantom import PhantomSettings, write
from pulsemesh.broker import Broker

TUS_JS = "tus-js-client@4.3.1"
SCRIPT = """
const fs = require('fs'), tus = require('tus-js-client');
const [,, endpoint, path] = process.argv;
const upload = new tus.Upload(fs.createReadStream(path), {
  endpoint, chunkSize: 1 << 20, uploadSize: fs.statSync(path).size, metadata: {filetype: 'video/mp4'},
  retryDelays: Array(40).fill(100),
  onError: (error) => { console.error(String(error)); process.exit(1); },
  onSuccess: () => console.log(upload.url),
});
upload.start();
"""


def free_port() -> int:
    """A port that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Proxy:
    """Passes connections on to one of several ports by chance, and cuts some after a random number of bytes.

    Parameters
    ----------
    ports : list of int
    cut_share : float
        Of the connections, those that are cut.
    longest : int
        A cut comes after 1 to this many bytes.
    """

    def __init__(self, ports: list[int], seed: int, cut_share: float, longest: int) -> None:
        self.ports, self.cuts = ports, 0
        self._random, self._share, self._longest = random.Random(seed), cut_share, longest
        self.port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        self._connections: set[asyncio.Task[Any]] = set()
        server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._ended.wait()
        server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        budget = self._random.randint(1, self._longest) if self._random.random() < self._share else None
        if not self.cuts:  # few uploads must see one too: until then nothing large gets through
            budget = self._random.randint(4096, 1 << 16)
        other: asyncio.StreamWriter | None = None
        try:
            answers, other = await asyncio.open_connection("127.0.0.1", self._random.choice(self.ports))
            back = asyncio.create_task(self._copy(answers, writer, None))
            forth = asyncio.create_task(self._copy(reader, other, budget))
            try:
                await asyncio.wait({back, forth}, return_when=asyncio.FIRST_COMPLETED)
                if forth.done() and forth.exception() is None and forth.result():
                    self.cuts += 1
                elif not back.done():  # the client has said all it has to say
                    await asyncio.wait({back}, timeout=30)
            finally:
                back.cancel()
                forth.cancel()
                await asyncio.gather(back, forth, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # that gateway is dead just now, or the proxy ends
        finally:
            for end in (writer, other):
                if end is not None:
                    end.transport.abort()

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, budget: int | None) -> bool:
        """Copy until the end; True if the budget ended it."""
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if budget is not None and len(data) >= budget:
                    target.write(data[:budget])
                    await target.drain()
                    return True
                budget = None if budget is None else budget - len(data)
                target.write(data)
                await target.drain()
        return False


@dataclass
class Gateways:
    """Gateways as processes of their own on one broker, that can be killed and come back."""

    broker: Broker
    folder: Path
    ports: list[int] = field(default_factory=lambda: [free_port(), free_port()])
    kills: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Gateways:
        self.processes = [self._launch(port) for port in self.ports]
        for port in self.ports:
            self.wait(port)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(30)

    def _launch(self, port: int) -> subprocess.Popen[bytes]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PULSEMESH_")}
        more = {
            "PULSEMESH_PORT": str(port),
            "PULSEMESH_SCRATCH": str(self.folder),
            "PULSEMESH_GRACE_S": "0",
            "PULSEMESH_PROBE_S": "30",
            "PULSEMESH_LOG_LEVEL": "error",
        }
        with (self.folder / f"{port}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "gateway"],
                env=environment | more | self.broker.environment(),
                stdout=log,
                stderr=log,
            )

    def wait(self, port: int) -> None:
        """Until a gateway can work."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2, trust_env=False).status_code == 200:
                    return
            time.sleep(0.05)
        raise TimeoutError("a gateway did not come up")

    def kill(self, index: int) -> None:
        """Kill one and start it again; returns when it works."""
        self.processes[index].kill()
        self.processes[index].wait()
        self.kills += 1
        self.processes[index] = self._launch(self.ports[index])
        self.wait(self.ports[index])


@contextlib.contextmanager
def killing(gateways: Gateways) -> Iterator[None]:
    """Kill one gateway after the other as long as the block lasts."""
    stop = threading.Event()

    def work() -> None:
        index = 0
        while not stop.wait(0.3):
            gateways.kill(index)
            index = 1 - index

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def clips(folder: Path, count: int, seed: int, largest: int) -> list[Path]:
    """Clips that any probe takes, each with other bytes and another length: an MP4 box that nobody reads."""
    chance = random.Random(seed)
    base = folder / "base.mp4"
    write(PhantomSettings(seconds=2, fps=10, width=96, height=80, seed=3), base)
    found = []
    for number in range(count):
        size = chance.randint(16, largest)
        path = folder / f"{number}.mp4"
        path.write_bytes(base.read_bytes() + (size + 8).to_bytes(4, "big") + b"free" + chance.randbytes(size))
        found.append(path)
    return found


def with_tuspy(endpoint: str, path: Path) -> str:
    """Upload with tuspy; the address of the upload."""
    from tusclient import client
    from tusclient.exceptions import TusCommunicationError

    uploads = client.TusClient(endpoint)
    url: str | None = None
    for _ in range(60):  # tuspy does not try a creation again, nor a HEAD that is cut: its user does
        try:
            with path.open("rb") as file:
                uploader = uploads.uploader(file_stream=file, url=url, chunk_size=1 << 20, retries=0)
                if url is None:
                    uploader.set_url(uploader.create_url())
                    url = uploader.url
                uploader.upload()
                return str(uploader.url)
        except (TusCommunicationError, OSError):
            time.sleep(0.1)
    raise TimeoutError(f"{path.name} did not arrive")


def install_tus_js(folder: Path) -> str | None:
    """Install tus-js-client below a folder; why it cannot be, None if it is there."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "there is no Node"
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), TUS_JS]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        return "npm did not answer"
    (folder / "upload.js").write_text(SCRIPT)
    return None if done.returncode == 0 else "npm could not install tus-js-client"


def with_tus_js(folder: Path) -> Callable[[str, Path], str]:
    """A function that uploads with tus-js-client as it is installed below `folder`."""

    def upload(endpoint: str, path: Path) -> str:
        command = ["node", str(folder / "upload.js"), endpoint, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise RuntimeError(f"tus-js-client: {done.stderr.strip()[:300]}")
        return done.stdout.strip()

    return upload


def run(
    upload: Callable[[str, Path], str], uploads: int, folder: Path, *, seed: int = 7, largest: int = 6 << 20
) -> dict[str, Any]:
    """Upload clips through cuts and kills; how many were right, and how much there was to bear.

    Parameters
    ----------
    upload : callable
        Of an endpoint and a file; returns the address of the upload.
    largest : int
        Bytes of the largest clip.
    """
    files = clips(folder, uploads, seed, largest)
    scratch = folder / "scratch"
    scratch.mkdir()
    with Broker(folder / "broker") as broker, Gateways(broker, scratch) as gateways:
        with Proxy(gateways.ports, seed, 0.5, 2 << 20) as proxy, killing(gateways):
            endpoint = f"http://127.0.0.1:{proxy.port}/v1/uploads"
            with ThreadPoolExecutor(4) as pool:
                addresses = list(pool.map(lambda path: upload(endpoint, path), files))
            cuts = proxy.cuts
        right = 0
        with httpx.Client(base_url=f"http://127.0.0.1:{gateways.ports[0]}", timeout=60, trust_env=False) as http:
            for path, address in zip(files, addresses, strict=True):
                recording = address.rsplit("/", 1)[1]
                # the gateway of the last piece may have died over putting the clip together: a job mends that
                job = http.post("/v1/jobs", json={"recording": recording})
                found = http.get(f"/v1/recordings/{recording}").json()
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                right += job.status_code == 202 and found["sha256"] == digest
        return {
            "uploads": uploads,
            "right": right,
            "mebibytes": round(sum(path.stat().st_size for path in files) / (1 << 20), 1),
            "connections_cut": cuts,
            "gateways_killed": gateways.kills,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    from results import save

    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tuspy").mkdir()
        figures["tuspy"] = run(with_tuspy, given.uploads, folder / "tuspy", seed=given.seed)
        (folder / "js").mkdir()
        reason = install_tus_js(folder)
        figures["tus-js-client"] = (
            {"left_out": reason}
            if reason
            else run(with_tus_js(folder), given.uploads, folder / "js", seed=given.seed + 1)
        )
    save("tus", figures)
    if any(part.get("right") != part.get("uploads") for part in figures.values()):
        sys.exit("bytes are wrong")


if __name__ == "__main__":
    main()
