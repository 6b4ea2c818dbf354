"""Requests that are answered at once: for what a person waits for, where a job would be too slow.

Over core NATS with a queue group, so that one instance of a service answers each. Nothing is stored: an answer that is
lost is asked for again. A failure of whoever answers is raised where it was asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import nats.errors
from nats.aio.msg import Msg
from pydantic import ValidationError

from mesh import subjects
from mesh.bus import Bus
from mesh.errors import Busy, Failure, Internal, Problem, Unavailable, from_problem

log = logging.getLogger(__name__)

PROBLEM = "Pulsemesh-Problem"  # header of an answer that is a failure


async def ask(bus: Bus, kind: str, payload: bytes, limit_s: float) -> bytes:
    """What an instance of the service that answers requests of a kind says.

    Parameters
    ----------
    kind : str
        A token, e.g. `live`.
    payload : bytes
        At most the broker's largest message, 1 MiB.
    limit_s : float
        How long to wait.

    Raises
    ------
    Unavailable
        If nobody answers in time.
    Failure
        What the answer says went wrong.
    """
    answer = await bus.request(subjects.request_subject(kind), payload, limit_s=limit_s)
    said = (answer.headers or {}).get(PROBLEM)
    if said is None:
        return bytes(answer.data)
    try:
        raise from_problem(Problem.model_validate_json(said))
    except ValidationError:
        raise Internal("an answer cannot be read") from None


class Responder:
    """Answers requests of one kind: a component of a service.

    Parameters
    ----------
    bus : Bus
    kind : str
    answer : callable
        From payload to payload; may raise a Failure.
    waiting : int
        Requests that are taken at once, running or waiting; the next are answered with Busy.
    """

    def __init__(self, bus: Bus, kind: str, answer: Callable[[bytes], Awaitable[bytes]], waiting: int = 32) -> None:
        self._bus, self._kind, self._answer, self._waiting = bus, kind, answer, waiting
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """For ever. The client of NATS subscribes again after a reconnect."""
        subscription = await self._bus.nc.subscribe(
            subjects.request_subject(self._kind), queue=self._kind, cb=self._take
        )
        try:
            await asyncio.Event().wait()
        finally:
            with contextlib.suppress(nats.errors.Error, OSError):
                await subscription.unsubscribe()
            for task in list(self._running):
                task.cancel()

    async def _take(self, message: Msg) -> None:
        # handled in a task: the next message is not to wait for this one
        task = asyncio.create_task(self._respond(message))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _respond(self, message: Msg) -> None:
        try:
            if len(self._running) > self._waiting:
                raise Busy("too many requests wait here")
            payload, headers = await self._answer(message.data), None
        except Failure as failure:
            payload, headers = b"", {PROBLEM: failure.problem().model_dump_json(exclude_none=True)}
        except Exception:
            log.exception("a request could not be answered")
            payload, headers = b"", {PROBLEM: Internal().problem().model_dump_json(exclude_none=True)}
        try:
            await self._bus.nc.publish(message.reply, payload, headers=headers)
        except (nats.errors.Error, OSError, Unavailable) as error:
            log.warning("an answer could not be sent", extra={"error": repr(error)})
