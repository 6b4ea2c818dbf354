"""Recordings that come in pieces: each piece is a blob named by where it begins, so any gateway can take the next.

How far an upload is follows from the pieces that exist; there is no other state. A piece is created once, so of two
requests that continue the same place one wins and the other is told where the upload ends now. The last piece makes
the clip: the pieces put together, looked at, stored as the recording's upload.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from gateway.inspection import Inspection
from gateway.tus import Checksum
from gateway.uploads import Spool
from mesh.blobs import BlobStore
from mesh.bus import Bus
from mesh.erasure import erase_recording
from mesh.errors import (
    BadRequest,
    BlobIncomplete,
    ChecksumMismatch,
    Erased,
    Failure,
    NotFound,
    RecordingFailure,
    UploadIncomplete,
    WrongOffset,
)
from mesh.jobs import JobTable
from mesh.names import BlobName, new_id, upload_name

log = logging.getLogger(__name__)

PIECE_BYTES = 3840 << 10  # four parts of the store
CHECKED_BYTES = 64 << 20  # of one request with a checksum: it is held until the checksum is known to hold
MOST_PIECES = 20_000
INCOMING, PIECE = "incoming", "piece"  # kinds of blobs


class Incoming(BaseModel):
    """What is known of an upload from its beginning on.

    Attributes
    ----------
    tenant : str
        Whose it is.
    length : int
        In bytes.
    metadata : str
        `Upload-Metadata` as it came.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recording: str
    tenant: str
    length: int
    metadata: str = ""


def record_name(recording: str) -> BlobName:
    """Where the `Incoming` of a recording lies."""
    return BlobName(recording, INCOMING, "0", "0")


def piece_name(recording: str, start: int) -> BlobName:
    """The piece of a recording that begins at byte `start`."""
    return BlobName(recording, PIECE, "0", f"{start:015d}")


