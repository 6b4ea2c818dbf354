"""The table of jobs and of tombstones: the state of record of every gateway, mirrored in memory by a watcher."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from mesh import subjects
from mesh.bus import NEW_SUBJECT, Bus, SubjectTaken, WrongSequence
from mesh.contracts import Job, Outcome
from mesh.errors import Erased, NotFound, Problem
from mesh.follower import Follower, Message

log = logging.getLogger(__name__)

Jobs = list[Job]  # inside the class `list` is a method
Listener = Callable[["Job | None", str], None]
_OPERATION = "KV-Operation"
_REMOVED_TTL_S = 3600  # a marker of removal stays as long as a watcher may be away
_PREFIX = "$KV.JOBS."


class JobTable:
    """Jobs and tombstones of all gateways. Changes are compare-and-set, so any number of gateways may use it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._jobs: dict[str, Job] = {}
        self._sequences: dict[str, int] = {}  # of the last change seen, by key: a late echo undoes nothing
        self._erased: dict[str, datetime] = {}
        self._listeners: list[Listener] = []
        self._watching: asyncio.Task[None] | None = None
        self._known = asyncio.Event()

    # --- watching

    async def start(self) -> None:
        """Begin to watch; returns when everything that exists is known."""
        self._watching = asyncio.create_task(self._watch(), name="job table")
        waiting = asyncio.create_task(self._known.wait())
        await asyncio.wait({self._watching, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._watching.done():
            self._watching.result()

    async def stop(self) -> None:
        """Stop watching."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
            self._watching = None

    def on_change(self, listener: Listener) -> None:
        """Call `listener(job, key)` after each change; no job for `erased.<recording>` and a removed `job.<id>`."""
        self._listeners.append(listener)

    async def _watch(self) -> None:
        follower = Follower(
            self._bus,
            subjects.JOBS,
            _PREFIX + ">",
            last_per_subject=True,
            on_caught_up=self._known.set,
            on_reset=self._reset,
        )
        async with contextlib.aclosing(follower.messages()) as messages:
            async for message in messages:
                self._see(message)

    def _reset(self) -> None:
        self._jobs.clear()
        self._sequences.clear()

    def _see(self, message: Message) -> None:
        key = message.subject.removeprefix(_PREFIX)
        kind, _, id = key.partition(".")
        if kind not in ("job", "erased") or message.sequence <= self._sequences.get(key, 0):
            return
        self._sequences[key] = message.sequence
        job: Job | None = None
        if message.headers.get(_OPERATION):
            self._jobs.pop(id, None) if kind == "job" else self._erased.pop(id, None)
        elif kind == "erased":
            self._erased[id] = datetime.fromisoformat(message.data.decode())
        else:
            job = Job.model_validate_json(message.data)
            self._jobs[id] = job
        for listener in self._listeners:
            listener(job, key)

    # --- reading

    def get(self, job_id: str) -> Job | None:
        """A job, None if there is none."""
        return self._jobs.get(job_id)

    async def find(self, job_id: str) -> Job | None:
        """A job, asked of the broker where this table has not heard of it yet. Raises Unavailable."""
        return self._jobs.get(job_id) or (await self._last(job_id))[0]

    def list(self, recording: str | None = None) -> Jobs:
        """Jobs (of one recording), newest first."""
        found = [job for job in self._jobs.values() if recording is None or job.recording == recording]
        return sorted(found, key=lambda job: (job.created_at, job.id), reverse=True)

    def active(self) -> Jobs:
        """Jobs without an outcome, oldest first."""
        return [job for job in reversed(self.list()) if job.outcome is None]

    def erased(self, recording: str) -> bool:
        """Whether the recording has a tombstone."""
        return recording in self._erased

    def tombstones(self) -> dict[str, datetime]:
        """When each erased recording was erased."""
        return dict(self._erased)

    def wanted(self, job_id: str, recording: str) -> bool:
        """Whether work for a job is still wanted: not erased, and not cancelled by all who asked for it."""
        if recording in self._erased:
            return False
        job = self._jobs.get(job_id)
        if job is None or job.outcome != Outcome.CANCELLED:
            return True
        return any(other.outcome is None and other.recording == recording for other in self._jobs.values())

    # --- changing

    async def _put(self, key: str, payload: bytes, expect: int | None, headers: dict[str, str] | None = None) -> None:
        sequence = await self._bus.append(_PREFIX + key, payload, headers=headers, expect=expect)
        self._see(Message(_PREFIX + key, sequence, headers or {}, payload))

    async def _last(self, job_id: str) -> tuple[Job | None, int]:
        message = await self._bus.last(subjects.JOBS, subjects.job_subject(job_id))
        if message is None:
            return None, NEW_SUBJECT
        gone = bool(message.headers.get(_OPERATION))
        return (None if gone else Job.model_validate_json(message.data)), message.sequence

    async def create(self, job: Job) -> bool:
        """Add a job; False if its id exists with other content.

        Raises
        ------
        Erased
            If its recording was erased.
        Busy, Unavailable
            See `Bus.append`.
        """
        tombstone = await self._bus.last(subjects.JOBS, subjects.tombstone_subject(job.recording))
        if job.recording in self._erased or tombstone is not None:
            raise Erased(f"the recording {job.recording} was erased")
        try:
            await self._put(f"job.{job.id}", job.model_dump_json().encode(), NEW_SUBJECT)
        except (WrongSequence, SubjectTaken):
            found, _ = await self._last(job.id)
            return found == job
        return True

    async def finish(self, job_id: str, outcome: Outcome, problem: Problem | None = None) -> bool:
        """End a job, exactly once whoever calls.

        Returns
        -------
        bool
            Whether this call did it; False if the job had ended already.

        Raises
        ------
        NotFound
            If there is no such job.
        Busy, Unavailable
            See `Bus.append`.
        """
        finished_at = datetime.now(UTC)
        while True:
            job, sequence = await self._last(job_id)
            if job is None:
                raise NotFound(f"there is no job {job_id}")
            if job.outcome is not None:
                return job.finished_at == finished_at and job.outcome == outcome  # ours, its answer was lost
            ended = job.model_copy(update={"outcome": outcome, "problem": problem, "finished_at": finished_at})
            try:
                await self._put(f"job.{job_id}", ended.model_dump_json().encode(), sequence)
            except WrongSequence:
                continue
            return True

    async def remove(self, job_id: str) -> None:
        """Forget a job. Raises Unavailable."""
        headers = {_OPERATION: "DEL", "Nats-TTL": f"{_REMOVED_TTL_S}s"}
        await self._put(f"job.{job_id}", b"", None, headers)

    async def erase(self, recording: str) -> None:
        """Write the tombstone of a recording, only that: `mesh.erasure.erase_recording` does the rest."""
        lifetime = {"Nats-TTL": f"{int(self._bus.settings.blobs_max_age_s)}s"}  # nothing of it can be older
        await self._put(f"erased.{recording}", datetime.now(UTC).isoformat().encode(), None, lifetime)
