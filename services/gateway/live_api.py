"""Live sessions over a WebSocket: colours of patches of skin come, or coded video; a reading goes out once a second.

The gateway computes nothing: it asks the segmenter for colours and the ppg service for readings, whichever instance
answers. Messages are JSON, but for pieces of video; see docs/api.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import time
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from gateway.auth import principal_of
from gateway.links_api import LIVE
from gateway.live_sessions import LONGEST_MESSAGE, End, Frames, LiveSession, Piece, Start, parse_frames, parse_message
from gateway.principals import Scope
from gateway.problems import failure_response
from gateway.state import Gateway, gateway_of
from mesh import requests
from mesh.contracts import Measurement
from mesh.errors import BadRequest, Failure
from mesh.live import KIND, LiveReading

log = logging.getLogger(__name__)

router = APIRouter()
START_S = 10.0  # for the first message
SILENCE_S = 30.0  # without a message the connection is given up; the session stays for its time
ANSWER_S = 3.0
POLICY, RESTART, LATER = 1008, 1012, 1013  # codes of RFC 6455 and its registry
REPLACED = 4000  # another connection has taken the session over; a code of ours


@router.websocket(LIVE)
async def live(socket: WebSocket) -> None:
    """One connection of a live session."""
    gateway = gateway_of(socket)
    principal = principal_of(socket)
    try:
        principal.require(Scope.LIVE)
    except Failure as failure:
        retry = gateway.settings.retry_after_s
        await socket.send_denial_response(failure_response(failure, LIVE, retry_after_s=retry))
        return
    await socket.accept()
    session: LiveSession | None = None
    replaced = asyncio.Event()
    ended = False
    try:
        async with asyncio.timeout(START_S):
            first = await _receive(socket)
        if not isinstance(first, Start):
            raise BadRequest("the first message is `start`")
        session, resumed = gateway.live.open(principal.tenant, first)
        replaced = session.replaced
        await _send(
            socket,
            type="session", session=session.id, resumed=resumed, keep_s=gateway.live.keep_s,
            every_s=gateway.settings.live_every_s, frames=session.taken, last_t=session.last_time_s,
            pieces=session.media.pieces if session.media is not None else None,
        )  # fmt: skip
        ended = await _converse(socket, gateway, session, replaced)
    except Failure as failure:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await _send(
                socket, type="problem", problem=failure.problem(LIVE).model_dump(mode="json", exclude_none=True)
            )
            await socket.close(LATER if failure.retryable else POLICY)
    except (WebSocketDisconnect, TimeoutError):
        pass
    finally:
        if session is not None and not replaced.is_set():
            gateway.live.leave(session, ended=ended)
        if socket.client_state is WebSocketState.CONNECTED and socket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                stopping = gateway.runtime.stopping.is_set()
                await socket.close(REPLACED if replaced.is_set() else RESTART if stopping else 1000)


async def _next(socket: WebSocket) -> str | bytes:
    """A message, text or binary. Raises WebSocketDisconnect."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005), message.get("reason"))
    text: str | None = message.get("text")
    return text if text is not None else bytes(message["bytes"])


async def _receive(socket: WebSocket) -> Start | Frames | Piece | End:
    text = await _next(socket)
    if isinstance(text, bytes):
        raise BadRequest("a binary message follows a `piece` that says what it is")
    if len(text) > LONGEST_MESSAGE:
        raise BadRequest(f"a message has at most {LONGEST_MESSAGE} characters")
    try:
        return parse_message(json.loads(text))
    except ValueError:
        raise BadRequest("a message is JSON") from None


async def _send(socket: WebSocket, **message: Any) -> None:
    await socket.send_text(json.dumps(message, allow_nan=False))


async def _converse(socket: WebSocket, gateway: Gateway, session: LiveSession, replaced: asyncio.Event) -> bool:
    """Take frames and send readings until one side has enough; whether the client ended the session."""
    listening = asyncio.create_task(_listen(socket, gateway, session))
    reading = asyncio.create_task(_read(socket, gateway, session))
    others = [asyncio.create_task(event.wait()) for event in (gateway.runtime.stopping, replaced)]
    try:
        await asyncio.wait({listening, reading, *others}, return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            reading.result()
        if listening.done():
            listening.result()
        return listening.done()
    finally:
        for task in (listening, reading, *others):
            task.cancel()
        await asyncio.gather(listening, reading, *others, return_exceptions=True)


async def _listen(socket: WebSocket, gateway: Gateway, session: LiveSession) -> None:
    while True:
        async with asyncio.timeout(SILENCE_S):
            message = await _receive(socket)
        if isinstance(message, Frames):
            if session.media is not None:
                raise BadRequest("this session takes pieces of video: `start` said `media`")
            session.add(message)
        elif isinstance(message, Piece):
            await _take_piece(socket, gateway, session, message)
        elif isinstance(message, End):
            return
        else:
            raise BadRequest("the session has begun already")


async def _take_piece(socket: WebSocket, gateway: Gateway, session: LiveSession, piece: Piece) -> None:
    """Take the video that follows. The next message is read when its colours are known: a fast client waits."""
    async with asyncio.timeout(SILENCE_S):
        data = await _next(socket)
    if not isinstance(data, bytes):
        raise BadRequest("after `piece` comes a binary message")
    media = session.media
    if media is None:
        raise BadRequest("this session takes colours: `start` did not say `media`")
    arrived = time.monotonic()
    if media.add(piece, data):
        times, colours = await media.colours(gateway.bus, session.last_time_s)
        if times:
            session.add(parse_frames(times, colours), arrived)
    await _send(socket, type="taken", piece=piece.number, frames=session.taken, t=session.last_time_s)


async def _read(socket: WebSocket, gateway: Gateway, session: LiveSession) -> None:
    every_s = gateway.settings.live_every_s
    due = -math.inf
    while True:
        # one that waited for its answer beyond the next second leaves that one out: the others have their turn
        due = session.due(max(time.monotonic(), due + every_s / 2), every_s)
        await asyncio.sleep(due - time.monotonic())
        asked = session.request()
        newest, arrived = session.last_time_s, session.arrived
        began = time.monotonic()
        found = await _reading(gateway, session, asked)
        took = time.monotonic() - began
        if asked is not None:
            gateway.metrics.live_seconds.observe(time.monotonic() - arrived)
        said = found.model_dump(mode="json", exclude_none=True)
        await _send(socket, type="update", t=newest, took_ms=round(1000 * took, 1), **said)


async def _reading(gateway: Gateway, session: LiveSession, asked: bytes | None) -> LiveReading:
    if asked is None:
        return _waiting("no frame has come yet")
    if session.media is not None and session.media.reason is not None:
        return _waiting(f"no skin is seen: {session.media.reason}")
    try:
        found = LiveReading.model_validate_json(await requests.ask(gateway.bus, KIND, asked, ANSWER_S))
    except Failure as failure:
        log.warning("a live session waits", extra={"failure": failure.slug})
        return _waiting("the measurement is not available just now; it goes on by itself")
    session.remember(found)
    return found


def _waiting(reason: str) -> LiveReading:
    return LiveReading(state="waiting", heart_rate=Measurement.refused("bpm", reason), seconds=0.0)
