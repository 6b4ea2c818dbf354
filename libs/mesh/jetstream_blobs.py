"""Blobs in JetStream: a manifest that is the commit and the event, and parts for what does not fit beside it.

The parts of an attempt are written first, the manifest last and only if its subject has none: first write wins, and
who loses removes its own parts. A reader takes what the manifest promises, in size and SHA-256, or fails typed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

from mesh import subjects
from mesh.blobs import BlobStore, Content, Manifest, pieces
from mesh.bus import NEW_SUBJECT, Bus, SubjectTaken, WrongSequence
from mesh.errors import BlobIncomplete, NotFound
from mesh.follower import Message
from mesh.names import BlobName
from mesh.settings import MeshSettings

MANIFEST = "Pulsemesh-Manifest"  # header of the manifest's message; its payload is the content of a small blob
INLINE_BYTES = 256 << 10  # one message instead of two saves a round trip where latency counts
PART_BYTES = 960 << 10  # with headers below the broker's default limit of 1 MiB a message
LATE_S = (0.02, 0.1, 0.5)  # pauses in which parts that were on their way arrive
IN_FLIGHT = 4  # parts of one blob that are sent or asked for at a time


def open_blobs(bus: Bus, settings: MeshSettings) -> BlobStore:
    """The store that the settings name.

    Raises
    ------
    ValueError
        If the address is none that can be used.
    """
    if settings.blobs == "jetstream":
        return JetStreamBlobs(bus)
    from mesh.object_blobs import ObjectBlobs  # obstore is needed here alone

    return ObjectBlobs(bus, settings.blobs)


async def recut(content: AsyncIterator[bytes], size: int) -> AsyncGenerator[bytes, None]:
    """The same bytes in pieces of exactly `size`, the last one shorter; nothing at all for nothing."""
    buffer = bytearray()
    async for piece in content:
        buffer += piece
        while len(buffer) >= size:
            yield bytes(buffer[:size])
            del buffer[:size]
    if buffer:
        yield bytes(buffer)


class JetStreamBlobs:
    """`mesh.blobs.BlobStore` on the stream BLOBS."""

    part_bytes = PART_BYTES

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    # --- writing

    async def create(self, name: BlobName, content: Content) -> bool:
        """See `BlobStore.create`.

        Raises
        ------
        Busy
            If the store is full.
        Unavailable
            If the broker does not take it in time.
        """
        attempt = secrets.token_hex(8)
        if isinstance(content, bytes) and len(content) <= INLINE_BYTES:
            manifest = Manifest(size=len(content), sha256=hashlib.sha256(content).hexdigest(), attempt=attempt)
            return await self._commit(name, manifest, content)
        if await self.stat(name) is not None:
            return False
        source = recut(pieces(content), self.part_bytes)
        first = await anext(source, b"")
        if len(first) <= INLINE_BYTES:
            manifest = Manifest(size=len(first), sha256=hashlib.sha256(first).hexdigest(), attempt=attempt)
            return await self._commit(name, manifest, first)
        hasher = hashlib.sha256()
        size = count = 0

        async def measured() -> AsyncGenerator[bytes, None]:
            nonlocal size, count
            piece = first
            while piece:
                hasher.update(piece)
                size, count = size + len(piece), count + 1
                yield piece
                piece = await anext(source, b"")

        try:
            await self._write(name, attempt, measured())
            manifest = Manifest(
                size=size, sha256=hasher.hexdigest(), attempt=attempt, parts=count, part_size=self.part_bytes
            )
            won = await self._commit(name, manifest, b"")
        except BaseException:
            with contextlib.suppress(Exception):  # the sweep removes what cannot be removed now
                await self._discard_late(name, attempt)
            raise
        if not won:
            await self._discard(name, attempt)
        return won

    async def _commit(self, name: BlobName, manifest: Manifest, content: bytes) -> bool:
        headers = {MANIFEST: manifest.model_dump_json()}
        try:
            await self._bus.append(subjects.manifest_subject(name), content, headers=headers, expect=NEW_SUBJECT)
        except WrongSequence as lost:
            if not lost.repeated:
                return False
            found = await self.stat(name)  # the first try may have come through without its answer
            return found is not None and found.attempt == manifest.attempt
        except SubjectTaken:
            return False
        return True

    async def _write(self, name: BlobName, attempt: str, content: AsyncIterator[bytes]) -> None:
        places = asyncio.Semaphore(IN_FLIGHT)

        async def put(number: int, piece: bytes) -> None:
            try:
                await self._bus.append(subjects.part_subject(name, attempt, number), piece, expect=NEW_SUBJECT)
            except WrongSequence as taken:
                if not taken.repeated:
                    raise
            finally:
                places.release()

        number = 0
        try:
            async with asyncio.TaskGroup() as group:
                async for piece in content:
                    await places.acquire()
                    group.create_task(put(number, piece))
                    number += 1
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _discard(self, name: BlobName, attempt: str) -> None:
        """Remove the parts of an attempt that did not win."""
        await self._bus.purge(subjects.BLOBS, subjects.part_subject(name, attempt, "*"))

    async def _discard_late(self, name: BlobName, attempt: str) -> None:
        """Remove the parts of an attempt that broke off: some may still be on their way into the stream."""
        for pause in LATE_S:
            await self._discard(name, attempt)
            await asyncio.sleep(pause)
            if not await self._bus.subjects(subjects.BLOBS, subjects.part_subject(name, attempt, "*")):
                return

    # --- reading

    async def _message(self, name: BlobName) -> Message | None:
        return await self._bus.last(subjects.BLOBS, subjects.manifest_subject(name))

    async def stat(self, name: BlobName) -> Manifest | None:
        """See `BlobStore.stat`."""
        message = await self._message(name)
        return None if message is None else _manifest(message)

    async def read(self, name: BlobName) -> bytes:
        """See `BlobStore.read`."""
        found = await self._found(name)
        manifest = _manifest(found)
        if not manifest.parts:
            return _inline(name, manifest, found.data)
        buffer = bytearray()
        async with contextlib.aclosing(self._whole(name, manifest)) as whole:
            async for piece in whole:
                buffer += piece
        return bytes(buffer)

    async def save(self, name: BlobName, path: Path) -> Manifest:
        """See `BlobStore.save`. `path` appears when it is complete."""
        found = await self._found(name)
        manifest = _manifest(found)
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            if not manifest.parts:
                partial.write_bytes(_inline(name, manifest, found.data))
            else:
                with partial.open("wb") as file:
                    async with contextlib.aclosing(self._whole(name, manifest)) as whole:
                        async for piece in whole:
                            file.write(piece)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return manifest

    async def stream(self, name: BlobName, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """See `BlobStore.stream`. A range has the size of each part checked, the whole its SHA-256 too."""
        found = await self._found(name)
        manifest = _manifest(found)
        end = manifest.size if stop is None else min(stop, manifest.size)
        if not manifest.parts:
            yield _inline(name, manifest, found.data)[start:end]
        elif start <= 0 and end == manifest.size:
            async with contextlib.aclosing(self._whole(name, manifest)) as whole:
                async for piece in whole:
                    yield piece
        elif start < end:
            async with contextlib.aclosing(self._span(name, manifest, start, end)) as span:
                async for piece in span:
                    yield piece

    async def _found(self, name: BlobName) -> Message:
        message = await self._message(name)
        if message is None:
            raise NotFound(f"there is no blob {name}")
        return message

    async def _whole(self, name: BlobName, manifest: Manifest) -> AsyncGenerator[bytes, None]:
        hasher = hashlib.sha256()
        async with contextlib.aclosing(self._span(name, manifest, 0, manifest.size)) as span:
            async for piece in span:
                hasher.update(piece)
                yield piece
        if hasher.hexdigest() != manifest.sha256:
            raise BlobIncomplete(f"the blob {name} is damaged")

    async def _span(self, name: BlobName, manifest: Manifest, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """Bytes `start` to `stop`, a few parts asked for ahead."""
        size = manifest.part_size
        first, last = start // size, (stop - 1) // size
        asked: dict[int, asyncio.Task[bytes]] = {}
        try:
            for number in range(first, last + 1):
                for ahead in range(number, min(number + IN_FLIGHT, last + 1)):
                    if ahead not in asked:
                        asked[ahead] = asyncio.ensure_future(self._part(name, manifest, ahead))
                piece = await asked[number]
                del asked[number]
                offset = number * size
                yield piece[max(start - offset, 0) : stop - offset]
        finally:
            for task in asked.values():
                task.cancel()
            await asyncio.gather(*asked.values(), return_exceptions=True)

    async def _part(self, name: BlobName, manifest: Manifest, number: int) -> bytes:
        message = await self._bus.last(subjects.BLOBS, subjects.part_subject(name, manifest.attempt, number))
        expected = min(manifest.part_size, manifest.size - number * manifest.part_size)
        if message is None or len(message.data) != expected:
            raise BlobIncomplete(f"part {number} of the blob {name} is missing")
        return message.data

    # --- housekeeping

    async def list(self, recording: str) -> set[str]:
        """See `BlobStore.list`."""
        filter = subjects.prefix_filters(recording)[0]
        return {str(subjects.name_of(subject)) for subject in await self._bus.subjects(subjects.BLOBS, filter)}

    async def delete(self, prefix: str) -> None:
        """See `BlobStore.delete`. Manifests go first: a blob never looks whole when it is not."""
        for filter in subjects.prefix_filters(prefix):
            await self._bus.purge(subjects.BLOBS, filter)

    async def sweep(self, recording: str) -> int:
        """Remove parts that no manifest names; how many attempts there were.

        Only for a recording on which nobody works: parts of a running upload have no manifest yet.
        """
        _, parts = subjects.prefix_filters(recording)
        attempts = {
            (subjects.name_of(subject), subject.split(".")[6])
            for subject in await self._bus.subjects(subjects.BLOBS, parts)
        }
        removed = 0
        for name, attempt in sorted(attempts):
            manifest = await self.stat(name)
            if manifest is None or manifest.attempt != attempt:
                await self._discard(name, attempt)
                removed += 1
        return removed


def _manifest(message: Message) -> Manifest:
    return Manifest.model_validate_json(message.headers[MANIFEST])


def _inline(name: BlobName, manifest: Manifest, data: bytes) -> bytes:
    if len(data) != manifest.size or hashlib.sha256(data).hexdigest() != manifest.sha256:
        raise BlobIncomplete(f"the blob {name} is damaged")
    return data
