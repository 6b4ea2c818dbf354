"""The build graph against a model: any order, loss and repetition of events leads to the same end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.contracts import Chunk, Grid, Job, Outcome, Plan, Recording, Task
from mesh.graph import DEPTH, MAKER, STAGES, TURN, blob_name, digest, failure_name, failures, missing
from mesh.names import BlobName
from mesh.parameters import Parameters

pytestmark = pytest.mark.unit


def make_job(**parameters: object) -> Job:
    return Job(
        id="job_1", recording="rec_1", parameters=Parameters(**parameters), created_at=datetime(2026, 1, 1, tzinfo=UTC)
    )


def make_plan(chunks: int, seconds: float = 5.0, *, fps: int = 10, audio: bool = False) -> Plan:
    per = int(seconds * fps)
    n = per * chunks
    return Plan(
        recording=Recording(
            duration_s=n / fps, frames=n, width=64, height=48, fps=fps, variable_rate=False,
            codec="h264", container="mp4", pixel_format="yuv420p", audio=audio,
        ),
        time_base=(1, fps),
        pts=list(range(n)),
        chunks=[
            Chunk(index=k, first=k * per, frames=per, t0=k * seconds, t1=(k + 1) * seconds) for k in range(chunks)
        ],
        grid=Grid(origin_s=0, rate_hz=fps, samples=n),
    )  # fmt: skip


def run(task: Task, plan: Plan) -> set[str]:
    """What a task leaves behind."""
    end = BlobName.parse(task.output)
    made = {task.output}
    if task.stage == "split":
        made |= {str(BlobName(end.recording, "chunk", end.digest, str(c.index))) for c in plan.chunks}
        if plan.recording.audio:
            made.add(str(BlobName(end.recording, "audio", end.digest, "0")))
    return made


def upload(job: Job) -> set[str]:
    return {str(blob_name(job, "upload"))}


def known(job: Job, plan: Plan, names: set[str]) -> Plan | None:
    return plan if str(blob_name(job, "plan")) in names else None


def undisturbed(job: Job, plan: Plan, names: set[str]) -> tuple[set[str], list[Task]]:
    """Run everything in order; the names at the end and the tasks that ran."""
    names, ran = set(names), []
    while tasks := missing(job, known(job, plan, names), names):
        task = tasks[0]
        assert set(task.inputs) <= names, "a task may run only when its inputs exist"
        assert task.output not in names
        ran.append(task)
        names |= run(task, plan)
    return names, ran


@given(chunks=st.integers(1, 9), seconds=st.sampled_from([0.3, 1.0, 5.0]), audio=st.booleans())
@settings(max_examples=40, deadline=None)
def test_every_job_ends_with_each_task_run_once(chunks: int, seconds: float, audio: bool) -> None:
    job, plan = make_job(), make_plan(chunks, seconds, audio=audio)
    names, ran = undisturbed(job, plan, upload(job))
    assert str(blob_name(job, "result")) in names
    outputs = [t.output for t in ran]
    assert len(set(outputs)) == len(outputs)
    assert len(ran) == 7 + 5 * chunks
    assert missing(job, plan, names) == []


@given(data=st.data(), chunks=st.integers(1, 6), workers=st.integers(1, 4), width=st.integers(1, 5))
@settings(max_examples=120, deadline=None)
def test_any_order_loss_and_repetition_of_events_leads_to_the_same_end(
    data: st.DataObject, chunks: int, workers: int, width: int
) -> None:
    job, plan = make_job(), make_plan(chunks)
    names = upload(job)
    queue: dict[str, Task] = {}  # refuses what it holds, as the broker does
    leased: list[Task] = []
    for _ in range(data.draw(st.integers(0, 120))):
        move = data.draw(st.sampled_from(["look", "look", "take", "take", "end", "end", "die", "wipe", "repeat"]))
        if move == "look":  # a coordinator calls missing(), maybe late and maybe twice
            for task in missing(job, known(job, plan, names), names, width):
                queue.setdefault(task.output, task)
        elif move == "take" and queue and len(leased) < workers:
            leased.append(queue[data.draw(st.sampled_from(sorted(queue)))])
        elif move == "end" and leased:  # the lease stays in the queue until acked; ack after the commit
            task = leased.pop(data.draw(st.integers(0, len(leased) - 1)))
            names |= run(task, plan)
            queue.pop(task.output, None)
        elif move == "die" and leased:  # redelivered: still in the queue
            leased.pop()
        elif move == "wipe":  # the broker lost its store of tasks
            queue.clear()
        elif move == "repeat" and leased:  # an ack that did not count: a second worker does it again
            leased.append(leased[0])
    while tasks := missing(job, known(job, plan, names), names, width):  # the trouble is over; the slow timer looks
        for task in (*leased, *tasks):
            names |= run(task, plan)
    expected, _ = undisturbed(job, plan, upload(job))
    assert names == expected


@given(chunks=st.integers(1, 12), width=st.integers(1, 6), done=st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_width_bounds_each_stage_and_what_is_awaited_sooner_comes_first(chunks: int, width: int, done) -> None:  # type: ignore[no-untyped-def]
    job, plan = make_job(), make_plan(chunks)
    names = upload(job)
    while tasks := missing(job, known(job, plan, names), names, width):
        for stage in {t.stage for t in tasks}:
            of_stage = [t.index for t in tasks if t.stage == stage]
            assert len(of_stage) <= width
            assert of_stage == sorted(of_stage)
        order = [(TURN[t.stage], -DEPTH[t.stage]) for t in tasks]
        assert order == sorted(order)
        for task in tasks:  # what is awaited later takes no place of a service that is needed sooner
            service = STAGES[task.stage].service
            mine = [t for t in tasks if STAGES[t.stage].service == service and TURN[t.stage] <= TURN[task.stage]]
            sooner = [t for t in mine if TURN[t.stage] < TURN[task.stage]]
            if sooner:
                assert len(mine) <= max((width + 1) // 2, len(sooner))
        names |= run(done.choice(tasks), plan)


def test_another_gain_reuses_everything_but_segments_and_result() -> None:
    job, plan = make_job(), make_plan(4)
    names, _ = undisturbed(job, plan, upload(job))
    again = make_job(gain=20.0).model_copy(update={"id": "job_2"})
    _, ran = undisturbed(again, plan, names)
    assert [t.stage for t in ran] == ["segment"] * 4 + ["clip", "result"]


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ({"chunk_seconds": 2.0}, "split"),
        ({"skin_chroma": (110.0, 150.0)}, "skin"),
        ({"chroma_similarity": 50.0}, "skin"),
        ({"key": "per_frame"}, "skin"),
        ({"compat": "2012", "magnify": "eulerian-colour"}, "field"),
        ({"patch_size": 32}, "trace"),
        ({"method": "green"}, "pulse"),
        ({"crf": 20}, "segment"),
    ],
)
def test_a_parameter_recomputes_its_stage_and_what_follows(change: dict[str, object], first: str) -> None:
    base, other = Parameters(), Parameters(**change)
    changed = {s for s in STAGES if digest(s, base) != digest(s, other)}
    assert first in changed
    assert min(changed, key=lambda s: DEPTH[s]) == first
    assert "result" in changed


def test_every_parameter_but_the_preset_is_read_by_exactly_one_stage() -> None:
    read = [p for s in STAGES.values() for p in s.reads]
    assert sorted(read) == sorted(set(Parameters.model_fields) - {"preset"})


@given(chunks=st.integers(1, 5), steps=st.integers(0, 20), pick=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_a_permanent_failure_ends_the_job(chunks: int, steps: int, pick: int) -> None:
    job, plan = make_job(), make_plan(chunks)
    names = upload(job)
    for _ in range(steps):
        tasks = missing(job, known(job, plan, names), names)
        if not tasks:
            break
        names |= run(tasks[pick % len(tasks)], plan)
    tasks = missing(job, known(job, plan, names), names)
    if not tasks:
        return
    failed = tasks[pick % len(tasks)]
    names.add(str(failure_name(failed)))
    assert missing(job, known(job, plan, names), names) == []
    assert failures(job, names) == [failure_name(failed)]
    # another job that does not share the failed blob goes on
    other = make_job(chunk_seconds=1.0)
    assert missing(other, None, names) != []
    # the output was made after all, by a worker that was thought lost
    names |= run(failed, plan)
    assert failures(job, names) == []


def test_nothing_is_named_for_an_ended_job_or_an_erased_recording() -> None:
    job, plan = make_job(), make_plan(2)
    assert missing(job.model_copy(update={"outcome": Outcome.CANCELLED}), plan, upload(job)) == []
    assert missing(job, plan, set()) == []
    assert missing(job, None, set()) == []


def test_masks_ask_for_the_chunks_within_a_second() -> None:
    job, plan = make_job(segmenter="chroma"), make_plan(5)
    names = upload(job) | run(missing(job, None, upload(job))[0], plan)
    names |= {str(blob_name(job, "skin"))}
    by_index = {t.index: t for t in missing(job, plan, names, width=9) if t.stage == "mask"}
    chunk = [str(blob_name(job, "chunk", k)) for k in range(5)]
    assert [n for n in by_index[2].inputs if "/chunk/" in n] == chunk[1:4]
    assert [n for n in by_index[0].inputs if "/chunk/" in n] == chunk[:2]
    short = make_plan(5, 0.3)
    by_index = {t.index: t for t in missing(job, short, names, width=9) if t.stage == "mask"}
    assert [n for n in by_index[2].inputs if "/chunk/" in n] == chunk
    job = make_job(segmenter="chroma", key="per_frame")
    names |= {str(blob_name(job, "skin"))}
    by_index = {t.index: t for t in missing(job, plan, names, width=9) if t.stage == "mask"}
    assert [n for n in by_index[2].inputs if "/chunk/" in n] == chunk[2:3]


def test_masks_of_sam3_ask_for_the_cells_that_they_lie_in() -> None:
    for segmenter in ("sam3", "auto"):  # a cell of 1.5 s before, and the next one's first frame
        job, plan = make_job(segmenter=segmenter, sam3_cell_s=1.5), make_plan(12, 1.0)
        names = upload(job) | run(missing(job, None, upload(job))[0], plan) | {str(blob_name(job, "skin"))}
        by_index = {t.index: t for t in missing(job, plan, names, width=12) if t.stage == "mask"}
        chunk = [str(blob_name(job, "chunk", k)) for k in range(12)]
        assert [n for n in by_index[5].inputs if "/chunk/" in n] == chunk[3:9]


def test_what_changes_masks_changes_their_names() -> None:
    plain = make_job(segmenter="sam3")
    for changed in (
        {"prompt": "Full Face"},
        {"sam3_mask": "instances"},
        {"sam3_score": 0.3},
        {"sam3_instances": 3},
        {"sam3_cell_s": 2.0},
        {"sam3_keyframes": 2},
    ):
        assert blob_name(plain, "mask") != blob_name(make_job(segmenter="sam3", **changed), "mask"), changed
    boxed = make_job(segmenter="sam3", skin_box=(1, 2, 30, 40))
    assert blob_name(plain, "mask") == blob_name(boxed, "mask")  # who is meant is for `people` to say
    assert blob_name(plain, "people") != blob_name(boxed, "people")


def test_only_what_the_result_needs_is_made() -> None:
    """Traces that expired are not made again when the pulse is there."""
    job, plan = make_job(), make_plan(3)
    names, _ = undisturbed(job, plan, upload(job))
    gone = ("/trace/", "/segment/", "/clip/", "/result/")
    names = {n for n in names if not any(kind in n for kind in gone)}
    stages = {t.stage for t in missing(job, plan, names, width=9)}
    assert stages == {"segment"}


def test_every_kind_has_a_maker() -> None:
    assert set(MAKER.values()) == set(STAGES)
