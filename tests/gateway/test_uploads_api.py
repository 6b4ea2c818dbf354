"""What POST refuses, each with its problem and nothing left behind."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import Callable
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
from gateway_kit import Control, ServedGateway, until

from phantom import PhantomSettings, write

pytestmark = pytest.mark.mesh

PROBLEM = "application/problem+json"


def slug(answer: httpx.Response) -> str:
    """What kind of problem an answer is."""
    assert answer.headers["Content-Type"] == PROBLEM, answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["detail"]
    return str(problem["type"].rsplit("/", 1)[1])


def audio_only(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        for start in range(0, 16384, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 8000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def picture() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 120, 100)).save(file, "PNG")
    return file.getvalue()


def truncated(clip: Path) -> bytes:
    content = clip.read_bytes()
    return content[: len(content) // 2] if content.rindex(b"moov") > len(content) // 2 else content[:300]


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> dict[str, bytes]:
    """Contents that are no clip to us."""
    folder = tmp_path_factory.mktemp("bad")
    audio_only(folder / "audio.mp4")
    write(PhantomSettings(seconds=0.2, fps=10, width=96, height=80), folder / "short.mp4")
    return {
        "text": b"this is no video at all\n" * 50,
        "concat": f"ffconcat version 1.0\nfile {clip}\n".encode(),
        "playlist": f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://{clip}\n#EXT-X-ENDLIST\n".encode(),
        "truncated": truncated(clip),
        "picture": picture(),
        "audio": (folder / "audio.mp4").read_bytes(),
        "short": (folder / "short.mp4").read_bytes(),
    }


@pytest.mark.parametrize(
    ("content", "slugs"),
    [
        ("text", {"unreadable-video"}),
        ("concat", {"unreadable-video"}),
        ("playlist", {"unreadable-video"}),
        ("truncated", {"unreadable-video", "no-frames"}),
        ("picture", {"unreadable-video", "not-a-video"}),
        ("audio", {"no-video-stream"}),
        ("short", {"too-short", "not-a-video"}),
    ],
)
def test_no_clip(served: ServedGateway, bad: dict[str, bytes], content: str, slugs: set[str]) -> None:
    before = served.everything()
    answer = served.http.post("/v1/jobs", files={"video": ("clip.mp4", bad[content], "video/mp4")})
    assert 400 <= answer.status_code < 500
    assert slug(answer) in slugs
    assert served.everything() == before


@pytest.mark.parametrize(
    ("request_", "status", "kind"),
    [
        ({"content": b"", "headers": {"Content-Type": "video/mp4"}}, 400, "empty-upload"),
        ({"files": {"video": ("a.mp4", b"", "video/mp4")}}, 400, "empty-upload"),
        ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported-media-type"),
        ({"content": b"x"}, 415, "unsupported-media-type"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "bad-request"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400, "bad-request"),
        ({"content": b"--b\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400, "bad-request"),
        ({"files": {"film": ("a.mp4", b"x", "video/mp4")}}, 400, "bad-request"),
        ({"files": [("video", b"x"), ("video", b"x")]}, 400, "bad-request"),
        ({"files": {"parameters": b"{}"}}, 400, "bad-request"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "bad-request"),
        ({"content": b" " * 70000, "headers": {"Content-Type": "application/json"}}, 400, "bad-request"),
        ({"json": {"parameters": {}}}, 422, "bad-parameters"),
        ({"json": {"recording": "rec_0", "tenant": "me"}}, 422, "bad-parameters"),
        ({"json": {"recording": "../../etc"}}, 404, "not-found"),
        ({"json": {"recording": "rec_00000000000000000000000000"}}, 404, "not-found"),
    ],
)
def test_no_request(served: ServedGateway, request_: dict[str, object], status: int, kind: str) -> None:
    before = served.everything()
    answer = served.http.post("/v1/jobs", **request_)  # type: ignore[arg-type]
    assert (answer.status_code, slug(answer)) == (status, kind), answer.text
    assert served.everything() == before


@pytest.mark.parametrize(
    ("given", "pointer", "said"),
    [
        ({"gian": 5}, "/gian", "did you mean 'gain'"),
        ({"gain": "much"}, "/gain", "number"),
        ({"gain": 1e9}, "/gain", "1000"),
        ({"band_low_hz": 3, "band_high_hz": 2}, "", "band_low_hz must be below band_high_hz"),
        ({"skin_point": [1]}, "/skin_point", ""),
    ],
)
def test_no_parameters(served: ServedGateway, clip: Path, given: dict[str, object], pointer: str, said: str) -> None:
    before = served.everything()
    answers = [
        served.submit(clip, **given),
        served.http.post(
            "/v1/jobs",
            content=clip.read_bytes(),
            headers={"Content-Type": "video/mp4"},
            params={"parameters": json.dumps(given)},
        ),
        served.again("rec_00000000000000000000000000", **given),
    ]
    for answer, prefix in zip(answers, ("", "", "/parameters"), strict=True):
        assert (answer.status_code, slug(answer)) == (422, "bad-parameters")
        errors = answer.json()["errors"]
        assert errors[0]["pointer"].startswith(prefix + pointer)
        assert said in errors[0]["detail"]
    assert served.everything() == before


def test_parameters_that_are_no_json(served: ServedGateway, clip: Path) -> None:
    for text in ("{", "[]", "5", '{"gain": NaN}'):
        with clip.open("rb") as file:
            answer = served.http.post("/v1/jobs", files={"video": file}, data={"parameters": text})
        assert (answer.status_code, slug(answer)) == (422, "bad-parameters"), text


def test_too_large_is_refused_while_it_arrives(another: Callable[..., ServedGateway], clip: Path) -> None:
    gateway = another(upload_bytes=10_000, stages=[])
    before = gateway.everything()
    content = b"x" * 1_000_000
    sent = 0

    def pieces() -> object:
        nonlocal sent
        for start in range(0, len(content), 1000):
            sent += 1000
            yield content[start : start + 1000]

    for body in (content, pieces()):
        try:
            answer = gateway.http.post("/v1/jobs", content=body, headers={"Content-Type": "video/mp4"})  # type: ignore[arg-type]
        except httpx.WriteError:
            continue  # it hung up on the rest of the body
        assert (answer.status_code, slug(answer)) == (413, "too-large")
    assert gateway.everything() == before
    answer = gateway.http.post("/v1/jobs", files={"video": content[:200_000]})
    assert (answer.status_code, slug(answer)) == (413, "too-large")
    assert gateway.everything() == before


def test_limits_are_settings(another: Callable[..., ServedGateway], clip: Path) -> None:
    small = another(max_pixels=96 * 79, stages=[])
    assert slug(small.submit(clip)) == "too-many-pixels"
    short = another(max_seconds=1.5, stages=[])
    assert slug(short.submit(clip)) == "too-long"


def test_an_upload_that_stops_is_given_up(another: Callable[..., ServedGateway], clip: Path) -> None:
    gateway = another(upload_idle_s=0.3, stages=[])
    before = gateway.everything()
    host, port = gateway.url.removeprefix("http://").split(":")
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: video/mp4\r\nContent-Length: 100000\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as stalled:
        stalled.sendall(head.encode() + b"x" * 500)
        assert b" 408 " in stalled.recv(4096).split(b"\r\n")[0]
    with socket.create_connection((host, int(port)), timeout=20) as broken:
        broken.sendall(head.encode() + b"x" * 500)
        until(lambda: len(gateway.everything()[2]) == 1)
    until(lambda: gateway.everything() == before)


def test_too_many_jobs(another: Callable[..., ServedGateway], control: Control, clip: Path) -> None:
    control.hold("split")  # other gateways work on the same broker
    gateway = another(max_active_jobs=1, stages=[], retry_after_s=7)
    # whatever other tests of this module left has ended
    until(lambda: not gateway.runtime.jobs.active())
    first = gateway.submit(clip)
    assert first.status_code == 202
    before = gateway.everything()
    answer = gateway.submit(clip)
    assert (answer.status_code, slug(answer)) == (429, "busy")
    assert answer.headers["Retry-After"] == "7"
    assert answer.json()["retryable"] is True
    assert gateway.everything() == before
    assert gateway.http.delete(first.headers["Location"]).status_code == 204
    again = gateway.submit(clip)
    assert again.status_code == 202
    gateway.http.delete(again.headers["Location"])


def test_a_store_that_is_full(served: ServedGateway, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))  # type: ignore[attr-defined]
    assert (slug(served.submit(clip))) == "storage-full"


def test_idempotency(served: ServedGateway, clip: Path) -> None:
    key = {"Idempotency-Key": "a key of mine".replace(" ", "-")}
    first = served.submit(clip, key, gain=40)
    assert first.status_code == 202
    assert "Idempotency-Replayed" not in first.headers
    before = served.everything()
    for _ in range(2):
        repeated = served.submit(clip, key, gain=40)
        assert repeated.status_code == 202
        assert repeated.json()["id"] == first.json()["id"]
        assert repeated.headers["Location"] == first.headers["Location"]
        assert repeated.headers["Idempotency-Replayed"] == "true"
    served.ended(first.json()["id"])
    assert served.everything()[1:] == before[1:]
    other = served.submit(clip, key, gain=41)
    assert (other.status_code, slug(other)) == (422, "idempotency-key-reused")
    assert slug(served.submit(clip, {"Idempotency-Key": "x" * 256})) == "bad-request"
    # a request that was refused may be tried again with its key
    refused = {"Idempotency-Key": "refused"}
    for _ in range(2):
        answer = served.http.post("/v1/jobs", files={"video": b"no clip"}, headers=refused)
        assert slug(answer) == "unreadable-video"
    assert served.submit(clip, refused, gain=42).status_code == 202
    # the job is deleted: its key does not bring it back
    served.http.delete(f"/v1/jobs/{first.json()['id']}")
    served.http.delete(f"/v1/recordings/{first.json()['recording']}")
    assert slug(served.submit(clip, key, gain=40)) == "expired"


def test_of_equal_requests_at_once_one_makes_the_job(served: ServedGateway, clip: Path) -> None:
    content = clip.read_bytes()

    async def race() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
            return await asyncio.gather(
                *(
                    http.post(
                        "/v1/jobs",
                        content=content,
                        headers={"Content-Type": "video/mp4", "Idempotency-Key": "raced"},
                    )
                    for _ in range(6)
                )
            )

    answers = asyncio.run(race())
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert slug(answer) == "still-running"
            assert int(answer.headers["Retry-After"]) > 0


def test_errors_of_routes_are_problems(served: ServedGateway) -> None:
    assert slug(served.http.get("/nowhere")) == "not-found"
    assert slug(served.http.get("/v1/jobs/nonsense")) == "not-found"
    assert slug(served.http.get("/v1/jobs/job_*")) == "not-found"
    wrong = served.http.put("/v1/jobs")
    assert (wrong.status_code, slug(wrong)) == (405, "method-not-allowed")
    assert "Allow" in wrong.headers
    answer = served.http.get("/v1/jobs", params={"limit": "many"})
    assert (answer.status_code, slug(answer)) == (422, "bad-parameters")
    assert answer.json()["errors"][0]["pointer"] == "/limit"
    for path in ("/nowhere", "/v1/jobs", "/v1/parameters"):
        headers = served.http.get(path, headers={"X-Request-ID": "mine-1"}).headers
        assert headers["X-Request-ID"] == "mine-1"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
    assert served.http.get("/v1/jobs", headers={"X-Request-ID": "no\tid"}).headers["X-Request-ID"] != "no\tid"
