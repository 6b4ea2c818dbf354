"""Erasing a recording. (Signatures; the implementation follows.)"""

from __future__ import annotations

from mesh.blobs import BlobStore
from mesh.bus import Bus
from mesh.jobs import JobTable


async def erase_recording(bus: Bus, blobs: BlobStore, jobs: JobTable, recording: str) -> None:
    """Tombstone, then purge tasks, blobs and events of the recording; its jobs are removed."""
    raise NotImplementedError


class Sweeper:
    """Purges again what late workers wrote for tombstones, until the longest lease is over. Runs in every gateway."""

    def __init__(self, bus: Bus, blobs: BlobStore, jobs: JobTable) -> None:
        raise NotImplementedError

    async def run(self) -> None:
        """For ever."""
        raise NotImplementedError
