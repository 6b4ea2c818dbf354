"""A small recording with a known pulse, as the magnifier meets it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from media.pulse_blob import PersonWaves, Pulse
from mesh.contracts import Chunk, Grid, Measurement, Person, Plan, RatePoint, Recording, Signal
from phantom import PhantomSettings, RenderedFrame, Truth, render, truth_of


@dataclass
class Scene:
    """Frames, masks and pulse that belong together."""

    plan: Plan
    pulse: Pulse
    frames: list[RenderedFrame]
    labels: list[NDArray[np.uint8]]
    truth: Truth


def make_plan(settings: PhantomSettings, **recording: Any) -> Plan:
    count = round(settings.seconds * settings.fps)
    facts: dict[str, Any] = {
        "duration_s": settings.seconds,
        "frames": count,
        "width": settings.width,
        "height": settings.height,
        "fps": settings.fps,
        "variable_rate": False,
        "codec": "h264",
        "container": "mp4",
        "pixel_format": "yuv420p",
    }
    return Plan(
        recording=Recording(**facts | recording),
        time_base=(1, 90000),
        pts=[round(i * 90000 / settings.fps) for i in range(count)],
        chunks=[Chunk(index=0, first=0, frames=count, t0=0, t1=settings.seconds)],
        grid=Grid(origin_s=0, rate_hz=settings.fps, samples=count),
    )


def make_person(rate: float | None, times: list[float], reason: str = "too little light") -> Person:
    def measured(value: float | None) -> Measurement:
        if value is None:
            return Measurement.refused("bpm", reason)
        return Measurement(value=value, unit="bpm", low=value - 2, high=value + 3, confidence=0.9, status="ok")

    return Person(
        id="1",
        measurements={"heart_rate": measured(rate)},
        heart_rate_over_time=[RatePoint(time_s=t, heart_rate=measured(rate)) for t in times],
        signal=Signal(snr_db=8.0 if rate else -3.0, skin_fraction=0.2),
    )


def make_pulse(truth: Truth, rate: float | None = 72.0) -> Pulse:
    """The pulse that a perfect `pulse` stage would find."""
    time = np.array(truth.time_s)
    blood = np.array(truth.blood_volume)
    level = np.ones(len(time))
    relative = blood[:, None] * truth.amplitude_rgb
    rgb = np.array(truth.skin_rgb) * (1 - relative)
    yuv = truth.skin_yuv + blood[:, None] * truth.pulse_yuv
    filtered = rgb - truth.skin_rgb
    waves = PersonWaves(
        "1",
        ((0, len(time), 1),),
        *rgb.T,
        *yuv.T,
        *filtered.T,
        white=filtered.mean(axis=1),
        pulse=relative[:, 1] * level,
        delta_Y=blood * truth.pulse_yuv[0],
        delta_U=blood * truth.pulse_yuv[1],
        delta_V=blood * truth.pulse_yuv[2],
        white_normalised=-blood / np.abs(blood).max() * 0.01,
        phase=np.full(len(time), np.nan) if rate is None else 2 * np.pi * rate / 60 * time,
        rate_hz=None if rate is None else rate / 60,
    )
    return Pulse(True, time, [waves], [make_person(rate, list(time[::30]))])


def no_pulse(truth: Truth) -> Pulse:
    """What `pulse` says where there is no skin."""
    return Pulse(
        False, np.array(truth.time_s), [], [make_person(None, [], "no skin found: nothing has its colour")],
        ["No skin was found."],
    )  # fmt: skip


def make_scene(settings: PhantomSettings) -> Scene:
    truth = truth_of(settings)
    at_y, at_x = np.mgrid[: settings.height // 2, : settings.width // 2] * 2 + 0.5
    labels = [(np.hypot((at_x - x) / a, (at_y - y) / b) < 0.9).astype(np.uint8) for x, y, a, b in truth.ellipses]
    return Scene(make_plan(settings), make_pulse(truth), list(render(settings)), labels, truth)


@pytest.fixture(scope="session")
def scene() -> Scene:
    return make_scene(PhantomSettings(seconds=4, width=160, height=120, seed=2))


@pytest.fixture(name="make_pulse")
def make_pulse_fixture() -> Any:
    return make_pulse


@pytest.fixture(name="no_pulse")
def no_pulse_fixture() -> Any:
    return no_pulse


@pytest.fixture(name="make_plan")
def make_plan_fixture() -> Any:
    return make_plan
