"""Named regions: amplitude and delay of each as a whole, with errors that know what cells share."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magnifier.maps.cells import CellBox
from magnifier.maps.chunk_sums import sum_chunk, sums_to_bytes
from magnifier.maps.elimination import triangle
from magnifier.maps.gather import gather_maps
from magnifier.maps.lockin import PAIRS, WAVES, Equations
from magnifier.maps.person_maps import RecordingMaps
from magnifier.maps.region_pulses import LEAST_SEEN, told
from magnifier.maps.regions import RegionBeat, region_beats, region_cells
from media.color import rgb_from_yuv
from media.decode import Frame
from media.polygons import fill
from mesh.parameters import Parameters
from phantom import PhantomSettings, maps_of, truth_of
from phantom.render import render
from segmenter.face import canonical, segmenter
from segmenter.face.models import problem
from segmenter.face.regions import REGIONS

pytestmark = pytest.mark.unit

needs_models = pytest.mark.skipif(problem() is not None, reason=f"no face models: {problem()}")


# --- which cells


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Any:
    """Around whole pixels x0 … x1 - 1, y0 … y1 - 1: their edges lie half a pixel out of their middles."""
    return tuple((x - 0.5, y - 0.5) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))


def test_cells_are_counted_as_far_as_a_region_covers_them() -> None:
    box = CellBox(4, 2, 3, 10, 12)  # pixels 8 to 47 down, 12 to 59 across
    part = region_cells(rectangle(16, 12, 26, 20), box)
    expected = np.zeros(box.shape)
    expected[1:3, 1:3], expected[1:3, 3] = 1, 0.5
    assert np.array_equal(part, expected)


@settings(max_examples=30, deadline=None)
@given(st.floats(13, 58), st.floats(13, 58), st.sampled_from([2, 4, 8]))
def test_two_halves_of_a_box_are_the_box(upper: float, lower: float, side: int) -> None:
    box = CellBox(side, 8 // side, 8 // side, 48 // side, 56 // side)
    left = ((7.5, 7.5), (upper, 7.5), (lower, 55.5), (7.5, 55.5))
    right = ((upper, 7.5), (63.5, 7.5), (63.5, 55.5), (lower, 55.5))
    assert np.array_equal(region_cells(left, box) + region_cells(right, box), np.ones(box.shape))


# --- their beat


def made(seed: int, shared: float, own: float = 0.3, side: int = 8, segments: int = 10) -> tuple[Any, Any]:
    """Equations of an even pulse of 1 % with noise that cells share and noise of their own; green is level 100."""
    rng = np.random.default_rng(seed)
    cells = side * side
    matrix = np.zeros((segments, PAIRS, cells))
    matrix[:, triangle(WAVES).diagonal()] = 30.0
    waves = np.array([-1.0, 0.2, -0.3, 0.1])  # more blood is darker
    green = (
        waves[:, None]
        + shared * rng.normal(size=(segments, WAVES, 1))
        + own * rng.normal(size=(segments, WAVES, cells))
    )
    moments = np.zeros((segments, 3, WAVES, cells))
    moments[:, 0] = 30.0 * green
    ones = np.ones((side, side))
    equations = Equations(CellBox(4, 0, 0, side, side), matrix, moments, 100 * np.ones((3, cells)), ones, ones.ravel())
    return equations, SimpleNamespace(skin=ones > 0, news=ones, colour=np.array([1.0, 0.0, 0.0]))


def beat_of(seed: int, shared: float) -> RegionBeat:
    equations, found = made(seed, shared)
    half = np.zeros((1, 8, 8))
    half[:, :, :4] = 1
    grey = np.array([[1.0, 0.0, 0.0]] * 3)
    (beat,) = region_beats(equations, found, grey, 100 * np.ones(64), half, 1.2)
    return beat


@pytest.mark.parametrize("shared", [0.0, 0.2])
def test_errors_know_what_cells_share(shared: float) -> None:
    beats = [beat_of(seed, shared) for seed in range(150)]
    off = np.array([beat.amplitude for beat in beats]) - 0.01 * np.hypot(1.0, 0.2)
    stated = np.array([beat.amplitude_error for beat in beats])
    assert np.sqrt(np.mean(stated**2)) == pytest.approx(off.std(), rel=0.15)
    held = np.mean(
        [m.low <= 100 * 0.01 * np.hypot(1.0, 0.2) <= m.high for m in (told("x", b).amplitude for b in beats)]
    )
    assert 0.84 <= held <= 0.95
    independent = 0.01 * 0.3 / np.sqrt(10 * 32)  # what cells would say if each erred by itself
    assert (off.std() > 2.5 * independent) == (shared > 0)
    # what all skin shares cancels in a ratio and a delay
    ratio, late = (np.array([getattr(beat, name) for beat in beats]) for name in ("ratio", "delay_s"))
    assert ratio.mean() == pytest.approx(1, abs=0.002)
    assert ratio.std() < 0.02
    assert late.std() < 0.003
    assert np.median([b.delay_error_s for b in beats]) == pytest.approx(late.std(), rel=0.2)


def test_noise_of_the_level_of_green_counts_in_the_amplitude_alone() -> None:
    equations, found = made(3, 0.0)
    rng = np.random.default_rng(0)
    equations.moments[:, 1] = 30.0 * rng.normal(size=(10, WAVES, 1))  # light that only green sees
    half = np.ones((1, 8, 8))
    (alone,) = region_beats(equations, found, np.array([[1.0, 0.0, 0.0]] * 3), 100 * np.ones(64), half, 1.2)
    (lit,) = region_beats(equations, found, np.array([[1.0, 1.0, 0.0]] * 3), 100 * np.ones(64), half, 1.2)
    assert lit.amplitude_error > 5 * alone.amplitude_error
    assert (lit.ratio, lit.delay_s, lit.quality_db) == (alone.ratio, alone.delay_s, alone.quality_db)


# --- what is told


SURE = RegionBeat(
    seen=0.9, groups=10, amplitude=0.005, amplitude_error=1e-4, quality_db=30, ratio=1.1, ratio_error=0.01,
    delay_s=-0.004, delay_error_s=0.002,
)  # fmt: skip


def test_intervals_are_those_of_students_t() -> None:
    pulse = told("left_cheek", SURE)
    reach = 1.8331  # 95 % of t with 9 degrees of freedom, from the tables
    for measured, value, error in (
        (pulse.amplitude, 0.5, 0.01), (pulse.amplitude_ratio, 1.1, 0.01), (pulse.delay, -4, 2),
    ):  # fmt: skip
        assert measured.status == "ok"
        assert (measured.value, measured.low, measured.high) == pytest.approx(
            (value, value - reach * error, value + reach * error), abs=6e-3
        )
    assert (pulse.amplitude.unit, pulse.delay.unit) == ("%", "ms")


def test_too_little_evidence_is_refused_with_the_reason() -> None:
    hidden = told("left_cheek", replace(SURE, seen=LEAST_SEEN - 0.01))
    assert "49 % of the left cheek is seen" in (hidden.amplitude.reason or "")
    weak = told("chin", replace(SURE, quality_db=9.0))
    assert "pulse of the chin does not stand out" in (weak.delay.reason or "")
    for refused in (hidden, weak):
        assert {m.status for m in (refused.amplitude, refused.amplitude_ratio, refused.delay)} == {"refused"}
    late = told("nose", replace(SURE, delay_error_s=0.021))
    assert [late.amplitude.status, late.amplitude_ratio.status, late.delay.status] == ["ok", "ok", "refused"]
    assert "21 ms" in (late.delay.reason or "")
    lit = told("nose", replace(SURE, amplitude_error=0.002))
    assert [lit.amplitude.status, lit.amplitude_ratio.status, lit.delay.status] == ["refused", "ok", "ok"]


# --- from frames


def gathered(clip: Any) -> RecordingMaps:
    frames, masks = clip.chunk(0)
    blob = sums_to_bytes(sum_chunk(clip.plan, clip.pulse, 0, frames, masks, None))
    found = gather_maps(clip.plan, clip.pulse, Parameters(), [blob], clip.chunk(0)[1])
    again = RecordingMaps.from_bytes(found.to_bytes())
    assert again.to_bytes() == found.to_bytes()
    return again


def followed(clip: Any, transform: Any) -> Any:
    masks = [replace(m, instances=[replace(m.instances[0], transform=transform)]) for m in clip.masks]
    return replace(clip, masks=masks, canonical=(96, 64))


def test_regions_of_known_pulse(clip_of: Any, identity: Any) -> None:
    x = np.arange(48) + np.zeros((32, 1))
    clip = clip_of(
        size=(96, 64), noise=2.0, amplitude=np.where(x < 24, 0.004, 0.012), delay_s=np.where(x < 24, 0.02, 0.0), seed=2
    )
    named = {
        "weak": rectangle(16, 16, 48, 48), "strong": rectangle(48, 16, 80, 48), "wall": rectangle(0, 0, 96, 8),
        "edge": rectangle(0, 16, 20, 48),
    }  # fmt: skip
    found = gathered(replace(followed(clip, identity), regions=named))
    assert found.regions == named
    regions = found.people[0].regions
    assert list(regions) == list(named)
    weak, strong = regions["weak"], regions["strong"]
    assert (weak.seen, strong.seen) == (1, 1)
    matrix, offset = rgb_from_yuv(clip.plan.recording)  # only Y pulses in these frames, 125 of it
    green = 125 * matrix[1, 0] / (matrix[1] @ [125, 120, 140] + offset[1])
    assert weak.amplitude.value == pytest.approx(0.4 * green, rel=0.03)
    assert strong.amplitude.value == pytest.approx(1.2 * green, rel=0.02)
    assert strong.amplitude_ratio.value / weak.amplitude_ratio.value == pytest.approx(3, rel=0.06)
    assert weak.delay.value - strong.delay.value == pytest.approx(20, abs=1.5)
    assert weak.delay.low <= weak.delay.value <= weak.delay.high
    for name, seen in (("wall", 0), ("edge", 0.4)):
        assert regions[name].seen <= seen
        assert regions[name].amplitude.status == "refused"


def test_skin_that_is_not_followed_has_no_regions(clip_of: Any) -> None:
    found = gathered(clip_of(seconds=9, amplitude=0.01))
    assert found.people[0].regions == {}
    assert found.people[0].reason is None


# --- a face, found and followed by the mesh


def face(clip_of: Any, motion: str, seconds: float, seed: int) -> tuple[RecordingMaps, dict[str, Any]]:
    """Maps of a phantom's face, and of each region the true amplitude (%), ratio and delay (ms)."""
    known = PhantomSettings(scene="face", seconds=seconds, fps=20, amplitude=0.005, motion=motion, seed=seed)
    frames = [Frame(s.index, s.time, s.y, s.u, s.v) for s in render(known)]
    beats = np.array(truth_of(known).beats_s)
    rate_hz, start = 1 / np.diff(beats).mean(), beats[0]
    clip = clip_of(seconds=seconds, size=(16, 16), fps=20)
    times = np.array([f.time for f in frames])
    (person,) = clip.pulse.people
    person = replace(person, phase=2 * np.pi * rate_hz * (times - start), rate_hz=rate_hz)
    size = {"width": known.width, "height": known.height}
    clip = replace(
        clip, frames=frames, pulse=replace(clip.pulse, people=[person]),
        plan=clip.plan.model_copy(update={"recording": clip.plan.recording.model_copy(update=size)}),
    )  # fmt: skip
    masks = list(segmenter.masks(clip.plan, frames, 0, len(frames), Parameters()))
    clip = replace(clip, masks=masks, canonical=segmenter.CANONICAL, regions=REGIONS)
    rest = next(iter(render(known.model_copy(update={"motion": "still", "seconds": 0.1}))))
    seen = Frame(0, 0.0, rest.y, rest.u, rest.v)
    (mask,) = segmenter.masks(clip.plan, [seen], 0, 1, Parameters(key="per_frame"))
    back = canonical.inverse(np.array(mask.instances[0].transform))
    maps = maps_of(known)
    beat = maps.amplitude * np.exp(-2j * np.pi * rate_hz * maps.delay_s)
    skin = (mask.labels > 0) & (maps.labels > 0)
    truth = {}
    for name, polygon in REGIONS.items():
        corners = (canonical.apply(back, np.array(polygon, float)) + 0.5) / 2
        own = beat[fill(corners, (len(corners),), skin.shape) & skin].mean()
        ratio = own / beat[skin].mean()
        truth[name] = (0.5 * abs(own), abs(ratio), -1000 * np.angle(ratio) / (2 * np.pi * rate_hz))
    return gathered(clip), truth


