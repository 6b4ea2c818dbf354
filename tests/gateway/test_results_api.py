"""Files in whole and in part, and the streams of events."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gateway_handlers import CLIP
from gateway_kit import Control, ServedGateway, until

pytestmark = pytest.mark.mesh

SIZE = len(CLIP)


@pytest.fixture(scope="module")
def done(served: ServedGateway, clip: Path) -> dict[str, Any]:
    """A job that succeeded."""
    view = served.ended(served.job(clip)["id"])
    assert view["state"] == "succeeded"
    return view


def test_a_whole_file(served: ServedGateway, done: dict[str, Any]) -> None:
    url = f"/v1/jobs/{done['id']}/files/magnified.mp4"
    answer = served.http.get(url)
    assert answer.status_code == 200
    assert answer.content == CLIP
    assert answer.headers["ETag"] == f'"{hashlib.sha256(CLIP).hexdigest()}"'
    assert answer.headers["Content-Length"] == str(SIZE)
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="magnified.mp4"'
    assert answer.headers["Cache-Control"] == "private, no-cache"
    head = served.http.head(url)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["Content-Length"] == str(SIZE)


def test_the_clip_is_there_before_the_job_has_ended(served: ServedGateway, control: Control, clip: Path) -> None:
    control.hold("maps")
    control.hold("segment")
    job = served.job(clip, gain=17)["id"]
    url = f"/v1/jobs/{job}/files/magnified.mp4"
    until(lambda: served.http.get(f"/v1/jobs/{job}/measurements").status_code != 409)
    assert served.http.get(url).status_code == 409  # not made yet
    assert served.http.get(f"/v1/jobs/{job}/files").status_code == 409
    assert served.http.get(f"/v1/jobs/{job}/files?early=true").json() == {"files": [], "complete": False}
    control.release("segment")
    until(lambda: served.http.head(url).status_code == 200)
    assert served.http.get(url).content == CLIP
    assert served.http.get(url, headers={"Range": "bytes=3-5"}).content == CLIP[3:6]
    for other in ("result.json", "overlay.mp4"):
        assert served.http.get(f"/v1/jobs/{job}/files/{other}").status_code == 409
    listed = served.http.get(f"/v1/jobs/{job}/files?early=true").json()
    assert [file["name"] for file in listed["files"]] == ["magnified.mp4"]
    assert not listed["complete"]
    assert served.http.get(f"/v1/jobs/{job}").json()["state"] == "processing"
    control.release("maps")
    assert served.ended(job)["state"] == "succeeded"
    assert served.http.get(url).content == CLIP
    listed = served.http.get(f"/v1/jobs/{job}/files?early=true").json()
    assert {file["name"] for file in listed["files"]} == {"result.json", "magnified.mp4"}
    assert listed["complete"]


@pytest.mark.parametrize(
    ("range_", "span"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-", (0, SIZE)),
        ("bytes=983039-983041", (983039, 983042)),  # across two parts of the store
        ("bytes=1000000-2999999", (1_000_000, 3_000_000)),
        ("bytes=-7", (SIZE - 7, SIZE)),
        (f"bytes=-{2 * SIZE}", (0, SIZE)),
        (f"bytes={SIZE - 1}-{SIZE + 100}", (SIZE - 1, SIZE)),
    ],
)
def test_a_range(served: ServedGateway, done: dict[str, Any], range_: str, span: tuple[int, int]) -> None:
    answer = served.http.get(f"/v1/jobs/{done['id']}/files/magnified.mp4", headers={"Range": range_})
    assert answer.status_code == 206
    assert answer.content == CLIP[slice(*span)]
    assert answer.headers["Content-Range"] == f"bytes {span[0]}-{span[1] - 1}/{SIZE}"
    assert answer.headers["Content-Length"] == str(span[1] - span[0])


def test_ranges_beyond_the_end_and_no_ranges(served: ServedGateway, done: dict[str, Any]) -> None:
    url = f"/v1/jobs/{done['id']}/files/magnified.mp4"
    for range_ in (f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0"):
        answer = served.http.get(url, headers={"Range": range_})
        assert answer.status_code == 416
        assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
        assert answer.json()["type"].endswith("/range-not-satisfiable")
    for range_ in ("bytes=5-2", "bytes=0-1,4-5", "lines=0-1", "bytes=-", "bytes=a-b"):
        answer = served.http.get(url, headers={"Range": range_})
        assert answer.status_code == 200
        assert len(answer.content) == SIZE


def test_conditions(served: ServedGateway, done: dict[str, Any]) -> None:
    url = f"/v1/jobs/{done['id']}/files/magnified.mp4"
    etag = served.http.head(url).headers["ETag"]
    for given in (etag, f'"other", W/{etag}', "*"):
        answer = served.http.get(url, headers={"If-None-Match": given})
        assert answer.status_code == 304
        assert answer.headers["ETag"] == etag
        assert answer.content == b""
    assert served.http.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
    assert served.http.get(url, headers={"Range": "bytes=0-9", "If-Range": etag}).status_code == 206
    assert served.http.get(url, headers={"Range": "bytes=0-9", "If-Range": '"other"'}).status_code == 200


def test_files_that_are_not_there(served: ServedGateway, done: dict[str, Any]) -> None:
    for name in ("nothing.txt", "..%2F..%2Fetc%2Fpasswd", "magnified-mp4", "*"):
        assert served.http.get(f"/v1/jobs/{done['id']}/files/{name}").status_code == 404


def test_a_damaged_file_is_never_short(served: ServedGateway, clip: Path) -> None:
    view = served.ended(served.job(clip)["id"])
    url = f"/v1/jobs/{view['id']}/files/magnified.mp4"
    parts = served.do(served.runtime.bus.subjects("BLOBS", f"blob.{view['recording']}.p.video.>"))
    served.do(served.runtime.bus.purge("BLOBS", min(subject for subject in parts if subject.endswith(".0"))))
    answer = served.http.get(url)
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("/blob-incomplete")
    assert served.http.get(url, headers={"Range": "bytes=2000000-2000010"}).status_code == 206


# --- events


def test_events_tell_the_whole_story_once(served: ServedGateway, clip: Path) -> None:
    job = served.job(clip, gain=60)
    events = served.events(job["id"])
    assert [event.id for event in events] == sorted({event.id for event in events if event.id is not None})
    states = [event.data["state"] for event in events if event.type == "state"]
    assert states[-1] == "succeeded"
    assert len(states) == len(set(states))
    last = events[-1].data
    assert last["links"]["result"]
    assert last["expires_at"]
    done: dict[str, int] = {}
    for event in events:
        if event.type == "progress":
            assert event.data["done"] >= done.get(event.data["stage"], 0)
            done[event.data["stage"]] = event.data["done"]
    assert done == {p["stage"]: p["total"] for p in last["progress"]}
    # whoever comes later sees the same
    assert served.events(job["id"]) == events


def test_events_resume_behind_the_last_one_seen(served: ServedGateway, control: Control, clip: Path) -> None:
    control.hold("pulse")
    job = served.job(clip, gain=61)
    first = served.events(job["id"], stop=lambda event: event.data.get("stage") == "mask" and event.data["done"] == 3)
    control.release("pulse")
    rest = served.events(job["id"], after=first[-1].id)
    assert first + rest == served.events(job["id"])
    # and there is nothing more to come
    answer = served.http.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": str(rest[-1].id)})
    assert answer.status_code == 204
    assert served.http.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": "x"}).status_code == 400


def test_events_of_a_job_whose_events_are_not_kept_any_more(served: ServedGateway, done: dict[str, Any]) -> None:
    served.do(served.runtime.bus.purge_events(done["id"]))
    events = served.events(done["id"])
    assert [(event.id, event.type, event.data["state"]) for event in events] == [(None, "state", "succeeded")]


def test_the_end_of_a_cancelled_job(served: ServedGateway, control: Control, clip: Path) -> None:
    control.hold("skin")
    job = served.job(clip, gain=62)

    def cancel(event: Any) -> bool:
        if event.type == "state" and event.data["state"] == "processing":
            served.http.delete(f"/v1/jobs/{job['id']}")
        return False

    # a client of its own, because this one is busy with the stream
    events = served.events(job["id"], stop=cancel)
    assert events[-1].data["state"] == "cancelled"


def test_streams_live_so_long_say_something_and_are_counted(
    another: Callable[..., ServedGateway], control: Control, clip: Path
) -> None:
    control.hold("skin")
    gateway = another(events_life_s=1.0, keep_alive_s=0.2, events_streams=1)
    job = gateway.job(clip, gain=63)
    started = time.monotonic()
    with gateway.http.stream("GET", f"/v1/jobs/{job['id']}/events") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["X-Accel-Buffering"] == "no"
        busy = gateway.http.get(f"/v1/jobs/{job['id']}/events")
        assert busy.status_code == 429
        assert "pulsemesh_event_streams 1.0" in gateway.http.get("/metrics").text
        lines = list(answer.iter_lines())
    assert time.monotonic() - started >= 1.0
    assert lines.count(": still here") >= 2
    assert not any('"succeeded"' in line for line in lines)
    until(lambda: "pulsemesh_event_streams 0.0" in gateway.http.get("/metrics").text)
    gateway.http.delete(f"/v1/jobs/{job['id']}")


def test_a_service_that_ends_ends_its_streams(
    another: Callable[..., ServedGateway], control: Control, clip: Path
) -> None:
    control.hold("skin")
    gateway = another()
    job = gateway.job(clip, gain=64)
    with gateway.http.stream("GET", f"/v1/jobs/{job['id']}/events") as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        control.release("skin")
        gateway.do(gateway.runtime.drain())
        list(lines)
    gateway.http.delete(f"/v1/jobs/{job['id']}")
