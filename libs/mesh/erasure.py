"""Erased means erased: a tombstone, then everything that the mesh holds of a recording, and again what comes late."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from mesh.blobs import BlobStore
from mesh.bus import Bus
from mesh.errors import Unavailable
from mesh.jobs import JobTable

log = logging.getLogger(__name__)

LATE_LEASES = 6  # a worker looks at the tombstone at each heartbeat; one that was frozen longer cannot be waited for


async def erase_recording(bus: Bus, blobs: BlobStore, jobs: JobTable, recording: str) -> None:
    """Erase a recording: tombstone first (nothing new begins), then tasks, blobs, events and jobs.

    Safe to repeat. What a worker commits while this runs is removed by the `Sweeper`.

    Raises
    ------
    Unavailable
        If the broker cannot be reached; call again.
    """
    await jobs.erase(recording)
    await bus.purge_tasks(recording)
    await blobs.delete(recording)
    for job in jobs.list(recording):
        await bus.purge_events(job.id)
        await jobs.remove(job.id)


class Sweeper:
    """Erases again what late workers wrote, until every lease that could have been running is over."""

    def __init__(self, bus: Bus, blobs: BlobStore, jobs: JobTable) -> None:
        self._bus, self._blobs, self._jobs = bus, blobs, jobs

    async def run(self) -> None:
        """For ever: each lease once."""
        lease = self._bus.settings.ack_wait_s
        while True:
            await asyncio.sleep(lease)
            for recording, when in self._jobs.tombstones().items():
                if (datetime.now(UTC) - when).total_seconds() < LATE_LEASES * lease:
                    try:
                        await self._bus.purge_tasks(recording)
                        await self._blobs.delete(recording)
                    except Unavailable as error:
                        log.warning("an erased recording is swept later", extra={"error": repr(error)})
