"""The worker on a real broker: what ends a task, and what does not end the worker."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from mesh_kit import Mesh, new_job, new_task, until

from mesh import subjects
from mesh.blobs import Manifest
from mesh.bus import Bus
from mesh.contracts import Outcome, Task
from mesh.deadletters import DeadLetters
from mesh.erasure import erase_recording
from mesh.errors import Problem
from mesh.graph import blob_name, failure_name
from mesh.names import BlobName
from mesh.puller import Puller
from mesh.slots import SlotCounter
from pulsemesh.broker import Broker

pytestmark = pytest.mark.mesh

Connect = Callable[..., Awaitable[Bus]]


@pytest.fixture(autouse=True)
def counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where handlers count their runs."""
    folder = tmp_path / "counts"
    folder.mkdir()
    monkeypatch.setenv("PULSEMESH_TEST_COUNTS", str(folder))
    return folder


def begun(counts: Path, task: Task) -> int:
    """How often a task was begun."""
    path = counts / task.output.replace("/", "-")
    return path.stat().st_size if path.exists() else 0


async def ended(mesh: Mesh, task: Task, seconds: float = 30.0) -> Manifest:
    """Waits until the task's own blob exists and its message is gone."""

    async def look() -> Manifest | None:
        queued = await mesh.bus.last(subjects.TASKS, subjects.task_subject(task))
        return await mesh.blobs.stat(BlobName.parse(task.output)) if queued is None else None

    found = await until(look, seconds)
    assert isinstance(found, Manifest)
    return found


async def failed(mesh: Mesh, task: Task, seconds: float = 30.0) -> Problem:
    """Waits until the task has failed and its message is gone."""

    async def look() -> bytes | None:
        queued = await mesh.bus.last(subjects.TASKS, subjects.task_subject(task))
        if queued is not None or await mesh.blobs.stat(failure_name(task)) is None:
            return None
        return await mesh.blobs.read(failure_name(task))

    problem = await until(look, seconds)
    assert isinstance(problem, bytes)
    assert await mesh.blobs.stat(BlobName.parse(task.output)) is None
    return Problem.model_validate_json(problem)


def ends(mesh: Mesh, stage: str, end: str, worker: int = 0) -> float:
    """How many tasks ended so, as the worker counts them."""
    value = mesh.workers[worker].telemetry.registry.get_sample_value(
        "pulsemesh_tasks_total", {"stage": stage, "end": end}
    )
    return value or 0.0


async def test_a_task_becomes_its_blob(mesh: Mesh) -> None:
    worker = await mesh.worker(skin="copy", mask="several")
    task = await mesh.queue("skin")
    await ended(mesh, task)
    assert await mesh.blobs.read(BlobName.parse(task.output)) == b"a clip"
    task = await mesh.queue("mask", index=4)
    await ended(mesh, task)
    own = BlobName.parse(task.output)
    names = {f"{own.recording}/chunk/{own.digest}/{number}" for number in range(3)}
    assert names | {task.output} < await mesh.blobs.list(task.recording)
    assert await mesh.blobs.read(BlobName.parse(f"{own.recording}/chunk/{own.digest}/1")) == b"\1" * (3 << 20)
    phases = {"wait", "read", "compute", "write"}
    for phase in phases:
        labels = {"stage": "mask", "phase": phase}
        assert worker.telemetry.registry.get_sample_value("pulsemesh_task_phase_seconds_count", labels) == 1
    await until(lambda: worker.running == [])


async def test_children_have_no_network(mesh: Mesh) -> None:
    worker = await mesh.worker(skin="network")
    if not worker.isolated:
        pytest.skip("this kernel lets nobody make a network namespace")
    task = await mesh.queue("skin")
    await ended(mesh, task)
    assert await mesh.blobs.read(BlobName.parse(task.output)) == b"out of reach"


async def test_what_is_there_is_not_made_again(mesh: Mesh, counts: Path) -> None:
    task = await mesh.queue("skin")
    await mesh.blobs.create(BlobName.parse(task.output), b"made by another")
    await mesh.worker(skin="slow")
    await ended(mesh, task)
    await until(lambda: ends(mesh, "skin", "skipped") == 1)
    assert begun(counts, task) == 0


