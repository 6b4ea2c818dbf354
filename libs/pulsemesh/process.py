"""`pulsemesh process`: one clip through a mesh, its results into a folder."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console

from mesh.contracts import Result
from phantom.truth import Truth
from pulsemesh import interruption
from pulsemesh.arguments import ArgumentError
from pulsemesh.embedded import EmbeddedMesh, EmbeddedMeshError
from pulsemesh.progress_bars import ProgressBars
from pulsemesh.result_folder import ResultFolder
from pulsemesh.summary import summary
from pulsemesh_client import Client, Job, Patience, PulsemeshError
from pulsemesh_client.errors import Erased, Expired, NotFound


class JobFailed(Exception):
    """The job ended `failed` or `cancelled`; the text is one line for the user."""


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Attributes
    ----------
    parameters : dict
        Of the job: what was given, already checked.
    gateway : str or None
        Address of a mesh that runs; an embedded one is started if None.
    workers : int or None
        Of the embedded mesh; one a core if None.
    truth : Path or None
        What `pulsemesh phantom` wrote beside the clip.
    """

    video: Path
    out: Path
    parameters: dict[str, Any] = field(default_factory=dict)
    gateway: str | None = None
    token: str | None = None
    workers: int | None = None
    as_json: bool = False
    quiet: bool = False
    truth: Path | None = None


def check_video(video: Path) -> None:
    """Refuse what cannot be uploaded.

    Raises
    ------
    ArgumentError
        If it is missing, a folder, empty or not readable.
    """
    try:
        if video.is_dir():
            raise ArgumentError(f"{video} is a folder, a video file is needed")
        with video.open("rb") as file:
            if not file.read(1):
                raise ArgumentError(f"{video} is empty")
    except FileNotFoundError:
        raise ArgumentError(f"there is no file {video}") from None
    except OSError as error:
        raise ArgumentError(f"{video} cannot be read: {error.strerror}") from None


def true_rate(path: Path | None) -> float | None:
    """Mean heart rate of a synthetic clip, 1/min; None where it has no pulse.

    Raises
    ------
    ArgumentError
        If the file is not what `pulsemesh phantom` writes.
    """
    if path is None:
        return None
    try:
        rates = Truth.model_validate_json(path.read_bytes()).heart_rate
    except OSError as error:
        raise ArgumentError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError:
        raise ArgumentError(f"{path} is not the truth of a synthetic clip") from None
    return sum(rates) / len(rates) if rates else None


def process(request: Request) -> None:
    """Do it: check, start a mesh if none is named, upload, wait, download, say what was found.

    Raises
    ------
    ArgumentError
        If an argument cannot be used.
    Refused, Unreachable
        If the gateway does not take the clip, or cannot be reached.
    JobFailed
        If the job ended without a result.
    EmbeddedMeshError
        If the embedded mesh does not come up or does not stay up.
    """
    check_video(request.video)
    truth = true_rate(request.truth)
    console = Console(stderr=True)
    with ResultFolder(request.out) as results:
        with (
            ProgressBars(console, quiet=request.quiet) as bars,
            _gateway(request, bars) as (address, mesh),
            Client(address, request.token) as client,
        ):
            view = _run(client, address, request, bars, mesh)
            result = _download(client, view, results.folder)
        files = results.commit()
    if request.as_json:
        sys.stdout.write(files[0].read_text(encoding="utf-8").rstrip("\n") + "\n")
        return
    for line in summary(result, files, truth):
        print(line)


@contextlib.contextmanager
def _gateway(request: Request, bars: ProgressBars) -> Iterator[tuple[str, EmbeddedMesh | None]]:
    if request.gateway is not None:
        yield request.gateway, None
        return
    # what is still running when we leave belongs to nobody any more
    mesh = EmbeddedMesh(request.workers, environment={"PULSEMESH_GRACE_S": "0"})
    bars.start("start the mesh")
    with mesh:
        bars.done()
        yield mesh.url, mesh


def _run(client: Client, address: str, request: Request, bars: ProgressBars, mesh: EmbeddedMesh | None) -> Job:
    bars.start("upload", request.video.stat().st_size)
    job = client.submit(request.video, request.parameters, progress=lambda sent, _: bars.advance(sent))
    bars.done()
    try:
        for view in client.watch(job):
            bars.job(view)
            interruption.check()
            if mesh is not None and mesh.failure is not None:
                raise EmbeddedMeshError(mesh.failure)
    except BaseException:
        if mesh is None:  # nobody waits for it any more; an embedded mesh ends with us
            _cancel(address, request.token, job)
        raise
    if view.succeeded:
        return view
    if view.problem is not None:
        raise JobFailed(f"the job failed: {view.problem}")
    raise JobFailed(f"the job was {view.state}")


def _cancel(address: str, token: str | None, job: Job) -> None:
    """Cancel a job if the gateway can be reached at once; say nothing if not."""
    with contextlib.suppress(PulsemeshError), Client(address, token, patience=Patience(3.0, 3.0, 1)) as hasty:
        hasty.cancel(job)


def _download(client: Client, view: Job, folder: Path) -> Result:
    try:
        client.download_all(view, folder)
    except (NotFound, Expired, Erased):
        raise JobFailed("the job succeeded, but its result is gone: it expired or was erased") from None
    report = folder / "result.json"
    if not report.exists():
        raise JobFailed("the job succeeded, but it has no result.json")
    return Result.model_validate_json(report.read_bytes())


def wait_until_interrupted(mesh: EmbeddedMesh) -> None:
    """Stay until the user ends us.

    Raises
    ------
    EmbeddedMeshError
        If a service does not stay up.
    """
    while mesh.failure is None:
        time.sleep(0.2)
    raise EmbeddedMeshError(mesh.failure)
