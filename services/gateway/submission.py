"""From a request to a job: admitted, received, looked at, stored, and only then created."""

from __future__ import annotations

import contextlib
import logging
import math
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from fastapi import Request

from gateway.claims import RUNNING_S, STARTING_S, Claim, Claims
from gateway.coordinator import Coordinator
from gateway.incoming import IncomingUploads
from gateway.inspection import Inspection
from gateway.principals import Principal
from gateway.settings import GatewaySettings
from gateway.uploads import Spool, Submission, receive
from media.probe import Facts
from mesh.contracts import Job, Plan
from mesh.errors import (
    Busy,
    Erased,
    Failure,
    Internal,
    NotFound,
    Problem,
    StorageFull,
    failure_classes,
)
from mesh.feasible import check_feasible
from mesh.names import BlobName, new_id, upload_name
from mesh.parameters import Parameters
from mesh.service import Runtime
from mesh.telemetry import GatewayMetrics

log = logging.getLogger(__name__)

SPARE_BYTES = 256 << 20  # of the disk that uploads leave to others
TYPICAL_BYTES_S = 500_000  # of a clip: 4 Mbit/s
RECORDING_ID = re.compile(r"rec_[0-9a-hjkmnp-tv-z]{26}\Z")
JOB_ID = re.compile(r"job_[0-9a-hjkmnp-tv-z]{26}\Z")


def worth_another_try(problem: Problem) -> bool:
    """Whether a failure may not come again: one that the recording was not at fault for."""
    by_slug = {cls.slug: cls for cls in failure_classes()}
    cls = by_slug.get(problem.slug, Internal)
    return not cls.recording_at_fault


def expected_chunks(seconds: float | None, size: int, chunk_s: float) -> int:
    """About how many chunks a clip will have, at least 1.

    Parameters
    ----------
    seconds : float or None
        Its length, where it is known.
    size : int
        In bytes.
    chunk_s : float
        Length of a chunk.
    """
    return max(1, math.ceil((size / TYPICAL_BYTES_S if seconds is None else seconds) / chunk_s))


def check_clip(parameters: Parameters, facts: Facts) -> None:
    """Refuse parameters that the clip cannot carry, as far as its head shows that.

    Raises
    ------
    BadParameters
        Naming the parameter at fault and what to set it to.
    """
    seconds, fps = facts.seconds, None
    if facts.frames and facts.seconds:
        fps = parameters.capture_fps or facts.frames / facts.seconds
        seconds = facts.frames / fps
    check_feasible(parameters, facts.width, facts.height, fps, seconds)


