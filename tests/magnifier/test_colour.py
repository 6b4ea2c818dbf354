"""Colour magnification of made-up clips: the gain that was asked for, the same bits for every cut, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magnifier.field import FieldBlob, FieldMaker, gathered
from magnifier.methods import METHODS, Segment, arranged
from media.decode import Frame
from media.masks import FrameMask, Instance, MaskWriter
from media.pulse_blob import PersonWaves, Pulse
from mesh.contracts import Chunk, Grid, Plan, Recording
from mesh.errors import BadParameters
from mesh.names import BlobName
from mesh.parameters import Parameters
from mesh.stages import Input, Inputs
from mesh.support import fields_travel

pytestmark = pytest.mark.unit
FPS, HEART_HZ = 15.0, 1.2
AMPLITUDE = np.array([1.5, -0.6, 0.8])  # of the pulse in Y, U, V, levels
FIELDS: list[dict[str, Any]] = [
    {"magnify": "patch"},
    {"magnify": "patch", "magnify_patch": 2},
    {"magnify": "patch", "band": "fixed"},
    {"magnify": "eulerian-colour"},
    {"magnify": "eulerian-colour", "temporal_filter": "butterworth"},
    {"magnify": "eulerian-colour", "temporal_filter": "ideal", "magnify_low_hz": 0.8, "magnify_high_hz": 1.6},
    {"magnify": "acceleration-colour", "band": "rate"},
]


@dataclass
class Clip:
    """A clip of still or moving skin, with what a `pulse` stage would find in it."""

    width: int = 112
    height: int = 80
    seconds: float = 8.0
    seed: int = 0
    jitter: float = 0.0
    speed: float = 0.0  # px/s to the right; followed by a transform
    pulse_size: float = 1.0
    rate_found: bool = True
    rotation: int = 0
    frames: list[Frame] = field(init=False)
    masks: list[FrameMask] = field(init=False)
    pulse: Pulse = field(init=False)

    def __post_init__(self) -> None:
        draw = np.random.default_rng(self.seed)
        count = round(self.seconds * FPS)
        self.times = (np.arange(count) + draw.uniform(-self.jitter, self.jitter, count)) / FPS
        self.times -= self.times[0]
        self.times = np.round(self.times * 90000) / 90000
        self.wave = np.cos(2 * np.pi * HEART_HZ * self.times)
        chroma = ((self.height + 1) // 2, (self.width + 1) // 2)
        texture = draw.normal(0, 4, (self.height, self.width + 64))
        self.frames, self.masks = [], []
        for index, (time, blood) in enumerate(zip(self.times, self.wave, strict=True)):
            shift = round(self.speed * time / 2) * 2
            labels = np.zeros(chroma, np.uint8)
            labels[8:-8, 10 + shift // 2 : 40 + shift // 2] = 1
            skin = np.repeat(np.repeat(labels, 2, 0), 2, 1)[: self.height, : self.width]
            moved = texture[:, 64 - shift : 64 - shift + self.width]
            planes = []
            for channel, (level, where) in enumerate(((120, skin), (110, labels), (145, labels))):
                made = level + self.pulse_size * AMPLITUDE[channel] * blood * where
                made = made + (moved if channel == 0 else 0) + draw.normal(0, 1, where.shape)
                planes.append(np.clip(made + 0.5, 0, 255).astype(np.uint8))
            self.frames.append(Frame(index, float(time), *planes))
            matrix = ((1.0, 0.0, -float(shift)), (0.0, 1.0, 0.0)) if self.speed else None
            self.masks.append(FrameMask(labels, [Instance(1, (20, 16, 80, 64), 1.0, matrix)]))
        phase = 2 * np.pi * HEART_HZ * self.times if self.rate_found else np.full(count, np.nan)
        zeros = [np.zeros(count)] * 11
        deltas = [self.pulse_size * a * self.wave for a in AMPLITUDE]
        person = PersonWaves(
            "1", ((0, count, 1),), *zeros, *deltas, zeros[0], phase, HEART_HZ if self.rate_found else None
        )
        self.pulse = Pulse(True, self.times, [person], [])

    def plan(self, chunks: int) -> Plan:
        count = len(self.frames)
        edges = [round(count * k / chunks) for k in range(chunks + 1)]
        rate = (count - 1) / self.times[-1]
        ends = [*self.times, self.times[-1] + 1 / FPS]
        recording = Recording(
            duration_s=ends[-1], frames=count, width=self.width, height=self.height, fps=rate, variable_rate=False,
            codec="h264", container="mp4", pixel_format="yuv420p", rotation=self.rotation,
        )  # fmt: skip
        return Plan(
            recording=recording,
            time_base=(1, 90000),
            pts=[round(t * 90000) for t in self.times],
            chunks=[
                Chunk(index=k, first=a, frames=b - a, t0=float(ends[a]), t1=float(ends[b]))
                for k, (a, b) in enumerate(pairwise(edges))
            ],
            grid=Grid(origin_s=0.0, rate_hz=rate, samples=count),
        )


@dataclass(frozen=True)
class ShownSegment(Segment):
    """Frames come from a list: what a decoder does is not the matter here."""

    clip: Any = None

    def frames(self, wanted: range | None = None) -> Iterator[tuple[Frame, FrameMask]]:
        wanted = self.own if wanted is None else wanted
        assert set(wanted) <= set(self.span())
        for index in wanted:
            yield self.clip.frames[index], self.clip.masks[index]


def segments(clip: Clip, chunks: int = 1, **given: Any) -> list[ShownSegment]:
    parameters, plan = Parameters(**{"gain": 10.0} | given), clip.plan(chunks)
    canonical = (128, 80) if clip.speed else None
    shape = ((clip.height + 1) // 2, (clip.width + 1) // 2)
    masks, fields = [], []
    for chunk in plan.chunks:
        own = range(chunk.first, chunk.first + chunk.frames)
        writer = MaskWriter(shape, canonical)
        for index in own:
            writer.add(clip.masks[index])
        masks.append(Input(BlobName("rec", "mask", "0", str(chunk.index)), writer.finish()))
        if fields_travel(parameters):
            maker = FieldMaker(plan.recording, parameters, canonical)
            made = gathered(chunk.first, [maker.fields(clip.frames[i], clip.masks[i]) for i in own])
            fields.append(Input(BlobName("rec", "field", "0", str(chunk.index)), made.to_bytes()))
    scratch = Path()
    return [ShownSegment(plan, c.index, parameters, clip.pulse, Inputs([*masks, *fields], scratch), clip=clip)
            for c in plan.chunks]  # fmt: skip


def run(clip: Clip, chunks: int = 1, **given: Any) -> list[Any]:
    return [f for s in segments(clip, chunks, **given) for f in METHODS[s.parameters.magnify](s)]


def levels(clip: Clip, frames: list[Any], inset: int = 3) -> np.ndarray:
    """Complex amplitude of Y, U, V at the pulse, mean over the skin (a little inside) of each frame."""
    rows = []
    for frame, mask in zip(frames, clip.masks, strict=True):
        inside = mask.labels.copy()
        inside[: 8 + inset], inside[-8 - inset :] = 0, 0
        columns = np.flatnonzero(inside.any(axis=0))
        inside[:, columns[:inset]], inside[:, columns[-inset:]] = 0, 0
        fine = np.repeat(np.repeat(inside, 2, 0), 2, 1)[: clip.height, : clip.width] > 0
        rows.append([frame.y[fine].mean(), frame.u[inside > 0].mean(), frame.v[inside > 0].mean()])
    signal = np.array(rows)
    trend = np.stack([np.linspace(-1, 1, len(rows)) ** k for k in range(4)], axis=1)
    window = np.hanning(len(rows) + 2)[1:-1]
    carrier = window * np.exp(-2j * np.pi * HEART_HZ * clip.times)
    carrier = carrier - trend @ np.linalg.lstsq(trend, carrier, rcond=None)[0]
    return np.asarray(2 * carrier @ signal / window.sum())


def same(one: list[Any], two: list[Any]) -> bool:
    return len(one) == len(two) and all(
        a.index == b.index and np.array_equal(a.y, b.y) and np.array_equal(a.u, b.u) and np.array_equal(a.v, b.v)
        for a, b in zip(one, two, strict=True)
    )


@pytest.fixture(scope="module")
def still() -> Clip:
    return Clip()


@pytest.mark.parametrize("method", FIELDS)
def test_a_pulse_of_a_becomes_one_plus_gain_times_a(still: Clip, method: dict[str, Any]) -> None:
    made = run(still, **method)
    ratio = levels(still, made) / levels(still, still.frames)
    assert np.abs(ratio) == pytest.approx(11, rel=0.05)
    assert np.abs(np.angle(ratio)).max() < 0.1


@pytest.mark.parametrize("method", FIELDS)
def test_the_record_says_what_was_achieved(still: Clip, method: dict[str, Any]) -> None:
    (segment,) = segments(still, **method)
    list(METHODS[segment.parameters.magnify](segment))
    for channel in segment.record.channels.values():
        # whole bins miss some of the pulse at the ends of the clip
        assert channel.dot / channel.power == pytest.approx(10, rel=0.1 if "temporal_filter" in method else 0.06)
        assert channel.clipped == 0
        assert 5 < channel.largest < 60


@pytest.mark.parametrize("method", FIELDS)
def test_gain_0_gives_every_bit_back_and_minus_1_takes_the_pulse_away(still: Clip, method: dict[str, Any]) -> None:
    assert same(run(still, gain=0, **method), still.frames)
    left = np.abs(levels(still, run(still, gain=-1, **method))) / np.abs(levels(still, still.frames))
    assert left.max() < 0.06


@pytest.mark.parametrize("method", FIELDS)
@pytest.mark.parametrize("chunks", [2, 5])
def test_chunks_are_invisible(still: Clip, method: dict[str, Any], chunks: int) -> None:
    assert same(run(still, **method), run(still, chunks, **method))


@given(
    method=st.sampled_from(FIELDS),
    size=st.sampled_from([(112, 80), (97, 81), (80, 121)]),
    jitter=st.sampled_from([0.0, 0.35]),
    chunks=st.integers(2, 7),
)
@settings(max_examples=8, deadline=None)
def test_any_size_and_rate(method: dict[str, Any], size: tuple[int, int], jitter: float, chunks: int) -> None:
    clip = Clip(width=size[0], height=size[1], seconds=6, jitter=jitter)
    whole = run(clip, **method)
    assert same(whole, run(clip, chunks, **method))
    assert [f.index for f in whole] == list(range(len(clip.frames)))
    assert all(f.y.shape == (size[1], size[0]) for f in whole)
    ratio = np.abs(levels(clip, whole)) / np.abs(levels(clip, clip.frames))
    assert ratio == pytest.approx(11, rel=0.06)


@pytest.mark.parametrize("method", FIELDS)
def test_only_skin_and_its_soft_edge_change(still: Clip, method: dict[str, Any]) -> None:
    far = np.ones((40, 56), bool)
    far[6:-6, 8:42] = False
    for frame, made in zip(still.frames, run(still, **method), strict=True):
        assert np.array_equal(frame.u[far], made.u[far])
        assert np.array_equal(
            frame.y[np.repeat(np.repeat(far, 2, 0), 2, 1)], made.y[np.repeat(np.repeat(far, 2, 0), 2, 1)]
        )


@pytest.mark.parametrize("method", FIELDS)
def test_twice_the_pulse_is_twice_the_change(method: dict[str, Any]) -> None:
    """Linearity in the input, as far as whole levels and noise show it."""
    changes = []
    for size in (1.0, 2.0):
        clip = Clip(pulse_size=size)
        changes.append(levels(clip, run(clip, **method)) - levels(clip, clip.frames))
    assert np.abs(changes[1] / changes[0]) == pytest.approx(2, rel=0.04)


@pytest.mark.parametrize("method", FIELDS)
def test_the_first_and_last_frames_are_no_louder_than_the_rest(still: Clip, method: dict[str, Any]) -> None:
    inside = still.masks[0].labels > 0
    change = np.array(
        [
            np.mean(m.u[inside].astype(float) - f.u[inside])
            for f, m in zip(still.frames, run(still, **method), strict=True)
        ]
    )
    assert np.abs(change[:12]).max() < 1.4 * np.abs(change[40:80]).max()
    assert np.abs(change[-12:]).max() < 1.4 * np.abs(change[40:80]).max()


@pytest.mark.parametrize("method", [{"magnify": "patch"}, {"magnify": "eulerian-colour", "pyramid_level": 3}])
def test_skin_that_moves_is_followed(method: dict[str, Any]) -> None:
    clip = Clip(speed=5.0)
    made = run(clip, **method)
    ratio = np.abs(levels(clip, made)) / np.abs(levels(clip, clip.frames))
    assert ratio[1:] == pytest.approx(11, rel=0.06)
    assert same(made, run(clip, 3, **method))
    # outside the skin nothing moves along
    for frame, mask, out in zip(clip.frames, clip.masks, made, strict=True):
        columns = np.flatnonzero(mask.labels.any(axis=0))
        assert np.array_equal(out.u[:, : columns[0] - 3], frame.u[:, : columns[0] - 3])


def test_where_the_rate_is_refused_the_fixed_band_is_taken_and_that_is_said() -> None:
    clip = Clip(rate_found=False)
    (follows,) = segments(clip, magnify="patch")
    (fixed,) = segments(clip, magnify="patch", band="fixed")
    one, two = (list(METHODS["patch"](s)) for s in (follows, fixed))
    assert same(one, two)
    assert any("No heart rate" in text for text in follows.record.warnings)
    assert not fixed.record.warnings


def test_a_rate_outside_the_band_is_said(still: Clip) -> None:
    (segment,) = segments(still, magnify="eulerian-colour", magnify_low_hz=3.0, magnify_high_hz=4.0)
    list(METHODS["eulerian-colour"](segment))
    assert any("outside the band" in text for text in segment.record.warnings)


def test_the_released_form_has_half_the_gain_and_leaves_the_last_ten_frames(still: Clip) -> None:
    band = {"magnify": "eulerian-colour", "magnify_low_hz": 0.8, "magnify_high_hz": 1.6}
    made = run(still, compat="2012", pyramid_level=3, **band)
    ratio = np.abs(levels(still, made, inset=8)) / np.abs(levels(still, still.frames, inset=8))
    assert 4.5 < ratio[0] < 6.5
    assert same(made[-10:], still.frames[-10:])
    assert not np.array_equal(made[50].u[:3], still.frames[50].u[:3])  # the whole picture


def test_a_band_without_a_bin_is_refused_saying_what_to_do(still: Clip) -> None:
    with pytest.raises(BadParameters, match="Widen the band"):
        run(still, magnify="eulerian-colour", temporal_filter="ideal", magnify_low_hz=1.01, magnify_high_hz=1.02)


def test_chrom_attenuation_and_luma_choose_the_channels(still: Clip) -> None:
    before = levels(still, still.frames)
    half = levels(still, run(still, magnify="eulerian-colour", chrom_attenuation=0.5)) / before
    assert np.abs(half) == pytest.approx([11, 6, 6], rel=0.05)
    made = run(still, magnify="eulerian-colour", luma=False)
    assert all(a.y is b.y for a, b in zip(made, still.frames, strict=True))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_side_by_side_shows_the_original_at_the_left(rotation: int) -> None:
    clip = Clip(width=97, height=81, seconds=4, rotation=rotation)
    (segment,) = segments(clip, magnify="eulerian-colour", pyramid_level=3, layout="side_by_side")
    made = METHODS["eulerian-colour"](segment)
    shown = list(arranged(segment))
    for (index, planes), magnified in zip(shown, made, strict=True):
        turned = [np.rot90(plane, -(rotation // 90)) for plane in planes]
        before, after = clip.frames[index], magnified
        for plane, one, two in zip(turned, (before.y, before.u, before.v), (after.y, after.u, after.v), strict=True):
            one, two = (np.rot90(p, -(rotation // 90)) for p in (one, two))
            half = plane.shape[1] // 2
            first = plane[-one.shape[0] :] if rotation in (180, 270) else plane[: one.shape[0]]
            left, right = (first[:, :half], first[:, half:])
            for part, whole in ((left, one), (right, two)):
                cut = part[:, -whole.shape[1] :] if rotation in (90, 180) else part[:, : whole.shape[1]]
                assert np.array_equal(cut, whole)


def test_fields_come_back_from_their_blob(still: Clip) -> None:
    (segment,) = segments(still, magnify="patch")
    blob = segment.inputs.of("field")[0].read()
    read = FieldBlob.from_bytes(blob)
    assert (read.first, read.frames) == (0, len(still.frames))
    maker = FieldMaker(segment.plan.recording, segment.parameters)
    expected = maker.fields(still.frames[7], still.masks[7])
    assert np.array_equal(read.of(7)[0], expected[0])
    inside = expected[0][:, 2, 2] / 256
    assert inside == pytest.approx([120, 110, 145], abs=4)
    assert expected[0][0, 0, 6] == 0  # no skin there
    with pytest.raises(ValueError, match="container"):
        FieldBlob.from_bytes(b"nothing")
