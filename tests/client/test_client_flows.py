"""What the client does when things go wrong: without a network, and against a gateway that is one function."""

from __future__ import annotations

import hashlib
import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pulsemesh_client
from mesh.errors import Failure, TooShort, failure_classes
from pulsemesh_client import AsyncClient, Client, Damaged, Patience, Problem, Refused, Unreachable, WaitTimeout
from pulsemesh_client import errors as client_errors
from pulsemesh_client.effects import Call, Pause
from pulsemesh_client.flows import Flows
from pulsemesh_client.waves import parse_waves

pytestmark = pytest.mark.unit

JOB = {"id": "job_1", "recording": "rec_1", "state": "succeeded", "parameters": {}, "progress": []}
HASTY = Patience(away_s=0.0, busy_s=0.0, connect_tries=1)


def client_of(answer: Callable[[httpx.Request], httpx.Response], patience: Patience | None = None) -> Client:
    """A client of a gateway that is one function."""
    return Client("http://gateway", patience=patience, transport=httpx.MockTransport(answer))


def problem(failure: Failure, **headers: str) -> httpx.Response:
    """A failure as the gateway answers it."""
    return httpx.Response(failure.status, json=failure.problem().model_dump(exclude_none=True), headers=headers)


# --- errors


def test_every_problem_of_the_gateway_has_a_class_of_its_own() -> None:
    slugs = {cls.slug for cls in failure_classes()}
    assert slugs == client_errors.known_slugs()
    for cls in failure_classes():
        raised = client_errors.refusal(cls.status, cls("why").problem().model_dump(), "")
        assert type(raised) is not Refused
        assert raised.slug == cls.slug
        assert raised.retryable == cls.retryable
        assert isinstance(raised, client_errors.RecordingRefused) == cls.recording_at_fault


def test_a_refusal_is_typed_and_says_what_to_do() -> None:
    said = r"too short: 0\.2 s of 0\.5 s\. Record at least"
    client = client_of(lambda _: problem(TooShort("0.2 s of 0.5 s")))
    with client, pytest.raises(client_errors.TooShort, match=said) as found:
        client.job("job_1")
    assert found.value.status == 422
    assert found.value.problem is not None
    assert found.value.problem.hint


@pytest.mark.parametrize("content", [b"<html>Bad gateway</html>", b"[]", b"{}", b"\xff"])
def test_what_is_no_gateway(content: bytes) -> None:
    client = client_of(lambda _: httpx.Response(404, content=content))
    with client, pytest.raises(Refused, match="answered 404") as found:
        client.job("job_1")
    assert found.value.problem is None


def test_a_problem_in_one_line() -> None:
    errors = [{"pointer": "/parameters/gain", "detail": "at most 200"}, {"detail": "x"}]
    found = Problem("https://p/bad", "A title.", 422, "The detail", "A  hint.", errors=errors)
    assert str(found) == "A title.: The detail; parameters/gain: at most 200; x. A hint."
    assert str(Problem("t", "Same", 400, "Same")) == "Same"


# --- patience


def test_a_gateway_that_is_busy_is_asked_again() -> None:
    answers = [httpx.Response(503, headers={"Retry-After": "0"}), httpx.Response(200, json=JOB)]
    with client_of(lambda _: answers.pop(0)) as client:
        assert client.job("job_1").succeeded


def test_a_gateway_that_is_not_there() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with client_of(refuse, HASTY) as client, pytest.raises(Unreachable, match="cannot be reached"):
        client.job("job_1")


def test_a_job_that_does_not_end() -> None:
    running = JOB | {"state": "processing"}
    with client_of(lambda _: httpx.Response(200, json=running)) as client, pytest.raises(WaitTimeout):
        client.wait("job_1", timeout_s=0, every_s=0)


def test_a_flow_pauses_as_it_is_asked() -> None:
    flow = Flows(Patience()).request(Call("GET", "/"))
    assert isinstance(next(flow), Call)
    assert flow.send(httpx.Response(429, headers={"Retry-After": "7"})) == Pause(7.0)


# --- uploads


class Store:
    """The uploads of a gateway, and a network that breaks where it is told to.

    Attributes
    ----------
    cuts : list of int
        After how many bytes each PATCH breaks; unbroken when there are no more.
    lost : int
        How many answers of PATCH get lost after the bytes have arrived.
    """

    def __init__(self, cuts: list[int], lost: int = 0) -> None:
        self.content = bytearray()
        self.cuts, self.lost = cuts, lost
        self.posted: dict[str, Any] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.url.path == "/v1/uploads":
            self.length = int(request.headers["Upload-Length"])
            assert request.headers["Tus-Resumable"] == "1.0.0"
            return httpx.Response(201, headers={"Location": "/v1/uploads/rec_" + "0" * 26, "Upload-Offset": "0"})
        if request.method == "HEAD":
            return httpx.Response(200, headers={"Upload-Offset": str(len(self.content))})
        if request.method == "PATCH":
            body = request.read()
            if int(request.headers["Upload-Offset"]) != len(self.content):
                return httpx.Response(409, json={"title": "x", "type": "t/wrong-offset", "status": 409})
            assert int(request.headers["Content-Length"]) == len(body) == self.length - len(self.content)
            if self.cuts and self.cuts[0] < len(body):
                self.content += body[: self.cuts.pop(0)]
                raise httpx.WriteError("cut", request=request)
            self.content += body
            if self.lost:
                self.lost -= 1
                raise httpx.ReadError("lost", request=request)
            return httpx.Response(204, headers={"Upload-Offset": str(len(self.content))})
        self.posted = json.loads(request.read())
        assert request.headers["Idempotency-Key"]
        return httpx.Response(202, json=JOB)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(1, 600_000), cuts=st.lists(st.integers(0, 300_000), max_size=2), lost=st.integers(0, 1))
