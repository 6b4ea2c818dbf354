"""Nothing is kept longer than it is needed: uploads and intermediates for an hour, results for a day."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway.inventory import list_blobs
from gateway.removal import forget_job, remove_products
from gateway.settings import GatewaySettings
from mesh import subjects
from mesh.blobs import BlobStore
from mesh.bus import Bus
from mesh.contracts import Job, Outcome
from mesh.errors import Failure
from mesh.jetstream_blobs import JetStreamBlobs
from mesh.jobs import JobTable
from mesh.names import id_time
from mesh.telemetry import GatewayMetrics

log = logging.getLogger(__name__)

KEPT_KINDS = frozenset({"result", "file", "video"})  # the rest of a recording is there to make these
ORPHAN_ROUNDS = 10  # every so many rounds what belongs to no job is looked for


@dataclass(frozen=True)
class Due:
    """What is to be removed of one recording: whole jobs, and whether only results are kept of the others."""

    jobs: tuple[Job, ...]
    strip: bool


def due(jobs: Sequence[Job], now: datetime, keep_uploads_s: float, keep_results_s: float) -> Due:
    """What the time has come for, of the jobs of one recording.

    Parameters
    ----------
    jobs : sequence of Job
        All of the recording.
    now : datetime
        Aware.
    keep_uploads_s, keep_results_s : float
        How long uploads and intermediates are kept after the recording's last job, results after their own.
    """
    if not jobs or any(job.finished_at is None for job in jobs):
        return Due((), False)
    ends = [job.finished_at for job in jobs if job.finished_at is not None]
    expired = tuple(j for j, end in zip(jobs, ends, strict=True) if end + timedelta(seconds=keep_results_s) <= now)
    return Due(expired, max(ends) + timedelta(seconds=keep_uploads_s) <= now)


class Retention:
    """Removes what is due. Every gateway runs one; they do not mind each other."""

    def __init__(
        self, bus: Bus, blobs: BlobStore, jobs: JobTable, metrics: GatewayMetrics, settings: GatewaySettings
    ) -> None:
        self._bus, self._blobs, self._jobs = bus, blobs, jobs
        self._metrics, self._settings = metrics, settings
        self._stripped: set[str] = set()  # recordings of which only results are left

    async def run(self) -> None:
        """For ever."""
        rounds = 0
        while True:
            await asyncio.sleep(self._settings.retention_every_s)
            try:
                await self.sweep()
                if rounds % ORPHAN_ROUNDS == 0:
                    await self.sweep_orphans()
            except Failure as failure:
                log.warning("retention waits", extra={"failure": failure.slug, "detail": failure.detail})
            rounds += 1

    def _by_recording(self) -> dict[str, list[Job]]:
        found: dict[str, list[Job]] = {}
        for job in self._jobs.list():
            found.setdefault(job.recording, []).append(job)
        return found

    async def sweep(self, now: datetime | None = None) -> None:
        """Remove what is due now.

        Raises
        ------
        Unavailable
            If the broker cannot be reached.
        """
        settings = self._settings
        recordings = self._by_recording()
        self._stripped &= recordings.keys()
        for recording, jobs in recordings.items():
            if self._jobs.erased(recording):
                for job in jobs:  # created while it was being erased
                    await forget_job(self._bus, self._jobs, job)
                continue
            found = due(jobs, now or datetime.now(UTC), settings.keep_uploads_s, settings.keep_results_s)
            for job in found.jobs:
                # asked anew: jobs come and go meanwhile
                others = [other for other in self._jobs.list(recording) if other.id != job.id]
                await remove_products(self._blobs, job, [o for o in others if o.outcome != Outcome.CANCELLED])
                await forget_job(self._bus, self._jobs, job)
                self._metrics.removed.labels("results").inc()
                log.info("a job expired", extra={"job": job.id})
            if not found.strip:
                self._stripped.discard(recording)
            elif recording not in self._stripped and len(found.jobs) < len(jobs):
                await self._strip(recording)

    async def _strip(self, recording: str) -> None:
        """Leave nothing but results of a recording that nobody works on."""
        kinds = {name.split("/")[1] for name in await self._blobs.list(recording)} - KEPT_KINDS
        if any(job.outcome is None for job in self._jobs.list(recording)):
            return
        for kind in sorted(kinds):
            await self._blobs.delete(f"{recording}/{kind}")
        if isinstance(self._blobs, JetStreamBlobs) and await self._blobs.sweep(recording):
            self._metrics.removed.labels("parts").inc()
        if kinds:
            self._metrics.removed.labels("intermediates").inc()
            log.info("the clip of a recording expired", extra={"recording": recording})
        self._stripped.add(recording)

    async def sweep_orphans(self, now: datetime | None = None) -> None:
        """Remove what belongs to no job: uploads of a gateway that died, and what late workers wrote.

        Raises
        ------
        Unavailable
            If the broker cannot be reached.
        """
        youngest = (now or datetime.now(UTC)) - timedelta(seconds=self._settings.keep_unused_s)
        found = {subject.split(".")[1] for subject in await self._bus.subjects(subjects.BLOBS, "blob.>")}
        for recording in found - self._by_recording().keys():
            born = id_time(recording)
            if born is not None and born > youngest:
                continue  # perhaps still being uploaded
            if self._jobs.list(recording):
                continue
            if any(when > youngest for when in (await list_blobs(self._bus, recording)).values()):
                continue  # a piece of it came not long ago
            await self._blobs.delete(recording)
            self._metrics.removed.labels("orphans").inc()
            log.info("a recording without jobs was removed", extra={"recording": recording})
