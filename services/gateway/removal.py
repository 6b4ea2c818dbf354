"""Taking a job's traces out of the mesh: its queued tasks, and the blobs that no other job of the recording uses."""

from __future__ import annotations

from collections.abc import Sequence

from mesh import subjects
from mesh.blobs import BlobStore
from mesh.bus import Bus
from mesh.contracts import Job, Outcome
from mesh.graph import STAGES, digest
from mesh.jobs import JobTable
from mesh.progress import unused


async def purge_tasks(bus: Bus, job: Job, others: Sequence[Job]) -> None:
    """Remove the queued tasks of a job that none of `others`, which have not ended, needs.

    Raises
    ------
    Unavailable
        If the broker cannot be reached.
    """
    wanted = {(stage, digest(stage, other.parameters)) for other in others for stage in STAGES}
    for stage in STAGES:
        own = digest(stage, job.parameters)
        if (stage, own) not in wanted:
            await bus.purge(subjects.TASKS, f"task.{stage}.{job.recording}.{own}.>")


async def remove_products(blobs: BlobStore, job: Job, others: Sequence[Job]) -> None:
    """Remove the blobs of a job that none of `others` uses; the whole recording where there are no others.

    Raises
    ------
    Unavailable
        If the broker cannot be reached.
    """
    if not others:
        await blobs.delete(job.recording)
        return
    for prefix in sorted(unused(job, list(others))):
        await blobs.delete(prefix)


async def forget_job(bus: Bus, jobs: JobTable, job: Job) -> None:
    """Remove the record of a job and its events. Raises Unavailable."""
    await bus.purge_events(job.id)
    await jobs.remove(job.id)


async def cancel(bus: Bus, blobs: BlobStore, jobs: JobTable, job: Job) -> bool:
    """End a job that runs, or forget one that has ended; either way its products go.

    A cancelled job stays visible as such until its retention is over. Safe to repeat.

    Returns
    -------
    bool
        Whether this call ended a running job.

    Raises
    ------
    Unavailable
        If the broker cannot be reached; call again.
    """
    ended = await jobs.finish(job.id, Outcome.CANCELLED) if job.outcome is None else False
    kept = [other for other in jobs.list(job.recording) if other.id != job.id and other.outcome != Outcome.CANCELLED]
    await purge_tasks(bus, job, [other for other in kept if other.outcome is None])
    await remove_products(blobs, job, kept)
    if job.outcome not in (None, Outcome.CANCELLED):
        await forget_job(bus, jobs, job)
    return ended
