"""Live sessions: what is kept of them, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.live_sessions import End, Frames, LiveSession, LiveSessions, Start, parse_message
from media.array_blob import unpack
from mesh.contracts import Measurement
from mesh.errors import BadRequest, Busy
from mesh.live import MOST_FRAMES, WINDOW_S, LiveReading
from mesh.telemetry import GatewayMetrics, Telemetry

pytestmark = pytest.mark.unit

GREY = (100.0, 90.0, 80.0)


def frames(*times: float, patches: int = 1) -> Frames:
    """Frames of one colour."""
    return Frames(type="frames", t=list(times), rgb=[[GREY] * patches for _ in times])


def reading(value: float | None, state: str = "good") -> LiveReading:
    """A reading with a rate, or refused."""
    rate = Measurement.refused("bpm", "why") if value is None else Measurement(value=value, unit="bpm", status="ok")
    return LiveReading.model_validate({"state": state, "heart_rate": rate, "seconds": 10.0})


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=200))
def test_memory_is_bounded_and_times_increase(steps: list[float]) -> None:
    session = LiveSession("ann", 2)
    for when in np.cumsum(steps):
        session.add(frames(float(when), patches=2))
    request = session.request()
    assert request is not None
    arrays, header = unpack(request)
    times = arrays["time_s"]
    assert (np.diff(times) > 0).all()
    assert times[-1] - times[0] <= WINDOW_S
    assert arrays["patches"].shape == (len(times), 2, 3)
    assert header == {"recent_bpm": []}


def test_no_more_frames_than_are_of_use() -> None:
    session = LiveSession("ann", 16)
    for second in range(30):
        session.add(frames(*(second + k / 240 for k in range(240)), patches=16))
    request = session.request()
    assert request is not None
    assert len(unpack(request)[0]["time_s"]) <= MOST_FRAMES
    assert len(request) < 1 << 20, "one message of the broker"


def test_what_is_no_skin_is_nan() -> None:
    session = LiveSession("ann", 2)
    session.add(Frames(type="frames", t=[0.0], rgb=[[None, GREY]]))
    request = session.request()
    assert request is not None
    patches = unpack(request)[0]["patches"]
    assert np.isnan(patches[0, 0]).all()
    assert patches[0, 1].tolist() == list(GREY)


def test_rates_are_remembered_until_the_skin_is_gone() -> None:
    session = LiveSession("ann", 1)
    session.add(frames(0.0))
    for value in (70.0, 71.0, 72.0, 73.0, 74.0, 75.0):
        session.remember(reading(value))
    session.remember(reading(None, "bad"))
    request = session.request()
    assert request is not None
    assert unpack(request)[1]["recent_bpm"] == [71.0, 72.0, 73.0, 74.0, 75.0]
    session.remember(reading(None, "waiting"))
    request = session.request()
    assert request is not None
    assert unpack(request)[1]["recent_bpm"] == []


def test_messages() -> None:
    assert parse_message({"type": "start", "patches": 4}) == Start(type="start", patches=4)
    assert parse_message({"type": "end"}) == End(type="end")
    assert isinstance(parse_message({"type": "frames", "t": [0.1], "rgb": [[[1, 2, 3]]]}), Frames)
    for wrong in (
        None, [], {}, {"type": "x"}, {"type": ["start"]}, {"type": "start", "patches": 17},
        {"type": "start", "more": 1}, {"type": "frames", "t": [], "rgb": []},
        {"type": "frames", "t": [0], "rgb": [[[1, 2]]]}, {"type": "frames", "t": [0], "rgb": [[[1, 2, 256]]]},
        {"type": "frames", "t": [-1], "rgb": [[[1, 2, 3]]]},
        json.loads('{"type": "frames", "t": [NaN], "rgb": [[null]]}'),
        {"type": "frames", "t": [0.0] * 2000, "rgb": [[None]] * 2000},
    ):  # fmt: skip
        with pytest.raises(BadRequest):
            parse_message(wrong)


def test_colours_that_do_not_belong_to_their_times() -> None:
    session = LiveSession("ann", 2)
    for wrong in (frames(0.0, patches=1), Frames(type="frames", t=[0.0, 1.0], rgb=[[GREY, GREY]])):
        with pytest.raises(BadRequest):
            session.add(wrong)


def test_sessions_outlive_a_connection_for_a_while() -> None:
    now = [100.0]
    sessions = LiveSessions(2, 10.0, GatewayMetrics(Telemetry("gateway")), clock=lambda: now[0])
    first, resumed = sessions.open("ann", Start(type="start", patches=1))
    assert not resumed
    again = Start(type="start", patches=1, session=first.id)
    dead = first.replaced
    assert sessions.open("ann", again) == (first, True), "its connection may be gone without a word: it is taken over"
    assert dead.is_set()
    assert not first.replaced.is_set()
    assert sessions.open("bob", again)[0] is not first, "not by another tenant"
    sessions = LiveSessions(2, 10.0, GatewayMetrics(Telemetry("gateway")), clock=lambda: now[0])
    first, _ = sessions.open("ann", Start(type="start", patches=1))
    again = Start(type="start", patches=1, session=first.id)
    sessions.leave(first, ended=False)
    now[0] += 9.0
    assert sessions.open("ann", again) == (first, True)
    sessions.leave(first, ended=False)
    # a name is good for who has it: another tenant, other patches, or after its time, and it is a new session
    other, resumed = sessions.open("bob", again)
    assert not resumed
    assert other.id != first.id
    with pytest.raises(Busy):
        sessions.open("cid", Start(type="start"))
    now[0] += 11.0
    late, resumed = sessions.open("ann", again)
    assert not resumed
    sessions.leave(late, ended=True)
    assert sessions.open("ann", Start(type="start", session=late.id))[1] is False
