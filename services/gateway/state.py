"""What the routes share: the parts of the gateway, put together once the service runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, cast

from fastapi import Depends, Path
from starlette.requests import HTTPConnection

from gateway.auth import Reader, Writer
from gateway.claims import Claims
from gateway.coordinator import Coordinator
from gateway.event_stream import EventStream
from gateway.events import JobWatch, Publisher
from gateway.incoming import IncomingUploads
from gateway.inspection import Inspection
from gateway.links import Signer
from gateway.live_sessions import LiveSessions
from gateway.principals import Principal
from gateway.retention import Retention
from gateway.settings import GatewaySettings
from gateway.submission import JOB_ID, RECORDING_ID, Submissions
from gateway.webhooks import Webhooks
from mesh.contracts import Job, JobView, Outcome
from mesh.deadletters import DeadLetters
from mesh.erasure import Sweeper
from mesh.errors import Busy, NotFound
from mesh.service import Runtime
from mesh.telemetry import GatewayMetrics


class Gateway:
    """The parts of a gateway; they work from the start of the app on."""

    def __init__(self, runtime: Runtime, settings: GatewaySettings) -> None:
        self.runtime, self.settings = runtime, settings
        bus, blobs, jobs = runtime.bus, runtime.blobs, runtime.jobs
        self.bus, self.blobs, self.jobs = bus, blobs, jobs
        self.metrics = GatewayMetrics(runtime.telemetry)
        self.publisher = Publisher(bus, self.present, lambda job: not jobs.erased(job.recording))
        self.coordinator = Coordinator(
            bus, blobs, jobs, metrics=self.metrics, every_s=settings.reconcile_s, on_progress=self.publisher.tell
        )
        self.watch = JobWatch(jobs)
        self.signer = Signer(bus)
        inspect = Inspection(runtime, settings)
        self.incoming = IncomingUploads(
            bus, blobs, jobs, inspect, settings.scratch / "uploads", settings.keep_unused_s,
            self.metrics.upload_bytes.inc,
        )  # fmt: skip
        claims = Claims(bus, jobs, settings.idempotency_s)
        self.submissions = Submissions(
            runtime, settings, self.coordinator, claims, self.metrics, inspect, self.incoming
        )
        self.retention = Retention(bus, blobs, jobs, self.metrics, settings)
        self.live = LiveSessions(settings.live_sessions, settings.live_keep_s, self.metrics)
        self.webhooks = Webhooks(bus, jobs, self.signer, self.view, settings.callable_hosts, settings.keep_results_s)
        self.dead_letters = DeadLetters(bus, blobs, runtime.telemetry)
        self.sweeper = Sweeper(bus, blobs, jobs)
        self._streams = 0

    # --- jobs as clients see them

    def expires_at(self, job: Job | JobView) -> datetime | None:
        """When a job and its result are removed; None as long as it runs."""
        return job.finished_at + timedelta(seconds=self.settings.keep_results_s) if job.finished_at else None

    def present(self, view: JobView) -> JobView:
        """A view with addresses and with the time it is kept until."""
        own = f"/v1/jobs/{view.id}"
        links = {"self": own, "events": f"{own}/events", "recording": f"/v1/recordings/{view.recording}"}
        if view.state.value == Outcome.SUCCEEDED:
            links |= {"result": f"{own}/result", "files": f"{own}/files"}
        return view.model_copy(update={"links": links, "expires_at": self.expires_at(view)})

    async def view(self, job: Job) -> JobView:
        """A job as the API shows it now. Raises Unavailable."""
        return self.present(await self.coordinator.view(job))

    async def find(self, job_id: str, principal: Principal) -> Job:
        """A job by its id.

        Raises
        ------
        NotFound
            If there is none, or it belongs to somebody else: which of both is nobody's business.
        Unavailable
            If the broker cannot be reached.
        """
        job = await self.jobs.find(job_id) if JOB_ID.match(job_id) else None
        if job is None or self.jobs.erased(job.recording) or job.tenant != principal.tenant:
            raise NotFound("there is no such job")
        return job

    async def owns(self, principal: Principal, recording: str) -> bool:
        """Whether a recording is there and belongs to who asks. Raises Unavailable."""
        if not RECORDING_ID.match(recording):
            return False
        jobs = self.jobs.list(recording)
        if jobs:
            return jobs[0].tenant == principal.tenant
        return await self.incoming.tenant(recording) == principal.tenant

    # --- streams of events

    def open_stream(self, job: Job, after: int) -> EventStream:
        """A stream of the events of a job; give it back with `close_stream`.

        Raises
        ------
        Busy
            If as many are open as are allowed.
        """
        if self._streams >= self.settings.events_streams:
            raise Busy(f"{self._streams} streams of events are open")

        async def now() -> JobView | None:
            current = await self.jobs.find(job.id)
            return None if current is None else await self.view(current)

        self._streams += 1
        self.metrics.event_streams.set(self._streams)
        settings = self.settings
        return EventStream(
            self.bus, self.watch, job, after, now, settings.events_life_s, settings.keep_alive_s, self.runtime.stopping
        )

    def close_stream(self) -> None:
        """One stream less."""
        self._streams -= 1
        self.metrics.event_streams.set(self._streams)


def gateway_of(connection: HTTPConnection) -> Gateway:
    """The gateway that a request reached."""
    return cast(Gateway, connection.app.state.gateway())


JobId = Annotated[str, Path(description="As POST /v1/jobs gave it", examples=["job_01…"])]
RecordingId = Annotated[str, Path(description="As POST /v1/uploads or POST /v1/jobs gave it", examples=["rec_01…"])]


async def job_of(connection: HTTPConnection, principal: Reader, job_id: JobId) -> Job:
    """The job that a path names; NotFound if there is none of this tenant."""
    return await gateway_of(connection).find(job_id, principal)


async def recording_of(connection: HTTPConnection, principal: Reader, recording: RecordingId) -> str:
    """The recording that a path names; NotFound if there is none of this tenant."""
    if not await gateway_of(connection).owns(principal, recording):
        raise NotFound("there is no such recording")
    return recording


async def own_recording_of(connection: HTTPConnection, principal: Writer, recording: RecordingId) -> str:
    """As `recording_of`, for who wants to change it."""
    return await recording_of(connection, principal, recording)


TheGateway = Annotated[Gateway, Depends(gateway_of)]
TheJob = Annotated[Job, Depends(job_of)]
TheRecording = Annotated[str, Depends(recording_of)]
TheOwnRecording = Annotated[str, Depends(own_recording_of)]
