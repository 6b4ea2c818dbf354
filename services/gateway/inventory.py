"""Which blobs exist of the recordings that somebody works on, and since when: kept in memory from their events."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from mesh import subjects
from mesh.bus import Bus
from mesh.errors import Unavailable
from mesh.follower import Follower, Message
from mesh.names import BlobName

log = logging.getLogger(__name__)

LISTING_S = 15.0  # for all manifests of one recording; thousands take a fraction of a second

Times = dict[str, datetime]


def _time(message: Message) -> datetime:
    assert message.time is not None  # a followed message has one
    return message.time


async def list_blobs(bus: Bus, recording: str) -> Times:
    """Names of all blobs of a recording, and when each was committed.

    Raises
    ------
    Unavailable
        If the broker does not answer in time.
    """
    manifests = subjects.prefix_filters(recording)[0]
    found: Times = {}
    complete = asyncio.Event()
    follower = Follower(
        bus, subjects.BLOBS, manifests, last_per_subject=True, headers_only=True, on_caught_up=complete.set
    )

    async def collect() -> None:
        async with contextlib.aclosing(follower.messages()) as messages:
            async for message in messages:
                found[str(subjects.name_of(message.subject))] = _time(message)

    collecting, waiting = asyncio.create_task(collect()), asyncio.create_task(complete.wait())
    try:
        await asyncio.wait({collecting, waiting}, timeout=LISTING_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        collecting.cancel()
        waiting.cancel()
        await asyncio.gather(collecting, waiting, return_exceptions=True)
    if not complete.is_set():
        raise Unavailable("the blobs of a recording could not be listed")
    return found


@dataclass
class _Entry:
    names: Times = field(default_factory=dict)
    loaded: bool = False
    version: int = 0
    arrived: Times | None = None  # while it is listed: what came meanwhile, which the listing may not have


class Inventory:
    """Names of the blobs of tracked recordings.

    Parameters
    ----------
    bus : Bus
    on_blob : callable
        Called with the name of each blob of a tracked recording as it is committed.
    """

    def __init__(self, bus: Bus, on_blob: Callable[[BlobName], None]) -> None:
        self._bus, self._on_blob = bus, on_blob
        self._entries: dict[str, _Entry] = {}
        self._following = asyncio.Event()

    async def run(self) -> None:
        """Follow the events of all blobs, for ever."""
        self._following.clear()
        self.doubt()
        follower = Follower(
            self._bus,
            subjects.BLOBS,
            subjects.BLOB_EVENTS,
            headers_only=True,
            ready=self._following,
            on_reset=self.doubt,
        )
        async with contextlib.aclosing(follower.messages()) as messages:
            async for message in messages:
                self._see(subjects.name_of(message.subject), _time(message))

    def _see(self, name: BlobName, when: datetime) -> None:
        entry = self._entries.get(name.recording)
        if entry is None:
            return
        text = str(name)
        if text not in entry.names:
            entry.names[text] = when
            entry.version += 1
        if entry.arrived is not None:
            entry.arrived[text] = when
        self._on_blob(name)

    # --- what is tracked

    def track(self, recording: str) -> None:
        """Begin to keep the names of a recording; they are known after `load`."""
        self._entries.setdefault(recording, _Entry())

    def untrack(self, recording: str) -> None:
        """Keep them no longer."""
        self._entries.pop(recording, None)

    def tracked(self) -> list[str]:
        """Recordings that are tracked."""
        return list(self._entries)

    def doubt(self, recording: str | None = None) -> None:
        """Blobs may have been removed, which no event tells: list them again before they are believed."""
        for entry in self._entries.values() if recording is None else filter(None, [self._entries.get(recording)]):
            entry.loaded = False

    async def load(self, recording: str) -> Times:
        """The names of a recording, listed if they are not known or doubted.

        Raises
        ------
        Unavailable
            If the broker does not answer.
        """
        entry = self._entries.get(recording)
        if entry is None:
            return await list_blobs(self._bus, recording)
        if not entry.loaded:
            await self._following.wait()
            entry.loaded, entry.arrived = True, {}  # doubted meanwhile: listed once more by the next call
            try:
                listed = await list_blobs(self._bus, recording)
                names = listed | entry.arrived
            except BaseException:
                entry.loaded = False
                raise
            finally:
                entry.arrived = None
            if names != entry.names:
                entry.names = names
                entry.version += 1
        return entry.names

    def known(self, recording: str) -> tuple[int, Times] | None:
        """Version and names of a recording where they are known now; the version grows with each change."""
        entry = self._entries.get(recording)
        return (entry.version, entry.names) if entry is not None and entry.loaded else None