def test_uploads_go_on_where_they_broke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, cuts: list[int], lost: int
) -> None:
    monkeypatch.setattr("pulsemesh_client.client.time.sleep", lambda _: None)
    content = hashlib.shake_128(b"clip").digest(size)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(content)
    store = Store(cuts, lost)
    told: list[tuple[int, int]] = []
    with client_of(store) as client:
        job = client.submit(clip, {"gain": 3}, progress=lambda sent, whole: told.append((sent, whole)))
    assert bytes(store.content) == content
    assert job.id == "job_1"
    assert store.posted == {"recording": "rec_" + "0" * 26, "parameters": {"gain": 3}}
    assert told[-1] == (size, size)


def test_a_recording_is_not_sent_again() -> None:
    store = Store([])
    with client_of(store) as client:
        client.submit("rec_" + "1" * 26, {"gain": 3})
    assert store.posted["recording"] == "rec_" + "1" * 26
    assert not store.content


async def test_the_same_for_asyncio(tmp_path: Path) -> None:
    content = bytes(range(256)) * 3000
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(content)
    store = Store([1000, 0], 1)
    async with AsyncClient("http://gateway", transport=httpx.MockTransport(store)) as client:
        assert (await client.submit(clip)).id == "job_1"
    assert bytes(store.content) == content


# --- downloads


class Files:
    """A gateway that breaks downloads after some bytes."""

    def __init__(self, content: bytes, breaks: list[int], digest: str | None = None, ranges: bool = True) -> None:
        self.content, self.breaks, self.ranges = content, breaks, ranges
        self.etag = f'"{digest or hashlib.sha256(content).hexdigest()}"'
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        wanted = request.headers.get("Range", "bytes=0-")
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if self.ranges else 0
        if start:
            assert request.headers["If-Range"] == self.etag
        rest = self.content[start:]
        headers = {"ETag": self.etag, "Content-Length": str(len(rest))}
        return httpx.Response(206 if start else 200, headers=headers, stream=self._stream(request, rest))

    def _stream(self, request: httpx.Request, rest: bytes) -> httpx.SyncByteStream:
        breaks = self.breaks

        class Stream(httpx.SyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                if breaks and breaks[0] < len(rest):
                    yield rest[: breaks.pop(0)]
                    raise httpx.ReadError("broken", request=request)
                yield rest

        return Stream()


@pytest.mark.parametrize("ranges", [True, False])
def test_downloads_go_on_where_they_broke(monkeypatch: pytest.MonkeyPatch, ranges: bool) -> None:
    monkeypatch.setattr("pulsemesh_client.client.time.sleep", lambda _: None)
    content = hashlib.shake_128(b"file").digest(100_000)
    files = Files(content, [30_000, 1, 0], ranges=ranges)
    with client_of(files) as client:
        assert client.read("job_1", "a b.mp4") == content
    assert len(files.asked) == 4
    assert ("bytes=30001-" in files.asked) == ranges or not ranges


def test_what_is_not_what_its_digest_says() -> None:
    with client_of(Files(b"content", [], digest="0" * 64)) as client, pytest.raises(Damaged):
        client.read("job_1", "x")


def test_names_that_are_no_names(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/files"):
            names = ["../evil", "a/b", "", ".hidden", "good.csv"]
            listed = [{"name": name, "media_type": "x/y", "size": 1, "sha256": "0" * 64} for name in names]
            return httpx.Response(200, json={"files": listed})
        return httpx.Response(200, content=b"x")

    with client_of(answer) as client:
        assert [path.name for path in client.download_all("job_1", tmp_path / "out")] == ["good.csv"]


# --- the rest


def test_both_clients_have_the_same_methods() -> None:
    def methods(cls: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(found).parameters)
            for name, found in vars(cls).items()
            if not name.startswith("_") and callable(found)
        }

    assert methods(Client) == methods(AsyncClient)


def test_exported_names_are_there() -> None:
    assert all(hasattr(pulsemesh_client, name) for name in pulsemesh_client.__all__)
    assert sorted(pulsemesh_client.__all__) == pulsemesh_client.__all__


def test_waves() -> None:
    text = "person,time_s,R,pulse\n1,0.0,100,\n1,0.1,101,0.5\n2,0.0,90,0.25\n"
    waves = parse_waves(text)
    assert list(waves) == ["1", "2"]
    assert waves["1"].time_s.tolist() == [0.0, 0.1]
    assert waves["1"].pulse[1] == 0.5
    assert waves["1"].pulse[0] != waves["1"].pulse[0], "an empty field is NaN"
    assert waves["2"].channels["R"].tolist() == [90.0]
    for wrong in ("", "a,b\n", "person,time_s,pulse\n1,2\n"):
        with pytest.raises(ValueError, match=r"pulse\.csv"):
            parse_waves(wrong)


def test_the_client_alone_needs_httpx_only() -> None:
    code = (
        "import sys, pulsemesh_client\n"
        "heavy = {'mesh', 'numpy', 'pydantic', 'gateway', 'pulsemesh'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
