"""What a client may watch: the events of a job, published once by whichever gateway is first, replayed by any."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator

from gateway.inventory import Times
from mesh import subjects
from mesh.bus import NEW_SUBJECT, Bus, WrongSequence
from mesh.contracts import Job, JobView, Plan, StageProgress, State
from mesh.errors import Busy, Unavailable
from mesh.jobs import JobTable
from mesh.progress import job_view

log = logging.getLogger(__name__)

PROGRESS, STATE = "progress", "state"  # the types of events
ENDED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
_ORDER = {State.QUEUED: 0, State.SPLITTING: 1, State.PROCESSING: 2}
_LAST = 3  # any end; there is one
PAUSE_S = 0.1  # between two rounds of publishing: what happens in between is one event
RETRY_S = 5.0
MEMORY = 100_000  # subjects whose last event is remembered

Rank = tuple[int, int]
Present = Callable[[JobView], JobView]  # adds addresses and times


def _stage_rank(progress: StageProgress) -> Rank:
    return progress.done, progress.total or 0


def _state_rank(state: State) -> Rank:
    return _ORDER.get(state, _LAST), 0


def rank_of(type: str, data: bytes) -> Rank:
    """How far an event is: one that is not farther than the last is not published."""
    if type == STATE:
        return _state_rank(State(json.loads(data)["state"]))
    return _stage_rank(StageProgress.model_validate_json(data))


class Publisher:
    """Publishes how jobs get on.

    Each stage of a job and its state have a subject of their own, written by compare-and-set: progress never goes
    back and nothing is said twice, however many gateways say it.
    """

    def __init__(self, bus: Bus, present: Present, wanted: Callable[[Job], bool] = lambda job: True) -> None:
        self._bus, self._present, self._wanted = bus, present, wanted
        self._waiting: dict[str, tuple[Job, Plan | None, Times]] = {}
        self._told = asyncio.Event()
        self._last: dict[str, tuple[int, Rank | None]] = {}  # subject -> sequence and rank of its last event

    def tell(self, job: Job, plan: Plan | None, names: Times) -> None:
        """A job is this far: publish it soon."""
        waiting = self._waiting.get(job.id)
        if waiting is None or waiting[0].outcome is None:
            self._waiting[job.id] = job, plan, names
        self._told.set()

    async def run(self) -> None:
        """Publish, for ever."""
        while True:
            await self._told.wait()
            self._told.clear()
            waiting, self._waiting = self._waiting, {}
            started = time.monotonic()
            for job, plan, names in waiting.values():
                if not self._wanted(job):  # erased meanwhile
                    continue
                try:
                    await self.publish(job_view(job, plan, names))
                except (Unavailable, Busy) as error:
                    log.warning("progress was not published", extra={"job": job.id, "detail": error.detail})
                    if job.outcome is not None:
                        self._waiting.setdefault(job.id, (job, plan, names))
                        self._told.set()
            await asyncio.sleep(max(PAUSE_S, 2 * (time.monotonic() - started)))

    async def publish(self, view: JobView) -> None:
        """Publish what is new in a view of a job, its state last.

        Raises
        ------
        Busy, Unavailable
            If the broker does not take it.
        """
        for stage in view.progress:
            if stage.done or stage.total:
                subject = subjects.event_subject(view.id, f"{stage.stage}.{PROGRESS}")
                await self._put(subject, PROGRESS, _stage_rank(stage), stage)
        subject = subjects.event_subject(view.id, f"job.{STATE}")
        await self._put(subject, STATE, _state_rank(view.state), self._present(view))
        if view.state in ENDED:
            for known in [known for known in self._last if known.startswith(f"event.{view.id}.")]:
                del self._last[known]

    async def _put(self, subject: str, type: str, rank: Rank, content: StageProgress | JobView) -> None:
        sequence, last = self._last.get(subject, (NEW_SUBJECT, None))
        while last is None or rank > last:
            try:
                data = content.model_dump_json().encode()
                sequence = await self._bus.append(subject, data, expect=sequence, retry_s=RETRY_S)
                last = rank
            except WrongSequence:  # another gateway said something, or the last event is not kept any more
                found = await self._bus.last(subjects.EVENTS, subject)
                sequence, last = (found.sequence, rank_of(type, found.data)) if found else (NEW_SUBJECT, None)
        if len(self._last) > MEMORY:
            self._last.clear()
        self._last[subject] = sequence, last


class JobWatch:
    """Wakes whoever waits for the end of a job."""

    def __init__(self, jobs: JobTable) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        jobs.on_change(self._changed)

    def _changed(self, job: Job | None, key: str) -> None:
        if job is None or job.outcome is not None:
            for event in self._waiting.get(key.removeprefix("job."), ()):
                event.set()

    @contextlib.contextmanager
    def end_of(self, job: Job) -> Iterator[asyncio.Event]:
        """An event that is set when the job has ended or is removed."""
        event = asyncio.Event()
        if job.outcome is not None:
            event.set()
        self._waiting.setdefault(job.id, set()).add(event)
        try:
            yield event
        finally:
            waiting = self._waiting[job.id]
            waiting.discard(event)
            if not waiting:
                del self._waiting[job.id]
