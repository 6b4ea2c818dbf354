"""Recordings with known maps, as the magnifier meets them, without a codec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from magnifier.maps.chunk_sums import Gathered, sum_chunk, timing
from magnifier.maps.fields import Fields, fields
from magnifier.maps.lockin import without_baseline
from media.color import rgb_from_yuv
from media.decode import Frame
from media.masks import FrameMask, MaskWriter, Regions, Transform, frame_mask, read_masks
from media.pulse_blob import PersonWaves, Pulse
from mesh.contracts import Chunk, Grid, Measurement, Person, Plan, RatePoint, Recording, Signal

RATE_HZ = 1.25


@dataclass
class Clip:
    """Frames with a pulse of known amplitude (parts of 1) and delay (s) at every chroma sample."""

    plan: Plan
    pulse: Pulse
    frames: list[Frame]
    masks: list[FrameMask]
    amplitude: NDArray[np.float64]
    delay_s: NDArray[np.float64]
    canonical: tuple[int, int] | None = None
    regions: Regions = field(default_factory=dict)

    def chunked(self, count: int) -> Clip:
        """The same clip cut into `count` chunks."""
        total = len(self.frames)
        borders = np.linspace(0, total, count + 1).round().astype(int).tolist()
        times = [f.time for f in self.frames] + [self.plan.recording.duration_s]
        chunks = [
            Chunk(index=i, first=a, frames=b - a, t0=times[a], t1=times[b])
            for i, (a, b) in enumerate(pairwise(borders))
        ]
        plan = self.plan.model_copy(update={"chunks": chunks})
        return replace(self, plan=plan)

    def chunk(self, index: int) -> tuple[list[Frame], Any]:
        """Frames and masks of a chunk."""
        chunk = self.plan.chunks[index]
        writer = MaskWriter(self.masks[0].labels.shape, self.canonical, self.regions)
        for mask in self.masks[chunk.first : chunk.first + chunk.frames]:
            writer.add(mask)
        return self.frames[chunk.first : chunk.first + chunk.frames], read_masks(writer.finish())


def person_of(times: NDArray[np.float64], phase: NDArray[np.float64], rate_hz: float | None) -> PersonWaves:
    wave = np.cos(phase)
    return PersonWaves(
        id="1", spans=((0, len(times), 1),), phase=phase if rate_hz else np.full(len(times), np.nan), rate_hz=rate_hz,
        **{
            name: wave
            for name in (
                "R", "G", "B", "Y", "U", "V", "R_f", "G_f", "B_f", "white", "pulse", "delta_Y", "delta_U", "delta_V",
                "white_normalised",
            )
        },
    )  # fmt: skip


def measured(rate_hz: float | None, times: NDArray[np.float64]) -> Person:
    if rate_hz is None:
        rate = Measurement.refused("bpm", "too dark: light the skin")
    else:
        rate = Measurement(value=60 * rate_hz, unit="bpm", low=74, high=76, confidence=0.9, status="ok")
    points = [RatePoint(time_s=float(t), heart_rate=rate) for t in times[:: max(len(times) // 8, 1)]]
    return Person(
        id="1", measurements={"heart_rate": rate}, heart_rate_over_time=points,
        signal=Signal(snr_db=9.0, skin_fraction=0.5),
    )  # fmt: skip


def make_clip(
    seconds: float = 12.0, size: tuple[int, int] = (96, 64), noise: float = 1.0, seed: int = 0,
    rate_hz: float | None = RATE_HZ, amplitude: Any = 0.01, delay_s: Any = 0.0, drift: float = 0.0, fps: float = 30.0,
) -> Clip:  # fmt: skip
    width, height = size
    rng = np.random.default_rng(seed)
    shape = (height // 2, width // 2)
    times = np.arange(round(seconds * fps)) / fps
    phase = 2 * np.pi * RATE_HZ * times + 0.3
    strong, late = (np.broadcast_to(np.asarray(v, np.float64), shape).copy() for v in (amplitude, delay_s))
    labels = np.zeros(shape, np.uint8)
    labels[4:-4, 4:-4] = 1
    frames, masks = [], []
    for index, time in enumerate(times.tolist()):
        turn = phase[index] - 2 * np.pi * RATE_HZ * late
        wave = np.cos(turn) + 0.3 * np.cos(2 * turn + 0.5)
        level = (125.0 + drift * time) * (1 - strong * wave * labels)
        fine = level.repeat(2, axis=0).repeat(2, axis=1)
        y = np.clip(np.rint(fine + rng.normal(0, noise, fine.shape)), 0, 255).astype(np.uint8)
        u, v = (np.clip(np.rint(c + rng.normal(0, noise, shape)), 0, 255).astype(np.uint8) for c in (120.0, 140.0))
        frames.append(Frame(index, time, y, u, v))
        masks.append(frame_mask(labels, size))
    recording = Recording(
        duration_s=seconds, frames=len(times), width=width, height=height, fps=fps, variable_rate=False, codec="h264",
        container="mp4", pixel_format="yuv420p",
    )  # fmt: skip
    plan = Plan(
        recording=recording,
        time_base=(1, 90000),
        pts=[round(t * 90000) for t in times.tolist()],
        chunks=[Chunk(index=0, first=0, frames=len(times), t0=0, t1=seconds)],
        grid=Grid(origin_s=0, rate_hz=fps, samples=len(times)),
    )
    pulse = Pulse(True, times, [person_of(times, phase, rate_hz)], [measured(rate_hz, times)])
    return Clip(plan, pulse, frames, masks, strong, late)


@pytest.fixture(scope="session")
def clip_of() -> Callable[..., Clip]:
    return make_clip


@pytest.fixture(scope="session")
def identity() -> Transform:
    return ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def make_fields(clip: Clip, **options: Any) -> Fields | None:
    person = clip.pulse.people[0]
    timed = timing(clip.plan, clip.pulse, person)
    assert timed is not None
    frames, masks = clip.chunk(0)
    total = Gathered(timed)
    total.add(sum_chunk(clip.plan, clip.pulse, 0, frames, masks, None)["1"])
    sums = total.total()
    assert sums is not None
    assert person.rate_hz is not None
    matrix, offset = rgb_from_yuv(clip.plan.recording)
    return fields(without_baseline(sums.box, sums.segments), matrix, offset, person.rate_hz, **options)


@pytest.fixture(scope="session")
def fields_of() -> Callable[..., Fields | None]:
    return make_fields
