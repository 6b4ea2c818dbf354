"""Jobs over HTTP: submit, look, list, cancel; and erase a recording."""

from __future__ import annotations

import asyncio
import base64
import binascii
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field

from gateway.auth import Reader, Writer
from gateway.problems import responses
from gateway.removal import cancel
from gateway.state import JobId, TheGateway, TheJob, gateway_of
from gateway.submission import JOB_ID
from gateway.uploads import CLIP_TYPES, RunAgain
from gateway.webhooks import check_address
from mesh.contracts import JobView
from mesh.errors import (
    BadParameters,
    BadRequest,
    Busy,
    EmptyUpload,
    Erased,
    Expired,
    Forbidden,
    KeyReused,
    LinkExpired,
    MissingScope,
    NoFrames,
    NotFound,
    NotMoving,
    NoVideoStream,
    RateLimited,
    StillRunning,
    StorageFull,
    TooLarge,
    TooLong,
    TooManyPixels,
    TooShort,
    Unauthorized,
    Unavailable,
    UnreadableVideo,
    UnsupportedCodec,
    UnsupportedMedia,
    UploadIncomplete,
    UploadStalled,
)
from mesh.parameters import Parameters

# what any route may answer
COMMON = (Unauthorized, Forbidden, MissingScope, LinkExpired, BadParameters, RateLimited, Unavailable)
router = APIRouter(prefix="/v1", tags=["jobs"])

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_PARAMETERS = {"$ref": "#/components/schemas/Parameters"}
SUBMISSION: dict[str, Any] = {
    "required": True,
    "description": "A clip as a form or as it is, or the name of a recording that was uploaded before",
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["video"],
                "properties": {"video": _BINARY["schema"], "parameters": _PARAMETERS},
            },
            "encoding": {"parameters": {"contentType": "application/json"}},
        },
        "video/*": _BINARY,
        **dict.fromkeys(CLIP_TYPES, _BINARY),
        "application/json": {"schema": {"$ref": "#/components/schemas/RunAgain"}},
    },
}
SCHEMAS: dict[str, type[BaseModel]] = {"Parameters": Parameters, "RunAgain": RunAgain}  # what `SUBMISSION` refers to


class JobPage(BaseModel):
    """Some jobs, newest first."""

    jobs: list[JobView]
    next: str | None = Field(default=None, description="Give it as `cursor` to get older ones; null at the end")


def cursor_of(view: JobView) -> str:
    """Where the next page begins: behind this job."""
    return base64.urlsafe_b64encode(f"{view.created_at.isoformat()} {view.id}".encode()).decode().rstrip("=")


def parse_cursor(text: str) -> tuple[datetime, str]:
    """Time and id of the last job of the page before.

    Raises
    ------
    BadRequest
        If we did not make it.
    """
    try:
        when, _, id = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(" ")
        found = datetime.fromisoformat(when)
    except (binascii.Error, ValueError):
        raise BadRequest("the cursor is none of ours") from None
    if found.tzinfo is None or not JOB_ID.match(id):
        raise BadRequest("the cursor is none of ours")
    return found, id


@router.post(
    "/jobs",
    operation_id="submitJob",
    summary="Submit a clip, or run an earlier one again",
    status_code=202,
    response_model=JobView,
    responses=responses(
        *COMMON, BadRequest, EmptyUpload, UnsupportedMedia, UnsupportedCodec, UnreadableVideo, NoFrames,
        NoVideoStream, NotMoving, TooShort, TooLong, TooLarge, TooManyPixels, NotFound, Erased, Expired, KeyReused,
        StillRunning, UploadIncomplete, UploadStalled, Busy, StorageFull,
        also={
            202: {
                "description": "The clip is stored, the job created",
                "headers": {"Location": {"description": "Address of the job", "schema": {"type": "string"}}},
            }
        },
    ),
    openapi_extra={"requestBody": SUBMISSION},
)  # fmt: skip
async def submit_job(
    request: Request,
    response: Response,
    principal: Writer,
    parameters: Annotated[
        str | None, Query(description="Parameters as JSON, for a clip that is sent as it is", max_length=65536)
    ] = None,
    webhook: Annotated[
        str | None,
        Query(description="Address that is told, signed, when the job has ended", max_length=2048),
    ] = None,
    idempotency_key: Annotated[
        str | None, Header(description="The same request with the same key makes one job")
    ] = None,
) -> JobView:
    """The answer comes when the clip is stored; what a first look shows to be of no use is refused at once."""
    gateway = gateway_of(request)
    if webhook is not None:
        check_address(webhook, gateway.settings.callable_hosts)
    job, made = await gateway.submissions.submit(request, principal, idempotency_key, webhook)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    if not made:
        response.headers["Idempotency-Replayed"] = "true"
    return await gateway.view(job)


@router.get("/jobs", operation_id="listJobs", summary="Jobs, newest first", responses=responses(*COMMON, BadRequest))
async def list_jobs(
    gateway: TheGateway,
    principal: Reader,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    recording: Annotated[str | None, Query(max_length=80, description="Only the jobs of one recording")] = None,
) -> JobPage:
    """Pages stay the same while jobs are added."""
    own = (job for job in gateway.jobs.list(recording) if job.tenant == principal.tenant)
    jobs = [job for job in own if not gateway.jobs.erased(job.recording)]
    if cursor is not None:
        before = parse_cursor(cursor)
        jobs = [job for job in jobs if (job.created_at, job.id) < before]
    views = list(await asyncio.gather(*(gateway.view(job) for job in jobs[:limit])))
    return JobPage(jobs=views, next=cursor_of(views[-1]) if len(jobs) > limit else None)


@router.get("/jobs/{job_id}", operation_id="getJob", summary="A job", responses=responses(*COMMON, NotFound))
async def get_job(gateway: TheGateway, job: TheJob) -> JobView:
    """State, progress of each stage, and why it failed if it did."""
    return await gateway.view(job)


@router.delete(
    "/jobs/{job_id}",
    operation_id="deleteJob",
    summary="Cancel a job, or forget one that has ended",
    status_code=204,
    responses=responses(*COMMON),
)
async def delete_job(gateway: TheGateway, principal: Writer, job_id: JobId) -> None:
    """Removes what no other job of the recording uses. A job that is gone already is no error."""
    try:
        job = await gateway.find(job_id, principal)
    except NotFound:
        return
    if await cancel(gateway.bus, gateway.blobs, gateway.jobs, job):
        ended = gateway.jobs.get(job.id)
        if ended is not None:
            gateway.publisher.tell(ended, None, {})
