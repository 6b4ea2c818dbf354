"""The table of jobs: several gateways, one truth."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest
from mesh_kit import Mesh, new_job, new_task, until

from mesh import subjects
from mesh.bus import Bus
from mesh.contracts import Outcome
from mesh.erasure import Sweeper, erase_recording
from mesh.errors import Erased, NotFound, OutOfTime
from mesh.graph import blob_name
from mesh.jetstream_blobs import JetStreamBlobs
from mesh.jobs import JobTable
from pulsemesh.broker import Broker

pytestmark = pytest.mark.mesh

Connect = Callable[..., Awaitable[Bus]]


async def test_what_one_gateway_writes_another_sees(broker: Broker, connect: Connect) -> None:
    one, two = JobTable(await connect(broker)), JobTable(await connect(broker))
    before = new_job()
    await one.start()
    assert await one.create(before)
    await two.start()
    assert two.get(before.id) == before, "known when start() returns"
    after = new_job()
    assert await two.create(after)
    assert two.get(after.id) == after, "one's own writes at once"
    await until(lambda: one.get(after.id))
    assert [job.id for job in one.list() if job.id in (before.id, after.id)] == [after.id, before.id]
    assert [job.id for job in two.active() if job.id in (before.id, after.id)] == [before.id, after.id]
    assert not await one.create(after.model_copy(update={"tenant": "another"}))
    await one.remove(before.id)
    await until(lambda: two.get(before.id) is None)
    await one.stop()
    await two.stop()


async def test_a_job_ends_once(broker: Broker, connect: Connect) -> None:
    tables = [JobTable(await connect(broker)) for _ in range(4)]
    for table in tables:
        await table.start()
    job = new_job()
    await tables[0].create(job)
    outcomes = [Outcome.SUCCEEDED, Outcome.FAILED, Outcome.CANCELLED, Outcome.FAILED] * 5
    problem = OutOfTime().problem()
    ended = await asyncio.gather(
        *(tables[n % 4].finish(job.id, outcome, problem) for n, outcome in enumerate(outcomes))
    )
    assert sum(ended) == 1
    winner = outcomes[ended.index(True)]
    for table in tables:
        await until(lambda table=table: table.get(job.id).outcome == winner)
        assert table.get(job.id).problem == problem  # type: ignore[union-attr]
        await table.stop()
    with pytest.raises(NotFound):
        await tables[0].finish("job_none", Outcome.FAILED)


async def test_the_table_survives_a_killed_broker(own_broker: Broker, connect: Connect) -> None:
    table = JobTable(await connect(own_broker))
    await table.start()
    jobs = [new_job() for _ in range(3)]
    await table.create(jobs[0])
    own_broker.kill()
    creating = asyncio.create_task(table.create(jobs[1]))
    finishing = asyncio.create_task(table.finish(jobs[0].id, Outcome.SUCCEEDED))
    await asyncio.to_thread(own_broker.start)
    assert await creating
    assert await finishing
    other = JobTable(await connect(own_broker))
    await other.start()
    await other.create(jobs[2])
    await until(lambda: table.get(jobs[2].id))
    assert {job.id for job in table.list()} == {job.id for job in jobs} == {job.id for job in other.list()}
    assert other.get(jobs[0].id).outcome == Outcome.SUCCEEDED  # type: ignore[union-attr]
    await table.stop()
    await other.stop()


async def test_work_that_is_wanted(mesh: Mesh) -> None:
    table, job = mesh.jobs, new_job()
    other = new_job(job.recording)
    assert table.wanted(job.id, job.recording), "a table may be behind"
    await table.create(job)
    await table.create(other)
    await table.finish(job.id, Outcome.CANCELLED)
    assert table.wanted(job.id, job.recording), "another job needs the same recording"
    await table.finish(other.id, Outcome.CANCELLED)
    assert not table.wanted(job.id, job.recording)
    await table.erase(job.recording)
    assert not table.wanted("job_unknown", job.recording)
    with pytest.raises(Erased):
        await table.create(new_job(job.recording))


async def test_an_erased_recording_leaves_nothing(mesh: Mesh) -> None:
    job, bus, blobs = new_job(), mesh.bus, mesh.blobs
    await mesh.jobs.create(job)
    await blobs.create(blob_name(job, "upload"), os.urandom(3_000_000))
    await blobs.create(blob_name(job, "mask", 3), b"small")
    await bus.publish_task(new_task(job, "trace", 3))
    await bus.publish_event(job.id, "progress", b"{}")
    kept = new_job()
    await blobs.create(blob_name(kept, "upload"), b"kept")
    await erase_recording(bus, blobs, mesh.jobs, job.recording)
    await erase_recording(bus, blobs, mesh.jobs, job.recording)
    for stream, filter in [(subjects.BLOBS, "blob.>"), (subjects.TASKS, "task.>"), (subjects.EVENTS, "event.>")]:
        left = await bus.subjects(stream, filter)
        assert not [subject for subject in left if job.recording in subject or job.id in subject]
    assert mesh.jobs.get(job.id) is None
    assert mesh.jobs.erased(job.recording)
    assert await blobs.read(blob_name(kept, "upload")) == b"kept"


async def test_what_a_late_worker_writes_is_swept(broker: Broker, connect: Connect) -> None:
    bus = await connect(broker, ack_wait_s=1)
    blobs, jobs, job = JetStreamBlobs(bus), JobTable(bus), new_job()
    await jobs.start()
    sweeping = asyncio.create_task(Sweeper(bus, blobs, jobs).run())
    await erase_recording(bus, blobs, jobs, job.recording)
    await blobs.create(blob_name(job, "segment", 1), os.urandom(2_000_000))

    async def gone() -> bool:
        return not await bus.subjects(subjects.BLOBS, f"blob.{job.recording}.>")

    assert not await gone()
    await until(gone, 10)
    sweeping.cancel()
    await jobs.stop()
