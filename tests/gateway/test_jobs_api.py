"""Jobs over HTTP, through the real app on a real broker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gateway_handlers import CHUNKS, CLIP
from gateway_kit import Control, ServedGateway, until

pytestmark = pytest.mark.mesh

SCATTERED = ("mask", "trace", "map", "overlay", "segment")


def test_a_form_becomes_a_job_that_ends(served: ServedGateway, control: Control, clip: Path) -> None:
    answer = served.submit(clip, gain=12)
    assert answer.status_code == 202
    view = answer.json()
    assert answer.headers["Location"] == f"/v1/jobs/{view['id']}" == view["links"]["self"]
    assert view["parameters"]["gain"] == 12
    assert view["state"] in ("queued", "splitting", "processing")
    ended = served.ended(view["id"])
    assert ended["state"] == "succeeded"
    assert [(p["done"], p["total"], p["reused"]) for p in ended["progress"]] == [
        (CHUNKS, CHUNKS, 0) if p["stage"] in SCATTERED else (1, 1, 0) for p in ended["progress"]
    ]
    for stage in ended["progress"]:
        assert ended["created_at"] <= stage["started_at"] <= stage["finished_at"] <= ended["finished_at"]
    assert ended["expires_at"] > ended["finished_at"]
    result = served.http.get(ended["links"]["result"])
    assert result.status_code == 200
    assert result.json()["job"] == view["id"]
    files = served.http.get(ended["links"]["files"]).json()["files"]
    assert {file["name"] for file in files} == {"result.json", "magnified.mp4"}
    assert all(served.http.get(file["href"]).status_code == 200 for file in files)
    upload = f"{view['recording']}/upload/0/0"
    assert upload in served.blobs(view["recording"])
    assert not served.everything()[2], "the spooled file is gone"


@pytest.mark.parametrize("content_type", ["video/mp4", "application/octet-stream"])
def test_a_clip_as_it_is(served: ServedGateway, clip: Path, content_type: str) -> None:
    answer = served.http.post(
        "/v1/jobs",
        content=clip.read_bytes(),
        headers={"Content-Type": content_type},
        params={"parameters": json.dumps({"gain": 3})},
    )
    assert answer.status_code == 202, answer.text
    assert answer.json()["parameters"]["gain"] == 3
    assert served.ended(answer.json()["id"])["state"] == "succeeded"


def test_a_body_of_unknown_length(served: ServedGateway, clip: Path) -> None:
    content = clip.read_bytes()
    pieces = (content[start : start + 777] for start in range(0, len(content), 777))
    answer = served.http.post("/v1/jobs", content=pieces, headers={"Content-Type": "video/mp4"})
    assert answer.status_code == 202, answer.text
    stored = served.do(served.runtime.blobs.read(_upload(answer.json()["recording"])))
    assert stored == content


def test_another_gain_computes_segments_and_result_alone(served: ServedGateway, control: Control, clip: Path) -> None:
    first = served.job(clip, gain=5)
    served.ended(first["id"])
    before = control.runs(first["recording"])
    answer = served.again(first["recording"], gain=6)
    assert answer.status_code == 202, answer.text
    second = served.ended(answer.json()["id"])
    assert second["state"] == "succeeded"
    new = control.runs(first["recording"]) - before
    assert sorted(new.elements()) == ["clip-0", "result-0", "segment-0", "segment-1", "segment-2"]
    reused = {p["stage"]: p["reused"] for p in second["progress"]}
    assert reused == {
        "split": 1, "skin": 1, "mask": CHUNKS, "people": 1, "trace": CHUNKS, "pulse": 1, "map": CHUNKS,
        "maps": 1, "overlay": CHUNKS, "segment": 0, "clip": 0, "result": 0,
    }  # fmt: skip
    # the same again runs nothing
    third = served.ended(served.again(first["recording"], gain=6).json()["id"])
    assert third["state"] == "succeeded"
    assert control.runs(first["recording"]) - before == new
    assert served.http.get(third["links"]["result"]).json()["job"] == third["id"]


def test_a_failed_job_carries_its_problem_and_may_be_tried_again(
    served: ServedGateway, control: Control, clip: Path
) -> None:
    control.fail("mask", "OutOfMemory")
    job = served.job(clip)
    failed = served.ended(job["id"])
    assert failed["state"] == "failed"
    assert failed["problem"]["type"].endswith("/out-of-memory")
    answer = served.http.get(f"/v1/jobs/{job['id']}/result")
    assert answer.status_code == failed["problem"]["status"] == 507
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == failed["problem"]["type"]
    # not the recording's fault: a new job clears the failure
    control.mend("mask")
    assert served.ended(served.again(job["recording"]).json()["id"])["state"] == "succeeded"


def test_a_recording_at_fault_is_not_tried_again(served: ServedGateway, control: Control, clip: Path) -> None:
    control.fail("split", "NoFrames")
    job = served.job(clip)
    assert served.ended(job["id"])["problem"]["type"].endswith("/no-frames")
    control.mend("split")
    runs = control.runs(job["recording"])
    second = served.ended(served.again(job["recording"]).json()["id"])
    assert second["problem"]["type"].endswith("/no-frames")
    assert control.runs(job["recording"]) == runs


def test_a_result_is_a_conflict_as_long_as_the_job_runs(served: ServedGateway, control: Control, clip: Path) -> None:
    control.hold("pulse")
    job = served.job(clip)
    for path in ("result", "files", "files/result.json"):
        answer = served.http.get(f"/v1/jobs/{job['id']}/{path}")
        assert answer.status_code == 409
        assert answer.json()["type"].endswith("/conflict")
    control.release("pulse")
    served.ended(job["id"])


def test_pages_are_newest_first_and_stay_the_same(served: ServedGateway, clip: Path) -> None:
    recording = served.job(clip, gain=100)["recording"]
    made = [served.again(recording, gain=100 + number).json()["id"] for number in range(1, 5)]
    newest = list(reversed(made))
    first = served.http.get("/v1/jobs", params={"limit": 2}).json()
    assert [job["id"] for job in first["jobs"]] == newest[:2]
    later = served.again(recording, gain=200).json()["id"]
    second = served.http.get("/v1/jobs", params={"limit": 2, "cursor": first["next"]}).json()
    assert [job["id"] for job in second["jobs"]] == newest[2:]
    found, cursor = [], None
    while True:
        page = served.http.get(
            "/v1/jobs", params={"recording": recording, "limit": 4} | ({"cursor": cursor} if cursor else {})
        )
        found += [job["id"] for job in page.json()["jobs"]]
        if (cursor := page.json()["next"]) is None:
            break
    assert len(found) == len(set(found)) == 6
    assert found[0] == later
    assert served.http.get("/v1/jobs", params={"cursor": "none of ours"}).status_code == 400
    assert served.http.get("/v1/jobs", params={"limit": 1000}).status_code == 422


def test_cancelling_stops_the_work_and_removes_it(served: ServedGateway, control: Control, clip: Path) -> None:
    control.hold("trace")
    job = served.job(clip)
    until(lambda: control.runs(job["recording"])["trace-0"])
    assert served.http.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert served.view(job["id"])["state"] == "cancelled"
    assert served.http.get(f"/v1/jobs/{job['id']}/result").status_code == 409
    until(lambda: not served.blobs(job["recording"]))
    until(lambda: not _tasks(served, job["recording"]))
    control.release("trace")
    assert served.http.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert served.view(job["id"])["state"] == "cancelled"
    assert not served.blobs(job["recording"])


def test_cancelling_leaves_what_another_job_uses(served: ServedGateway, control: Control, clip: Path) -> None:
    first = served.job(clip, gain=7)
    served.ended(first["id"])
    kept = served.blobs(first["recording"])
    control.hold("segment")
    second = served.again(first["recording"], gain=8).json()
    until(lambda: control.runs(first["recording"])["segment-0"] > 1)
    assert served.http.delete(f"/v1/jobs/{second['id']}").status_code == 204
    control.release("segment")
    assert served.blobs(first["recording"]) == kept
    assert served.http.get(f"/v1/jobs/{first['id']}/files/magnified.mp4").content == CLIP


def test_deleting_an_ended_job_forgets_it(served: ServedGateway, clip: Path) -> None:
    job = served.ended(served.job(clip)["id"])
    for _ in range(2):
        assert served.http.delete(f"/v1/jobs/{job['id']}").status_code == 204
    for path in ("", "/result", "/files", "/files/result.json", "/events"):
        assert served.http.get(f"/v1/jobs/{job['id']}{path}").status_code == 404
    assert not served.blobs(job["recording"])


def test_a_deleted_job_can_be_made_again_by_one_that_shares_its_recording(
    served: ServedGateway, control: Control, clip: Path
) -> None:
    first = served.ended(served.job(clip, gain=20)["id"])
    control.hold("segment")
    second = served.again(first["recording"], gain=21).json()
    assert served.http.delete(f"/v1/jobs/{first['id']}").status_code == 204
    third = served.again(first["recording"], gain=20).json()  # its segments existed a moment ago
    control.release("segment")
    assert served.ended(second["id"])["state"] == "succeeded"
    assert served.ended(third["id"])["state"] == "succeeded"
    assert served.http.get(f"/v1/jobs/{third['id']}/files/magnified.mp4").content == CLIP


def test_erasing_leaves_nothing(served: ServedGateway, control: Control, clip: Path) -> None:
    done = served.ended(served.job(clip, gain=30)["id"])
    recording = done["recording"]
    control.hold("segment")
    running = served.again(recording, gain=31).json()
    until(lambda: control.runs(recording)["segment-0"] > 1)
    for _ in range(2):
        assert served.http.delete(f"/v1/recordings/{recording}").status_code == 204
    control.release("segment")
    for job in (done, running):
        assert served.http.get(f"/v1/jobs/{job['id']}").status_code == 404
    assert served.again(recording).status_code == 410
    until(lambda: not _subjects(served, recording))
    # a worker that was frozen and knows of nothing writes after all
    served.do(served.runtime.blobs.create(_upload(recording), b"late" * 500_000))
    assert _subjects(served, recording)
    until(lambda: not _subjects(served, recording), seconds=15)


def test_deleting_what_never_was_is_no_error(served: ServedGateway) -> None:
    for path in ("jobs/job_00000000000000000000000000", "jobs/nonsense", "recordings/nonsense", "jobs/*"):
        assert served.http.delete(f"/v1/{path}").status_code == 204


def _upload(recording: str) -> object:
    from mesh.names import upload_name

    return upload_name(recording)


def _tasks(served: ServedGateway, recording: str) -> object:
    return served.do(served.runtime.bus.subjects("TASKS", f"task.*.{recording}.>"))


def _subjects(served: ServedGateway, recording: str) -> object:
    return served.do(served.runtime.bus.subjects("BLOBS", f"blob.{recording}.>")) | _tasks(served, recording)