class Submissions:
    """Takes jobs in."""

    def __init__(
        self,
        runtime: Runtime,
        settings: GatewaySettings,
        coordinator: Coordinator,
        claims: Claims,
        metrics: GatewayMetrics,
        inspect: Inspection,
        incoming: IncomingUploads,
    ) -> None:
        self._runtime, self._settings = runtime, settings
        self._coordinator, self._claims, self._metrics = coordinator, claims, metrics
        self._inspect, self._incoming = inspect, incoming
        self._uploads = 0

    def admit(self) -> None:
        """Refuse before a byte is read what could only wait.

        Raises
        ------
        Busy
            If as many jobs, tasks or uploads as are allowed are there already.
        """
        settings = self._settings
        if self._coordinator.active >= settings.max_active_jobs:
            raise Busy(f"{settings.max_active_jobs} jobs are running")
        if self._coordinator.queued >= settings.max_queued_tasks:
            raise Busy(f"{settings.max_queued_tasks} tasks are queued")

    @contextlib.contextmanager
    def receiving(self) -> Iterator[None]:
        """Around the receipt of a body that is a clip or a piece of one.

        Raises
        ------
        Busy
            If as many as are allowed are received already.
        """
        if self._uploads >= self._settings.max_uploads:
            raise Busy(f"{self._settings.max_uploads} uploads are running")
        self._uploads += 1
        self._metrics.uploads.inc()
        try:
            yield
        finally:
            self._uploads -= 1
            self._metrics.uploads.dec()

    async def submit(
        self, request: Request, principal: Principal, key: str | None, webhook: str | None
    ) -> tuple[Job, bool]:
        """Make the job that a request asks for.

        Returns
        -------
        job : Job
        made : bool
            False if an earlier request with the same key made it.

        Raises
        ------
        Failure
            What is wrong; nothing is left behind then.
        """
        try:
            return await self._submit(request, principal, key, webhook)
        except Failure as failure:
            self._metrics.refused.labels(failure.slug).inc()
            raise

    async def _submit(
        self, request: Request, principal: Principal, key: str | None, webhook: str | None
    ) -> tuple[Job, bool]:
        self.admit()
        with self.receiving():
            folder = self._settings.scratch / "uploads"
            self._check_room(request, folder)
            with Spool(folder, self._settings.upload_bytes, self._metrics.upload_bytes.inc) as spool:
                submission = await receive(request, spool, self._settings.upload_bytes, self._settings.upload_idle_s)
                asked = f"{submission.fingerprint} {webhook or ''}"
                running_s = RUNNING_S if submission.clip is not None else STARTING_S
                claim = await self._claims.open(key, asked, principal.tenant, running_s)
                if claim.made:
                    earlier = await self._runtime.jobs.find(claim.job)
                    if earlier is None:
                        raise NotFound("the job of this Idempotency-Key was removed just now")
                    return earlier, False
                try:
                    job = await self._make(submission, claim, principal.tenant, webhook)
                except BaseException:
                    with contextlib.suppress(Failure):
                        await self._claims.release(claim)
                    raise
                with contextlib.suppress(Failure):  # the job says so itself
                    await self._claims.done(claim)
                return job, True

    def _check_room(self, request: Request, folder: Path) -> None:
        declared = request.headers.get("content-length", "")
        if declared.isdecimal():
            folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(folder).free < int(declared) + SPARE_BYTES:
                raise StorageFull()

    async def _make(self, submission: Submission, claim: Claim, tenant: str, webhook: str | None) -> Job:
        parameters = submission.parameters
        if submission.clip is None:
            assert submission.recording is not None
            size = await self._prepare_again(submission.recording, tenant)
            await self._check_again(submission.recording, parameters)
            expected = expected_chunks(None, size, parameters.chunk_seconds)
            return await self._create(claim, submission.recording, parameters, tenant, webhook, expected)
        facts = await self._inspect(submission.clip)
        if facts is not None:
            check_clip(parameters, facts)
        recording = new_id("rec")
        try:
            await self._incoming.note(recording, tenant, submission.size)
            await self._runtime.blobs.create(upload_name(recording), submission.clip)
            seconds = facts.seconds if facts is not None else None
            expected = expected_chunks(seconds, submission.size, parameters.chunk_seconds)
            job = await self._create(claim, recording, parameters, tenant, webhook, expected)
        except BaseException:
            with contextlib.suppress(Failure):  # else it expires
                await self._runtime.blobs.delete(recording)
            raise
        log.info("a clip was taken in", extra={"job": job.id, "bytes": submission.size})
        return job

    async def _check_again(self, recording: str, parameters: Parameters) -> None:
        """Refuse what a recording that an earlier job has split cannot carry."""
        blobs = self._runtime.blobs
        for text in await blobs.list(recording):
            name = BlobName.parse(text)
            if name.kind == "plan":
                with contextlib.suppress(NotFound, ValueError):
                    found = Plan.model_validate_json(await blobs.read(name)).recording
                    check_feasible(parameters, found.width, found.height, found.fps, found.duration_s)
                return

    async def _prepare_again(self, recording: str, tenant: str) -> int:
        """Make sure that a recording can be worked on; the size of its clip in bytes."""
        blobs, jobs = self._runtime.blobs, self._runtime.jobs
        if not RECORDING_ID.match(recording):
            raise NotFound("there is no such recording")
        known = jobs.list(recording)
        owner = known[0].tenant if known else await self._incoming.tenant(recording)
        if jobs.erased(recording) and owner in (None, tenant):
            raise Erased()
        if owner == tenant and not known:  # a first job: perhaps the gateway of the last piece died over it
            await self._incoming.complete(recording)
        upload = await blobs.stat(upload_name(recording)) if owner == tenant else None
        if upload is None:
            minutes = self._settings.keep_uploads_s / 60
            raise NotFound(
                "there is no such recording, or its clip is not kept any more",
                hint=f"A clip is kept for {minutes:g} minutes after its last job: send it again.",
            )
        for text in await blobs.list(recording):
            name = BlobName.parse(text)
            if name.kind == "failure":
                with contextlib.suppress(NotFound, ValueError):
                    if worth_another_try(Problem.model_validate_json(await blobs.read(name))):
                        await blobs.delete(text)
        return upload.size

    async def _create(
        self, claim: Claim, recording: str, parameters: Parameters, tenant: str, webhook: str | None, expected: int
    ) -> Job:
        job = Job(
            id=claim.job, recording=recording, parameters=parameters, created_at=datetime.now(UTC), tenant=tenant,
            webhook=webhook, expected_chunks=expected,
        )  # fmt: skip
        if not await self._runtime.jobs.create(job):
            raise Internal("a new job has the id of another")
        return job
