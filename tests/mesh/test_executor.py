"""The one-process executor on handlers made of nothing but bytes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mesh.blobs import MemoryStore
from mesh.contracts import Chunk, Grid, Job, Plan, Recording, Task
from mesh.errors import NoFrames
from mesh.executor import LocalExecutor
from mesh.graph import blob_name
from mesh.names import upload_name
from mesh.parameters import Parameters
from mesh.stages import Handler, Inputs, Output, run_handler

pytestmark = pytest.mark.unit

CHUNKS = 3
PLAN = Plan(
    recording=Recording(
        duration_s=15, frames=150, width=8, height=8, fps=10, variable_rate=False,
        codec="h264", container="mp4", pixel_format="yuv420p",
    ),
    time_base=(1, 10),
    pts=list(range(150)),
    chunks=[Chunk(index=k, first=50 * k, frames=50, t0=5 * k, t1=5 * k + 5) for k in range(CHUNKS)],
    grid=Grid(origin_s=0, rate_hz=10, samples=150),
)  # fmt: skip


def split(task: Task, inputs: Inputs) -> Iterable[Output]:
    content = inputs.one("upload").read()
    for k in range(CHUNKS):
        path = inputs.scratch / f"chunk{k}"
        path.write_bytes(content[k : k + 1] * 400_000)
        yield Output("chunk", str(k), path)
    yield Output("plan", "0", PLAN.model_dump_json().encode())


def concatenate(task: Task, inputs: Inputs) -> Iterable[Output]:
    yield Output(task.stage, str(task.index), b"".join(b.read()[:4] for b in inputs.blobs if b.name.kind != "plan"))


def handlers(**special: Handler) -> dict[str, Handler]:
    names = ("skin", "mask", "people", "trace", "pulse", "segment", "clip", "map", "maps", "overlay", "result")
    return {"split": split, **dict.fromkeys(names, concatenate), **special}


def job(**parameters: object) -> Job:
    return Job(id="j", recording="r", parameters=Parameters(**parameters), created_at=datetime(2026, 1, 1, tzinfo=UTC))


async def start(table: dict[str, Handler], workers: int = 2) -> tuple[LocalExecutor, list[str]]:
    ran: list[str] = []
    executor = LocalExecutor(MemoryStore(), workers, table.__getitem__, on_task=lambda task, _: ran.append(task.stage))
    await executor.store.create(upload_name("r"), b"abc")
    return executor, ran


@pytest.mark.parametrize("workers", [1, 2, 5])
async def test_a_job_runs_to_its_result(workers: int) -> None:
    executor, ran = await start(handlers(), workers)
    await executor.run(job())
    assert sorted(set(ran)) == sorted(handlers())
    once = len(ran)
    assert once == 7 + 5 * CHUNKS
    assert await executor.store.read(blob_name(job(), "result"))
    await executor.run(job(gain=3))
    assert ran[once:] == ["segment"] * CHUNKS + ["clip", "result"]
    executor.close()


async def test_a_failure_is_kept_and_raised_again() -> None:
    def broken(task: Task, inputs: Inputs) -> Iterable[Output]:
        raise NoFrames("nothing decodes")

    executor, ran = await start(handlers(trace=broken))
    for _ in range(2):
        with pytest.raises(NoFrames, match="nothing decodes"):
            await executor.run(job())
    assert "pulse" not in ran
    executor.close()


def test_a_handler_that_breaks_its_contract_is_found(tmp_path: Path) -> None:
    task = Task(job="j", recording="r", stage="skin", index=0, inputs=[], output="r/skin/d/0", parameters=Parameters())
    inputs = Inputs([], tmp_path)
    with pytest.raises(RuntimeError, match="without writing"):
        list(run_handler(lambda t, i: [Output("extra", "0", b"")], task, inputs))
    with pytest.raises(RuntimeError, match="after its own"):
        list(run_handler(lambda t, i: [Output("skin", "0", b""), Output("extra", "0", b"")], task, inputs))


async def test_it_can_stop_before_a_stage_that_nobody_asked_for() -> None:
    executor, ran = await start(handlers())
    await executor.run(job(), before="pulse")
    assert sorted(ran) == sorted(["split", "skin", "people", *CHUNKS * ["mask"], *CHUNKS * ["trace"]])
    assert str(blob_name(job(), "trace", 2)) in await executor.store.list("r")
    await executor.run(job())  # and goes on from there
    assert ran[-1] == "result"
    assert ran.count("split") == 1
    executor.close()
