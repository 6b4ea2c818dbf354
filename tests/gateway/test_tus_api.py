"""Resumable uploads, through the real app on a real broker."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest
from gateway_kit import Control, ServedGateway, until

from mesh.names import upload_name

pytestmark = pytest.mark.mesh

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = TUS | {"Content-Type": "application/offset+octet-stream"}


def slug(answer: httpx.Response) -> str:
    """What kind of problem an answer is."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    return str(answer.json()["type"].rsplit("/", 1)[1])


def begin(gateway: ServedGateway, length: int, **more: str) -> str:
    """Address of a new upload."""
    answer = gateway.http.post("/v1/uploads", headers=TUS | {"Upload-Length": str(length)} | more)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Upload-Offset"] == "0"
    return str(answer.headers["Location"])


def send(gateway: ServedGateway, address: str, offset: int, content: bytes, **more: str) -> httpx.Response:
    """One PATCH."""
    return gateway.http.patch(address, headers=PIECE | {"Upload-Offset": str(offset)} | more, content=content)


def offset(gateway: ServedGateway, address: str) -> int:
    """What HEAD says."""
    answer = gateway.http.head(address, headers=TUS)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return int(answer.headers["Upload-Offset"])


def stored(gateway: ServedGateway, recording: str) -> bytes:
    """The clip as the mesh has it."""
    content: bytes = gateway.do(gateway.runtime.blobs.read(upload_name(recording)))
    return content


def padded(clip: Path, size: int) -> bytes:
    """The clip, made longer by a box that nobody reads."""
    return clip.read_bytes() + (size + 8).to_bytes(4, "big") + b"free" + random.Random(size).randbytes(size)


def test_what_is_spoken(served: ServedGateway) -> None:
    answer = served.http.options("/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Max-Size"] == str(2 << 30)
    assert "creation" in answer.headers["Tus-Extension"]


