"""Signals of a recording: read from where they were kept, made from colours, or found in its pictures."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from evaluation.errors import DatasetError
from evaluation.measurer import Measurer, Signals
from evaluation.pictures import write_clip
from evaluation.recordings import Clip, Pictures, Recording, Samples, Stored
from media.people import People
from mesh.contracts import Job, Plan
from mesh.executor import LocalExecutor
from mesh.graph import blob_name
from mesh.names import upload_name
from mesh.parameters import Parameters


def signals_of_clip(path: Path, parameters: Parameters, measurer: Measurer, workers: int = 2) -> list[Signals]:
    """Signals of everybody in a video file: the stages from `split` to `trace`, in this process.

    Parameters
    ----------
    path : Path
    parameters : Parameters
    measurer : Measurer
    workers : int
        Threads.

    Returns
    -------
    list of Signals
        The one who fills most of the picture first; empty where no skin was found.

    Raises
    ------
    mesh.errors.Failure
        If the clip cannot be processed.
    """
    return asyncio.run(_extract(path, parameters, measurer, workers))


async def _extract(path: Path, parameters: Parameters, measurer: Measurer, workers: int) -> list[Signals]:
    executor = LocalExecutor(workers=workers)
    job = Job(id="evaluation", recording="clip", parameters=parameters, created_at=datetime.now(UTC))
    try:
        await executor.store.create(upload_name(job.recording), path)
        await executor.run(job, before="pulse")
        plan = Plan.model_validate_json(await executor.store.read(blob_name(job, "plan")))
        people = People.from_bytes(await executor.store.read(blob_name(job, "people"))).people
        blobs = [await executor.store.read(blob_name(job, "trace", chunk.index)) for chunk in plan.chunks]
    finally:
        executor.close()
    found = measurer.signals_of(plan, people, [measurer.trace.from_bytes(blob) for blob in blobs])
    return sorted(found, key=lambda signals: -signals.skin_fraction)


def extract(
    recording: Recording, parameters: Parameters, measurer: Measurer, cache: Path | None = None
) -> Signals | None:
    """Signals of the one person of a recording.

    Parameters
    ----------
    recording : Recording
    parameters : Parameters
    measurer : Measurer
    cache : Path, optional
        Folder in which signals from pictures are kept as `<name>.signals`, and looked for first. They depend on the
        parameters of the stages up to `trace`: it is for whoever calls to use another folder for others.

    Returns
    -------
    Signals or None
        None where no skin was found.

    Raises
    ------
    DatasetError
        If a file is damaged.
    mesh.errors.Failure
        If the clip cannot be processed.
    """
    source = recording.source
    match source:
        case Samples(time_s, rgb):
            return measurer.signals(time_s=time_s, rgb=rgb)
        case Stored(path):
            return _stored(path, measurer)
    kept = None if cache is None else cache / f"{recording.name}.signals"
    if kept is not None and kept.is_file():
        return _stored(kept, measurer)
    with tempfile.TemporaryDirectory(prefix="pulsemesh-evaluation-") as folder:
        found = signals_of_clip(clip_of(recording, Path(folder)), parameters, measurer)
    signals = found[0] if found else None
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part")
        part.write_bytes(b"" if signals is None else signals.to_bytes())
        part.replace(kept)
    return signals


def clip_of(recording: Recording, folder: Path) -> Path:
    """The video file of a recording; pictures are written into `folder` first.

    Raises
    ------
    DatasetError
        If the recording has no pictures.
    """
    match recording.source:
        case Clip(path):
            return path
        case Pictures() as pictures:
            clip = folder / f"{recording.name}.mp4"
            write_clip(pictures, clip)
            return clip
    raise DatasetError(f"{recording.name} has no pictures")


def _stored(path: Path, measurer: Measurer) -> Signals | None:
    data = path.read_bytes()
    if not data:  # no skin was found
        return None
    try:
        return measurer.signals.from_bytes(data)
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} holds no signals: {error}") from None
