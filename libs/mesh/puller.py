"""Taking messages from a durable pull consumer, one at a time and only when asked.

Not `nats.js`'s `fetch`: that waits out its whole timeout over a restart of the broker, and cannot ask without waiting
in a single round trip.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import nats.errors
from nats.aio.msg import Msg

from mesh.errors import Unavailable

if TYPE_CHECKING:
    from nats.aio.subscription import Subscription

    from mesh.bus import Bus

_NOTHING = {"404", "408", "409"}  # none now, none in time, or the request was ended


class Puller:
    """One reader of a consumer that `mesh.subjects.provision` made."""

    def __init__(self, bus: Bus, stream: str, consumer: str) -> None:
        self._bus = bus
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._number = 0

    async def next(self, wait_s: float = 0.0) -> Msg | None:
        """The next message, None if none is there (or comes within `wait_s` seconds).

        Raises
        ------
        Unavailable
            If the broker does not answer.
        """
        bus = self._bus
        if self._subscription is None:
            self._inbox = bus.nc.new_inbox()
            self._subscription = await bus.nc.subscribe(f"{self._inbox}.*")
        request: dict[str, Any] = {"batch": 1}
        request |= {"expires": int(wait_s * 1e9)} if wait_s > 0 else {"no_wait": True}
        await bus.wait_connected()
        self._number += 1
        reply = f"{self._inbox}.{self._number}"
        try:
            await bus.nc.publish(self._subject, json.dumps(request).encode(), reply=reply)
            async with asyncio.timeout(wait_s + bus.settings.request_timeout_s):
                while True:
                    message = await bus.unless_lost(self._subscription.next_msg(timeout=None))
                    status = (message.headers or {}).get("Status")
                    if status is None:
                        return message  # maybe the late answer to an earlier request: it is ours all the same
                    if message.subject != reply:
                        continue
                    if status in _NOTHING:
                        return None
                    raise Unavailable(f"the broker hands out no tasks: {status}")
        except (TimeoutError, nats.errors.Error, OSError) as error:
            raise Unavailable(f"the broker did not answer: {error!r}") from error

    async def close(self) -> None:
        """Stop reading."""
        if self._subscription is not None:
            with contextlib.suppress(nats.errors.Error, OSError):
                await self._subscription.unsubscribe()
            self._subscription = None
