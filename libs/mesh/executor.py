"""The one-process executor: the whole graph on a memory store, on threads. The reference for every other one."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from mesh.blobs import MemoryStore
from mesh.contracts import Job, Plan, Task
from mesh.errors import Failure, Internal, Problem, from_problem
from mesh.graph import blob_name, failure_name, failures, missing
from mesh.names import BlobName
from mesh.stages import Handler, Input, Inputs, load_handler, run_handler

Listener = Callable[[Task, float], None]
IN_MEMORY_BYTES = 1 << 18  # a blob of more lies in a file


@dataclass
class LocalExecutor:
    """Runs jobs to their end inside this process.

    Attributes
    ----------
    store : MemoryStore
        Kept between jobs, so that a second job on a recording reuses what the first made.
    workers : int
        Tasks that run at once. NumPy, decoders and encoders release the interpreter lock, so threads do.
    handler : callable
        Stage name to handler; the installed services by default.
    on_task : callable
        Called with each task that ended and the seconds that it took.
    """

    store: MemoryStore = field(default_factory=MemoryStore)
    workers: int = 2
    handler: Callable[[str], Handler] = load_handler
    on_task: Listener | None = None
    _folder: tempfile.TemporaryDirectory[str] = field(default_factory=tempfile.TemporaryDirectory, repr=False)

    def close(self) -> None:
        """Remove the files that blobs were kept in; the store is of no use afterwards."""
        self._folder.cleanup()

    async def run(self, job: Job, before: str | None = None) -> None:
        """Run until the job's result exists.

        Parameters
        ----------
        job : Job
        before : str, optional
            Run only until everything exists that this stage reads, for whoever wants that and no result.

        Raises
        ------
        Failure
            If a task failed: what its `failure` blob says.
        """
        with ThreadPoolExecutor(self.workers) as pool:
            await self._run(job, pool, before)

    async def _run(self, job: Job, pool: ThreadPoolExecutor, before: str | None) -> None:
        running: dict[asyncio.Task[None], str] = {}
        try:
            plan = await self._run_all(job, pool, before, running)
        finally:  # what still runs when another breaks ends before the store and its folder go
            await asyncio.gather(*running, return_exceptions=True)
        names = await self.store.list(job.recording)
        failed = failures(job, names)
        if failed:
            raise from_problem(Problem.model_validate_json(await self.store.read(failed[0])))
        if plan is None or (before is None and str(blob_name(job, "result")) not in names):
            raise Internal("the job stopped before its result existed")

    async def _run_all(
        self, job: Job, pool: ThreadPoolExecutor, before: str | None, running: dict[asyncio.Task[None], str]
    ) -> Plan | None:
        plan: Plan | None = None
        loop = asyncio.get_running_loop()
        while True:
            names = await self.store.list(job.recording)
            if plan is None and str(blob_name(job, "plan")) in names:
                plan = Plan.model_validate_json(await self.store.read(blob_name(job, "plan")))
            found = missing(job, plan, names, self.workers + 1, before)
            tasks = [t for t in found if t.output not in running.values()]
            for task in tasks[: max(self.workers - len(running), 0)]:
                running[loop.create_task(self._one(task, pool))] = task.output
            if not running:
                return plan
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for future in done:
                del running[future]
                future.result()

    async def _one(self, task: Task, pool: ThreadPoolExecutor) -> None:
        started = time.perf_counter()
        scratch = Path(tempfile.mkdtemp(dir=self._folder.name))
        sources = [Input(name, self.store.source(name)) for name in (BlobName.parse(text) for text in task.inputs)]
        handler = self.handler(task.stage)
        loop = asyncio.get_running_loop()
        try:
            outputs = await loop.run_in_executor(
                pool, lambda: list(run_handler(handler, task, Inputs(sources, scratch)))
            )
        except Failure as failure:
            problem = failure.problem(instance=task.output).model_dump_json()
            await self.store.create(failure_name(task), problem.encode())
            return
        for name, source in outputs:
            await self.store.create(name, self._keep(source))
        if self.on_task is not None:
            self.on_task(task, time.perf_counter() - started)

    def _keep(self, source: bytes | Path) -> bytes | Path:
        """Large blobs lie in files, so that memory does not grow with the clip."""
        if isinstance(source, Path) or len(source) <= IN_MEMORY_BYTES:
            return source
        with tempfile.NamedTemporaryFile(dir=self._folder.name, delete=False) as file:
            file.write(source)
        return Path(file.name)