@needs_models
@pytest.mark.parametrize(
    ("motion", "seconds", "strong", "ratio", "late"),
    [("still", 10.0, 0.05, 0.06, 3.0), ("rotation30", 16.0, 0.2, 0.12, 12.0)],
    ids=["still", "turning by 30 degrees a second"],
)
def test_regions_of_a_face_have_the_pulse_of_their_skin(
    clip_of: Any, motion: str, seconds: float, strong: float, ratio: float, late: float
) -> None:
    found, truth = face(clip_of, motion, seconds, seed=5)
    regions = found.people[0].regions
    assert set(regions) == {"forehead", "right_cheek", "left_cheek", "nose", "chin"}
    for name, (amplitude, against, delay) in truth.items():
        told_of = regions[name]
        assert told_of.seen > 0.7
        assert told_of.amplitude.value == pytest.approx(amplitude, rel=strong), name
        assert told_of.amplitude_ratio.value == pytest.approx(against, rel=ratio), name
        if name != "nose":  # its tip stands out of the plane that is followed
            assert told_of.delay.value == pytest.approx(delay, abs=late), name
    strongest = sorted(regions, key=lambda name: -(regions[name].amplitude_ratio.value or 0))
    assert set(strongest[:3]) == {"forehead", "right_cheek", "left_cheek"}
    assert strongest[-1] == "nose"
