"""Live sessions: the last seconds of colours of each, kept by the gateway that the client is connected to.

Bounded: `mesh.live.WINDOW_S` of frames, `MOST_FRAMES`, `MOST_PATCHES`, `HELD_BYTES` of video; sessions by a setting.
A session outlives a
dropped connection for a while; its name, which cannot be guessed, is what the client takes it up again with.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.live_media import MediaStream
from media.array_blob import pack
from mesh.errors import BadRequest, Busy
from mesh.live import MEDIA_PATCHES, MOST_FRAMES, MOST_PATCHES, WINDOW_S, LiveReading
from mesh.names import new_id
from mesh.telemetry import GatewayMetrics

RECENT = 5  # rates that tell whether the next is steady
LONGEST_MESSAGE = 256 << 10  # bytes: some 1000 frames of 16 patches
_STEP_S = WINDOW_S / MOST_FRAMES  # frames that come closer than this are passed over

Colour = Annotated[float, Field(ge=0, le=255, allow_inf_nan=False)]
Time = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Coordinate = Annotated[float, Field(ge=0, le=1e5, allow_inf_nan=False)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Start(_Message):
    """First message: a new session, or the name of one that is taken up again."""

    type: Literal["start"]
    patches: int = Field(default=1, ge=1, le=MOST_PATCHES)
    session: str | None = Field(default=None, max_length=60)
    media: bool = False  # coded video comes, not colours
    skin_point: tuple[Coordinate, Coordinate] | None = None  # of a spot of skin in that video, px


class Frames(_Message):
    """Some frames: their times in seconds, and the mean R, G, B (0-255) of each patch, null where it is no skin."""

    type: Literal["frames"]
    t: list[Time] = Field(min_length=1, max_length=MOST_FRAMES)
    rgb: list[list[tuple[Colour, Colour, Colour] | None]] = Field(min_length=1, max_length=MOST_FRAMES)


class Piece(_Message):
    """What the next message, which is binary, holds: a piece of coded video."""

    type: Literal["piece"]
    number: int = Field(ge=0, le=1 << 40)  # from 0, in the order of the stream
    start_s: Time | None = None  # of a piece that begins a stream of its own: the time of its first frame


class End(_Message):
    """Last message: nothing is kept."""

    type: Literal["end"]


Incoming = Start | Frames | Piece | End
_BY_TYPE: dict[str, type[Start] | type[Frames] | type[Piece] | type[End]] = {
    "start": Start, "frames": Frames, "piece": Piece, "end": End,
}  # fmt: skip


def parse_message(data: Any) -> Incoming:
    """A message of a client from its JSON. Raises BadRequest, which says what is wrong with it."""
    kind = data.get("type") if isinstance(data, dict) else None
    model = _BY_TYPE.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise BadRequest("a message is an object whose `type` is `start`, `frames`, `piece` or `end`")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        raise BadRequest(f"{'/'.join(map(str, found['loc']))}: {found['msg']}") from None


def parse_frames(times: list[float], colours: Sequence[Sequence[tuple[float, ...] | None]]) -> Frames:
    """Frames that the segmenter saw. Raises BadRequest where a time or colour is none."""
    try:
        return Frames.model_validate({"type": "frames", "t": times, "rgb": colours})
    except ValidationError:
        raise BadRequest("the times of this video cannot be: `start_s` or the stream's clock is wrong") from None


class LiveSession:
    """The last seconds of one session.

    Attributes
    ----------
    id, tenant : str
    patches : int
    connected : bool
        Whether a client is there.
    last_seen : float
        When one was there last, by the monotonic clock.
    arrived : float
        When the newest frame came, by the monotonic clock.
    phase : float
        Where between two of its readings the other sessions leave room, 0-1.
    media : MediaStream or None
        Where coded video comes.
    replaced : Event
        Of the connection that it has now: set when another takes its place.
    """

    def __init__(self, tenant: str, patches: int, media: MediaStream | None = None, phase: float = 0.0) -> None:
        self.id, self.tenant, self.patches, self.media, self.phase = new_id("live"), tenant, patches, media, phase
        self.connected, self.last_seen, self.arrived = True, time.monotonic(), 0.0
        self.replaced = asyncio.Event()
        self._frames: deque[tuple[float, np.ndarray[Any, np.dtype[np.float32]]]] = deque(maxlen=MOST_FRAMES)
        self._recent: deque[float] = deque(maxlen=RECENT)
        self.taken = 0  # frames so far

    def due(self, now_s: float, every_s: float) -> float:
        """When its next reading is due, by the clock of `now_s`: each session has its own place in the second."""
        return every_s * (math.floor(now_s / every_s - self.phase) + 1 + self.phase)

    @property
    def last_time_s(self) -> float | None:
        """Time of the newest frame."""
        return self._frames[-1][0] if self._frames else None

    def add(self, frames: Frames, arrived: float | None = None) -> None:
        """Take frames in; those that are older than the newest, or come too close, are passed over.

        Parameters
        ----------
        frames : Frames
        arrived : float, optional
            When they came, by the monotonic clock; now if not given.

        Raises
        ------
        BadRequest
            If times and colours do not belong together.
        """
        if len(frames.t) != len(frames.rgb) or any(len(row) != self.patches for row in frames.rgb):
            raise BadRequest(f"`rgb` has {self.patches} patches for each time of `t`")
        nothing = (math.nan,) * 3
        for when, row in zip(frames.t, frames.rgb, strict=True):
            newest = self.last_time_s
            if newest is not None and when - newest < 0.9 * _STEP_S:
                continue
            self._frames.append((when, np.array([colour or nothing for colour in row], np.float32)))
            self.taken += 1
        newest = self.last_time_s
        while self._frames and newest is not None and newest - self._frames[0][0] > WINDOW_S:
            self._frames.popleft()
        self.arrived = time.monotonic() if arrived is None else arrived

    def request(self) -> bytes | None:
        """What the ppg service needs for a reading; None where there is nothing."""
        if not self._frames:
            return None
        arrays = {
            "time_s": np.array([when for when, _ in self._frames], np.float64),
            "patches": np.stack([colours for _, colours in self._frames]),
        }
        return pack(arrays, {"recent_bpm": list(self._recent)})

    def remember(self, reading: LiveReading) -> None:
        """Keep the rate of a reading, so that the next one can tell whether it is steady."""
        if reading.heart_rate.value is not None:
            self._recent.append(reading.heart_rate.value)
        elif reading.state in ("waiting", "short"):
            self._recent.clear()


class LiveSessions:
    """All sessions of a gateway.

    Parameters
    ----------
    most : int
        Sessions at once.
    keep_s : float
        How long one outlives its connection.
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self, most: int, keep_s: float, metrics: GatewayMetrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self.keep_s, self._metrics, self._clock = most, keep_s, metrics, clock
        self._sessions: dict[str, LiveSession] = {}

    def _forget_old(self) -> None:
        now = self._clock()
        for session in list(self._sessions.values()):
            if not session.connected and now - session.last_seen > self.keep_s:
                del self._sessions[session.id]
        self._metrics.live_sessions.set(len(self._sessions))

    def open(self, tenant: str, start: Start) -> tuple[LiveSession, bool]:
        """The session of a first message, and whether it is one that is taken up again.

        A session that is not kept any more, or not by this gateway, begins anew: the client only waits a little.
        Who names one that still seems connected takes it over: a network that went away closes no connection.

        Raises
        ------
        Busy
            If there are as many as are allowed.
        """
        self._forget_old()
        found = self._sessions.get(start.session) if start.session is not None else None
        patches = MEDIA_PATCHES if start.media else start.patches
        same = found is not None and found.tenant == tenant and found.patches == patches
        if found is not None and same and (found.media is not None) == start.media:
            found.replaced.set()
            found.connected, found.replaced = True, asyncio.Event()
            return found, True
        if len(self._sessions) >= self._most:
            raise Busy(f"{self._most} live sessions are open")
        media = MediaStream(start.skin_point) if start.media else None
        phase = _widest_gap([session.phase for session in self._sessions.values()])
        session = LiveSession(tenant, patches, media, phase)
        self._sessions[session.id] = session
        self._metrics.live_sessions.set(len(self._sessions))
        return session, False

    def leave(self, session: LiveSession, *, ended: bool) -> None:
        """Its connection is gone: keep the session for a while, or drop it if the client has `ended` it."""
        session.connected, session.last_seen = False, self._clock()
        if ended:
            self._sessions.pop(session.id, None)
        self._forget_old()


def _widest_gap(phases: list[float]) -> float:
    """The middle of the widest gap between phases on a circle of length 1; 0 where there are none."""
    if not phases:
        return 0.0
    taken = sorted(phases)
    gap, start = max(
        (after - before, before) for before, after in zip(taken, [*taken[1:], taken[0] + 1.0], strict=True)
    )
    return (start + gap / 2) % 1.0
