"""The client that waits."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from pulsemesh_client.effects import Call, Effect, Fetch, Flow, Pause, Progress
from pulsemesh_client.flows import Flows, Patience
from pulsemesh_client.models import File, Job, Link, RecordingInfo, Result
from pulsemesh_client.waves import Waves, parse_waves

T = TypeVar("T")
POLL_S = 0.15


def job_id(job: Job | str) -> str:
    """The id of a job."""
    return job.id if isinstance(job, Job) else job


def http_options(url: str, token: str | None) -> dict[str, Any]:
    """What both clients give to httpx."""
    return {
        "base_url": url.rstrip("/"),
        "headers": {"Authorization": f"Bearer {token}"} if token else {},
        # the last piece of an upload is answered when the clip is stored and looked at
        "timeout": httpx.Timeout(120.0, connect=10.0),
        "trust_env": False,
    }


class Client:
    """A gateway.

    Parameters
    ----------
    url : str
        Its address.
    token : str, optional
        An API token.
    patience : Patience, optional
        How long it tries.
    transport : httpx.BaseTransport, optional
        For tests.

    Notes
    -----
    Every method raises `Refused` (see `pulsemesh_client.errors`) for what the gateway refuses and `Unreachable` where
    none answers. One client may be used by one thread.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        patience: Patience | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(transport=transport, **http_options(url, token))
        self._flows = Flows(patience or Patience())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # --- the driver

    def _perform(self, effect: Effect) -> Any:
        if isinstance(effect, Pause):
            time.sleep(effect.seconds)
            return None
        if isinstance(effect, Fetch):
            with self._http.stream("GET", effect.path, headers=effect.headers) as answer:
                if answer.status_code >= 400:
                    answer.read()
                else:
                    effect.began(answer)
                    for piece in answer.iter_bytes():
                        effect.sink(piece)
            return answer
        return self._http.request(
            effect.method,
            effect.path,
            headers=effect.headers,
            params=effect.params or None,
            json=effect.json,
            content=iter(effect.body) if effect.body is not None else None,
        )

    def _run(self, flow: Flow[T]) -> T:
        try:
            effect = next(flow)
            while True:
                try:
                    outcome = self._perform(effect)
                except httpx.TransportError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(outcome)
        except StopIteration as stop:
            found: T = stop.value
            return found
        finally:
            flow.close()

    # --- uploads and jobs

    def upload(self, clip: Path | str, *, progress: Progress | None = None) -> str:
        """Send a clip without starting a job; the id of its recording.

        Parameters
        ----------
        progress : callable, optional
            Told the bytes that were sent and the size of the clip.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        return self._run(self._flows.upload(Path(clip), progress))

    def submit(
        self,
        clip: Path | str,
        parameters: Mapping[str, Any] | None = None,
        *,
        progress: Progress | None = None,
        webhook: str | None = None,
    ) -> Job:
        """Start a job.

        Parameters
        ----------
        clip : Path or str
            A file, or the id of a recording that is there.
        parameters : mapping, optional
            As `parameters()` describes them; what is left out has its default.
        progress : callable, optional
            Told the bytes that were sent and the size of the clip.
        webhook : str, optional
            Address that is told when the job has ended.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        return self._run(self._flows.submit(clip, parameters, progress=progress, webhook=webhook))

    def job(self, job: Job | str) -> Job:
        """A job as it is now."""
        return self._run(self._flows.job(job_id(job)))

    def jobs(self, recording: str | None = None) -> list[Job]:
        """All jobs (of a recording), newest first."""
        return self._run(self._flows.jobs(recording))

    def watch(self, job: Job | str, *, timeout_s: float | None = None, every_s: float = POLL_S) -> Iterator[Job]:
        """A job again and again until it has ended; that view is the last.

        Raises
        ------
        WaitTimeout
            If it has not ended after `timeout_s` seconds.
        """
        until = time.monotonic() + timeout_s if timeout_s is not None else None
        view: Job | None = None
        while view is None or not view.ended:
            view = self._run(self._flows.next_view(job_id(job), view, every_s, until))
            yield view

    def wait(
        self,
        job: Job | str,
        *,
        timeout_s: float | None = None,
        every_s: float = POLL_S,
        progress: Callable[[Job], None] | None = None,
    ) -> Job:
        """Wait until a job has ended; what it is then. `progress` is told each view. Raises as `watch`."""
        for view in self.watch(job, timeout_s=timeout_s, every_s=every_s):
            if progress is not None:
                progress(view)
        return view

    def cancel(self, job: Job | str) -> None:
        """Cancel a job, or forget one that has ended."""
        self._run(self._flows.delete(f"/v1/jobs/{job_id(job)}"))

    # --- results

    def result(self, job: Job | str) -> Result:
        """What was measured; of a job that failed the exception of its problem."""
        return Result.parse(self._run(self._flows.get(f"/v1/jobs/{job_id(job)}/result")))

    def waves(self, job: Job | str) -> dict[str, Waves]:
        """The waves of each person as NumPy arrays. Raises ImportError without NumPy."""
        return parse_waves(self.read(job, "pulse.csv").decode())

    def files(self, job: Job | str) -> list[File]:
        """The files of a result."""
        return self._run(self._flows.files(job_id(job)))

    def read(self, job: Job | str, name: str) -> bytes:
        """A file of a result, checked against its digest. Raises Damaged."""
        buffer = io.BytesIO()
        self._run(self._flows.download(job_id(job), name, buffer))
        return buffer.getvalue()

    def download(self, job: Job | str, name: str, path: Path | str, *, progress: Progress | None = None) -> None:
        """Write a file of a result to `path`, checked against its digest. Raises Damaged, OSError."""
        with Path(path).open("wb") as target:
            self._run(self._flows.download(job_id(job), name, target, progress))

    def download_all(self, job: Job | str, folder: Path | str) -> list[Path]:
        """Write all files of a result into a folder, made if missing; where they are. Raises Damaged, OSError."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for file in self.files(job):
            self.download(job, file.name, folder / file.name)
            paths.append(folder / file.name)
        return paths

    # --- the rest

    def recording(self, recording: str) -> RecordingInfo:
        """What is known of a recording."""
        return RecordingInfo.parse(self._run(self._flows.get(f"/v1/recordings/{recording}")))

    def erase(self, recording: str) -> None:
        """Erase a recording with all its jobs. What is gone already is no error."""
        self._run(self._flows.delete(f"/v1/recordings/{recording}"))

    def link(self, path: str, seconds: int | None = None) -> Link:
        """A signed address for `path` that works without the token for a short time."""
        call = Call("POST", "/v1/links", json={"path": path, "seconds": seconds})
        found = self._run(self._flows.request(call)).json()
        return Link(str(self._http.base_url.join(found["href"])), datetime.fromisoformat(found["expires_at"]))

    def parameters(self) -> dict[str, Any]:
        """What can be set: schema, defaults, presets."""
        found: dict[str, Any] = self._run(self._flows.get("/v1/parameters"))
        return found
