"""Resumable uploads over HTTP: tus 1.0.0 onto blobs, see `gateway.tus` and `gateway.incoming`.

An upload is the beginning of a recording and has its name: when the last byte is there, POST /v1/jobs with
`{"recording": …}` starts a job on it, with the parameters that were chosen meanwhile, as for any recording.
"""

from __future__ import annotations

import contextlib
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from gateway import tus
from gateway.auth import Writer
from gateway.incoming import Incoming, IncomingUploads
from gateway.jobs_api import COMMON
from gateway.problems import responses
from gateway.state import Gateway, TheGateway, TheOwnRecording, gateway_of
from gateway.uploads import incoming
from mesh.errors import (
    BadRequest,
    Busy,
    ChecksumMismatch,
    Conflict,
    EmptyUpload,
    Erased,
    MethodNotAllowed,
    NoFrames,
    NotFound,
    NotMoving,
    NoVideoStream,
    StorageFull,
    TooLarge,
    TooLong,
    TooManyPixels,
    TooShort,
    TusVersion,
    UnreadableVideo,
    UnsupportedCodec,
    UnsupportedMedia,
    UploadStalled,
    WrongOffset,
)

router = APIRouter(prefix=tus.PATH, tags=["uploads"])

Version = Annotated[str | None, Header(alias="Tus-Resumable", description="1.0.0")]
Length = Annotated[str | None, Header(alias="Upload-Length", description="Bytes of the whole clip")]
Offset = Annotated[str | None, Header(alias="Upload-Offset", description="Where this piece begins, in bytes")]
Metadata = Annotated[str | None, Header(alias="Upload-Metadata", description="Said back as it came; nothing reads it")]
Digest = Annotated[
    str | None, Header(alias="Upload-Checksum", description="`sha256`, `sha1` or `md5`, and the digest in base64")
]
_NUMBER = {"schema": {"type": "integer"}}
_TEXT = {"schema": {"type": "string"}}
_PROGRESS = {"Upload-Offset": _NUMBER, "Upload-Expires": _TEXT, "Tus-Resumable": _TEXT}
# what the last piece may show of the clip
_CLIP = (
    EmptyUpload, UnreadableVideo, NoVideoStream, NoFrames, NotMoving, TooShort, TooLong, TooManyPixels, TooLarge,
    UnsupportedCodec,
)  # fmt: skip
_RECEIVING = (BadRequest, Conflict, UnsupportedMedia, TusVersion, UploadStalled, Busy, StorageFull, ChecksumMismatch)
_BODY = {
    "requestBody": {
        "description": "Bytes of the clip",
        "content": {tus.CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.options(
    "",
    operation_id="uploadOptions",
    summary="What is spoken here",
    status_code=204,
    responses=responses(*COMMON, also={204: {"description": "tus 1.0.0", "headers": {"Tus-Version": _TEXT}}}),
)
async def upload_options(gateway: TheGateway, principal: Writer) -> Response:
    """Version, extensions, largest upload."""
    return Response(status_code=204, headers=tus.options(gateway.settings.upload_bytes))


@router.post(
    "",
    operation_id="createUpload",
    summary="Begin an upload",
    status_code=201,
    response_class=Response,
    responses=responses(
        *COMMON, *_RECEIVING, *_CLIP,
        also={
            201: {"description": "It may be sent now, to `Location`", "headers": {"Location": _TEXT, **_PROGRESS}}
        },
    ),
    openapi_extra=_BODY,
)  # fmt: skip
async def create_upload(
    request: Request,
    principal: Writer,
    version: Version = None,
    length: Length = None,
    metadata: Metadata = None,
    checksum: Digest = None,
) -> Response:
    """A body is its first piece."""
    tus.check_version(version)
    gateway = gateway_of(request)
    size = tus.parse_length(length, gateway.settings.upload_bytes)
    tus.parse_metadata(metadata)
    gateway.submissions.admit()
    begins_with_body = request.headers.get("content-type") is not None and (
        request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    )
    if begins_with_body:
        tus.check_content_type(request.headers.get("content-type"))
    digest = tus.parse_checksum(checksum)
    upload = await gateway.incoming.begin(principal.tenant, size, metadata or "")
    offset = 0
    if begins_with_body:
        # what broke off is continued by PATCH: the client must learn the address
        with contextlib.suppress(UploadStalled):
            offset = await _receive(request, gateway, upload, 0, digest)
    headers = {"Location": f"{tus.PATH}/{upload.recording}", **tus.progress(offset, gateway.incoming.expires())}
    return Response(status_code=201, headers=headers)


async def _receive(
    request: Request, gateway: Gateway, upload: Incoming, offset: int, checksum: tus.Checksum | None
) -> int:
    uploads: IncomingUploads = gateway.incoming
    with gateway.submissions.receiving():
        body = incoming(request, gateway.settings.upload_idle_s)
        async with contextlib.aclosing(body):  # type: ignore[type-var]
            offset = await uploads.append(upload, offset, body, checksum)
        if offset == upload.length:
            await uploads.complete(upload.recording)
    return offset


@router.head(
    "/{recording}",
    operation_id="headUpload",
    summary="How far an upload is",
    response_class=Response,
    responses=responses(
        *COMMON, NotFound, Erased, TusVersion,
        also={200: {"description": "So far", "headers": {"Upload-Length": _NUMBER, "Upload-Offset": _NUMBER}}},
    ),
)  # fmt: skip
async def head_upload(gateway: TheGateway, recording: TheOwnRecording, version: Version = None) -> Response:
    """Where to go on."""
    tus.check_version(version)
    upload = await gateway.incoming.find(recording)
    offset = await gateway.incoming.offset(upload)
    headers = {"Upload-Length": str(upload.length), "Upload-Offset": str(offset)}  # looking keeps nothing longer
    if upload.metadata:
        headers["Upload-Metadata"] = upload.metadata
    return Response(status_code=200, headers=headers)


@router.patch(
    "/{recording}",
    operation_id="continueUpload",
    summary="Send the next piece of an upload",
    status_code=204,
    response_class=Response,
    responses=responses(
        *COMMON, *_RECEIVING, *_CLIP, NotFound, Erased, WrongOffset,
        also={204: {"description": "The piece is kept", "headers": _PROGRESS}},
    ),
    openapi_extra=_BODY,
)  # fmt: skip
async def continue_upload(
    request: Request,
    recording: TheOwnRecording,
    version: Version = None,
    offset: Offset = None,
    checksum: Digest = None,
) -> Response:
    """What came before a connection broke is kept. The last piece is answered when the clip is stored and looked at."""
    tus.check_version(version)
    tus.check_content_type(request.headers.get("content-type"))
    start, digest = tus.parse_offset(offset), tus.parse_checksum(checksum)
    gateway = gateway_of(request)
    upload = await gateway.incoming.find(recording)
    end = await _receive(request, gateway, upload, start, digest)
    return Response(status_code=204, headers=dict(tus.progress(end, gateway.incoming.expires())))


@router.delete(
    "/{recording}",
    operation_id="terminateUpload",
    summary="Give an upload up",
    status_code=204,
    response_class=Response,
    responses=responses(*COMMON, NotFound, Erased, Conflict, TusVersion),
)
async def terminate_upload(gateway: TheGateway, recording: TheOwnRecording, version: Version = None) -> Response:
    """What came of it is erased. A recording that has jobs is erased by DELETE /v1/recordings/{id}."""
    tus.check_version(version)
    if gateway.jobs.list(recording):
        raise Conflict("the recording has jobs", hint=f"DELETE /v1/recordings/{recording} erases it with its jobs.")
    await gateway.incoming.erase(recording)
    return Response(status_code=204)


@router.post("/{recording}", include_in_schema=False)
async def overridden(
    request: Request,
    gateway: TheGateway,
    recording: TheOwnRecording,
    method: Annotated[str | None, Header(alias="X-HTTP-Method-Override")] = None,
    version: Version = None,
    offset: Offset = None,
    checksum: Digest = None,
) -> Response:
    """For clients whose environment knows no PATCH and DELETE."""
    if method == "PATCH":
        return await continue_upload(request, recording, version, offset, checksum)
    if method == "DELETE":
        return await terminate_upload(gateway, recording, version)
    if method == "HEAD":
        return await head_upload(gateway, recording, version)
    raise MethodNotAllowed()
