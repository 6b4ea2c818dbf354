"""Live sessions of coded video over a real mesh: a recorder's pieces in, the rate out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gateway_kit import ServedGateway, settings_for
from live_pieces import picture_clip, pieces_of
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from gateway.live_media import MediaStream
from gateway.live_sessions import LiveSession, LiveSessions, Piece, Start
from media.fragments import Stream
from mesh.errors import BadRequest, Conflict, TooLarge
from mesh.live import HELD_BYTES, PIECE_BYTES
from mesh.telemetry import GatewayMetrics, Telemetry
from phantom import PhantomSettings, write
from ppg.live_answers import answer_live
from pulsemesh.broker import Broker
from segmenter.live_answers import answer_live_media

RATE = 84.0
ANSWERING: dict[str, Future[None]] = {}  # who decodes for a gateway
mesh = [pytest.mark.mesh, pytest.mark.timeout(180)]


def marked(test: Any) -> Any:
    """A test with a real broker."""
    for mark in mesh:
        test = mark(test)
    return test


@pytest.fixture(scope="module")
def gateway(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    """A gateway, and the parts of segmenter and ppg that answer it."""
    settings = settings_for(broker, tmp_path_factory.mktemp("live"), live_every_s=0.3, slots=1)
    with ServedGateway(settings, stages=[]) as served:
        reading = asyncio.run_coroutine_threadsafe(answer_live(served.runtime), served.loop)
        ANSWERING[served.url] = asyncio.run_coroutine_threadsafe(answer_live_media(served.runtime), served.loop)
        yield served
        reading.cancel()
        ANSWERING.pop(served.url).cancel()


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """12 s of pulsing skin, half a second a piece, a keyframe a second."""
    path = tmp_path_factory.mktemp("live") / "skin.mp4"
    write(PhantomSettings(seconds=12, width=160, height=120, heart_rate=RATE), path)
    return [data for _, data in pieces_of(path, bits_per_s=1_000_000)]


def opened(gateway: ServedGateway) -> ClientConnection:
    """A connection."""
    return connect(gateway.url.replace("http://", "ws://") + "/v1/live", open_timeout=30)


def heard(socket: ClientConnection, type: str) -> dict[str, Any]:
    """The next message of a type; readings between are passed over."""
    while True:
        message: dict[str, Any] = json.loads(socket.recv(timeout=30))
        if message["type"] == type:
            return message
        assert message["type"] == "update", message


def start(socket: ClientConnection, **more: Any) -> dict[str, Any]:
    """Begin a session of coded video."""
    socket.send(json.dumps({"type": "start", "media": True, **more}))
    return heard(socket, "session")


def send(socket: ClientConnection, number: int, data: bytes, **more: Any) -> None:
    """Send a piece."""
    socket.send(json.dumps({"type": "piece", "number": number, **more}))
    socket.send(data)


def update(socket: ClientConnection, seconds: float) -> dict[str, Any]:
    """The first reading of so many seconds."""
    while (found := heard(socket, "update"))["seconds"] < seconds:
        pass
    return found


def refused(socket: ClientConnection) -> tuple[dict[str, Any], int | None]:
    """The problem that the gateway closes with, and the code."""
    problem: dict[str, Any] = {}
    try:
        while True:
            message = json.loads(socket.recv(timeout=30))
            problem = message.get("problem", problem)
    except ConnectionClosed as closed:
        return problem, closed.rcvd.code if closed.rcvd is not None else None


@marked
def test_a_rate_after_ten_seconds_and_a_connection_that_drops(gateway: ServedGateway, pieces: list[bytes]) -> None:
    with opened(gateway) as socket:
        begun = start(socket)
        assert begun["pieces"] == 0
        for number in range(10):
            send(socket, number, pieces[number])
            assert heard(socket, "taken")["piece"] == number
        send(socket, 10, pieces[10])  # its answer is not waited for
    with opened(gateway) as socket:
        again = start(socket, session=begun["session"])
        assert again["resumed"]
        due = again["pieces"]
        assert due in (10, 11), "the last may have been on its way"
        for number in range(9, 21):  # one that came is sent again: no harm
            send(socket, number, pieces[number])
            taken = heard(socket, "taken")
        times = [frame.time for frame in Stream(b"".join(pieces[:21])).frames()]
        assert taken["t"] == pytest.approx(times[-1])
        assert taken["frames"] == len(times), "each once, none lost"
        found = update(socket, 9.5)
        assert found["state"] == "good"
        assert found["heart_rate"]["value"] == pytest.approx(RATE, abs=2)
        socket.send(json.dumps({"type": "end"}))
        assert refused(socket)[1] == 1000


@marked
def test_a_connection_that_is_gone_without_a_word_is_replaced(gateway: ServedGateway, pieces: list[bytes]) -> None:
    with opened(gateway) as silent:
        begun = start(silent)
        send(silent, 0, pieces[0] + pieces[1])
        assert heard(silent, "taken")["frames"] > 0
        with opened(gateway) as socket:
            again = start(socket, session=begun["session"])
            assert again["resumed"]
            assert again["pieces"] == 1
            assert refused(silent) == ({}, 4000)
            send(socket, 1, pieces[2])
            assert heard(socket, "taken")["piece"] == 1
            assert heard(socket, "update")["t"] is not None, "the first one's end has not ended it"


@marked
def test_files_one_after_the_other(gateway: ServedGateway, tmp_path: Path) -> None:
    """Each short file is a stream of its own; the first says nothing of when it began, the others do."""
    clip = tmp_path / "skin.mp4"
    write(PhantomSettings(seconds=2, width=96, height=72), clip)
    whole = b"".join(data for _, data in pieces_of(clip, container="mp4", codec="libx264"))
    with opened(gateway) as socket:
        start(socket)
        for number, began in enumerate((None, 2.0, 10.0)):
            send(socket, number, whole, **({} if began is None else {"start_s": began}))
            taken = heard(socket, "taken")
            assert taken["t"] == pytest.approx((began or 0.0) + 1.97, abs=0.05)
        assert taken["frames"] == 180
        send(socket, 3, whole)
        assert heard(socket, "taken")["t"] == pytest.approx(11.97 + 2.0, abs=0.05), "it follows where none is said"


@marked
def test_no_skin_is_no_failure(gateway: ServedGateway, tmp_path: Path) -> None:
    grass = picture_clip(tmp_path / "grass.mkv", np.full((30, 48, 64, 3), (30, 140, 40), np.uint8))
    with opened(gateway) as socket:
        start(socket)
        for number, (_, data) in enumerate(pieces_of(grass)):
            send(socket, number, data)
            taken = heard(socket, "taken")
        assert taken["frames"] == 30
        found = heard(socket, "update")
        assert found["state"] == "waiting"
        assert "no skin is seen" in found["heart_rate"]["reason"]


@marked
@pytest.mark.parametrize(
    ("change", "slug"),
    [
        (lambda data: data.replace(b"V_VP8", b"V_NO8"), "unsupported-codec"),
        (lambda data: data[400:], "unreadable-video"),
        (lambda data: b"RIFF" + data, "unreadable-video"),
        (lambda data: data + bytes(PIECE_BYTES), "too-large"),
    ],
)
def test_video_that_cannot_be_used_is_named(
    gateway: ServedGateway, pieces: list[bytes], change: Any, slug: str
) -> None:
    whole = b"".join(pieces[:3])
    with opened(gateway) as socket:
        start(socket)
        send(socket, 0, change(whole))
        problem, code = refused(socket)
    assert problem["type"].endswith(f"/{slug}")
    assert problem["hint"]
    assert code == 1008


@marked
@pytest.mark.parametrize(
    ("messages", "slug"),
    [
        ([b"no text before it"], "bad-request"),
        ([{"type": "piece", "number": 0}, {"type": "end"}], "bad-request"),
        ([{"type": "piece", "number": 3}, b"x"], "conflict"),
        ([{"type": "piece", "number": -1}], "bad-request"),
        ([{"type": "piece", "number": 0, "start_s": 1.0}, b"not a beginning"], "bad-request"),
        ([{"type": "frames", "t": [0], "rgb": [[None] * 16]}], "bad-request"),
    ],
)
def test_messages_that_are_wrong_are_named(gateway: ServedGateway, messages: list[Any], slug: str) -> None:
    with opened(gateway) as socket:
        start(socket)
        for message in messages:
            socket.send(message if isinstance(message, bytes) else json.dumps(message))
        problem, code = refused(socket)
    assert problem["type"].endswith(f"/{slug}")
    assert code == 1008


@marked
def test_colours_and_video_are_two_kinds_of_session(gateway: ServedGateway, pieces: list[bytes]) -> None:
    with opened(gateway) as socket:
        socket.send(json.dumps({"type": "start", "patches": 16}))
        begun = heard(socket, "session")
        send(socket, 0, pieces[0])
        assert "media" in refused(socket)[0]["detail"]
    with opened(gateway) as socket:
        assert not start(socket, session=begun["session"])["resumed"]


@marked
def test_who_decodes_may_go_and_come_back(gateway: ServedGateway, pieces: list[bytes]) -> None:
    """What came meanwhile is kept: all of its frames are seen later."""
    with opened(gateway) as socket:
        start(socket)
        send(socket, 0, pieces[0] + pieces[1])
        before = heard(socket, "taken")["frames"]
        away = ANSWERING.pop(gateway.url)
        away.cancel()
        send(socket, 1, pieces[2])
        assert heard(socket, "taken")["frames"] == before
        ANSWERING[gateway.url] = asyncio.run_coroutine_threadsafe(answer_live_media(gateway.runtime), gateway.loop)
        frames = before
        for number in range(2, 6):
            send(socket, number, pieces[number + 1])
            frames = heard(socket, "taken")["frames"]
        assert frames == len(list(Stream(b"".join(pieces[:7])).frames())) > before


@pytest.mark.unit
def test_what_is_kept_of_video_is_bounded() -> None:
    stream = MediaStream()
    stream.add(Piece(type="piece", number=0), b"\x1a\x45\xdf\xa3" + bytes(100))
    assert not stream.add(Piece(type="piece", number=0), b"again"), "it is there already"
    with pytest.raises(Conflict, match="piece 2 came where 1 is due"):
        stream.add(Piece(type="piece", number=2), b"x")
    with pytest.raises(TooLarge, match="at most"):
        stream.add(Piece(type="piece", number=1), bytes(PIECE_BYTES + 1))
    with pytest.raises(BadRequest, match="start_s"):
        stream.add(Piece(type="piece", number=1, start_s=3.0), b"x")
    assert stream.pieces == 1
    stream.add(Piece(type="piece", number=1), bytes(PIECE_BYTES))
    with pytest.raises(TooLarge, match="keyframe") as refusal:
        stream.add(Piece(type="piece", number=2), bytes(HELD_BYTES - PIECE_BYTES))
    assert "videoKeyFrameIntervalDuration" in str(refusal.value.hint)
    stream.add(Piece(type="piece", number=2), b"\0\0\0\x1cftypisom" + bytes(PIECE_BYTES - 100))  # a new beginning


@pytest.mark.unit
def test_readings_of_sessions_lie_apart() -> None:
    sessions = LiveSessions(16, 10.0, GatewayMetrics(Telemetry("gateway")))
    opened_ = [sessions.open("ann", Start(type="start"))[0] for _ in range(8)]
    phases = sorted(session.phase for session in opened_)
    assert phases == [k / 8 for k in range(8)]
    sessions.leave(opened_[3], ended=True)
    assert sessions.open("ann", Start(type="start"))[0].phase == opened_[3].phase, "the room that it left"


@pytest.mark.unit
@pytest.mark.parametrize("phase", [0.0, 0.3, 0.99])
def test_each_reading_is_due_once_in_its_time(phase: float) -> None:
    session = LiveSession("ann", 1, None, phase)
    now, every = 12345.678, 0.5
    due = session.due(now, every)
    assert now < due <= now + every
    assert (due / every - phase) == pytest.approx(round(due / every - phase), abs=1e-6)
    assert session.due(due + every / 2, every) == pytest.approx(due + every)
