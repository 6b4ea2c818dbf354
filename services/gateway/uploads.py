"""What a client sends to POST /v1/jobs: a clip spooled to a file as it arrives, or the name of an earlier one."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect

from gateway.multipart import PartBegin, PartData, parts
from gateway.problems import bad_parameters, validation_errors
from mesh.errors import BadParameters, BadRequest, EmptyUpload, StorageFull, TooLarge, UnsupportedMedia, UploadStalled
from mesh.parameters import Parameters

FORM_BYTES = 64 << 10  # of parameters, or of a JSON body: ours are a thousandth of it
ENVELOPE_BYTES = 64 << 10  # what a multipart body may have around its parts
WRITE_BYTES = 1 << 20  # collected before a thread hashes and writes them
CLIP_TYPES = ("application/octet-stream", "application/mp4", "application/x-matroska")


class RunAgain(BaseModel):
    """Run a recording that was uploaded before again, with other parameters."""

    model_config = ConfigDict(extra="forbid")

    recording: str
    parameters: Parameters = Parameters()


@dataclass(frozen=True)
class Submission:
    """What a client asks for: a clip in `clip`, or the `recording` of an earlier one.

    Attributes
    ----------
    fingerprint : str
        SHA-256 of all of it, so that a repetition is known.
    size : int
        Bytes of the clip.
    """

    parameters: Parameters
    fingerprint: str
    recording: str | None = None
    clip: Path | None = None
    size: int = 0


class Spool:
    """A file that grows as a clip arrives, hashed on the way; removed at the end of the `with` block.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    limit : int
        Bytes that are taken at most.
    on_bytes : callable, optional
        Told how many bytes arrived.
    """

    def __init__(self, folder: Path, limit: int, on_bytes: Callable[[int], None] | None = None) -> None:
        self.path = folder / f"upload-{secrets.token_hex(16)}"
        self.size = 0
        self._limit, self._on_bytes = limit, on_bytes
        self._hasher = hashlib.sha256()
        self._held = bytearray()

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600)  # it shows a person
        self._file = self.path.open("wb", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    async def add(self, data: bytes) -> None:
        """Take more bytes.

        Raises
        ------
        TooLarge
            If they are more than the limit.
        StorageFull
            If there is no room for them.
        """
        self.size += len(data)
        if self.size > self._limit:
            raise too_large(self._limit)
        if self._on_bytes is not None:
            self._on_bytes(len(data))
        self._held += data
        if len(self._held) >= WRITE_BYTES:
            await self._flush()

    async def finish(self) -> str:
        """Write the rest; the SHA-256 of it all. Raises as `add`."""
        await self._flush()
        return self._hasher.hexdigest()

    async def _flush(self) -> None:
        held, self._held = bytes(self._held), bytearray()
        try:
            await asyncio.to_thread(self._write, held)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise StorageFull() from error
            raise

    def _write(self, data: bytes) -> None:
        self._hasher.update(data)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]


def too_large(limit: int) -> TooLarge:
    """The failure of an upload over the limit."""
    return TooLarge(f"at most {limit / (1 << 20):,.0f} MiB are taken")


def parse_parameters(text: str | bytes, prefix: str = "") -> Parameters:
    """Parameters from JSON; none at all are the defaults.

    Raises
    ------
    BadParameters
        With a JSON pointer to each at fault, below `prefix`.
    """
    if not text.strip():
        return Parameters()
    try:
        given = json.loads(text)
    except ValueError as error:  # also text that is not UTF-8
        raise BadParameters("the parameters are not JSON", errors=[{"pointer": prefix, "detail": str(error)}]) from None
    if not isinstance(given, dict):
        raise BadParameters("the parameters are not a JSON object")
    try:
        return Parameters.model_validate_json(text)
    except ValidationError as error:
        raise bad_parameters(error, prefix) from None


def fingerprint(content: str, parameters: Parameters) -> str:
    """SHA-256 of what is asked for: `content` is that of a clip's bytes, or the name of a recording."""
    return hashlib.sha256(f"{content}\n{parameters.model_dump_json()}".encode()).hexdigest()


async def incoming(request: Request, idle_s: float) -> AsyncIterator[bytes]:
    """The body as it arrives.

    Raises
    ------
    UploadStalled
        If nothing comes for `idle_s` seconds, or the client goes away.
    """
    stream = request.stream().__aiter__()
    while True:
        try:
            async with asyncio.timeout(idle_s):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise UploadStalled(f"nothing came for {idle_s:g} s") from None
        except ClientDisconnect:
            raise UploadStalled("the client went away") from None
        if piece:
            yield piece


async def _short(body: AsyncIterator[bytes], limit: int) -> bytes:
    found = bytearray()
    async for piece in body:
        found += piece
        if len(found) > limit:
            raise BadRequest(f"a JSON body has at most {limit} bytes")
    return bytes(found)


async def receive(request: Request, spool: Spool, limit: int, idle_s: float) -> Submission:
    """Read a POST, whichever of its three forms it has.

    Raises
    ------
    UnsupportedMedia, BadRequest, BadParameters, EmptyUpload, TooLarge, StorageFull, UploadStalled
        What is wrong with it.
    """
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        return _again(await _short(incoming(request, idle_s), FORM_BYTES))
    declared = request.headers.get("content-length", "")
    envelope = ENVELOPE_BYTES + FORM_BYTES if kind == "multipart/form-data" else 0
    if declared.isdecimal() and int(declared) > limit + envelope:
        raise too_large(limit)
    body = incoming(request, idle_s)
    async with contextlib.aclosing(body):  # type: ignore[type-var]
        if kind == "multipart/form-data":
            parameters = await _form(body, content_type, spool)
        elif kind.startswith("video/") or kind in CLIP_TYPES:
            parameters = parse_parameters(request.query_params.get("parameters", ""))
            async for piece in body:
                await spool.add(piece)
        else:
            raise UnsupportedMedia(f"{kind[:100]!r} is no video" if kind else "there is no Content-Type")
    digest = await spool.finish()
    if not spool.size:
        raise EmptyUpload("the clip has no bytes")
    return Submission(parameters, fingerprint(digest, parameters), clip=spool.path, size=spool.size)


def _again(body: bytes) -> Submission:
    try:
        given = RunAgain.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        if found[0]["type"] == "json_invalid":
            raise BadRequest("the body is not JSON") from None
        names = [*Parameters.model_fields, *RunAgain.model_fields]
        errors = validation_errors(found, names)
        raise BadParameters(f"{errors[0]['pointer'].lstrip('/')}: {errors[0]['detail']}", errors=errors) from None
    return Submission(given.parameters, fingerprint(given.recording, given.parameters), recording=given.recording)


async def _form(body: AsyncIterator[bytes], content_type: str, spool: Spool) -> Parameters:
    text, part, seen = bytearray(), "", set()
    async for piece in parts(body, content_type):
        if isinstance(piece, PartBegin):
            part = piece.name
            if part not in ("video", "parameters"):
                raise BadRequest(f"the form has a part {part[:60]!r}; only `video` and `parameters` are known")
            if part in seen:
                raise BadRequest(f"the form has `{part}` twice")
            seen.add(part)
        elif isinstance(piece, PartData):
            if part == "video":
                await spool.add(piece.data)
            else:
                text += piece.data
                if len(text) > FORM_BYTES:
                    raise BadRequest(f"parameters have at most {FORM_BYTES} bytes")
    if "video" not in seen:
        raise BadRequest("the form has no part `video`")
    return parse_parameters(bytes(text))
