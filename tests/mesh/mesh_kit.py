"""What tests of the mesh share besides fixtures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from mesh.bus import Bus
from mesh.contracts import Job, Task
from mesh.graph import blob_name
from mesh.jetstream_blobs import JetStreamBlobs
from mesh.jobs import JobTable
from mesh.names import new_id
from mesh.parameters import Parameters
from mesh.worker import Worker


class Mesh:
    """A job table, blobs and workers on one connection."""

    def __init__(self, bus: Bus) -> None:
        self.bus, self.blobs, self.jobs = bus, JetStreamBlobs(bus), JobTable(bus)
        self.workers: list[Worker] = []

    async def worker(self, **handlers: str) -> Worker:
        """A started worker whose stages run functions of `worker_handlers`."""
        worker = Worker(
            self.bus,
            self.blobs,
            self.jobs,
            stages=list(handlers),
            settings=self.bus.settings,
            handlers={stage: f"worker_handlers:{name}" for stage, name in handlers.items()},
        )
        await worker.start()
        self.workers.append(worker)
        return worker

    async def queue(self, stage: str = "skin", *, recording: str | None = None, index: int = 0) -> Task:
        """A queued task with an upload to read."""
        job = new_job(recording)
        await self.blobs.create(blob_name(job, "upload"), b"a clip")
        task = new_task(job, stage, index)
        assert await self.bus.publish_task(task)
        return task

    async def close(self) -> None:
        """Stop everything."""
        for worker in self.workers:
            await worker.stop(0)
        await self.jobs.stop()


def new_job(recording: str | None = None) -> Job:
    """A job of its own."""
    return Job(
        id=new_id("job"), recording=recording or new_id("rec"), parameters=Parameters(), created_at=datetime.now(UTC)
    )


def new_task(job: Job, stage: str, index: int = 0) -> Task:
    """A task that reads the upload alone."""
    return Task(
        job=job.id,
        recording=job.recording,
        stage=stage,
        index=index,
        inputs=[str(blob_name(job, "upload"))],
        output=str(blob_name(job, "plan" if stage == "split" else stage, index)),
        parameters=job.parameters,
    )


async def until(condition: Callable[[], Awaitable[object] | object], seconds: float = 20.0) -> object:
    """What `condition` gives once it is true; fails the test if it stays false."""
    async with asyncio.timeout(seconds):
        while True:
            value = condition()
            if isinstance(value, Awaitable):
                value = await value
            if value:
                return value
            await asyncio.sleep(0.02)
