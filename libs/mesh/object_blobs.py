"""Blobs whose content lies in a directory or a bucket (S3, GCS, Azure); manifests stay in JetStream.

So the manifest is the commit and the event here too, and a store without conditional writes serves as well.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from urllib.parse import unquote, urlparse

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from mesh.blobs import Manifest
from mesh.bus import Bus
from mesh.errors import BlobIncomplete, Unavailable
from mesh.jetstream_blobs import JetStreamBlobs
from mesh.names import BlobName

READ_BYTES = 4 << 20  # of one ranged request


def open_store(url: str) -> ObjectStore:
    """The object store at an address: `file:///…` (made if absent), `s3://…`, `gs://…`, `az://…`.

    Raises
    ------
    ValueError
        If no store has such an address.
    """
    parts = urlparse(url)
    if parts.scheme == "file":
        folder = Path(unquote(parts.path))
        folder.mkdir(parents=True, exist_ok=True)
        return LocalStore(str(folder))
    try:
        return from_url(url)
    except (BaseError, ValueError) as error:
        raise ValueError(f"{url!r} is not the address of an object store: {error}") from error


def _path(name: BlobName, attempt: str) -> str:
    return f"{name}/{attempt}"


class ObjectBlobs(JetStreamBlobs):
    """`mesh.blobs.BlobStore` with one object an attempt."""

    part_bytes = 4 << 20

    def __init__(self, bus: Bus, url: str) -> None:
        super().__init__(bus)
        self._store = open_store(url)

    async def _write(self, name: BlobName, attempt: str, content: AsyncIterator[bytes]) -> None:
        try:
            await obstore.put_async(self._store, _path(name, attempt), content)
        except BaseError as error:
            raise Unavailable(f"the object store did not take a blob: {error}") from error

    async def _discard(self, name: BlobName, attempt: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            await obstore.delete_async(self._store, _path(name, attempt))

    async def _span(self, name: BlobName, manifest: Manifest, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        path = _path(name, manifest.attempt)
        for begin in range(start, stop, READ_BYTES):
            end = min(begin + READ_BYTES, stop)
            try:
                piece = bytes(await obstore.get_range_async(self._store, path, start=begin, end=end))
            except FileNotFoundError:
                raise BlobIncomplete(f"the content of the blob {name} is missing") from None
            except BaseError as error:
                raise Unavailable(f"the object store did not give a blob: {error}") from error
            if len(piece) != end - begin:
                raise BlobIncomplete(f"the content of the blob {name} is cut short")
            yield piece

    async def delete(self, prefix: str) -> None:
        """See `BlobStore.delete`."""
        await super().delete(prefix)
        try:
            async for objects in obstore.list(self._store, prefix=prefix.strip("/")):
                with contextlib.suppress(FileNotFoundError):
                    await obstore.delete_async(self._store, [found["path"] for found in objects])
        except BaseError as error:
            raise Unavailable(f"the object store did not remove blobs: {error}") from error

    async def sweep(self, recording: str) -> int:
        """See `JetStreamBlobs.sweep`."""
        removed = 0
        async for objects in obstore.list(self._store, prefix=recording):
            for found in objects:
                blob, attempt = found["path"].rsplit("/", 1)
                name = BlobName.parse(blob)
                manifest = await self.stat(name)
                if manifest is None or manifest.attempt != attempt:
                    await self._discard(name, attempt)
                    removed += 1
        return removed
