"""Results over HTTP: the report, its files in whole or in part, and the events on the way there."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from gateway.event_stream import MEDIA_TYPE, all_seen
from gateway.jobs_api import COMMON
from gateway.problems import failure_response, responses
from gateway.ranges import etag_matches, requested_span
from gateway.state import Gateway, TheGateway, TheJob, gateway_of
from mesh.contracts import Job, MagnifiedClip, Outcome, Result, ResultFile, ResultIndex
from mesh.errors import (
    BadRequest,
    BlobIncomplete,
    Busy,
    Conflict,
    Expired,
    Internal,
    NotFound,
    Problem,
    RangeNotSatisfiable,
    from_problem,
)
from mesh.graph import blob_name
from mesh.names import BlobName

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])


class FileEntry(BaseModel):
    """One file of a result."""

    name: str
    media_type: str
    size: int
    sha256: str
    href: str


class FileList(BaseModel):
    """The files of a result."""

    files: list[FileEntry]
    complete: bool = Field(description="False while the job runs: more will come")


async def result_index(gateway: Gateway, job: Job) -> ResultIndex:
    """The files of a job's result.

    Raises
    ------
    Conflict
        If the job has not ended, or was cancelled.
    Failure
        The one that the job ended with.
    Expired
        If it was kept for its time.
    Unavailable
        If the broker cannot be reached.
    """
    if job.outcome is None:
        raise Conflict("the job has not ended", hint="Follow its events, or ask for the job until it has ended.")
    if job.outcome == Outcome.CANCELLED:
        raise Conflict("the job was cancelled")
    if job.outcome == Outcome.FAILED:
        raise from_problem(job.problem) if job.problem is not None else Internal()
    try:
        return ResultIndex.model_validate_json(await gateway.blobs.read(blob_name(job, "result")))
    except NotFound:
        raise Expired("the result of this job is not kept any more") from None


async def early_files(gateway: Gateway, job: Job) -> list[ResultFile]:
    """What is there of the files of a job that has not ended: the magnified clip, from the end of its stage on.

    Raises
    ------
    Unavailable
        If the broker cannot be reached.
    """
    try:
        content = await gateway.blobs.read(blob_name(job, "clip"))
    except NotFound:
        return []
    made = MagnifiedClip.model_validate_json(content).file
    return [made] if made is not None else []


async def file_of(gateway: Gateway, job: Job, name: str) -> ResultFile:
    """One file of a job's result; NotFound if it has none of that name, and as `result_index`."""
    found = await early_files(gateway, job) if job.outcome is None else []
    if not any(entry.name == name for entry in found):
        found = (await result_index(gateway, job)).files
    for entry in found:
        if entry.name == name:
            return entry
    raise NotFound("the result has no such file", hint=f"GET /v1/jobs/{job.id}/files lists them.")


_MEDIA_TYPES = (
    "video/mp4", "image/png", "image/jpeg", "text/csv", "text/html", "application/json", "application/octet-stream",
)  # fmt: skip
_ANY: dict[str, Any] = {kind: {} for kind in _MEDIA_TYPES}  # as `media_type` of the list of files says
_RESULT = (*COMMON, NotFound, Conflict, Expired, BlobIncomplete)


@router.get(
    "/result",
    operation_id="getResult",
    summary="The measurements",
    responses=responses(
        *_RESULT, also={"default": {"description": "The problem that the job ended with", "model": Problem}}
    ),
)
async def get_result(gateway: TheGateway, job: TheJob) -> Result:
    """`result.json`. Of a job that failed: the problem that it ended with."""
    entry = await file_of(gateway, job, "result.json")
    result = Result.model_validate_json(await gateway.blobs.read(BlobName.parse(entry.blob)))
    return result.model_copy(update={"job": job.id})  # jobs with the same parameters share what one of them made


@router.get("/files", operation_id="listFiles", summary="The files of a result", responses=responses(*_RESULT))
async def list_files(
    gateway: TheGateway,
    job: TheJob,
    early: Annotated[
        bool, Query(description="While the job runs: those that are there already, not a conflict")
    ] = False,
) -> FileList:
    """Names, types, sizes, digests and addresses."""
    running = early and job.outcome is None
    found = await early_files(gateway, job) if running else (await result_index(gateway, job)).files
    return FileList(
        files=[
            FileEntry(**file.model_dump(exclude={"blob"}), href=f"/v1/jobs/{job.id}/files/{quote(file.name, safe='')}")
            for file in found
        ],
        complete=not running,
    )


