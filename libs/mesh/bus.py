"""The connection to NATS JetStream. (Signatures; the implementation follows.)"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from mesh.contracts import Task
from mesh.names import BlobName
from mesh.settings import MeshSettings


@dataclass(frozen=True)
class Event:
    """One message of the stream EVENTS: `id` is its stream sequence."""

    id: int
    type: str
    data: bytes


class Bus:
    """A connection that is made again for ever."""

    @classmethod
    async def connect(
        cls, settings: MeshSettings, *, name: str = "pulsemesh", on_closed: Callable[[], None] | None = None
    ) -> Bus:
        """Connect and provision. Raises Unavailable (nobody answers in time; too old a server)."""
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    @property
    def connected(self) -> bool:
        raise NotImplementedError

    async def publish_task(self, task: Task) -> bool:
        """True if queued now, False if it was queued already. Raises Busy (full), Unavailable."""
        raise NotImplementedError

    async def queued(self) -> dict[str, int]:
        """Tasks that wait or run, by stage."""
        raise NotImplementedError

    async def purge_tasks(self, recording: str) -> None:
        raise NotImplementedError

    def blob_events(self) -> AsyncIterator[BlobName]:
        """Names of blobs from now on as they are committed, for ever; survives restarts of the broker."""
        raise NotImplementedError

    async def publish_event(self, job: str, type: str, data: bytes) -> int:
        """Append to `event.<job>.<type>`; its sequence."""
        raise NotImplementedError

    def events(self, job: str, after: int = 0) -> AsyncIterator[Event]:
        """Events of a job after sequence `after`, then new ones as they come, for ever."""
        raise NotImplementedError

    async def purge_events(self, job: str) -> None:
        raise NotImplementedError