async def test_a_typed_failure_ends_the_task(mesh: Mesh, counts: Path) -> None:
    await mesh.worker(skin="short")
    task = await mesh.queue("skin")
    problem = await failed(mesh, task)
    assert (problem.slug, problem.detail, problem.instance) == ("too-short", "0.2 s of 5 s", task.output)
    assert begun(counts, task) == 1


async def test_three_crashes_end_the_task_and_not_the_worker(mesh: Mesh, counts: Path) -> None:
    await mesh.worker(skin="crash", mask="copy")
    task = await mesh.queue("skin")
    assert (await failed(mesh, task)).slug == "worker-crashed"
    assert begun(counts, task) == 3
    await ended(mesh, await mesh.queue("mask"))


async def test_one_crash_is_forgiven(mesh: Mesh, counts: Path) -> None:
    await mesh.worker(skin="crash_once")
    task = await mesh.queue("skin")
    await ended(mesh, task)
    assert begun(counts, task) == 2


async def test_being_killed_from_outside_is_forgiven_more_often(mesh: Mesh, counts: Path) -> None:
    await mesh.worker(skin="killed_four_times")
    task = await mesh.queue("skin")
    await ended(mesh, task)
    assert begun(counts, task) == 5


async def test_who_takes_too_much_memory_is_stopped(
    broker: Broker, connect: Connect, handler_path: None, counts: Path
) -> None:
    mesh = Mesh(await connect(broker, child_memory_bytes=200 << 20))
    await mesh.jobs.start()
    worker = await mesh.worker(skin="hog")
    task = await mesh.queue("skin")
    assert (await failed(mesh, task)).slug == "out-of-memory"
    assert begun(counts, task) == 2
    labels = {"reason": "memory"}
    await until(lambda: worker.telemetry.registry.get_sample_value("pulsemesh_children_restarts_total", labels) == 2)
    await mesh.close()


async def test_who_takes_too_long_is_stopped(
    broker: Broker, connect: Connect, handler_path: None, counts: Path
) -> None:
    mesh = Mesh(await connect(broker, task_seconds=0.5, task_seconds_per_input=0.1, slots=1))
    await mesh.jobs.start()
    await mesh.worker(skin="endless", mask="copy")
    task = await mesh.queue("skin")
    assert (await failed(mesh, task)).slug == "out-of-time"
    assert begun(counts, task) == 1
    await ended(mesh, await mesh.queue("mask"))
    await mesh.close()


async def test_a_defect_is_tried_three_times(mesh: Mesh, counts: Path) -> None:
    await mesh.worker(skin="defect", mask="nothing")
    task, other = await mesh.queue("skin"), await mesh.queue("mask")
    problem = await failed(mesh, task)
    assert problem.slug == "internal"
    assert "a defect" not in problem.model_dump_json(), "what an exception says is not for users"
    assert begun(counts, task) == 3
    assert (await failed(mesh, other)).slug == "internal"


async def test_a_long_task_keeps_its_lease(mesh: Mesh, counts: Path, broker: Broker, connect: Connect) -> None:
    bus = await connect(broker, ack_wait_s=1)  # shorter than the task
    await mesh.bus.js.consumer_info(subjects.TASKS, "skin")
    mesh.bus.settings = bus.settings  # type: ignore[misc]
    await mesh.worker(skin="slow")
    await mesh.worker(skin="slow")
    task = await mesh.queue("skin")
    await ended(mesh, task)
    assert begun(counts, task) == 1
    await connect(broker)  # sets the lease back


async def test_a_tombstone_kills_the_child(mesh: Mesh, counts: Path) -> None:
    worker = await mesh.worker(skin="endless")
    task = await mesh.queue("skin")
    await until(lambda: begun(counts, task))
    await erase_recording(mesh.bus, mesh.blobs, mesh.jobs, task.recording)
    await until(lambda: not worker.running)
    assert ends(mesh, "skin", "dropped") == 1
    assert await mesh.bus.subjects(subjects.BLOBS, f"blob.{task.recording}.>") == {}
    cached = [path for path in (mesh.bus.settings.scratch).rglob("*") if path.is_file()]
    assert cached == [], "nor in the worker's cache"


