"""A gateway that serves for real, in a thread of this process, and what its tests share besides fixtures."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import uvicorn

from gateway.app import build_app
from gateway.settings import GatewaySettings
from mesh.graph import STAGES
from pulsemesh.broker import Broker

OWN = ("split", "clip", "result")  # stages whose handlers do what the real ones do
HANDLERS = {name: f"gateway_handlers:{name if name in OWN else 'stage'}" for name in STAGES}
ENDED = ("succeeded", "failed", "cancelled")


def settings_for(broker: Broker, folder: Path, **changes: Any) -> GatewaySettings:
    """Settings for a broker, with leases short enough for tests."""
    values: dict[str, Any] = {
        "nats_url": broker.url,
        "nats_user": broker.user,
        "nats_password": broker.password,
        "connect_timeout_s": 10,
        "retry_s": 10,
        "ack_wait_s": 2,
        "slots": 2,
        "scratch": folder / "scratch",
        "grace_s": 1,
        "reconcile_s": 0.5,
        "probe_s": 30,
    }
    return GatewaySettings.model_validate(values | changes)


class ServedGateway:
    """The real app on uvicorn, on a port of its own.

    Attributes
    ----------
    url : str
    http : httpx.Client
    app : FastAPI
    """

    def __init__(self, settings: GatewaySettings, *, real: bool = False, stages: list[str] | None = None) -> None:
        self.settings = settings
        self.app = build_app(
            settings, stages=list(STAGES) if stages is None else stages, handlers=None if real else HANDLERS
        )
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(self.app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.http = httpx.Client(base_url=self.url, timeout=30)

    def _serve(self) -> None:
        async def main() -> None:
            self.loop = asyncio.get_running_loop()
            await self._server.serve(sockets=[self._socket])

        asyncio.run(main())

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self._server.started or not self._thread.is_alive())
        assert self._server.started, "the gateway did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        if self._thread.is_alive():
            # what `mesh.service.run` does at SIGTERM
            asyncio.run_coroutine_threadsafe(self.app.state.runtime.drain(), self.loop).result(20)
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()
        assert not self._thread.is_alive()

    def do(self, coroutine: Any) -> Any:
        """Run a coroutine in the gateway's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    @property
    def runtime(self) -> Any:
        """Its bus, blobs and jobs."""
        return self.app.state.runtime

    # --- calls

    def submit(self, clip: Path, headers: dict[str, str] | None = None, **parameters: Any) -> httpx.Response:
        """POST a clip as a form."""
        with clip.open("rb") as file:
            return self.http.post(
                "/v1/jobs",
                files={"video": (clip.name, file, "video/mp4")},
                data={"parameters": json.dumps(parameters)},
                headers=headers,
            )

    def job(self, clip: Path, **parameters: Any) -> dict[str, Any]:
        """POST a clip that is taken."""
        answer = self.submit(clip, **parameters)
        assert answer.status_code == 202, answer.text
        view: dict[str, Any] = answer.json()
        return view

    def again(self, recording: str, **parameters: Any) -> httpx.Response:
        """POST another job on a recording."""
        return self.http.post("/v1/jobs", json={"recording": recording, "parameters": parameters})

    def view(self, job: str) -> dict[str, Any]:
        """A job as it is now."""
        answer = self.http.get(f"/v1/jobs/{job}")
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        return view

    def ended(self, job: str, seconds: float = 60) -> dict[str, Any]:
        """A job once it has ended."""

        def look() -> dict[str, Any] | None:
            view = self.view(job)
            return view if view["state"] in ENDED else None

        view: dict[str, Any] = until(look, seconds)
        return view

    def events(self, job: str, after: int | None = None, stop: Callable[[Event], bool] | None = None) -> list[Event]:
        """Events of a job until the stream ends, or `stop` says so."""
        headers = {"Last-Event-ID": str(after)} if after is not None else {}
        found = []
        with self.http.stream("GET", f"/v1/jobs/{job}/events", headers=headers) as answer:
            assert answer.status_code == 200, answer.read()
            for event in parse_events(answer.iter_lines()):
                found.append(event)
                if stop is not None and stop(event):
                    break
        return found

    def blobs(self, recording: str) -> set[str]:
        """Names of the blobs of a recording."""
        names: set[str] = self.do(self.runtime.blobs.list(recording))
        return names

    def everything(self) -> tuple[set[str], set[str], list[Path]]:
        """Subjects of all blobs, ids of all jobs, files of uploads: what a refused request must leave as it was."""
        blobs = set(self.do(self.runtime.bus.subjects("BLOBS", "blob.>")))
        jobs = {job.id for job in self.runtime.jobs.list()}
        return blobs, jobs, sorted((self.settings.scratch / "uploads").glob("*"))


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    id: int | None
    type: str
    data: dict[str, Any]


def parse_events(lines: Iterator[str]) -> Iterator[Event]:
    """Events from the lines of a stream, comments left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in fields:
                id = int(fields["id"]) if "id" in fields else None
                yield Event(id, fields.get("event", "message"), json.loads(fields["data"]))
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")


@dataclass
class Control:
    """Steers the handlers, see `gateway_handlers`."""

    folder: Path
    seen: int = field(default=0)

    def hold(self, stage: str) -> None:
        """Make a stage wait."""
        (self.folder / f"hold-{stage}").touch()

    def release(self, stage: str) -> None:
        """Let it go on."""
        (self.folder / f"hold-{stage}").unlink(missing_ok=True)

    def fail(self, stage: str, failure: str) -> None:
        """Make a stage fail."""
        (self.folder / f"fail-{stage}").write_text(failure)

    def mend(self, stage: str) -> None:
        """Make it work again."""
        (self.folder / f"fail-{stage}").unlink(missing_ok=True)

    def runs(self, recording: str) -> Counter[str]:
        """How often each task of a recording was run."""
        path = self.folder / "runs"
        lines = path.read_text().splitlines() if path.exists() else []
        return Counter(line.split()[0] for line in lines if line.split()[1] == recording)

    def reset(self) -> None:
        """As at the start."""
        for path in self.folder.iterdir():
            path.unlink()


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """What `condition` gives once it is true; fails the test if it stays false."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)
    return value