def disposition(name: str) -> str:
    """`Content-Disposition` (RFC 6266) that saves a file under its name."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
    extended = f"; filename*=UTF-8''{quote(name, safe='')}" if plain != name else ""
    return f'attachment; filename="{plain}"{extended}'


async def _from_first(gateway: Gateway, name: BlobName, start: int, stop: int) -> AsyncIterator[bytes]:
    """The bytes of a blob; its first piece is read before anything is answered, so that what is gone is a problem."""
    pieces = gateway.blobs.stream(name, start, stop)
    first = await anext(pieces, b"")

    async def whole() -> AsyncGenerator[bytes, None]:
        try:
            yield first
            async for piece in pieces:
                yield piece
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()

    return whole()


@router.head("/files/{name}", include_in_schema=False)
@router.get(
    "/files/{name}",
    operation_id="getFile",
    summary="A file of a result",
    response_class=Response,
    responses=responses(
        *_RESULT,
        RangeNotSatisfiable,
        also={
            200: {"description": "All of it", "content": _ANY},
            206: {"description": "The range that was asked for", "content": _ANY},
            304: {"description": "It is what the client has"},
        },
    ),
)
async def get_file(request: Request, job: TheJob, name: str) -> Response:
    """Takes `Range` (one range, also from the end), `If-Range` and `If-None-Match`.

    `magnified.mp4` is there from the end of the stage `clip` on, before the job ends; its `progress` event says when.
    """
    gateway = gateway_of(request)
    entry = await file_of(gateway, job, name)
    etag = f'"{entry.sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",  # kept by the client alone, and asked about each time
        "Content-Disposition": disposition(entry.name),
    }
    if etag_matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    try:
        span = requested_span(request.headers, entry.size, etag) if request.method == "GET" else None
    except RangeNotSatisfiable as failure:
        beyond = {"Content-Range": f"bytes */{entry.size}", "Accept-Ranges": "bytes"}
        return failure_response(failure, request.url.path, retry_after_s=gateway.settings.retry_after_s, headers=beyond)
    start, stop = span or (0, entry.size)
    headers["Content-Length"] = str(stop - start)
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{entry.size}"
    status = 200 if span is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=entry.media_type)
    content = await _from_first(gateway, BlobName.parse(entry.blob), start, stop)
    return StreamingResponse(content, status_code=status, headers=headers, media_type=entry.media_type)


@router.get(
    "/events",
    operation_id="watchJob",
    summary="What happens to a job, as it happens",
    tags=["jobs"],
    response_class=StreamingResponse,
    responses=responses(
        *COMMON,
        NotFound,
        BadRequest,
        Busy,
        also={
            200: {
                "description": "Server-sent events: `progress` (a stage's progress) and `state` (the job); ends after "
                "the state that ends the job",
                "content": {MEDIA_TYPE: {}},  # a schema would be that of one event
            },
            204: {"description": "The client has seen the last event"},
        },
    ),
)
async def watch_job(
    request: Request,
    job: TheJob,
    last_event_id: Annotated[str | None, Header(description="`id` of the last event that was seen")] = None,
) -> Response:
    """Begins with the first event that is kept, or behind `Last-Event-ID`. Any gateway serves any job."""
    gateway = gateway_of(request)
    if last_event_id and not (last_event_id.isdecimal() and len(last_event_id) <= 18):
        raise BadRequest("Last-Event-ID is none of ours")
    after = int(last_event_id) if last_event_id else 0
    if await all_seen(gateway.bus, job, after):
        return Response(status_code=204)
    stream = gateway.open_stream(job, after)

    async def messages() -> AsyncGenerator[bytes, None]:
        try:
            async with contextlib.aclosing(stream.messages()) as found:
                async for piece in found:
                    yield piece
        finally:
            gateway.close_stream()

    return StreamingResponse(messages(), media_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})