async def test_a_cancelled_job_stops(mesh: Mesh, counts: Path) -> None:
    worker = await mesh.worker(skin="endless")
    job = new_job()
    await mesh.jobs.create(job)
    await mesh.blobs.create(blob_name(job, "upload"), b"clip")
    task = new_task(job, "skin")
    await mesh.bus.publish_task(task)
    await until(lambda: begun(counts, task))
    await mesh.jobs.finish(job.id, Outcome.CANCELLED)
    await until(lambda: not worker.running)
    assert await mesh.blobs.list(job.recording) == {str(blob_name(job, "upload"))}


async def test_a_task_of_an_erased_recording_is_dropped(mesh: Mesh, counts: Path) -> None:
    task = await mesh.queue("skin")
    await mesh.jobs.erase(task.recording)
    await mesh.worker(skin="slow")
    await until(lambda: ends(mesh, "skin", "dropped") == 1)
    assert begun(counts, task) == 0


async def test_a_task_without_its_inputs_is_dropped_in_the_end(mesh: Mesh) -> None:
    task = new_task(new_job(), "skin")
    await mesh.bus.publish_task(task)
    await mesh.worker(skin="copy")
    await until(lambda: ends(mesh, "skin", "dropped") == 1)
    assert ends(mesh, "skin", "returned") == 3
    assert await mesh.blobs.list(task.recording) == set(), "no failure: whoever needs it plans it again"


async def test_a_message_that_is_no_task_is_removed(mesh: Mesh) -> None:
    await mesh.bus.append("task.skin.rec.d.0", b"not a task")
    await mesh.worker(skin="copy")

    async def gone() -> bool:
        return await mesh.bus.last(subjects.TASKS, "task.skin.rec.d.0") is None

    await until(gone)


async def test_exhausted_deliveries_become_a_failure(
    own_broker: Broker, connect: Connect, handler_path: None, counts: Path
) -> None:
    mesh = Mesh(await connect(own_broker, max_deliver=3))
    await mesh.jobs.start()
    await mesh.worker(skin="unavailable")
    task = await mesh.queue("skin")
    await until(lambda: begun(counts, task) == 3)
    await asyncio.sleep(0.3)
    assert await mesh.blobs.stat(failure_name(task)) is None
    assert not await mesh.bus.publish_task(task), "the broker keeps it, and counts it nowhere"
    burying = [asyncio.create_task(DeadLetters(mesh.bus, mesh.blobs).run()) for _ in range(2)]
    assert (await failed(mesh, task)).slug == "deliveries-exhausted"
    for each in burying:
        each.cancel()
    await asyncio.gather(*burying, return_exceptions=True)
    await mesh.close()


async def test_only_what_can_run_is_taken(broker: Broker, connect: Connect, handler_path: None, counts: Path) -> None:
    mesh = Mesh(await connect(broker, slots=1))
    await mesh.bus.purge(subjects.TASKS, "task.>")
    await mesh.jobs.start()
    worker = await mesh.worker(skin="slow", mask="slow", people="slow")
    tasks = [await mesh.queue(stage, index=number) for stage in ("skin", "mask", "people") for number in range(2)]
    await until(lambda: worker.running)
    pending = 0
    for stage in ("skin", "mask", "people"):
        pending += (await mesh.bus.js.consumer_info(subjects.TASKS, stage)).num_ack_pending
    assert pending == 1
    other = await Puller(mesh.bus, subjects.TASKS, "skin").next()
    assert other is not None, "the rest is there for others"
    assert Task.model_validate_json(other.data) in tasks
    await mesh.close()


