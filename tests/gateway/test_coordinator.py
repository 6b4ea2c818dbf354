"""The coordinator on a real broker, without HTTP: several at once, restarts, a wiped queue, lost blobs."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from gateway_handlers import CHUNKS
from gateway_kit import HANDLERS, Control, settings_for

from gateway.coordinator import Coordinator, job_trace
from gateway.events import PROGRESS, STATE, Publisher
from mesh.bus import Bus
from mesh.contracts import Job, JobView, Outcome, Task
from mesh.errors import OutOfMemory
from mesh.graph import STAGES, blob_name, failure_name
from mesh.jetstream_blobs import JetStreamBlobs
from mesh.jobs import JobTable
from mesh.names import new_id, upload_name
from mesh.parameters import Parameters
from mesh.telemetry import GatewayMetrics, Telemetry
from mesh.trace_context import trace_id
from mesh.worker import Worker
from pulsemesh.broker import Broker

pytestmark = pytest.mark.mesh

TASKS_OF_A_JOB = 7 + 5 * CHUNKS


class Node:
    """What one gateway has of the mesh: a connection, a table of jobs, a coordinator, a publisher."""

    def __init__(self, bus: Bus, every_s: float) -> None:
        self.bus, self.blobs, self.jobs = bus, JetStreamBlobs(bus), JobTable(bus)
        self.telemetry = Telemetry("gateway")
        self.metrics = GatewayMetrics(self.telemetry)
        self._every_s = every_s
        self._tasks: list[asyncio.Task[None]] = []
        self.workers: list[Worker] = []

    async def start(self) -> None:
        await self.jobs.start()
        self.publisher = Publisher(self.bus, lambda view: view)
        self.coordinator = Coordinator(
            self.bus,
            self.blobs,
            self.jobs,
            metrics=self.metrics,
            every_s=self._every_s,
            on_progress=self.publisher.tell,
        )
        self._tasks = [asyncio.create_task(self.coordinator.run()), asyncio.create_task(self.publisher.run())]

    async def worker(self) -> Worker:
        worker = Worker(
            self.bus, self.blobs, self.jobs, stages=list(STAGES), settings=self.bus.settings, handlers=HANDLERS
        )
        await worker.start()
        self.workers.append(worker)
        return worker

    async def stop(self) -> None:
        for worker in self.workers:
            await worker.stop(0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.jobs.stop()
        await self.bus.close()

    async def submit(self, recording: str | None = None, *, expected: int = 1, **parameters: Any) -> Job:
        recording = recording or new_id("rec")
        await self.blobs.create(upload_name(recording), b"a clip")
        job = Job(
            id=new_id("job"),
            recording=recording,
            parameters=Parameters(**parameters),
            created_at=datetime.now(UTC),
            expected_chunks=expected,
        )
        assert await self.jobs.create(job)
        return job

    async def ended(self, job: Job, seconds: float = 30) -> Job:
        async def look() -> Job | None:
            found = self.jobs.get(job.id)
            return found if found is not None and found.outcome is not None else None

        found: Job = await eventually(look, seconds)
        return found

    def count(self, name: str) -> float:
        """Sum of a counter over its labels."""
        found = 0.0
        for family in self.telemetry.registry.collect():
            found += sum(sample.value for sample in family.samples if sample.name == f"{name}_total")
        return found


@pytest_asyncio.fixture
async def node(broker: Broker, control: Control, tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Node]]]:
    """Nodes that are stopped after the test; the queue is empty before."""
    opened: list[Node] = []

    async def make(every_s: float = 600.0, broker: Broker = broker) -> Node:
        bus = await Bus.connect(settings_for(broker, tmp_path), on_closed=None)
        if not opened:
            await bus.purge("TASKS", "task.>")
        made = Node(bus, every_s)
        opened.append(made)
        await made.start()
        return made

    yield make
    for one in opened:
        await one.stop()


async def eventually(condition: Callable[[], Awaitable[Any]], seconds: float = 15) -> Any:
    async with asyncio.timeout(seconds):
        while True:
            if value := await condition():
                return value
            await asyncio.sleep(0.02)


async def test_events_alone_bring_a_job_to_its_end(node: Callable[..., Awaitable[Node]], control: Control) -> None:
    one = await node()  # its slow timer never fires
    await one.worker()
    jobs = [await one.submit(gain=number) for number in range(3)]
    for job in jobs:
        assert (await one.ended(job)).outcome == Outcome.SUCCEEDED
        runs = control.runs(job.recording)
        assert runs.total() == len(runs) == TASKS_OF_A_JOB
    assert one.count("pulsemesh_jobs_ended") == 3
    assert one.count("pulsemesh_tasks_published") == 3 * TASKS_OF_A_JOB


async def test_two_coordinators_end_a_job_once(node: Callable[..., Awaitable[Node]], control: Control) -> None:
    one, two = await node(), await node()
    await one.worker()
    await two.worker()
    jobs = [await (one if number % 2 else two).submit(gain=number) for number in range(6)]
    for job in jobs:
        ended = await one.ended(job)
        assert ended.outcome == Outcome.SUCCEEDED
        assert await two.ended(job) == ended
        runs = control.runs(job.recording)
        assert runs.total() == len(runs) == TASKS_OF_A_JOB
        await _check_events(one, job)
    assert one.count("pulsemesh_jobs_ended") + two.count("pulsemesh_jobs_ended") == 6
    assert one.count("pulsemesh_tasks_published") + two.count("pulsemesh_tasks_published") >= 6 * TASKS_OF_A_JOB


async def _check_events(one: Node, job: Job) -> None:
    """Nothing twice, never back, and the end last."""
    seen: dict[str, tuple[int, int]] = {}
    states: list[str] = []
    async with asyncio.timeout(10), contextlib.aclosing(one.bus.events(job.id, 0)) as events:
        async for event in events:
            if event.type == STATE:
                states.append(JobView.model_validate_json(event.data).state.value)
                if states[-1] == "succeeded":
                    break
            else:
                assert event.type == PROGRESS
                view = json.loads(event.data)
                rank = (view["done"], view["total"])
                assert rank > seen.get(view["stage"], (-1, 0))
                seen[view["stage"]] = rank
    assert len(states) == len(set(states))
    assert {stage: done for stage, (done, _) in seen.items()} == {
        name: CHUNKS if stage.scatter else 1 for name, stage in STAGES.items() if stage.wanted(Parameters())
    }


async def test_a_coordinator_that_comes_later_goes_on(node: Callable[..., Awaitable[Node]], control: Control) -> None:
    one = await node()
    await one.worker()
    control.hold("pulse")
    job = await one.submit()
    await eventually(lambda: _exists(one, job, "people"))
    await eventually(lambda: _exists(one, job, "trace", CHUNKS - 1))
    for task in one._tasks:  # it dies; its worker stays
        task.cancel()
    control.release("pulse")
    await eventually(lambda: _exists(one, job, "pulse"))
    await asyncio.sleep(0.2)
    assert not await _exists(one, job, "segment")
    two = await node()
    assert (await two.ended(job)).outcome == Outcome.SUCCEEDED
    runs = control.runs(job.recording)
    assert runs.total() == len(runs) == TASKS_OF_A_JOB


async def _exists(one: Node, job: Job, kind: str, index: int = 0) -> bool:
    return await one.blobs.stat(blob_name(job, kind, index)) is not None


async def test_a_queue_that_lost_its_tasks_is_filled_again(node: Callable[..., Awaitable[Node]]) -> None:
    one = await node(every_s=0.2)
    job = await one.submit()
    await eventually(lambda: one.bus.subjects("TASKS", f"task.split.{job.recording}.>"))
    await one.bus.purge("TASKS", "task.>")
    await eventually(lambda: one.bus.subjects("TASKS", f"task.split.{job.recording}.>"))
    await one.worker()
    assert (await one.ended(job)).outcome == Outcome.SUCCEEDED


async def test_a_blob_that_was_lost_is_made_again(node: Callable[..., Awaitable[Node]], control: Control) -> None:
    one = await node(every_s=0.2)
    control.hold("segment")
    job = await one.submit()
    worker = await one.worker()
    await eventually(lambda: _exists(one, job, "pulse"))
    await worker.stop(0)
    await one.blobs.delete(str(blob_name(job, "mask", 1)))
    control.release("segment")
    await one.worker()  # one that has read nothing yet
    assert (await one.ended(job)).outcome == Outcome.SUCCEEDED
    assert control.runs(job.recording)["mask-1"] == 2


async def test_a_short_clip_does_not_wait_for_the_splits_of_large_ones(
    node: Callable[..., Awaitable[Node]], control: Control
) -> None:
    gateway = await node()

    async def queued() -> set[str]:
        return {subject.split(".")[2] for subject in await gateway.bus.subjects("TASKS", "task.split.>")}

    large = [await gateway.submit(expected=200) for _ in range(3)]
    short = await gateway.submit()
    wanted = {large[0].recording, short.recording}
    await eventually(lambda: _same(queued, wanted))
    await asyncio.sleep(0.3)
    assert await queued() == wanted
    await gateway.worker()
    for job in (*large, short):
        assert (await gateway.ended(job)).outcome == Outcome.SUCCEEDED


async def _same(ask: Callable[[], Awaitable[set[str]]], wanted: set[str]) -> bool:
    return await ask() == wanted


async def test_a_job_whose_upload_is_gone_ends(node: Callable[..., Awaitable[Node]]) -> None:
    one = await node()
    recording = new_id("rec")
    job = Job(id=new_id("job"), recording=recording, parameters=Parameters(), created_at=datetime.now(UTC))
    await one.jobs.create(job)
    ended = await one.ended(job)
    assert ended.outcome == Outcome.FAILED
    assert ended.problem is not None
    assert ended.problem.slug == "expired"


async def test_a_failure_ends_every_job_that_needs_the_task_and_no_other(
    node: Callable[..., Awaitable[Node]],
) -> None:
    one = await node()
    first = await one.submit(gain=1)
    second = await one.submit(first.recording, gain=2)
    task = Task(
        job=first.id, recording=first.recording, stage="segment", index=1, inputs=[],
        output=str(blob_name(first, "segment", 1)), parameters=first.parameters,
    )  # fmt: skip
    problem = OutOfMemory("too much").problem(instance=task.output)
    await one.blobs.create(failure_name(task), problem.model_dump_json().encode())
    ended = await one.ended(first)
    assert ended.outcome == Outcome.FAILED
    assert ended.problem is not None
    assert ended.problem.detail == "too much"
    assert ended.problem.instance == f"/v1/jobs/{first.id}"
    await one.worker()
    assert (await one.ended(second)).outcome == Outcome.SUCCEEDED


async def test_a_restart_of_the_broker_loses_nothing(
    node: Callable[..., Awaitable[Node]], control: Control, tmp_path: Path
) -> None:
    with Broker(tmp_path / "own") as own:
        one = await node(every_s=0.3, broker=own)
        await one.worker()
        jobs = [await one.submit(gain=number) for number in range(3)]
        await asyncio.sleep(0.15)
        await asyncio.to_thread(own.kill)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(own.start)
        for job in jobs:
            assert (await one.ended(job, 60)).outcome == Outcome.SUCCEEDED
        await one.stop()


async def test_views_follow_the_blobs(node: Callable[..., Awaitable[Node]], control: Control) -> None:
    one, two = await node(), await node()
    control.hold("people")
    job = await one.submit()
    await one.worker()
    await eventually(lambda: _exists(one, job, "trace", CHUNKS - 1))

    async def counted() -> bool:
        views = [await each.coordinator.view(job) for each in (one, two)]
        return all({p.stage: p.done for p in v.progress}.get("trace") == CHUNKS for v in views)

    await eventually(counted)
    control.release("people")
    ended = await one.ended(job)
    await two.ended(job)
    views = [await each.coordinator.view(ended) for each in (one, two)]
    assert views[0] == views[1]
    assert all(p.done == p.total for p in views[0].progress)
    await one.blobs.delete(job.recording)
    assert await one.coordinator.view(ended) == views[0], "how far an ended job came is remembered"


def test_all_gateways_give_a_job_the_same_trace() -> None:
    job = Job(id=new_id("job"), recording=new_id("rec"), parameters=Parameters(), created_at=datetime.now(UTC))
    assert trace_id(job_trace(job)) == trace_id(job_trace(job)) is not None
