"""Following a stream for ever: every message once and in order, over restarts of the broker.

An ordered consumer of our own: ephemeral, unacknowledged, begun again behind the last message seen whenever the
connection changed, a message is missing or the heartbeat stays away.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import nats.errors
from nats.js.errors import APIError

from mesh.errors import Unavailable

if TYPE_CHECKING:
    from nats.aio.subscription import Subscription

    from mesh.bus import Bus

log = logging.getLogger(__name__)

HEARTBEAT_S = 2.0
PATIENCE_S = 3 * HEARTBEAT_S  # without a heartbeat the consumer is taken for lost
POLL_S = 0.5  # how soon a new connection is noticed


@dataclass(frozen=True)
class Message:
    """One message of a stream; `time`, when the broker stored it, where it was followed."""

    subject: str
    sequence: int
    headers: dict[str, str] = field(repr=False)
    data: bytes = field(repr=False)
    time: datetime | None = None


class Follower:
    """Follows the messages of a stream that match a subject.

    Parameters
    ----------
    bus : Bus
    stream, subject : str
    after : int, optional
        Begin behind this sequence; with the messages that are yet to come if not given.
    last_per_subject : bool
        Begin with the last message of every subject.
    headers_only : bool
        Leave the payloads out.
    ready : asyncio.Event, optional
        Set when the first message to follow is fixed.
    on_caught_up, on_reset : callable, optional
        Called once when all that existed at the start was yielded and handled; and whenever the stream is another one
        (a broker that lost its store), before its messages.
    """

    def __init__(
        self,
        bus: Bus,
        stream: str,
        subject: str,
        *,
        after: int | None = None,
        last_per_subject: bool = False,
        headers_only: bool = False,
        ready: asyncio.Event | None = None,
        on_caught_up: Callable[[], None] | None = None,
        on_reset: Callable[[], None] | None = None,
    ) -> None:
        self._bus, self._stream, self._subject = bus, stream, subject
        self._after, self._last_per_subject, self._headers_only = after, last_per_subject, headers_only
        self._ready, self._on_caught_up, self._on_reset = ready, on_caught_up, on_reset
        self._seen: int | None = None  # sequence of the last message yielded or passed over
        self._created: str | None = None  # birth of the stream that `_seen` belongs to
        self._consumer = ""
        self._pending = 0

    async def messages(self) -> AsyncGenerator[Message, None]:
        """The messages, until the bus is closed."""
        while not self._bus.closed:
            try:
                subscription = await self._begin()
            except (Unavailable, APIError, nats.errors.Error, OSError) as error:
                log.warning("a stream cannot be followed", extra={"stream": self._stream, "error": repr(error)})
                await asyncio.sleep(POLL_S)
                continue
            try:
                async for message in self._follow(subscription):
                    yield message
            finally:
                await self._end(subscription)

    async def _begin(self) -> Subscription:
        bus = self._bus
        self._generation = bus.generation
        info = await bus.api(f"STREAM.INFO.{self._stream}")
        if self._created is not None and info["created"] != self._created:
            self._seen = None
            if self._on_reset is not None:
                self._on_reset()
        first = self._seen is None
        self._created = info["created"]
        config: dict[str, object] = {
            "ack_policy": "none",
            "max_deliver": 1,
            "replay_policy": "instant",
            "filter_subject": self._subject,
            "idle_heartbeat": int(HEARTBEAT_S * 1e9),
            "inactive_threshold": int(30e9),
            "headers_only": self._headers_only,
            "mem_storage": True,
            "num_replicas": 1,
        }
        if self._seen is None and self._last_per_subject:
            config["deliver_policy"] = "last_per_subject"
            self._seen = 0
        else:
            last = int(info["state"]["last_seq"])
            if self._seen is None:
                self._seen = last if self._after is None else min(self._after, last)
            config["deliver_policy"] = "by_start_sequence"
            config["opt_start_seq"] = self._seen + 1
        inbox = bus.nc.new_inbox()
        config["deliver_subject"] = inbox
        subscription = await bus.nc.subscribe(inbox)
        try:
            request = {"stream_name": self._stream, "config": config}
            answer = await bus.api(f"CONSUMER.CREATE.{self._stream}", request, repeat=False)
        except BaseException:
            self._seen = None if first else self._seen
            await self._end(subscription)
            raise
        self._consumer = answer["name"]
        self._pending = int(answer.get("num_pending", 0))
        if self._ready is not None:
            self._ready.set()
        return subscription

    async def _follow(self, subscription: Subscription) -> AsyncGenerator[Message, None]:
        delivered, heard = 0, time.monotonic()
        if self._pending == 0:
            self._caught_up()
        while self._bus.generation == self._generation and time.monotonic() - heard < PATIENCE_S:
            try:
                # not awaited itself: it turns our cancellation into an error of its own
                received = await self._bus.unless_lost(subscription.next_msg(timeout=POLL_S))
            except (TimeoutError, nats.errors.TimeoutError):
                continue
            except (Unavailable, nats.errors.Error):
                return
            heard = time.monotonic()
            headers = received.headers or {}
            if not received.reply or "Status" in headers:
                if headers.get("Status") != "100" or int(headers.get("Nats-Last-Consumer", delivered)) != delivered:
                    return  # the consumer is gone, or what it sent last never came
                continue
            metadata = received.metadata
            delivered += 1
            if metadata.sequence.consumer != delivered:
                return
            self._seen = metadata.sequence.stream
            yield Message(
                received.subject, metadata.sequence.stream, headers, received.data, metadata.timestamp.astimezone(UTC)
            )
            if metadata.num_pending == 0:
                self._caught_up()

    def _caught_up(self) -> None:
        if self._on_caught_up is not None:
            self._on_caught_up()
            self._on_caught_up = None

    async def _end(self, subscription: Subscription) -> None:
        with contextlib.suppress(nats.errors.Error, OSError):
            await subscription.unsubscribe()
        if self._consumer and self._bus.connected and self._bus.generation == self._generation:
            with contextlib.suppress(Unavailable, APIError):
                await self._bus.api(f"CONSUMER.DELETE.{self._stream}.{self._consumer}", repeat=False)
        self._consumer = ""
