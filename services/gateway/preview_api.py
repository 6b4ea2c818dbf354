"""A preview over HTTP: what a key takes for skin in one picture, to be shown while a user chooses it."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.auth import Reader
from gateway.jobs_api import COMMON
from gateway.multipart import PartBegin, PartData, parts
from gateway.picture import Shrunk
from gateway.problems import bad_parameters, responses
from gateway.state import Gateway, gateway_of
from gateway.uploads import FORM_BYTES, incoming, parse_parameters
from mesh.contracts import Plan
from mesh.errors import (
    BadRequest,
    Busy,
    Conflict,
    NotFound,
    OutOfTime,
    TooLarge,
    TooManyPixels,
    UnreadablePicture,
    UnsupportedMedia,
)
from mesh.graph import blob_name
from mesh.parameters import Parameters
from mesh.preview import KIND, PICTURE_BYTES, PICTURE_PIXELS, SkinPreview, SkinPreviewRequest
from mesh.requests import ask

router = APIRouter(prefix="/v1/preview", tags=["parameters"])

UPLOAD_BYTES = 24 << 20  # of a picture; what is larger than a message is made smaller first
IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")
_WAIT_S = 15.0
_IDLE_S = 20.0


class MomentPreview(BaseModel):
    """A moment of a recording that was uploaded before."""

    model_config = ConfigDict(extra="forbid")

    recording: str
    time_s: float = Field(default=0.0, ge=0, description="From its start; the frame that is shown then")
    parameters: Parameters = Parameters()


SCHEMAS: dict[str, type[BaseModel]] = {"MomentPreview": MomentPreview}
_BINARY = {"type": "string", "format": "binary"}
_BODY: dict[str, Any] = {
    "required": True,
    "description": "A picture as a form or as it is, or a moment of a recording",
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["picture"],
                "properties": {"picture": _BINARY, "parameters": {"$ref": "#/components/schemas/Parameters"}},
            },
            "encoding": {"parameters": {"contentType": "application/json"}},
        },
        **{kind: {"schema": _BINARY} for kind in IMAGE_TYPES},
        "application/json": {"schema": {"$ref": "#/components/schemas/MomentPreview"}},
    },
}


@router.post(
    "/skin",
    operation_id="previewSkin",
    summary="What would be taken for skin in one picture",
    response_model=SkinPreview,
    responses=responses(
        *COMMON, BadRequest, UnsupportedMedia, TooLarge, TooManyPixels, UnreadablePicture, NotFound, Conflict, Busy,
        OutOfTime,
    ),
    openapi_extra={"requestBody": _BODY},
)  # fmt: skip
async def preview_skin(
    request: Request,
    principal: Reader,
    parameters: Annotated[
        str | None, Query(description="Parameters as JSON, for a picture that is sent as it is", max_length=65536)
    ] = None,
) -> SkinPreview:
    """The chroma key of `skin_point` (in pixels of the picture), of `skin_chroma`, or, without both, of the colour that
    is most like skin: one picture shows no pulse. `chroma_similarity` and `key` are heeded."""
    gateway = gateway_of(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = incoming(request, _IDLE_S)
    if kind == "application/json":
        wanted = _moment(await _read(body, FORM_BYTES))
        if not await gateway.owns(principal, wanted.recording):
            raise NotFound("there is no such recording")
        asked, picture = await _of_recording(gateway, wanted), b""
    elif kind == "multipart/form-data":
        picture, text = await _form(request)
        asked, picture = await _fitting(gateway, SkinPreviewRequest(parameters=parse_parameters(text)), picture)
    elif kind in IMAGE_TYPES:
        given = parse_parameters(parameters or "")
        asked, picture = await _fitting(gateway, SkinPreviewRequest(parameters=given), await _read(body, UPLOAD_BYTES))
    else:
        raise UnsupportedMedia(
            f"{kind[:100]!r} is no picture" if kind else "there is no Content-Type",
            hint="Send multipart/form-data, application/json, or image/jpeg, image/png, image/webp.",
        )
    answer = await ask(gateway.bus, KIND, asked.pack(picture), _WAIT_S)
    return SkinPreview.model_validate_json(answer)


async def _read(body: Any, limit: int) -> bytes:
    found = bytearray()
    async for piece in body:
        found += piece
        if len(found) > limit:
            raise _too_large(limit)
    return bytes(found)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"at most {limit / (1 << 20):,.2g} MiB are taken", hint="Send a smaller picture.")


async def _form(request: Request) -> tuple[bytes, bytes]:
    found: dict[str, bytearray] = {}
    limits = {"picture": UPLOAD_BYTES, "parameters": FORM_BYTES}
    name = ""
    async for piece in parts(incoming(request, _IDLE_S), request.headers["content-type"]):
        if isinstance(piece, PartBegin):
            name = piece.name
            if name not in limits:
                raise BadRequest(f"the form has a part {name[:60]!r}; only `picture` and `parameters` are known")
            if name in found:
                raise BadRequest(f"the form has `{name}` twice")
            found[name] = bytearray()
        elif isinstance(piece, PartData):
            found[name] += piece.data
            if len(found[name]) > limits[name]:
                raise _too_large(limits[name])
    if not found.get("picture"):
        raise BadRequest("the form has no part `picture`")
    return bytes(found["picture"]), bytes(found.get("parameters", b""))


async def _fitting(gateway: Gateway, asked: SkinPreviewRequest, picture: bytes) -> tuple[SkinPreviewRequest, bytes]:
    """The request with a picture that fits into one message."""
    if not picture:
        raise BadRequest("there is no picture")
    if len(picture) <= PICTURE_BYTES:
        return asked, picture
    smaller = await gateway.runtime.run_limited(
        "gateway.picture:shrink", picture, PICTURE_PIXELS, returns=Shrunk, wall_s=_WAIT_S
    )
    return asked.model_copy(update={"scale": smaller.scale}), base64.b64decode(smaller.jpeg)


def _moment(body: bytes) -> MomentPreview:
    try:
        return MomentPreview.model_validate_json(body)
    except ValidationError as error:
        raise bad_parameters(error) from None


async def _of_recording(gateway: Gateway, wanted: MomentPreview) -> SkinPreviewRequest:
    """The request with the names of the blobs that show the moment, of any job that has split the clip."""
    for job in gateway.jobs.list(wanted.recording):
        name = blob_name(job, "plan")
        try:
            plan = Plan.model_validate_json(await gateway.blobs.read(name))
        except NotFound:
            continue
        start = plan.chunks[0].t0
        chunk = max((c for c in plan.chunks if c.t0 - start <= wanted.time_s), key=lambda c: c.index)
        return SkinPreviewRequest(
            parameters=wanted.parameters,
            plan=str(name),
            chunk=str(blob_name(job, "chunk", chunk.index)),
            time_s=wanted.time_s,
        )
    raise Conflict("no frames of this recording are there", hint="Wait until it is split, or send the clip again.")
