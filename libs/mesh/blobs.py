"""Blobs: named, immutable, created once. One small interface; here the memory store, the reference.

First write wins: `create` of a name that exists changes nothing and says so.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from mesh.errors import NotFound
from mesh.names import BlobName

Content = bytes | Path | AsyncIterable[bytes]


class Manifest(BaseModel):
    """What is known of a stored blob. Writing it is the commit, and the event."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int
    sha256: str
    attempt: str = ""  # whose parts these are
    parts: int = 0  # how many there are
    part_size: int = 0  # bytes of each part but the last


class BlobStore(Protocol):
    """Where blobs live."""

    async def create(self, name: BlobName, content: Content) -> bool:
        """Store a blob unless its name exists; whether this call made it."""
        ...

    async def stat(self, name: BlobName) -> Manifest | None:
        """Its manifest, None where it does not exist."""
        ...

    async def read(self, name: BlobName) -> bytes:
        """All of it.

        Raises
        ------
        NotFound
            If there is no such blob.
        BlobIncomplete
            If a part of it is missing or damaged.
        """
        ...

    async def save(self, name: BlobName, path: Path) -> Manifest:
        """Write all of it to `path`, streaming. Raises as `read`."""
        ...

    def stream(self, name: BlobName, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Bytes `start` to `stop`, in pieces. Raises as `read`."""
        ...

    async def list(self, recording: str) -> set[str]:
        """Names of all blobs of a recording."""
        ...

    async def delete(self, prefix: str) -> None:
        """Remove every blob whose name starts with `prefix` (whole tokens: `<recording>` or `<recording>/<kind>/…`)."""
        ...


async def pieces(content: Content, size: int = 1 << 20) -> AsyncIterator[bytes]:
    """`content` in pieces of at most `size` bytes."""
    if isinstance(content, bytes):
        for start in range(0, len(content), size):
            yield content[start : start + size]
    elif isinstance(content, Path):
        with content.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, size):
                yield piece
    else:
        async for piece in content:
            for start in range(0, len(piece), size):
                yield piece[start : start + size]


def under(name: str, prefix: str) -> bool:
    """Whether `name` is `prefix` or lies below it."""
    return name == prefix or name.startswith(prefix.rstrip("/") + "/")


class MemoryStore:
    """Blobs in this process: the reference, and what the one-process executor uses.

    A `Path` that is created is kept by reference, so that a large upload is never held in memory.
    """

    def __init__(self) -> None:
        self._content: dict[str, bytes | Path] = {}
        self._manifests: dict[str, Manifest] = {}

    async def create(self, name: BlobName, content: Content) -> bool:
        """See `BlobStore.create`."""
        key = str(name)
        if key in self._content:
            return False
        digest, size, kept = hashlib.sha256(), 0, []
        async for piece in pieces(content):
            digest.update(piece)
            size += len(piece)
            if not isinstance(content, (bytes, Path)):
                kept.append(piece)
        if key in self._content:  # somebody was faster while we read
            return False
        self._content[key] = content if isinstance(content, (bytes, Path)) else b"".join(kept)
        self._manifests[key] = Manifest(size=size, sha256=digest.hexdigest())
        return True

    async def stat(self, name: BlobName) -> Manifest | None:
        """See `BlobStore.stat`."""
        return self._manifests.get(str(name))

    def source(self, name: BlobName) -> bytes | Path:
        """What was stored, without a copy."""
        try:
            return self._content[str(name)]
        except KeyError:
            raise NotFound(f"there is no blob {name}") from None

    async def read(self, name: BlobName) -> bytes:
        """See `BlobStore.read`."""
        source = self.source(name)
        return source if isinstance(source, bytes) else await asyncio.to_thread(source.read_bytes)

    async def save(self, name: BlobName, path: Path) -> Manifest:
        """See `BlobStore.save`."""
        with path.open("wb") as file:
            async for piece in self.stream(name):
                file.write(piece)
        return self._manifests[str(name)]

    async def stream(self, name: BlobName, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """See `BlobStore.stream`."""
        content = await self.read(name)
        async for piece in pieces(content[start:stop]):
            yield piece

    async def list(self, recording: str) -> set[str]:
        """See `BlobStore.list`."""
        return {name for name in self._content if under(name, recording)}

    async def delete(self, prefix: str) -> None:
        """See `BlobStore.delete`."""
        for name in [n for n in self._content if under(n, prefix)]:
            del self._content[name], self._manifests[name]