def test_pieces_become_a_recording_and_a_job(
    served: ServedGateway, another: Callable[..., ServedGateway], control: Control, clip: Path
) -> None:
    second = another(stages=[])
    content = padded(clip, 9_000_000)
    metadata = f"filetype {base64.b64encode(b'video/mp4').decode()}"
    address = begin(served, len(content), **{"Upload-Metadata": metadata})
    recording = address.rsplit("/", 1)[1]
    assert served.again(recording).json()["type"].endswith("/upload-incomplete")
    chance, done, turn = random.Random(1), 0, 0
    while done < len(content):
        gateway = (served, second)[turn % 2]  # any gateway continues
        turn += 1
        size = chance.randint(1, 5_000_000)
        answer = send(gateway, address, done, content[done : done + size])
        assert answer.status_code == 204, answer.text
        done = min(done + size, len(content))
        assert int(answer.headers["Upload-Offset"]) == done == offset(gateway, address)
        assert parsedate_to_datetime(answer.headers["Upload-Expires"]) > datetime.now(UTC)
    assert turn > 2
    head = served.http.head(address, headers=TUS)
    assert head.headers["Upload-Length"] == str(len(content))
    assert head.headers["Upload-Metadata"] == metadata
    assert stored(served, recording) == content
    assert not any("/piece/" in name for name in served.blobs(recording)), "pieces are not kept twice"
    view = served.http.get(f"/v1/recordings/{recording}").json()
    assert (view["size"], view["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    job = served.again(recording, gain=4)
    assert job.status_code == 202
    assert served.ended(job.json()["id"])["state"] == "succeeded"
    assert served.http.get(f"/v1/recordings/{recording}").json()["jobs"] == [job.json()["id"]]
    assert served.http.delete(address, headers=TUS).status_code == 409, "it has a job"
    assert not served.everything()[2]


def test_what_came_before_a_connection_broke_is_kept(served: ServedGateway, clip: Path) -> None:
    content = clip.read_bytes()
    address = begin(served, len(content))
    kept = len(content) // 3
    host, port = served.url.removeprefix("http://").split(":")
    received = served.app.state.gateway().metrics.upload_bytes._value
    before = received.get()
    with socket.create_connection((host, int(port))) as connection:
        head = (
            f"PATCH {address} HTTP/1.1\r\nHost: {host}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
            f"Content-Type: application/offset+octet-stream\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        connection.sendall(head.encode() + content[:kept])
        until(lambda: received.get() == before + kept)  # what the server has not read yet goes with the connection
    assert until(lambda: offset(served, address)) == kept
    assert send(served, address, kept, content[kept:]).status_code == 204
    assert stored(served, address.rsplit("/", 1)[1]) == content


def test_a_body_on_creation_is_the_first_piece(served: ServedGateway, clip: Path) -> None:
    content = clip.read_bytes()
    answer = served.http.post("/v1/uploads", headers=PIECE | {"Upload-Length": str(len(content))}, content=content)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Upload-Offset"] == str(len(content))
    assert stored(served, answer.headers["Location"].rsplit("/", 1)[1]) == content


def test_of_two_that_continue_the_same_place_one_wins(served: ServedGateway, clip: Path) -> None:
    content = clip.read_bytes()
    address = begin(served, len(content))
    incoming = served.app.state.gateway().incoming
    upload = served.do(incoming.find(address.rsplit("/", 1)[1]))

    async def body(piece: bytes) -> AsyncIterator[bytes]:
        yield piece

    async def both() -> list[object]:
        return await asyncio.gather(
            *(incoming.append(upload, 0, body(bytes([n]) * 100)) for n in (1, 2)), return_exceptions=True
        )

    results = served.do(both())
    assert sorted(type(found).__name__ for found in results) == ["WrongOffset", "int"]
    assert offset(served, address) == 100


def test_refusals(served: ServedGateway, clip: Path) -> None:
    before = served.everything()
    post = served.http.post
    assert slug(post("/v1/uploads", headers={"Upload-Length": "5"})) == "tus-version"
    assert post("/v1/uploads", headers={"Upload-Length": "5"}).status_code == 412
    assert slug(post("/v1/uploads", headers=TUS)) == "bad-request"
    assert slug(post("/v1/uploads", headers=TUS | {"Upload-Length": str(3 << 30)})) == "too-large"
    typed = TUS | {"Upload-Length": "5", "Content-Type": "video/mp4"}
    assert slug(post("/v1/uploads", headers=typed, content=b"xxxxx")) == "unsupported-media-type"
    assert slug(post("/v1/uploads", headers=TUS | {"Upload-Length": "5", "Upload-Metadata": "a ###"})) == "bad-request"
    assert served.everything() == before
    address = begin(served, 10)
    assert slug(send(served, address, 5, b"12345")) == "wrong-offset"
    assert slug(send(served, address, 0, b"12345678901")) == "bad-request"
    assert offset(served, address) == 0
    assert slug(served.http.patch(address, headers=TUS | {"Upload-Offset": "0"}, content=b"1")) == (
        "unsupported-media-type"
    )
    assert slug(served.http.patch(address, headers=PIECE, content=b"1")) == "bad-request"
    assert slug(send(served, address.replace(address[-4:], "zzzz"), 0, b"1")) == "not-found"
    assert slug(served.http.patch("/v1/uploads/x", headers=PIECE | {"Upload-Offset": "0"})) == "not-found"


def test_a_checksum_is_all_or_nothing(served: ServedGateway, clip: Path) -> None:
    content = clip.read_bytes()
    address = begin(served, len(content))
    wrong = base64.b64encode(hashlib.sha1(b"other").digest()).decode()
    answer = send(served, address, 0, content[:1000], **{"Upload-Checksum": f"sha1 {wrong}"})
    assert answer.status_code == 460
    assert slug(answer) == "checksum-mismatch"
    assert offset(served, address) == 0
    right = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert send(served, address, 0, content, **{"Upload-Checksum": f"sha256 {right}"}).status_code == 204
    assert stored(served, address.rsplit("/", 1)[1]) == content


def test_a_clip_of_no_use_is_refused_with_its_last_piece(served: ServedGateway) -> None:
    address = begin(served, 2000)
    assert send(served, address, 0, b"a" * 1000).status_code == 204
    assert slug(send(served, address, 1000, b"a" * 1000)) == "unreadable-video"
    assert served.http.head(address, headers=TUS).status_code == 404
    assert not served.blobs(address.rsplit("/", 1)[1])


def test_giving_up(served: ServedGateway, clip: Path) -> None:
    content = clip.read_bytes()
    address = begin(served, len(content))
    send(served, address, 0, content[:100])
    assert served.http.delete(address, headers=TUS).status_code == 204
    assert not served.blobs(address.rsplit("/", 1)[1])
    assert served.http.head(address, headers=TUS).status_code == 404
    assert send(served, address, 100, content[100:]).status_code == 404


def test_methods_in_a_header(served: ServedGateway, clip: Path) -> None:
    content = clip.read_bytes()
    address = begin(served, len(content))
    patch = {"X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0"}
    assert served.http.post(address, headers=PIECE | patch, content=content[:50]).status_code == 204
    assert offset(served, address) == 50
    assert served.http.post(address, headers=TUS).status_code == 405
    assert served.http.post(address, headers=TUS | {"X-HTTP-Method-Override": "DELETE"}).status_code == 204
    assert served.http.head(address, headers=TUS).status_code == 404


def test_an_upload_expires_after_its_last_piece(served: ServedGateway, clip: Path) -> None:
    content = clip.read_bytes()
    address = begin(served, len(content))
    send(served, address, 0, content[:100])
    retention = served.app.state.gateway().retention
    served.do(retention.sweep_orphans(datetime.now(UTC) + timedelta(minutes=59)))
    assert offset(served, address) == 100
    served.do(retention.sweep_orphans(datetime.now(UTC) + timedelta(minutes=61)))
    assert served.http.head(address, headers=TUS).status_code == 404


def test_a_gateway_that_died_over_the_last_piece(served: ServedGateway, control: Control, clip: Path) -> None:
    content = clip.read_bytes()
    address = begin(served, len(content))
    recording = address.rsplit("/", 1)[1]
    incoming = served.app.state.gateway().incoming
    upload = served.do(incoming.find(recording))

    async def body() -> AsyncIterator[bytes]:
        yield content

    served.do(incoming.append(upload, 0, body()))  # and then it dies
    assert offset(served, address) == len(content), "the client takes it for done"
    job = served.again(recording)
    assert job.status_code == 202, job.text
    assert stored(served, recording) == content
