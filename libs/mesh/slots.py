"""How many tasks the workers of each stage can run at once: workers announce it, gateways add it up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from mesh.bus import Bus

EVERY_S = 5.0
FORGET_S = 3 * EVERY_S  # a worker that was not heard of for this long is gone
ROLL_CALL = "workers.call"  # asks all workers to announce themselves now


class SlotAnnouncer:
    """What a worker says on `worker.<stage>`: who it is and how many tasks it can run at once."""

    def __init__(self, bus: Bus, worker: str, stages: Sequence[str], slots: int) -> None:
        self._bus, self._worker, self._stages, self._slots = bus, worker, list(stages), slots
        self._called = asyncio.Event()

    async def _say(self, slots: int) -> None:
        data = json.dumps({"id": self._worker, "slots": slots}).encode()
        if self._bus.connected:
            with contextlib.suppress(nats.errors.Error, OSError):
                for stage in self._stages:
                    await self._bus.nc.publish(f"worker.{stage}", data)

    async def _call(self, _: Msg) -> None:
        self._called.set()

    async def run(self) -> None:
        """Announce until cancelled, then take it back."""
        subscription = await self._bus.nc.subscribe(ROLL_CALL, cb=self._call)
        try:
            while True:
                self._called.clear()
                await self._say(self._slots)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._called.wait(), EVERY_S)
        finally:
            await self._say(0)
            with contextlib.suppress(nats.errors.Error, OSError):
                await subscription.unsubscribe()


class SlotCounter:
    """Adds up what workers announce."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._heard: dict[str, dict[str, tuple[int, float]]] = {}  # stage -> worker -> slots, when
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Begin to listen, and call the roll."""
        self._subscription = await self._bus.nc.subscribe("worker.*", cb=self._hear)
        await self._bus.nc.publish(ROLL_CALL)

    async def stop(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            with contextlib.suppress(nats.errors.Error, OSError):
                await self._subscription.unsubscribe()
            self._subscription = None

    async def _hear(self, message: Msg) -> None:
        said = json.loads(message.data)
        workers = self._heard.setdefault(message.subject.split(".", 1)[1], {})
        if said["slots"]:
            workers[said["id"]] = (int(said["slots"]), time.monotonic())
        else:
            workers.pop(said["id"], None)

    def slots(self, stage: str) -> int:
        """Slots of the workers of `stage` that were heard of lately."""
        now = time.monotonic()
        return sum(slots for slots, when in self._heard.get(stage, {}).values() if now - when < FORGET_S)

    def stages(self) -> dict[str, int]:
        """Slots by stage."""
        return {stage: self.slots(stage) for stage in self._heard}

    def most(self) -> int:
        """Slots of the stage that has most: where one has fewer, its tasks wait a little longer in its own queue."""
        return max(self.stages().values(), default=0)
