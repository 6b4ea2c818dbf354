"""The coordinator: keeps every job moving until it ends. Any number of gateways may run one.

It holds no state of its own. What a job needs next is `mesh.graph.missing()` of the blobs that exist; it asks again
whenever a blob is committed and on a slow timer, so a lost event, a restart or a wiped queue needs no special case.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import ValidationError

from gateway.inventory import Inventory, Times, list_blobs
from gateway.removal import forget_job, purge_tasks
from mesh import subjects
from mesh.blobs import BlobStore
from mesh.bus import Bus
from mesh.contracts import Job, JobView, Outcome, Plan, Task
from mesh.errors import Busy, Expired, Internal, NotFound, Problem, Unavailable
from mesh.fairness import Load, widths
from mesh.graph import MAKER, blob_name, failures, missing
from mesh.jobs import JobTable
from mesh.names import BlobName
from mesh.progress import job_view
from mesh.slots import SlotCounter
from mesh.telemetry import GatewayMetrics
from mesh.trace_context import new_traceparent, span

log = logging.getLogger(__name__)

RELIST_TICKS = 5  # of the slow timer: how often blobs are listed anew, because no event tells that one was removed
PLANS = 64  # kept in memory
VIEWS = 2000  # of jobs, kept in memory
ENDED = -1  # version of a view that does not change any more
RETRY_S = 2.0  # of a publish; the timer tries again
REST = 4  # times what a look took: a job of thousands of blobs does not keep a core busy
LONGEST_REST_S = 0.25

Listener = Callable[[Job, "Plan | None", Times], None]


def job_trace(job: Job) -> str:
    """The trace that all work on a job belongs to, the same from every gateway."""
    return new_traceparent(hashlib.sha256(job.id.encode()).hexdigest()[:32])


class Coordinator:
    """Queues tasks and ends jobs.

    Parameters
    ----------
    bus, blobs, jobs
        `jobs` has to be started.
    metrics : GatewayMetrics
    every_s : float
        Period of the slow timer in seconds.
    on_progress : callable, optional
        Called with a job, its plan and its blobs after each look at it, and once after it ended.
    """

    def __init__(
        self,
        bus: Bus,
        blobs: BlobStore,
        jobs: JobTable,
        *,
        metrics: GatewayMetrics,
        every_s: float = 2.0,
        on_progress: Listener | None = None,
    ) -> None:
        self._bus, self._blobs, self._jobs, self._metrics = bus, blobs, jobs, metrics
        self._every_s, self._on_progress = every_s, on_progress
        self.slots = SlotCounter(bus)
        self.queued = 0  # tasks that wait or run, as last counted
        self._inventory = Inventory(bus, self._committed)
        self._active: dict[str, dict[str, Job]] = {}  # by recording
        self._looks: dict[str, asyncio.Task[None]] = {}  # one at a time for each recording
        self._again: set[str] = set()
        self._known_queued: dict[str, float] = {}  # subject of a task -> when it was seen in the queue
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._views: OrderedDict[str, tuple[int, JobView]] = OrderedDict()  # with the version of the names
        self._chunks: dict[str, int] = {}  # of active jobs whose clips are split
        self._running = False
        jobs.on_change(self._changed)

    async def run(self) -> None:
        """Coordinate, for ever."""
        self._running = True
        await self.slots.start()
        try:
            self._recount()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._inventory.run())
                group.create_task(self._reconcile())
        finally:
            self._running = False
            looks = list(self._looks.values())
            for look in looks:
                look.cancel()
            await asyncio.gather(*looks, return_exceptions=True)
            await self.slots.stop()

    # --- which jobs there are

    def _changed(self, job: Job | None, key: str) -> None:
        kind, _, id = key.partition(".")
        if kind == "erased":
            for gone in self._active.pop(id, {}):
                self._views.pop(gone, None)
                self._chunks.pop(gone, None)
            self._inventory.untrack(id)
            self._wake_all()  # shares have grown
        elif job is None:
            self._drop(id)
        elif job.outcome is None:
            self._active.setdefault(job.recording, {})[job.id] = job
            self._metrics.active_jobs.set(self.active)
            self.wake(job.recording)
        else:
            self._drop(id)
            if job.outcome == Outcome.CANCELLED:  # its blobs are being removed
                self._inventory.doubt(job.recording)

    def _drop(self, job_id: str) -> None:
        self._views.pop(job_id, None)
        self._chunks.pop(job_id, None)
        for recording, jobs in list(self._active.items()):
            if jobs.pop(job_id, None) is not None:
                if not jobs:
                    del self._active[recording]
                    self._inventory.untrack(recording)
                else:
                    self._inventory.doubt(recording)
                self._wake_all()  # shares have grown
        self._metrics.active_jobs.set(self.active)

    def _recount(self) -> None:
        """Begin anew from the table of jobs."""
        active: dict[str, dict[str, Job]] = {}
        for job in self._jobs.active():
            active.setdefault(job.recording, {})[job.id] = job
        for recording in self._inventory.tracked():
            if recording not in active:
                self._inventory.untrack(recording)
        self._active = active
        self._metrics.active_jobs.set(self.active)
        for recording in active:
            self.wake(recording)

    @property
    def active(self) -> int:
        """Jobs that have not ended."""
        return sum(map(len, self._active.values()))

    # --- when to look

    def _committed(self, name: BlobName) -> None:
        """A blob exists: its task is on its way out of the queue, and may be needed again some day."""
        stage, index = MAKER.get(name.kind, ""), name.index
        if name.kind == "failure":
            stage, _, index = name.index.partition("-")
        self._known_queued.pop(f"task.{stage}.{name.recording}.{name.digest}.{index}", None)
        self.wake(name.recording)

    def wake(self, recording: str) -> None:
        """Look at a recording now, or once more if that is being done."""
        if not self._running or recording not in self._active:
            return
        if recording in self._looks:
            self._again.add(recording)
            return
        self._inventory.track(recording)
        look = asyncio.create_task(self._look(recording), name=f"look at {recording}")
        self._looks[recording] = look
        look.add_done_callback(lambda _: self._looked(recording))

    def _wake_all(self) -> None:
        for recording in list(self._active):
            self.wake(recording)

    def _looked(self, recording: str) -> None:
        self._looks.pop(recording, None)
        if recording in self._again:
            self._again.discard(recording)
            self.wake(recording)

    async def _look(self, recording: str) -> None:
        while jobs := sorted(self._active.get(recording, {}).values(), key=lambda job: (job.created_at, job.id)):
            self._again.discard(recording)
            started = time.monotonic()
            took = 0.0
            for job in jobs:
                try:
                    with span(job_trace(job)):
                        took += await self._advance(job)
                except (Unavailable, Busy) as error:
                    log.warning("a job waits", extra={"job": job.id, "failure": error.slug, "detail": error.detail})
                except Exception:
                    log.exception("a job could not be advanced", extra={"job": job.id})
            self._metrics.pass_seconds.observe(time.monotonic() - started)
            if took > 0.005:
                await asyncio.sleep(min(REST * took, LONGEST_REST_S))
            if recording not in self._again:
                return

    async def _reconcile(self) -> None:
        tick = 0
        while True:
            await asyncio.sleep(self._every_s)
            tick += 1
            try:
                await self._count_queue()
            except Unavailable as error:
                log.warning("the queue cannot be counted", extra={"detail": error.detail})
                continue
            if tick % RELIST_TICKS == 0:
                self._inventory.doubt()
            self._recount()

    async def _count_queue(self) -> None:
        """What is really queued: a queue that lost its store is filled again."""
        asked = time.monotonic()
        found = await self._bus.subjects(subjects.TASKS, "task.>")
        kept = {subject: when for subject, when in self._known_queued.items() if subject in found or when > asked}
        self._known_queued = dict.fromkeys(found, asked) | kept
        self.queued = sum(found.values())
        by_stage: dict[str, int] = {}
        for subject, count in found.items():
            stage = subject.split(".")[1]
            by_stage[stage] = by_stage.get(stage, 0) + count
        slots = self.slots.stages()
        for stage in slots.keys() | by_stage.keys():
            self._metrics.queued.labels(stage).set(by_stage.get(stage, 0))
            self._metrics.stage_slots.labels(stage).set(self.slots.slots(stage))

    # --- one job

    async def _advance(self, job: Job) -> float:
        """Do what a job needs now; the seconds that working it out took."""
        if self._jobs.erased(job.recording):
            await forget_job(self._bus, self._jobs, job)  # it was created while its recording was being erased
            return 0.0
        names = await self._inventory.load(job.recording)
        if failed := failures(job, names):
            await self._fail(job, failed[0])
            return 0.0
        if str(blob_name(job, "result")) in names:
            if await self._blobs.stat(blob_name(job, "result")) is None:  # removed since; no event tells
                self._doubt(job)
            else:
                await self._end(job, Outcome.SUCCEEDED)
            return 0.0
        plan = await self._plan(job, names)
        started = time.perf_counter()
        if plan is not None and job.id not in self._chunks:
            self._chunks[job.id] = len(plan.chunks)
            self._wake_all()  # the next clip may be split
        width = self._width(job)
        if not width:  # waits for shorter jobs; woken when one ends
            self._tell(job, plan, names)
            return 0.0
        tasks = missing(job, plan, names, width)
        took = time.perf_counter() - started
        if not tasks:
            await self._give_up(job)
            return took
        await asyncio.gather(*(self._queue(task) for task in tasks))
        self._tell(job, plan, names)
        return took

    def _width(self, job: Job) -> int:
        active = sorted(
            (j for jobs in self._active.values() for j in jobs.values()), key=lambda j: (j.created_at, j.id)
        )
        loads = {j.id: Load(self._chunks.get(j.id, j.expected_chunks), j.id in self._chunks) for j in active}
        return widths(loads, self.slots.most()).get(job.id, 1)

    def _doubt(self, job: Job) -> None:
        self._inventory.doubt(job.recording)
        self._again.add(job.recording)

    async def _queue(self, task: Task) -> None:
        subject = subjects.task_subject(task)
        if subject in self._known_queued:
            return
        self._known_queued[subject] = float("inf")  # being published
        try:
            if await self._bus.publish_task(task, retry_s=RETRY_S):
                self._metrics.published.labels(task.stage).inc()
        except BaseException:
            self._known_queued.pop(subject, None)
            raise
        self._known_queued[subject] = time.monotonic()

    async def _plan(self, job: Job, names: Times) -> Plan | None:
        """The plan, read once; None as long as there is none."""
        name = blob_name(job, "plan")
        text = str(name)
        if text not in names:
            return None
        if text not in self._plans:
            try:
                content = await self._blobs.read(name)
            except NotFound:
                self._doubt(job)
                return None
            self._plans[text] = await asyncio.to_thread(Plan.model_validate_json, content)
            while len(self._plans) > PLANS:
                self._plans.popitem(last=False)
        self._plans.move_to_end(text)
        return self._plans[text]

    async def _fail(self, job: Job, name: BlobName) -> None:
        try:
            problem = Problem.model_validate_json(await self._blobs.read(name))
        except NotFound:  # cleared for a new job
            self._doubt(job)
            return
        except ValidationError:
            problem = Internal("a failure could not be read").problem()
        problem = problem.model_copy(update={"instance": f"/v1/jobs/{job.id}"})
        await self._end(job, Outcome.FAILED, problem)

    async def _give_up(self, job: Job) -> None:
        """Nothing can be queued: the upload is gone, or the job has ended and we have not heard."""
        self._inventory.doubt(job.recording)
        names = await self._inventory.load(job.recording)
        current = await self._jobs.find(job.id)
        if current is None or current.outcome is not None:
            return
        if missing(job, await self._plan(job, names), names) or failures(job, names):
            self._again.add(job.recording)
            return
        if str(blob_name(job, "result")) in names:
            self._again.add(job.recording)
            return
        problem = Expired("the clip of this recording is not kept any more").problem(f"/v1/jobs/{job.id}")
        await self._end(job, Outcome.FAILED, problem)

    async def _end(self, job: Job, outcome: Outcome, problem: Problem | None = None) -> None:
        # looked up before: ending the recording's last job untracks it
        names = await self._inventory.load(job.recording)
        plan = await self._plan(job, names)
        try:
            mine = await self._jobs.finish(job.id, outcome, problem)
        except NotFound:
            return
        ended = self._jobs.get(job.id)
        if ended is None or ended.outcome is None:  # another gateway was faster, and we have not heard of it yet
            ended = job.model_copy(update={"outcome": outcome, "problem": problem, "finished_at": datetime.now(UTC)})
            self._drop(job.id)
        self._remember(ENDED, job_view(ended, plan, names))
        self._tell(ended, plan, names)
        if not mine:
            return
        seconds = (datetime.now(UTC) - job.created_at).total_seconds()
        self._metrics.jobs_ended.labels(outcome.value).inc()
        self._metrics.job_seconds.labels(outcome.value).observe(max(seconds, 0.0))
        slug = problem.slug if problem is not None else None
        log.info("job ended", extra={"job": job.id, "outcome": outcome.value, "failure": slug, "seconds": seconds})
        if outcome == Outcome.FAILED:
            with contextlib.suppress(Unavailable):
                await purge_tasks(self._bus, job, list(self._active.get(job.recording, {}).values()))

    def _tell(self, job: Job, plan: Plan | None, names: Times) -> None:
        if self._on_progress is not None:
            self._on_progress(job, plan, names)

    # --- looking in

    async def view(self, job: Job) -> JobView:
        """A job as it is now.

        Raises
        ------
        Unavailable
            If the broker cannot be reached.
        """
        kept = self._views.get(job.id)
        known = self._inventory.known(job.recording) if job.outcome is None else None
        version = known[0] if known is not None else ENDED
        if kept is not None and kept[0] == version and (job.outcome is not None or known is not None):
            return kept[1]
        names = known[1] if known is not None else await list_blobs(self._bus, job.recording)
        found = job_view(job, await self._plan(job, names), names)
        if job.outcome is not None or known is not None:
            self._remember(version, found)
        return found

    def _remember(self, version: int, view: JobView) -> None:
        self._views[view.id] = version, view
        self._views.move_to_end(view.id)
        while len(self._views) > VIEWS:
            self._views.popitem(last=False)
