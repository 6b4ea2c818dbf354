"""One task after another in a child: its inputs read, its handler run, its outputs stored; again if the child died."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from mesh import subjects
from mesh.blobs import BlobStore
from mesh.bus import Bus
from mesh.cache import InputCache
from mesh.child_pool import ChildPool
from mesh.children import Child, ChildDied, HandlerError, Limits, failure_of
from mesh.contracts import Task
from mesh.jobs import JobTable
from mesh.names import BlobName
from mesh.settings import MIB, MeshSettings
from mesh.telemetry import Telemetry

log = logging.getLogger(__name__)

# Deaths of a child before the task has failed. To be killed from outside says less about the task than a crash of
# its own; but the kernel kills as well, where memory is out.
DEATHS = {"crash": 3, "memory": 2, "time": 1, "killed": 8}
KILLED_PAUSE_S = 0.1  # doubled each time


def _content(path: Path) -> tuple[int, bytes | Path]:
    """Size and content of an output; a small one is read at once, which saves the store round trips."""
    size = path.stat().st_size
    return size, path.read_bytes() if size <= MIB else path


class NoLongerWanted(Exception):
    """The recording was erased, or the job cancelled."""


class Attempts:
    """Runs tasks in the children of a pool.

    Parameters
    ----------
    bus, blobs, jobs, pool, telemetry
        Those of the worker.
    cache : InputCache
    folder : Path
        For the outputs of running tasks.
    handlers : mapping
        Stage to `module:function`, before the installed entry points.
    """

    def __init__(
        self,
        bus: Bus,
        blobs: BlobStore,
        jobs: JobTable,
        pool: ChildPool,
        cache: InputCache,
        folder: Path,
        settings: MeshSettings,
        telemetry: Telemetry,
        handlers: Mapping[str, str],
    ) -> None:
        self._bus, self._blobs, self._jobs, self._pool = bus, blobs, jobs, pool
        self._cache, self._folder, self._settings = cache, folder, settings
        self.telemetry, self._handlers = telemetry, handlers

    async def run(self, task: Task) -> None:
        """Read the inputs, run the handler, store its outputs.

        Raises
        ------
        NoLongerWanted
            If the recording was erased or the job cancelled meanwhile.
        Failure
            What the handler raised, or what its child died of too often.
        HandlerError
            If it raised anything else.
        ChildDied
            If no child can be started.
        """
        started = time.monotonic()
        async with self._cache.files(task.inputs) as (inputs, fetched):
            self.telemetry.phase(task.stage, "read", time.monotonic() - started)
            self.telemetry.bytes.labels(task.stage, "in").inc(fetched)
            total = sum(path.stat().st_size for _, path in inputs)
            limits = self._limits(len(inputs), total)
            deaths: dict[str, int] = {}
            while (died := await self._once(task, inputs, limits)) is not None:
                deaths[died.reason] = deaths.get(died.reason, 0) + 1
                log.warning(
                    "a task ended its child",
                    extra={"task": task.output, "reason": died.reason, "code": died.code, "deaths": deaths},
                )
                if deaths[died.reason] >= DEATHS.get(died.reason, DEATHS["crash"]):
                    raise failure_of(died) from died
                self.telemetry.retries.labels(task.stage, died.reason).inc()
                if died.reason == "killed":
                    await asyncio.sleep(KILLED_PAUSE_S * 2 ** deaths["killed"])

    async def _once(self, task: Task, inputs: list[tuple[str, Path]], limits: Limits) -> ChildDied | None:
        """One attempt in a child of its own; how the child died, if it did."""
        scratch = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            async with self._pool.child() as child:  # dies here if none can be started: that is not the task's doing
                try:
                    await self._attempt(task, child, inputs, scratch, limits)
                except ChildDied as died:
                    return died
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return None

    async def _attempt(
        self, task: Task, child: Child, inputs: list[tuple[str, Path]], scratch: Path, limits: Limits
    ) -> None:
        started, writing = time.monotonic(), 0.0
        own = BlobName.parse(task.output)
        outputs = child.run(task, inputs, scratch, limits, self._handlers.get(task.stage))
        last: tuple[BlobName, Path] | None = None
        async with contextlib.aclosing(outputs):
            async for name, path in outputs:
                if name == own:
                    last = name, path
                    continue
                since = time.monotonic()
                await self._store(task, name, path)
                writing += time.monotonic() - since
        computed = time.monotonic()
        self.telemetry.child_peak_bytes.labels(task.stage).set(child.peak_bytes)
        if last is None:
            raise HandlerError("RuntimeError", "the task's own blob was not written", [])
        # asked of the broker itself: we may have been frozen since our table was up to date
        tombstone = await self._bus.last(subjects.JOBS, subjects.tombstone_subject(task.recording))
        if tombstone is not None or not self._jobs.wanted(task.job, task.recording):
            raise NoLongerWanted
        await self._store(task, *last)
        self.telemetry.phase(task.stage, "compute", computed - started - writing)
        self.telemetry.phase(task.stage, "write", writing + time.monotonic() - computed)

    async def _store(self, task: Task, name: BlobName, path: Path) -> None:
        size, content = _content(path)
        await self._blobs.create(name, content)
        self.telemetry.bytes.labels(task.stage, "out").inc(size)

    def _limits(self, inputs: int, total: int) -> Limits:
        settings = self._settings
        wall = settings.task_seconds + inputs * settings.task_seconds_per_input
        return Limits(wall + total / MIB * settings.task_seconds_per_mib, settings.child_memory_bytes)
