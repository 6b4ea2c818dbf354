"""The bus: tasks, events and the messages of streams; writes and reads are repeated over a restart of the broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from nats.aio.msg import Msg
from nats.js.errors import APIError

from mesh import subjects
from mesh.connection import Connection
from mesh.contracts import Task
from mesh.errors import Busy, Unavailable
from mesh.follower import Follower, Message
from mesh.names import BlobName
from mesh.trace_context import TRACEPARENT, current_traceparent

log = logging.getLogger(__name__)

WRONG_LAST_SEQUENCE = 10071
STORE_FAILED = 10077
PER_SUBJECT = "maximum messages per subject"
EXHAUSTED = {10002, 10023, 10047}  # account or server out of storage
NEW_SUBJECT = 0  # `expect` of a message that must be the first of its subject


class WrongSequence(Exception):
    """Compare-and-set lost: the subject has another last message.

    Attributes
    ----------
    repeated : bool
        True if the write was tried before with no answer, so that the other message may be our own.
    """

    def __init__(self, repeated: bool) -> None:
        super().__init__("the subject has another last message")
        self.repeated = repeated


class SubjectTaken(Exception):
    """The stream allows one message a subject and has it."""


@dataclass(frozen=True)
class Event:
    """One message of the stream EVENTS: `id` is its stream sequence."""

    id: int
    type: str
    data: bytes


class Bus(Connection):
    """What the mesh says and hears. See `Connection` for its life."""

    async def append(
        self,
        subject: str,
        payload: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        expect: int | None = None,
        retry_s: float | None = None,
    ) -> int:
        """Append a message to its stream, repeating over a restart of the broker; its stream sequence.

        Parameters
        ----------
        expect : int, optional
            The sequence that the last message of this subject must have, `NEW_SUBJECT` for none: makes the write a
            compare-and-set, and its repetition safe.
        retry_s : float, optional
            How long to repeat; `settings.retry_s` if not given.

        Raises
        ------
        WrongSequence
            If `expect` does not hold.
        SubjectTaken
            If the subject has a message and may have one only.
        Busy
            If the stream is full.
        Unavailable
            If the broker did not take it within `retry_s`.
        """
        header = dict(headers or {})
        if expect is not None:
            header["Nats-Expected-Last-Subject-Sequence"] = str(expect)
        deadline = time.monotonic() + (self.settings.retry_s if retry_s is None else retry_s)
        pause, repeated = 0.05, False
        while True:
            try:
                answer = json.loads((await self.request(subject, payload, header)).data)
                error = answer.get("error")
                if error is None:
                    return int(answer["seq"])
                failure = _refusal(error, repeated)
                if not isinstance(failure, Unavailable):
                    raise failure
            except Unavailable as caught:
                failure = caught
                repeated = True
            if self._closing or time.monotonic() + pause > deadline:
                raise failure
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)

    async def last(self, stream: str, subject: str) -> Message | None:
        """The last message of a subject, None where there is none. Raises Unavailable."""
        return await self._get(f"{stream}.{subject}", b"")

    async def at(self, stream: str, sequence: int) -> Message | None:
        """The message at a stream sequence, None where it is gone. Raises Unavailable."""
        return await self._get(stream, json.dumps({"seq": sequence}).encode())

    async def _get(self, what: str, payload: bytes) -> Message | None:
        async def call() -> Message | None:
            return _stored(await self.request(f"$JS.API.DIRECT.GET.{what}", payload))

        return await self.again(call)

    async def subjects(self, stream: str, filter: str) -> dict[str, int]:
        """How many messages each subject has, of those that match `filter`. Raises Unavailable."""
        found: dict[str, int] = {}
        while True:
            answer = await self.api(f"STREAM.INFO.{stream}", {"subjects_filter": filter, "offset": len(found)})
            page = answer["state"].get("subjects") or {}
            found.update(page)
            if not page or len(found) >= answer.get("total", 0):
                return found

    async def purge(self, stream: str, filter: str) -> int:
        """Remove the messages that match `filter`; how many they were. Raises Unavailable."""
        return int((await self.api(f"STREAM.PURGE.{stream}", {"filter": filter})).get("purged", 0))

    async def remove(self, stream: str, sequence: int) -> bool:
        """Remove one message; False where it is gone already. Raises Unavailable."""
        try:
            await self.api(f"STREAM.MSG.DELETE.{stream}", {"seq": sequence})
        except APIError:
            return False
        return True

    # --- tasks

    async def publish_task(self, task: Task, *, retry_s: float | None = None) -> bool:
        """Queue a task.

        Returns
        -------
        bool
            True if it is queued now, False if it was queued or running already.

        Raises
        ------
        Busy
            If the queue is full.
        Unavailable
            If the broker cannot be reached.
        """
        headers = {TRACEPARENT: current_traceparent()}
        payload = task.model_dump_json(exclude_defaults=True).encode()
        try:
            await self.append(subjects.task_subject(task), payload, headers=headers, retry_s=retry_s)
        except SubjectTaken:
            return False
        return True

    async def queued(self) -> dict[str, int]:
        """Tasks that wait or run, by stage. Raises Unavailable."""
        counts: dict[str, int] = {}
        for subject, messages in (await self.subjects(subjects.TASKS, "task.>")).items():
            stage = subject.split(".")[1]
            counts[stage] = counts.get(stage, 0) + messages
        return counts

    async def purge_tasks(self, recording: str) -> None:
        """Remove all tasks of a recording. Raises Unavailable."""
        await self.purge(subjects.TASKS, f"task.*.{recording}.>")

    # --- events

    async def blob_events(self, *, ready: asyncio.Event | None = None) -> AsyncGenerator[BlobName, None]:
        """Names of blobs as they are committed, from now on and for ever; `ready` is set when 'now' is fixed.

        None is lost over a restart of the broker, but one that loses its store loses events too: what must not be
        missed needs a slow timer beside this.
        """
        follower = Follower(self, subjects.BLOBS, subjects.BLOB_EVENTS, headers_only=True, ready=ready)
        async with contextlib.aclosing(follower.messages()) as messages:
            async for message in messages:
                yield subjects.name_of(message.subject)

    async def publish_event(self, job: str, type: str, data: bytes) -> int:
        """Append an event of a job; its id. Raises Unavailable."""
        return await self.append(subjects.event_subject(job, type), data)

    async def events(self, job: str, after: int | None = None) -> AsyncGenerator[Event, None]:
        """Events of a job, as they come, for ever: those that are kept from sequence `after` on, else from now on."""
        follower = Follower(self, subjects.EVENTS, f"event.{job}.>", after=after)
        async with contextlib.aclosing(follower.messages()) as messages:
            async for message in messages:
                yield Event(message.sequence, message.subject.rsplit(".", 1)[1], message.data)

    async def purge_events(self, job: str) -> None:
        """Forget the events of a job. Raises Unavailable."""
        await self.purge(subjects.EVENTS, f"event.{job}.>")


def _refusal(error: dict[str, Any], repeated: bool) -> Exception:
    code, text = error.get("err_code", 0), str(error.get("description", ""))
    if code == WRONG_LAST_SEQUENCE:
        return WrongSequence(repeated)
    if code == STORE_FAILED and PER_SUBJECT in text:
        return SubjectTaken(text)
    if code == STORE_FAILED or code in EXHAUSTED:
        return Busy(f"the broker takes no more: {text}")
    return Unavailable(f"the broker refused a message: {text}")


def _stored(message: Msg) -> Message | None:
    headers = message.headers or {}
    status = headers.get("Status")
    if status == "404":
        return None
    if "Nats-Sequence" not in headers:
        raise Unavailable(f"the broker refused to read: {status} {headers.get('Description', '')}")
    return Message(headers["Nats-Subject"], int(headers["Nats-Sequence"]), headers, message.data)
