"""Tasks that were handed out as often as is allowed and never ended.

JetStream keeps such a message, delivers it no more and counts it nowhere; only an advisory tells. It is captured in a
stream, so that it waits for whoever handles it.
"""

from __future__ import annotations

import asyncio
import json
import logging

from nats.aio.msg import Msg
from pydantic import ValidationError

from mesh import subjects
from mesh.blobs import BlobStore
from mesh.bus import Bus
from mesh.contracts import Task
from mesh.errors import Busy, DeliveriesExhausted, Unavailable
from mesh.graph import failure_name
from mesh.names import BlobName
from mesh.puller import Puller
from mesh.telemetry import Telemetry

log = logging.getLogger(__name__)

WAIT_S = 3.0  # of one request for work: one that hangs over a restart of the broker does so no longer than this


class DeadLetters:
    """Writes the failure blob of such a task, then removes it. Any number may run at once."""

    def __init__(self, bus: Bus, blobs: BlobStore, telemetry: Telemetry | None = None) -> None:
        self._bus, self._blobs, self._telemetry = bus, blobs, telemetry

    async def run(self) -> None:
        """For ever."""
        puller = Puller(self._bus, subjects.DEAD, subjects.DEAD_CONSUMER)
        while True:
            try:
                message = await puller.next(WAIT_S)
                if message is not None:
                    await self._bury(message)
            except (Unavailable, Busy) as error:
                log.warning("dead letters wait", extra={"error": repr(error)})
                await asyncio.sleep(1)

    async def _bury(self, message: Msg) -> None:
        advisory = json.loads(message.data)
        sequence = int(advisory["stream_seq"])
        stored = await self._bus.at(subjects.TASKS, sequence)
        if stored is not None:
            try:
                task = Task.model_validate_json(stored.data)
            except ValidationError:
                log.error("a task that nobody can read was removed", extra={"sequence": sequence})
            else:
                if await self._blobs.stat(BlobName.parse(task.output)) is None:
                    problem = DeliveriesExhausted(f"tried {advisory['deliveries']} times without an end").problem(
                        instance=task.output
                    )
                    await self._blobs.create(failure_name(task), problem.model_dump_json().encode())
                log.warning("a task was handed out too often", extra={"task": task.output})
                if self._telemetry is not None:
                    self._telemetry.dead_letters.labels(task.stage).inc()
            await self._bus.remove(subjects.TASKS, sequence)
        await message.ack()
