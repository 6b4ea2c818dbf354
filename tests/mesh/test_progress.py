"""How far a job is, derived from its blobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.contracts import Chunk, Grid, Job, Outcome, Plan, Recording, State
from mesh.errors import NoFrames
from mesh.graph import STAGES, blob_name, failure_name, missing
from mesh.names import upload_name
from mesh.parameters import Parameters
from mesh.progress import job_view, progress, state, unused, uses

pytestmark = pytest.mark.unit

START = datetime(2026, 1, 1, tzinfo=UTC)


def new_job(**changes: object) -> Job:
    values: dict[str, object] = {
        "id": "job", "recording": "rec", "parameters": Parameters(), "created_at": START,
    }  # fmt: skip
    return Job.model_validate(values | changes)


def new_plan(chunks: int) -> Plan:
    recording = Recording(
        duration_s=chunks, frames=chunks, width=1, height=1, fps=1, variable_rate=False, codec="h264",
        container="mp4", pixel_format="yuv420p",
    )  # fmt: skip
    return Plan(
        recording=recording,
        time_base=(1, 1),
        pts=list(range(chunks)),
        chunks=[Chunk(index=k, first=k, frames=1, t0=k, t1=k + 1) for k in range(chunks)],
        grid=Grid(origin_s=0, rate_hz=1, samples=chunks),
    )


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_states() -> None:
    job, plan = new_job(), new_plan(2)
    upload = {str(upload_name("rec")): after(-1)}
    assert state(job, None, {}) == state(job, None, upload) == State.QUEUED
    splitting = upload | {str(blob_name(job, "chunk", 0)): after(1)}
    assert state(job, None, splitting) == State.SPLITTING
    other = new_job(parameters=Parameters(chunk_seconds=9))
    assert state(other, None, splitting) == State.QUEUED, "those chunks are another job's"
    assert state(job, plan, splitting) == State.PROCESSING
    for outcome in Outcome:
        assert state(new_job(outcome=outcome), plan, splitting) == outcome.value


def test_before_the_split_totals_are_not_known() -> None:
    found = progress(new_job(), None, {str(upload_name("rec")): after(-1)})
    wanted = {name: None if s.scatter else 1 for name, s in STAGES.items() if s.wanted(Parameters())}
    assert list({p.stage: p.total for p in found}.items()) == list(wanted.items())
    assert "field" in [p.stage for p in progress(new_job(parameters=Parameters(magnify="patch")), None, {})]
    assert all(p.done == 0 and p.finished_at is None for p in found)
    assert found[0].started_at == START, "a job waits for nothing but its own creation"


def run(job: Job, plan: Plan, names: dict[str, datetime], clock: float) -> float:
    """Run a job's tasks one after the other, a second each; when it is done."""
    while tasks := missing(job, plan if str(blob_name(job, "plan")) in names else None, names, width=100):
        for task in tasks:
            clock += 1
            names[task.output] = after(clock)
            if task.stage == "split":
                names |= {str(blob_name(job, "chunk", c.index)): after(clock - 0.5) for c in plan.chunks}
    return clock


@settings(deadline=None, max_examples=40)
@given(chunks=st.integers(1, 6), gain=st.floats(0, 100), late=st.integers(0, 1000))
def test_a_job_from_beginning_to_end_and_another_on_its_recording(chunks: int, gain: float, late: int) -> None:
    plan = new_plan(chunks)
    names = {str(upload_name("rec")): after(-1)}
    first = new_job()
    clock = run(first, plan, names, 0)
    view = job_view(first, plan, names)
    ends = START
    for stage in view.progress:
        expected = chunks if STAGES[stage.stage].scatter else 1
        assert (stage.done, stage.total, stage.reused) == (expected, expected, 0)
        assert stage.started_at is not None
        assert stage.finished_at is not None
        assert START <= stage.started_at < stage.finished_at
        ends = max(ends, stage.finished_at)
    assert ends == after(clock)
    # another job, later: what is made already is counted as reused and has no times
    second = new_job(id="job2", parameters=Parameters(gain=gain), created_at=after(clock + late))
    before = {p.stage: p for p in progress(second, plan, names)}
    run(second, plan, names, clock + late)
    for stage in progress(second, plan, names):
        assert stage.done == stage.total
        assert stage.reused == before[stage.stage].done
        own = stage.reused < (stage.total or 0)
        assert (stage.started_at is not None) == (stage.finished_at is not None) == own
        if stage.started_at is not None:
            assert stage.started_at >= second.created_at


@settings(deadline=None, max_examples=60)
@given(data=st.data(), chunks=st.integers(1, 4))
def test_progress_never_goes_back_and_never_overflows(data: st.DataObject, chunks: int) -> None:
    job, plan = new_job(), new_plan(chunks)
    every = [str(upload_name("rec")), str(blob_name(job, "plan"))]
    every += [str(blob_name(job, "chunk", k)) for k in range(chunks)]
    for stage in STAGES.values():
        every += [str(blob_name(job, stage.kind, k)) for k in range(chunks if stage.scatter else 1)]
    names: dict[str, datetime] = {}
    last = {p.stage: 0 for p in progress(job, plan, names)}
    for number, name in enumerate(data.draw(st.permutations(every))):
        names[name] = after(data.draw(st.floats(-5, 50)) if number % 3 else number)
        for stage in progress(job, plan, names):
            assert last[stage.stage] <= stage.done <= (stage.total or 1)
            assert stage.reused <= stage.done
            last[stage.stage] = stage.done


def test_what_is_not_kept_any_more_is_not_guessed() -> None:
    for outcome in Outcome:
        assert progress(new_job(outcome=outcome), None, {}) == []
    failed = new_job(outcome=Outcome.FAILED, problem=NoFrames().problem(), finished_at=after(2))
    view = job_view(failed, None, {str(upload_name("rec")): after(-1)}, expires_at=after(9), links={"self": "/x"})
    assert [(p.stage, p.done) for p in view.progress] == [("split", 0)]
    assert view.state == State.FAILED
    assert view.problem == NoFrames().problem()
    assert (view.expires_at, view.links) == (after(9), {"self": "/x"})


def test_what_two_jobs_share_is_not_removed_with_one() -> None:
    plan = new_plan(2)
    first, second = new_job(), new_job(id="job2", parameters=Parameters(gain=1))
    names = {str(upload_name("rec")): START}
    run(first, plan, names, 0)
    own = {name for name in names if any(name.startswith(p + "/") for p in unused(first, [second]))}
    assert own == {str(blob_name(first, "segment", k)) for k in range(2)} | {
        str(blob_name(first, kind)) for kind in ("clip", "result")
    }
    assert unused(first, [first]) == set()
    assert unused(first, []) == uses(first)
    assert all(any(name.startswith(p + "/") for p in uses(first)) for name in names)
    task = missing(first, None, {str(upload_name("rec"))})[0]
    assert any(str(failure_name(task)).startswith(p + "/") for p in uses(first)), "failures go too"
