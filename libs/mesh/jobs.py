"""The table of jobs and tombstones. (Signatures; the implementation follows.)"""

from __future__ import annotations

from collections.abc import Callable

from mesh.bus import Bus
from mesh.contracts import Job, Outcome
from mesh.errors import Problem


class JobTable:
    """Jobs and tombstones of all gateways, mirrored in memory by a watcher."""

    def __init__(self, bus: Bus) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Begin to watch; returns when everything that exists now is known."""
        raise NotImplementedError

    async def stop(self) -> None:
        raise NotImplementedError

    def on_change(self, listener: Callable[[Job | None, str], None]) -> None:
        """`listener(job, key)` after each change seen; `job` is None for a removed job or a tombstone."""
        raise NotImplementedError

    def get(self, job_id: str) -> Job | None:
        raise NotImplementedError

    def list(self, recording: str | None = None) -> list[Job]:
        """Newest first."""
        raise NotImplementedError

    def active(self) -> list[Job]:
        """Jobs without an outcome, oldest first."""
        raise NotImplementedError

    async def create(self, job: Job) -> bool:
        """False if the id exists. Raises Erased if the recording has a tombstone."""
        raise NotImplementedError

    async def finish(self, job_id: str, outcome: Outcome, problem: Problem | None = None) -> bool:
        """End a job exactly once; whether this call did it."""
        raise NotImplementedError

    async def remove(self, job_id: str) -> None:
        """Forget a job (expired)."""
        raise NotImplementedError

    async def erase(self, recording: str) -> None:
        """Write the tombstone (only that; `mesh.erasure.erase_recording` does the rest)."""
        raise NotImplementedError

    def erased(self, recording: str) -> bool:
        raise NotImplementedError

    def wanted(self, job_id: str, recording: str) -> bool:
        """Whether a worker should still work for this job: not erased, and not cancelled by all who asked."""
        raise NotImplementedError
