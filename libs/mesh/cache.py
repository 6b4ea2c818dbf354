"""Blobs that tasks of this process read lately, as files: neighbours share their inputs."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mesh.blobs import BlobStore, under
from mesh.names import BlobName

READS = 4  # blobs that one task reads at a time


@dataclass
class _Entry:
    path: Path
    reading: asyncio.Future[int]
    users: int = 0
    used_at: float = field(default_factory=time.monotonic)


class InputCache:
    """Files of recently read blobs, bounded in bytes and in time; what is in use stays.

    Parameters
    ----------
    blobs : BlobStore
    folder : Path
        A folder of its own.
    max_bytes : int
    max_seconds : float
        Files that nobody used for so long are removed: they show people.
    """

    def __init__(self, blobs: BlobStore, folder: Path, max_bytes: int, max_seconds: float) -> None:
        self._blobs, self._folder, self._max_bytes, self._max_seconds = blobs, folder, max_bytes, max_seconds
        self._entries: dict[str, _Entry] = {}
        self._number = 0
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextlib.asynccontextmanager
    async def files(self, names: Sequence[str]) -> AsyncIterator[tuple[list[tuple[str, Path]], int]]:
        """Files of the blobs `names`, and how many bytes had to be fetched.

        Raises
        ------
        NotFound, BlobIncomplete, Unavailable
            See `BlobStore.read`.
        """
        unique = list(dict.fromkeys(names))
        places = asyncio.Semaphore(READS)
        held: list[_Entry] = []
        fetched = 0

        async def hold(name: str) -> Path:
            nonlocal fetched
            async with places:
                while True:
                    entry = self._entries.get(name)
                    if entry is None:
                        entry = self._begin(name)
                        held.append(entry)
                        entry.users += 1
                        fetched += await self._fetch(name, entry)
                        return entry.path
                    if not entry.reading.done():
                        await asyncio.wait({entry.reading})
                    if entry.reading.cancelled() or entry.reading.exception() is not None:
                        continue  # whoever read it failed: our turn
                    if self._entries.get(name) is entry:
                        held.append(entry)
                        entry.users += 1
                        return entry.path

        try:
            tasks = [asyncio.ensure_future(hold(name)) for name in unique]
            try:
                paths = dict(zip(unique, await asyncio.gather(*tasks), strict=True))
            except BaseException:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                raise
            yield [(name, paths[name]) for name in names], fetched
        finally:
            for entry in held:
                entry.users -= 1
                entry.used_at = time.monotonic()
            self.trim()

    def _begin(self, name: str) -> _Entry:
        self._number += 1
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        entry = _Entry(self._folder / f"{self._number}", future)
        self._entries[name] = entry
        return entry

    async def _fetch(self, name: str, entry: _Entry) -> int:
        try:
            size = (await self._blobs.save(BlobName.parse(name), entry.path)).size
        except BaseException:
            if self._entries.get(name) is entry:
                del self._entries[name]
            entry.reading.cancel()
            raise
        entry.reading.set_result(size)
        return size

    def _drop(self, name: str) -> None:
        self._entries.pop(name).path.unlink(missing_ok=True)

    def trim(self) -> None:
        """Remove what is too old or too much, least recently used first."""
        now = time.monotonic()
        kept = 0
        for name, entry in sorted(self._entries.items(), key=lambda item: -item[1].used_at):
            if not entry.reading.done():
                continue
            kept += entry.reading.result()
            if entry.users == 0 and (kept > self._max_bytes or now - entry.used_at > self._max_seconds):
                self._drop(name)

    def forget(self, recording: str) -> None:
        """Remove every file of a recording, in use or not (who uses it has been stopped)."""
        for name in [name for name, entry in self._entries.items() if under(name, recording) and entry.reading.done()]:
            self._drop(name)

    def close(self) -> None:
        """Remove everything."""
        self._entries.clear()
        shutil.rmtree(self._folder, ignore_errors=True)
