"""What is removed in time, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from gateway_handlers import CLIP
from gateway_kit import ServedGateway, until

from gateway.retention import due
from mesh.contracts import Job, Outcome
from mesh.names import id_time, new_id, upload_name
from mesh.parameters import Parameters

pytestmark = pytest.mark.mesh

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def job(ended_s_ago: float | None) -> Job:
    ended = None if ended_s_ago is None else NOW - timedelta(seconds=ended_s_ago)
    return Job(
        id=new_id("job"),
        recording="rec",
        parameters=Parameters(),
        created_at=NOW - timedelta(days=2),
        outcome=None if ended is None else Outcome.SUCCEEDED,
        finished_at=ended,
    )


@pytest.mark.parametrize(
    ("ends", "expired", "strip"),
    [
        ([], [], False),
        ([None], [], False),
        ([10], [], False),
        ([100], [], True),
        ([1000], [0], True),
        ([1000, 10], [0], False),
        ([1000, 100], [0], True),
        ([1000, None], [], False),  # somebody works on it
    ],
)
def test_what_is_due(ends: list[float | None], expired: list[int], strip: bool) -> None:
    jobs = [job(end) for end in ends]
    found = due(jobs, NOW, keep_uploads_s=100, keep_results_s=1000)
    assert found.jobs == tuple(jobs[number] for number in expired)
    assert found.strip is strip


def test_ids_tell_when_they_were_made() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=2)
    made = id_time(new_id("rec"))
    assert made is not None
    assert before <= made <= datetime.now(UTC)
    for text in ("rec", "rec_u", "rec_" + "i" * 26, "rec_" + "z" * 26):
        assert id_time(text) is None or text.endswith("z")


def test_uploads_go_first_then_results(served: ServedGateway, clip: Path) -> None:
    retention = served.app.state.gateway().retention
    first = served.ended(served.job(clip, gain=1)["id"])
    second = served.ended(served.again(first["recording"], gain=2).json()["id"])
    recording = first["recording"]

    def sweep(hours: float) -> None:
        served.do(retention.sweep(datetime.now(UTC) + timedelta(hours=hours)))

    # parts of an attempt that was lost, which no manifest names
    lost = f"blob.{recording}.p.file.0123456789abcdef.0.deadbeefdeadbeef.0"
    served.do(served.runtime.bus.append(lost, b"lost"))
    whole = served.blobs(recording)
    sweep(0.5)
    assert served.blobs(recording) == whole
    sweep(1.5)
    left = {name.split("/")[1] for name in served.blobs(recording)}
    assert left == {"result", "file", "video"}
    assert lost not in served.do(served.runtime.bus.subjects("BLOBS", f"blob.{recording}.>"))
    assert served.http.get(f"/v1/jobs/{first['id']}/files/magnified.mp4").content == CLIP
    answer = served.again(recording)
    assert answer.status_code == 404
    assert "60 minutes" in answer.json()["hint"]
    sweep(25)
    for view in (first, second):
        assert served.http.get(f"/v1/jobs/{view['id']}").status_code == 404
    assert not served.do(served.runtime.bus.subjects("BLOBS", f"blob.{recording}.>"))
    assert not served.do(served.runtime.bus.subjects("EVENTS", f"event.{first['id']}.>"))
    metrics = served.http.get("/metrics").text
    for what in ("intermediates", "parts", "results"):
        assert f'pulsemesh_retention_removed_total{{what="{what}"}}' in metrics


def test_what_belongs_to_no_job_goes(served: ServedGateway) -> None:
    retention = served.app.state.gateway().retention
    orphan = new_id("rec")
    served.do(served.runtime.blobs.create(upload_name(orphan), b"x" * 3_000_000))
    served.do(retention.sweep_orphans())
    assert served.blobs(orphan), "perhaps its job is just being made"
    served.do(retention.sweep_orphans(datetime.now(UTC) + timedelta(hours=2)))
    assert not served.do(served.runtime.bus.subjects("BLOBS", f"blob.{orphan}.>"))


def test_retention_runs_by_itself(another: Callable[..., ServedGateway], clip: Path) -> None:
    gateway = another(keep_uploads_s=0.2, keep_results_s=0.6, retention_every_s=0.1)
    view = gateway.ended(gateway.job(clip)["id"])
    until(lambda: gateway.http.get(f"/v1/jobs/{view['id']}").status_code == 404)
    until(lambda: not gateway.blobs(view["recording"]))
