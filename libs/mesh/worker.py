"""The worker of a service: takes tasks that can run now, runs them in children, stores what they write.

What it writes is create-only, so a worker that lost its lease and finishes late writes nothing; an ack is no fence.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from pydantic import ValidationError

from mesh import subjects
from mesh.attempts import Attempts, NoLongerWanted
from mesh.blobs import BlobStore
from mesh.bus import Bus
from mesh.cache import InputCache
from mesh.child_pool import ChildPool, stage_modules
from mesh.children import ChildDied, HandlerError
from mesh.contracts import Job, Task
from mesh.errors import Failure, Internal, NotFound, Unavailable
from mesh.graph import DEPTH, failure_name
from mesh.jobs import JobTable
from mesh.names import BlobName
from mesh.puller import Puller
from mesh.settings import MeshSettings
from mesh.slots import SlotAnnouncer
from mesh.telemetry import Telemetry
from mesh.trace_context import TRACEPARENT, span

log = logging.getLogger(__name__)

IDLE_S = 0.5  # how often an idle worker asks without being told: for tasks that are handed out again
# After a hint: it may be faster than the message that it is about is stored
HINT_PAUSES_S = (0.002, 0.01, 0.05)
DEFECTS = 3  # deliveries of a task whose handler raises what it should not
MISSING = 4  # deliveries of a task whose inputs are gone


@dataclass
class _Running:
    task: Task
    message: Msg
    future: asyncio.Task[None] | None = None
    unwanted: bool = False


class Worker:
    """Runs the tasks of some stages.

    Parameters
    ----------
    bus, blobs, jobs
        `jobs` has to be started.
    stages : sequence of str
    settings : MeshSettings
    telemetry : Telemetry, optional
    handlers : mapping, optional
        Stage to `module:function`, before the installed entry points.
    """

    def __init__(
        self,
        bus: Bus,
        blobs: BlobStore,
        jobs: JobTable,
        *,
        stages: Sequence[str],
        settings: MeshSettings,
        telemetry: Telemetry | None = None,
        handlers: Mapping[str, str] | None = None,
        name: str = "worker",
    ) -> None:
        self._bus, self._blobs, self._jobs, self._settings = bus, blobs, jobs, settings
        # Deepest first, but by turns: a stage whose queue never empties must not keep back another job's first step
        self.stages = sorted(stages, key=lambda stage: -DEPTH[stage])
        self._turns = deque(self.stages)
        self.telemetry = telemetry or Telemetry(name)
        self._handlers = dict(handlers or {})
        self.id = f"{name}-{secrets.token_hex(4)}"
        self._pool = ChildPool(
            settings.slots,
            stage_modules(self.stages, self._handlers),
            settings.child_memory_bytes,
            settings.child_file_bytes,
            on_end=self._child_ended,
        )
        self._pullers = {stage: Puller(bus, subjects.TASKS, stage) for stage in self.stages}
        self._slots = asyncio.Semaphore(settings.slots)
        self._running: dict[str, _Running] = {}
        self._hint = asyncio.Event()
        self._stopping = False
        self._background: list[asyncio.Task[None]] = []
        self._subscriptions: list[Subscription] = []
        self.telemetry.slots.set(settings.slots)

    # --- life

    async def start(self) -> None:
        """Start the children and begin to take tasks.

        Raises
        ------
        ChildDied
            If the children do not come up.
        Unavailable
            If the broker cannot be reached.
        """
        settings = self._settings
        settings.scratch.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="pulsemesh-", dir=settings.scratch))
        self._cache = InputCache(self._blobs, self._folder / "cache", settings.cache_bytes, settings.cache_seconds)
        self._attempts = Attempts(
            self._bus, self._blobs, self._jobs, self._pool, self._cache, self._folder, settings, self.telemetry,
            self._handlers,
        )  # fmt: skip
        await self._pool.start()
        self._jobs.on_change(self._changed)
        for stage in self.stages:
            self._subscriptions.append(await self._bus.nc.subscribe(f"task.{stage}.>", cb=self._told))
        announcer = SlotAnnouncer(self._bus, self.id, self.stages, settings.slots)
        self._pulling = asyncio.create_task(self._pull(), name="pull")
        self._background = [
            asyncio.create_task(announcer.run(), name="announce"),
            asyncio.create_task(self._housekeep(), name="housekeep"),
        ]

    @property
    def isolated(self) -> bool:
        """Whether the children have no network."""
        return all(child.isolated for child in self._pool.children)

    @property
    def ready(self) -> bool:
        """Whether it takes tasks."""
        return not self._stopping and self.healthy

    @property
    def healthy(self) -> bool:
        """False if taking tasks ended by a defect of ours: the service has to be started anew."""
        return self._stopping or not self._pulling.done()

    @property
    def running(self) -> list[Task]:
        """What runs now."""
        return [entry.task for entry in self._running.values()]

    async def stop(self, grace_s: float | None = None) -> None:
        """Take no more tasks, finish those that run within `grace_s` seconds, hand the rest back, end the children."""
        if self._stopping:
            return
        self._stopping = True
        self._hint.set()
        self._slots.release()  # the loop may be waiting for one, and no task that runs need end within the grace period
        for subscription in self._subscriptions:
            with contextlib.suppress(nats.errors.Error, OSError):
                await subscription.unsubscribe()
        await self._cancel(self._background)  # takes our slots back at once
        await asyncio.gather(self._pulling, return_exceptions=True)
        for puller in self._pullers.values():
            await puller.close()
        futures = [entry.future for entry in self._running.values() if entry.future is not None]
        if futures:
            _, late = await asyncio.wait(futures, timeout=self._settings.grace_s if grace_s is None else grace_s)
            await self._cancel(late)
        await self._pool.close()
        self._cache.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @staticmethod
    async def _cancel(tasks: Sequence[asyncio.Task[None]] | set[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _housekeep(self) -> None:
        while True:
            await asyncio.sleep(30)
            self._cache.trim()

    def _child_ended(self, reason: str) -> None:
        self.telemetry.children_restarts.labels(reason).inc()
        log.warning("a child process was replaced", extra={"reason": reason})

    # --- taking tasks

    async def _told(self, _: Msg) -> None:
        self._hint.set()

    async def _pull(self) -> None:
        """Take a task for each free slot, never more: what waits here cannot run elsewhere."""
        while not self._stopping:
            await self._slots.acquire()
            message = await self._next()
            if message is None:
                self._slots.release()
            else:
                future = asyncio.create_task(self._take(message))
                future.add_done_callback(lambda _: self._slots.release())

    async def _next(self) -> Msg | None:
        """The next task, asked for stage by stage, the one served last at the end; None when stopping."""
        pauses = list(HINT_PAUSES_S)
        while not self._stopping:
            self._hint.clear()
            try:
                for stage in list(self._turns):
                    if (message := await self._pullers[stage].next()) is not None:
                        self._turns.remove(stage)
                        self._turns.append(stage)
                        return message
            except Unavailable as error:
                log.warning("no tasks can be taken", extra={"error": str(error)})
                await asyncio.sleep(0.5)
                continue
            pause = pauses.pop(0) if pauses else IDLE_S
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hint.wait(), pause)
                pauses = list(HINT_PAUSES_S)
        return None

    async def _take(self, message: Msg) -> None:
        if self._stopping:
            return await self._nak(message)
        try:
            task = Task.model_validate_json(message.data)
            subject = subjects.task_subject(task)
        except (ValidationError, ValueError):
            log.error("a message that is no task was removed", extra={"subject": message.subject})
            await self._ack(message)
            return
        traceparent = (message.headers or {}).get(TRACEPARENT)
        entry = _Running(task, message, asyncio.current_task())
        self._running[subject] = entry
        beating = asyncio.create_task(self._beat(entry))
        running = self.telemetry.running.labels(task.stage)
        running.inc()
        try:
            with span(traceparent):
                await self._handle(entry)
        finally:
            running.dec()
            beating.cancel()
            if self._running.get(subject) is entry:
                del self._running[subject]

    async def _beat(self, entry: _Running) -> None:
        """Keep the lease of a task that runs."""
        while True:
            await asyncio.sleep(self._settings.ack_wait_s / 3)
            self._check(entry)
            with contextlib.suppress(nats.errors.Error, OSError):
                await entry.message.in_progress()

    def _changed(self, _: Job | None, key: str) -> None:
        if key.startswith("erased."):
            self._cache.forget(key.removeprefix("erased."))
        for entry in list(self._running.values()):
            self._check(entry)

    def _check(self, entry: _Running) -> None:
        if not entry.unwanted and not self._jobs.wanted(entry.task.job, entry.task.recording):
            entry.unwanted = True
            if entry.future is not None:
                entry.future.cancel()  # kills the child

    # --- one task

    async def _handle(self, entry: _Running) -> None:
        task, message = entry.task, entry.message
        extra = {"stage": task.stage, "task": task.output, "job": task.job}
        deliveries = message.metadata.num_delivered
        self.telemetry.phase(task.stage, "wait", time.time() - message.metadata.timestamp.timestamp())
        try:
            if not self._jobs.wanted(task.job, task.recording):
                raise NoLongerWanted
            if await self._ended(task):
                await self._end(message, task, "skipped")
                return
            await self._attempts.run(task)
            await self._end(message, task, "done")
        except NoLongerWanted:
            await self._end(message, task, "dropped")
        except asyncio.CancelledError:
            if entry.unwanted:
                log.info("a task that nobody wants any more was stopped", extra=extra)
                await self._end(message, task, "dropped")
            else:
                await self._return(message, task, "stopped", 0.0)
                raise
        except HandlerError as error:
            log.error("a handler raised", extra=extra | {"error": error.error, "at": error.places})
            if deliveries >= DEFECTS:
                await self._fail(message, task, Internal(f"{task.stage}: {error.error}"))
            else:
                await self._return(message, task, "defect", float(deliveries))
        except NotFound as error:
            # erased or expired in between; or the store is behind. Who needs the task plans it again.
            if deliveries >= MISSING or not self._jobs.wanted(task.job, task.recording):
                log.warning("a task whose inputs are gone was dropped", extra=extra | {"error": str(error)})
                await self._end(message, task, "dropped")
            else:
                await self._return(message, task, "missing", 0.3 * deliveries)
        except ChildDied as died:  # no child comes up at all
            log.error("no child can be started", extra=extra | {"reason": died.reason})
            await self._return(message, task, "no_child", 2.0)
        except Failure as failure:
            if failure.retryable:
                log.warning("a task is tried again", extra=extra | {"failure": failure.slug})
                await self._return(message, task, failure.slug, min(0.25 * 2**deliveries, 30.0))
            else:
                await self._fail(message, task, failure)
        except Exception:
            log.exception("a task could not be handled", extra=extra)
            await self._return(message, task, "worker_defect", 2.0)

    async def _ended(self, task: Task) -> bool:
        found = await asyncio.gather(
            self._blobs.stat(BlobName.parse(task.output)), self._blobs.stat(failure_name(task))
        )
        return any(found)

    # --- ends of a task

    async def _fail(self, message: Msg, task: Task, failure: Failure) -> None:
        """The failure blob first, then the message: a job never waits for a task that nobody has."""
        problem = failure.problem(instance=task.output).model_dump_json().encode()
        try:
            if self._jobs.wanted(task.job, task.recording):
                await self._blobs.create(failure_name(task), problem)
        except Failure as error:
            log.warning("a failure could not be stored", extra={"task": task.output, "error": str(error)})
            await self._return(message, task, "unavailable", 2.0)
            return
        log.warning("a task failed", extra={"task": task.output, "failure": failure.slug, "detail": failure.detail})
        self.telemetry.failures.labels(task.stage, failure.slug).inc()
        await self._end(message, task, "failed")

    async def _end(self, message: Msg, task: Task, end: str) -> None:
        self.telemetry.tasks.labels(task.stage, end).inc()
        await self._ack(message)

    async def _return(self, message: Msg, task: Task, cause: str, delay_s: float) -> None:
        self.telemetry.tasks.labels(task.stage, "returned").inc()
        self.telemetry.retries.labels(task.stage, cause).inc()
        await self._nak(message, delay_s)

    async def _ack(self, message: Msg) -> None:
        with contextlib.suppress(nats.errors.Error, OSError):  # handed out again, its output is found
            await message.ack()

    async def _nak(self, message: Msg, delay_s: float = 0.0) -> None:
        with contextlib.suppress(nats.errors.Error, OSError):
            await message.nak(delay=delay_s or None)