async def test_no_stage_keeps_another_waiting(
    broker: Broker, connect: Connect, handler_path: None, counts: Path
) -> None:
    """A long job's masks must not keep back the first step of a short one: stages take turns."""
    mesh = Mesh(await connect(broker, slots=1))
    await mesh.bus.purge(subjects.TASKS, "task.>")
    await mesh.jobs.start()
    masks = [await mesh.queue("mask", index=number) for number in range(40)]
    skin = await mesh.queue("skin")
    worker = await mesh.worker(skin="copy", mask="copy")
    await ended(mesh, skin)
    done = [await mesh.blobs.stat(BlobName.parse(task.output)) for task in masks]
    assert sum(manifest is not None for manifest in done) < len(masks) // 2
    assert ends(mesh, "skin", "done") == 1
    await worker.stop(0)
    await mesh.close()


async def test_stopping_finishes_what_runs_and_hands_back_the_rest(mesh: Mesh, counts: Path) -> None:
    worker = await mesh.worker(skin="slow", mask="endless")
    short, long = await mesh.queue("skin"), await mesh.queue("mask")
    await until(lambda: begun(counts, short) and begun(counts, long))
    stopping = asyncio.create_task(worker.stop(3))
    await asyncio.sleep(0.1)
    assert not worker.ready
    late = await mesh.queue("skin")
    await stopping
    await ended(mesh, short)
    assert begun(counts, late) == 0
    again = await Puller(mesh.bus, subjects.TASKS, "mask").next(1.0)
    assert again is not None, "handed back at once, not when its lease is over"
    assert Task.model_validate_json(again.data) == long
    assert [path for path in mesh.bus.settings.scratch.rglob("*") if path.is_file()] == []


async def test_slots_are_announced_and_taken_back(mesh: Mesh, connect: Connect, broker: Broker) -> None:
    first = await mesh.worker(skin="copy", mask="copy")
    counter = SlotCounter(await connect(broker))
    await counter.start()
    await until(lambda: counter.slots("skin") == 2)
    second = await mesh.worker(mask="copy")
    await until(lambda: counter.slots("mask") == 4)
    assert counter.most() == 4
    await second.stop()
    await until(lambda: counter.slots("mask") == 2)
    await first.stop()
    await until(lambda: counter.stages() == {"skin": 0, "mask": 0})
    await counter.stop()


async def test_a_killed_broker_loses_no_task(
    own_broker: Broker, connect: Connect, handler_path: None, counts: Path
) -> None:
    mesh = Mesh(await connect(own_broker))
    await mesh.jobs.start()
    await mesh.worker(skin="slow", mask="several")
    tasks = [await mesh.queue("skin"), await mesh.queue("skin")]
    await until(lambda: all(begun(counts, task) for task in tasks))
    own_broker.kill()
    queueing = [asyncio.create_task(mesh.queue("mask", index=number)) for number in range(5)]
    await asyncio.sleep(0.5)
    await asyncio.to_thread(own_broker.start)
    for task in [*tasks, *await asyncio.gather(*queueing)]:
        await ended(mesh, task)
    await mesh.close()


WORKER = """
import asyncio, sys
from mesh.bus import Bus
from mesh.jetstream_blobs import JetStreamBlobs
from mesh.jobs import JobTable
from mesh.settings import MeshSettings
from mesh.worker import Worker

async def main():
    settings = MeshSettings()
    bus = await Bus.connect(settings)
    jobs = JobTable(bus)
    await jobs.start()
    worker = Worker(bus, JetStreamBlobs(bus), jobs, stages=["skin"], settings=settings,
                    handlers={"skin": "worker_handlers:" + sys.argv[1]})
    await worker.start()
    print([child.pid for child in worker._pool.children], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_killed_worker_loses_no_task_and_leaves_no_child(
    mesh: Mesh, broker: Broker, counts: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    environment = os.environ | broker.environment() | {
        "PULSEMESH_ACK_WAIT_S": "2",
        "PULSEMESH_SLOTS": "1",
        "PULSEMESH_SCRATCH": str(tmp_path / "other"),
        "PYTHONPATH": str(Path(__file__).parent),
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, "endless", env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        (child,) = (int(text) for text in (await process.stdout.readline()).decode().strip("[]\n").split(","))
        task = await mesh.queue("skin")
        await until(lambda: begun(counts, task) == 1)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    await until(lambda: not Path(f"/proc/{child}").exists(), 5)
    await mesh.worker(skin="slow")
    await ended(mesh, task)
    assert begun(counts, task) == 2
