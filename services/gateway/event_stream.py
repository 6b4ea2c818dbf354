"""Server-sent events (HTML standard, section 9.2): the events of one job, from where a client left off."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from gateway.events import ENDED, STATE, JobWatch
from mesh import subjects
from mesh.bus import Bus, Event
from mesh.contracts import Job, JobView, State

MEDIA_TYPE = "text/event-stream"
RETRY_MS = 1000  # after which a client comes back
GRACE_S = 1.0  # for the last event of a job that has ended; after that the stream ends with one of its own
AHEAD = 256  # events that wait for a slow client


def message(type: str, data: str, id: int | None = None) -> bytes:
    """One event as it goes over the wire; `data` is JSON on one line."""
    return (f"id: {id}\n" if id is not None else "").encode() + f"event: {type}\ndata: {data}\n\n".encode()


def is_end(event: Event) -> bool:
    """Whether it is the last one of its job."""
    return event.type == STATE and State(json.loads(event.data)["state"]) in ENDED


async def all_seen(bus: Bus, job: Job, after: int) -> bool:
    """Whether a client that saw the event `after` has seen all there will ever be. Raises Unavailable."""
    if job.outcome is None or not after:
        return False
    last = await bus.last(subjects.EVENTS, subjects.event_subject(job.id, f"job.{STATE}"))
    return last is not None and last.sequence <= after and is_end(Event(last.sequence, STATE, last.data))


@dataclass
class EventStream:
    """The answer to one client.

    Attributes
    ----------
    job : Job
    after : int
        The last event that the client has seen, 0 for none.
    view : callable
        The job as it is now, None if it is gone.
    life_s, keep_alive_s : float
        How long it lasts at most, and after how much silence it says something.
    stopping : asyncio.Event
        Set when the service ends.
    """

    bus: Bus
    watch: JobWatch
    job: Job
    after: int
    view: Callable[[], Awaitable[JobView | None]]
    life_s: float
    keep_alive_s: float
    stopping: asyncio.Event

    async def _pump(self, queue: asyncio.Queue[Event]) -> None:
        async with contextlib.aclosing(self.bus.events(self.job.id, self.after)) as events:
            async for event in events:
                await queue.put(event)

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """What goes over the wire, until the job has ended, or the stream's life is over."""
        yield f"retry: {RETRY_MS}\n\n".encode()
        queue: asyncio.Queue[Event] = asyncio.Queue(AHEAD)
        until = time.monotonic() + self.life_s
        with self.watch.end_of(self.job) as ended:
            over: asyncio.Task[object] = asyncio.create_task(ended.wait())
            stopped: asyncio.Task[object] = asyncio.create_task(self.stopping.wait())
            pump: asyncio.Task[object] = asyncio.create_task(self._pump(queue))
            event: asyncio.Task[Event] = asyncio.create_task(queue.get())
            waiting: set[asyncio.Task[object]] = {over, stopped, pump}
            try:
                while (left := until - time.monotonic()) > 0:
                    done, _ = await asyncio.wait(
                        {*waiting, event}, timeout=min(self.keep_alive_s, left), return_when=asyncio.FIRST_COMPLETED
                    )
                    if event in done:
                        found = event.result()
                        yield message(found.type, found.data.decode(), found.id)
                        if is_end(found):
                            return
                        event = asyncio.create_task(queue.get())
                    elif stopped in done or pump in done:
                        return
                    elif over in done:
                        waiting.discard(over)
                        until = min(until, time.monotonic() + GRACE_S)
                    elif time.monotonic() < until:
                        yield b": still here\n\n"
                if over.done() and (view := await self.view()) is not None and view.state in ENDED:
                    yield message(STATE, view.model_dump_json())
            finally:
                for task in (over, stopped, pump, event):
                    task.cancel()
                await asyncio.gather(over, stopped, pump, event, return_exceptions=True)