class IncomingUploads:
    """Uploads in pieces, of all gateways.

    Parameters
    ----------
    folder : Path
        Where a clip is put together before it is looked at.
    keep_s : float
        How long an upload may rest.
    on_bytes : callable
        Told how many bytes arrived.
    """

    def __init__(
        self,
        bus: Bus,
        blobs: BlobStore,
        jobs: JobTable,
        inspect: Inspection,
        folder: Path,
        keep_s: float,
        on_bytes: Callable[[int], None],
    ) -> None:
        self._bus, self._blobs, self._jobs, self._inspect = bus, blobs, jobs, inspect
        self._folder, self._keep_s, self._on_bytes = folder, keep_s, on_bytes

    def expires(self) -> datetime:
        """Until when an upload that is touched now may go on."""
        return datetime.now(UTC) + timedelta(seconds=self._keep_s)

    async def begin(self, tenant: str, length: int, metadata: str) -> Incoming:
        """A new recording of which no byte is there yet. Raises Busy, Unavailable."""
        upload = Incoming(recording=new_id("rec"), tenant=tenant, length=length, metadata=metadata)
        await self._blobs.create(record_name(upload.recording), upload.model_dump_json().encode())
        return upload

    async def note(self, recording: str, tenant: str, length: int) -> None:
        """Write down whose a recording is that comes in one piece. Raises Busy, Unavailable."""
        record = Incoming(recording=recording, tenant=tenant, length=length)
        await self._blobs.create(record_name(recording), record.model_dump_json().encode())

    async def tenant(self, recording: str) -> str | None:
        """Whose a recording is that was not erased; None where that is not known any more. Raises Unavailable."""
        try:
            return (await self.find(recording)).tenant
        except (NotFound, Erased):
            return None

    async def find(self, recording: str) -> Incoming:
        """The upload of a recording.

        Raises
        ------
        NotFound
            If it is not known, or not any more.
        Erased
            If it was erased.
        """
        if self._jobs.erased(recording):
            raise Erased()
        try:
            return Incoming.model_validate_json(await self._blobs.read(record_name(recording)))
        except NotFound:
            raise NotFound("there is no such upload") from None

    async def offset(self, upload: Incoming) -> int:
        """How many bytes of it are there. Raises Unavailable."""
        if await self._blobs.stat(upload_name(upload.recording)) is not None:
            return upload.length
        starts = await self._starts(upload.recording)
        if not starts:
            return 0
        last = await self._blobs.stat(piece_name(upload.recording, starts[-1]))
        if last is None:  # put together, and its pieces removed, just now
            return upload.length if await self._blobs.stat(upload_name(upload.recording)) is not None else 0
        return starts[-1] + last.size

    async def _starts(self, recording: str) -> list[int]:
        names = (BlobName.parse(text) for text in await self._blobs.list(recording))
        return sorted(int(name.index) for name in names if name.kind == PIECE)

    async def append(
        self, upload: Incoming, offset: int, body: AsyncIterator[bytes], checksum: Checksum | None = None
    ) -> int:
        """Store what comes, from `offset` on; where the upload ends then.

        What came before a connection broke is kept, unless there is a checksum: then it is all or nothing.

        Raises
        ------
        WrongOffset
            If the upload does not end at `offset`, or another request was faster.
        ChecksumMismatch
            If the bytes are not what was meant; none is kept.
        BadRequest
            If more comes than the upload is long; nothing beyond is kept.
        Erased
            If the recording is erased meanwhile.
        UploadStalled
            If the body broke off.
        """
        found = await self.offset(upload)
        if found != offset:
            raise WrongOffset(f"the upload ends at byte {found}, not {offset}")
        if len(await self._starts(upload.recording)) >= MOST_PIECES:
            raise BadRequest("the upload came in too many pieces", hint="Begin anew, with pieces of 1 MiB and more.")
        if checksum is not None:
            return await self._append_checked(upload, offset, body, checksum)
        held = bytearray()
        try:
            async for data in body:
                self._on_bytes(len(data))
                held += data
                if offset + len(held) > upload.length:
                    held.clear()
                    raise BadRequest(f"more came than the {upload.length} bytes of the upload")
                while len(held) >= PIECE_BYTES:
                    offset = await self._put(upload, offset, bytes(held[:PIECE_BYTES]))
                    del held[:PIECE_BYTES]
        finally:
            if held:
                offset = await self._put(upload, offset, bytes(held))
        return offset

    async def _append_checked(
        self, upload: Incoming, offset: int, body: AsyncIterator[bytes], checksum: Checksum
    ) -> int:
        held = bytearray()
        async for data in body:
            self._on_bytes(len(data))
            held += data
            if offset + len(held) > upload.length:
                raise BadRequest(f"more came than the {upload.length} bytes of the upload")
            if len(held) > CHECKED_BYTES:
                raise BadRequest(f"a piece with a checksum has at most {CHECKED_BYTES >> 20} MiB")
        content = bytes(held)
        if not await asyncio.to_thread(checksum.holds, content):
            raise ChecksumMismatch()
        # one blob, so that all of it is there or nothing
        return await self._put(upload, offset, content) if content else offset

    async def _put(self, upload: Incoming, start: int, content: bytes) -> int:
        if self._jobs.erased(upload.recording):
            raise Erased()
        if not await self._blobs.create(piece_name(upload.recording, start), content):
            raise WrongOffset("another request continued this upload")
        return start + len(content)

    async def complete(self, recording: str) -> None:
        """Make the clip of an upload whose last piece is there. Safe to repeat.

        Raises
        ------
        UploadIncomplete
            If pieces are yet to come.
        RecordingFailure
            If the clip cannot be used; it is erased then.
        NotFound, Erased, Unavailable
            As `find`.
        """
        if await self._blobs.stat(upload_name(recording)) is not None:
            return
        upload = await self.find(recording)
        offset = await self.offset(upload)
        if offset < upload.length:
            raise UploadIncomplete(f"{offset} of {upload.length} bytes are there")
        try:
            await self._assemble(upload)
        except RecordingFailure:
            await self.erase(recording)
            raise
        except (NotFound, BlobIncomplete):  # another gateway put it together, and removed the pieces under our hands
            if await self._blobs.stat(upload_name(recording)) is None:
                raise
        else:
            with contextlib.suppress(Failure):  # else they go with the recording
                await self._blobs.delete(f"{recording}/{PIECE}")
            log.info("an upload is complete", extra={"recording": recording, "bytes": upload.length})

    async def _assemble(self, upload: Incoming) -> None:
        if await self._blobs.stat(upload_name(upload.recording)) is not None:
            return
        with Spool(self._folder, upload.length) as spool:
            for start in await self._starts(upload.recording):
                if start != spool.size:
                    raise BlobIncomplete("a piece of the upload is missing")
                async for data in self._blobs.stream(piece_name(upload.recording, start)):
                    await spool.add(data)
            await spool.finish()
            if spool.size != upload.length:
                raise BlobIncomplete("a piece of the upload is missing")
            await self._inspect(spool.path)
            await self._blobs.create(upload_name(upload.recording), spool.path)

    async def erase(self, recording: str) -> None:
        """Erase a recording and all that belongs to it. Raises Unavailable."""
        await erase_recording(self._bus, self._blobs, self._jobs, recording)
