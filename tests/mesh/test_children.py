"""Children under supervision: limits, deaths, results that are not trusted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mesh.child_pool import ChildPool, run_limited
from mesh.contracts import Measurement
from mesh.errors import Internal, OutOfMemory, OutOfScratch, OutOfTime, StorageFull, TooShort, WorkerCrashed

pytestmark = pytest.mark.unit

PROBES = "child_probes"


@pytest.fixture
async def pool(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """One warm child."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    made = ChildPool(1, [PROBES], 300 << 20, 1 << 20)
    await made.start()
    yield made
    await made.close()


async def test_a_result_comes_back_typed(pool: ChildPool) -> None:
    found = await pool.call(f"{PROBES}:measure", 61.5, returns=Measurement)
    assert found == Measurement(value=61.5, unit="1/min", status="ok")
    before = pool.children[0].pid
    await pool.call(f"{PROBES}:measure", 1.0, returns=Measurement)
    assert pool.children[0].pid == before, "the child is kept"


async def test_a_failure_comes_back_whole(pool: ChildPool) -> None:
    with pytest.raises(TooShort) as caught:
        await pool.call(f"{PROBES}:refuse", returns=int)
    assert (caught.value.detail, caught.value.hint) == ("0.2 s", "record more")


@pytest.mark.parametrize(
    ("function", "failure"),
    [
        ("segfault", WorkerCrashed),
        ("leave", WorkerCrashed),
        ("sleep", OutOfTime),
        ("spin", OutOfTime),
        ("grow", OutOfMemory),
        ("raise_memory_error", OutOfMemory),
        ("write_too_much", OutOfScratch),
        ("find_the_disk_full", StorageFull),
        ("divide", Internal),
    ],
)
async def test_every_death_is_typed_and_replaced(pool: ChildPool, function: str, failure: type[Exception]) -> None:
    with pytest.raises(failure):
        await pool.call(f"{PROBES}:{function}", returns=object, wall_s=3.0 if function == "grow" else 0.7)
    assert await pool.call(f"{PROBES}:answer", returns=int) == 42


async def test_limits_hold(pool: ChildPool, tmp_path: Path) -> None:
    limits = await pool.call(f"{PROBES}:limits", returns=dict[str, int])
    assert limits["core"] == 0
    assert limits["file"] == 1 << 20
    assert limits["no_new_privileges"] == 1
    assert limits["threads"] == 1
    assert await pool.call(f"{PROBES}:write", str(tmp_path / "large"), 3 << 20, returns=str) == "OSError 27"
    assert (tmp_path / "large").stat().st_size <= 1 << 20


async def test_no_network(pool: ChildPool) -> None:
    if not pool.children[0].isolated:
        pytest.skip("this kernel lets nobody make a network namespace")
    assert await pool.call(f"{PROBES}:connect", returns=str) == "OSError 101"


async def test_a_result_of_another_shape_is_refused(pool: ChildPool) -> None:
    with pytest.raises(ValueError, match="Input should be"):
        await pool.call(f"{PROBES}:answer", returns=Measurement)


async def test_calls_wait_for_their_turn(pool: ChildPool) -> None:
    found = await asyncio.gather(*(pool.call(f"{PROBES}:answer", returns=int) for _ in range(10)))
    assert found == [42] * 10


async def test_a_child_that_died_idle_is_replaced(pool: ChildPool) -> None:
    process = pool.children[0]._process
    process.kill()
    await asyncio.to_thread(process.wait)
    assert await pool.call(f"{PROBES}:answer", returns=int) == 42


async def test_the_first_calls_start_the_children_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    made = ChildPool(2, [PROBES], 300 << 20, 1 << 20)
    try:
        assert made.children == []
        assert await asyncio.gather(*(made.call(f"{PROBES}:answer", returns=int) for _ in range(5))) == [42] * 5
        assert len(made.children) == 2
    finally:
        await made.close()


async def test_a_single_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    assert await run_limited(f"{PROBES}:answer", returns=int) == 42
    with pytest.raises(WorkerCrashed):
        await run_limited("child_probes_that_do_not_exist:answer", returns=int)
