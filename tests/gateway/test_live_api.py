"""Live sessions over a real mesh: a WebSocket, the gateway, the broker and the ppg service."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from gateway_kit import ServedGateway, settings_for
from live import PATCHES, colours
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from ppg.live_answers import answer_live
from pulsemesh.broker import Broker

pytestmark = [pytest.mark.mesh, pytest.mark.timeout(180)]

RATE = 72.0
TOKEN = "a-token-of-everything"


@pytest.fixture(scope="module")
def gateway(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    """A gateway with tokens, readings three times a second, and the part of the ppg service that answers them."""
    path = tmp_path_factory.mktemp("tokens") / "tokens.json"
    entries = [
        {"sha256": hashlib.sha256(token.encode()).hexdigest(), "tenant": tenant, "scopes": scopes}
        for token, tenant, scopes in [
            (TOKEN, "ann", ["read", "live"]), ("reads", "ann", ["read"]), ("other", "bob", ["read", "live"]),
        ]
    ]  # fmt: skip
    path.write_text(json.dumps(entries))
    more = {"api_tokens_file": path, "live_every_s": 0.3, "live_sessions": 12, "slots": 1}
    with ServedGateway(settings_for(broker, tmp_path_factory.mktemp("live"), **more), stages=[]) as served:
        answering = asyncio.run_coroutine_threadsafe(answer_live(served.runtime), served.loop)
        yield served
        answering.cancel()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and colours of a synthetic recording."""
    return colours(tmp_path_factory.mktemp("live"), 14, RATE, 1)


def opened(gateway: ServedGateway, token: str | None = TOKEN, path: str = "/v1/live") -> ClientConnection:
    """A connection."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return connect(gateway.url.replace("http://", "ws://") + path, additional_headers=headers, open_timeout=30)


def heard(socket: ClientConnection, type: str) -> dict[str, Any]:
    """The next message of a type."""
    while True:
        message: dict[str, Any] = json.loads(socket.recv(timeout=30))
        if message["type"] == type:
            return message
        assert message["type"] != "problem", message


def start(socket: ClientConnection, **more: Any) -> dict[str, Any]:
    """Begin a session."""
    socket.send(json.dumps({"type": "start", "patches": PATCHES, **more}))
    return heard(socket, "session")


def send(socket: ClientConnection, time_s: NDArray[np.float64], patches: NDArray[np.float64]) -> None:
    """Send frames, 100 a message."""
    for first in range(0, len(time_s), 100):
        part = slice(first, first + 100)
        socket.send(json.dumps({"type": "frames", "t": time_s[part].tolist(), "rgb": patches[part].tolist()}))


def last_update(socket: ClientConnection, seconds: float) -> dict[str, Any]:
    """The first update that looked at so many seconds."""
    while True:
        update = heard(socket, "update")
        if update["seconds"] >= seconds:
            return update


def until_closed(socket: ClientConnection) -> tuple[list[dict[str, Any]], int | None]:
    """All messages until the gateway closes the connection, and its code."""
    messages = []
    try:
        while True:
            messages.append(json.loads(socket.recv(timeout=30)))
    except ConnectionClosed as closed:
        return messages, closed.rcvd.code if closed.rcvd is not None else None


def test_a_rate_after_ten_seconds_and_a_connection_that_drops(gateway: ServedGateway, recording: Any) -> None:
    time_s, patches = recording
    ten = time_s <= 10.05
    with opened(gateway) as socket:
        begun = start(socket)
        assert not begun["resumed"]
        assert heard(socket, "update")["state"] == "waiting"
        send(socket, time_s[time_s < 3], patches[time_s < 3])
        assert last_update(socket, 2.5)["state"] == "short"
        rest = ten & (time_s >= 3)
        send(socket, time_s[rest], patches[rest])
        update = last_update(socket, 9.5)
        assert update["state"] == "good"
        assert update["heart_rate"]["value"] == pytest.approx(RATE, abs=2)
        assert len(update["wave"]) == len(update["wave_time_s"]) > 100
        assert update["t"] == pytest.approx(time_s[ten][-1])
    # the connection is gone; the session is not
    with opened(gateway) as socket:
        again = start(socket, session=begun["session"])
        assert again["resumed"]
        assert again["session"] == begun["session"]
        assert again["last_t"] == pytest.approx(time_s[ten][-1])
        send(socket, time_s[~ten], patches[~ten])
        update = last_update(socket, 13.0)
        assert update["heart_rate"]["value"] == pytest.approx(RATE, abs=2)
        socket.send(json.dumps({"type": "end"}))
        assert until_closed(socket)[1] == 1000
    with opened(gateway) as socket:
        assert not start(socket, session=begun["session"])["resumed"], "it was ended"


def test_a_session_belongs_to_its_tenant(gateway: ServedGateway, recording: Any) -> None:
    time_s, patches = recording
    with opened(gateway) as socket:
        begun = start(socket)
        send(socket, time_s[:30], patches[:30])
        last_update(socket, 0.5)
    with opened(gateway, "other") as socket:
        stolen = start(socket, session=begun["session"])
        assert not stolen["resumed"]
        assert stolen["session"] != begun["session"]
        assert stolen["last_t"] is None


def test_who_may(gateway: ServedGateway) -> None:
    for token, status in ((None, 401), ("wrong", 401), ("reads", 403)):
        with pytest.raises(InvalidStatus) as refused:
            opened(gateway, token)
        assert refused.value.response.status_code == status
    headers = {"Authorization": f"Bearer {TOKEN}"}
    link = httpx.post(f"{gateway.url}/v1/links", json={"path": "/v1/live"}, headers=headers).json()["href"]
    with opened(gateway, None, link) as socket:  # as a browser connects, which cannot send a header
        assert start(socket)["session"]
    answer = httpx.post(f"{gateway.url}/v1/links", json={"path": "/v1/live"}, headers={"Authorization": "Bearer reads"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "messages",
    [
        ["no JSON"],
        ['{"type": "frames", "t": [0], "rgb": [[null]]}'],
        ['{"type": "start", "patches": 99}'],
        ['{"type": "start"}', '{"type": "start"}'],
        ['{"type": "start"}', '{"type": "frames", "t": [0, 1], "rgb": [[null]]}'],
        ['{"type": "start"}', '{"type": "frames", "t": [0], "rgb": [[[1, 2, 300]]]}'],
        ['{"type": "start"}', "x" * (300 << 10)],
    ],
)
def test_messages_that_are_wrong_are_named(gateway: ServedGateway, messages: list[str]) -> None:
    with opened(gateway) as socket:
        for message in messages:
            socket.send(message)
        said, code = until_closed(socket)
    assert said[-1]["problem"]["type"].endswith("/bad-request")
    assert code == 1008


def test_no_more_sessions_than_allowed(gateway: ServedGateway) -> None:
    with contextlib.ExitStack() as stack:
        # one more than allowed, however many are kept from before
        sockets = [stack.enter_context(opened(gateway)) for _ in range(13)]
        for socket in sockets:
            socket.send(json.dumps({"type": "start"}))
        first = [json.loads(socket.recv(timeout=30)) for socket in sockets]
    busy = next(message for message in first if message["type"] == "problem")
    assert busy["problem"]["type"].endswith("/busy")
