"""Maps of known recordings, their errors, and what is masked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magnifier.maps.chunk_sums import sum_chunk, sums_to_bytes
from magnifier.maps.gather import gather_maps, mean_rate
from magnifier.maps.harmonics import delays, jackknife_error
from magnifier.maps.person_maps import RecordingMaps
from media.color import rgb_from_yuv
from mesh.parameters import Parameters

pytestmark = pytest.mark.unit


def at_cells(values: np.ndarray, box: Any) -> np.ndarray:
    """Truth at chroma samples, in cells of 2 px."""
    assert box.side == 2
    y0, y1, x0, x1 = box.samples
    padded = np.pad(values, ((0, max(y1 - values.shape[0], 0)), (0, max(x1 - values.shape[1], 0))), mode="edge")
    return padded[y0:y1, x0:x1]


def test_amplitude_and_delay_are_those_of_the_clip(clip_of: Any, fields_of: Any) -> None:
    y, x = np.mgrid[:32, :48]
    clip = clip_of(amplitude=0.008 * (1 + 0.5 * x / 48), delay_s=0.03 * (y / 32 - 0.5), drift=0.2)
    found = fields_of(clip)
    inside = np.isfinite(found.delay_s)
    assert inside.sum() > 0.95 * found.skin.sum()
    amplitude, delay = at_cells(clip.amplitude, found.box), at_cells(clip.delay_s, found.box)
    # relative to green, whose level is that of Y with the chroma's share: the same factor everywhere
    ratio = found.amplitude[inside] / amplitude[inside]
    assert np.median(ratio) == pytest.approx(125 * 255 / 219 / found_green(clip), rel=0.05)
    assert np.corrcoef(found.amplitude[inside], amplitude[inside])[0, 1] > 0.95
    late = delay - np.average(delay[found.skin], weights=amplitude[found.skin])
    error = found.delay_s[inside] - late[inside]
    assert np.sqrt((error**2).mean()) < 0.004
    assert 0.5 < np.sqrt((error**2).mean()) / np.sqrt((found.delay_error_s[inside] ** 2).mean()) < 2


def found_green(clip: Any) -> float:
    matrix, offset = rgb_from_yuv(clip.plan.recording)
    return float(matrix[1] @ [126.0, 120.0, 140.0] + offset[1])


def test_noise_has_no_map(clip_of: Any, fields_of: Any) -> None:
    found = fields_of(clip_of(amplitude=0.0, noise=2.0, seed=5))
    assert np.isfinite(found.amplitude[found.skin]).mean() < 0.05
    assert np.isfinite(found.delay_s[found.skin]).mean() < 0.02
    assert np.isfinite(found.quality_db[found.skin]).all()
    assert np.isnan(found.quality_db[~found.skin]).all()


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.15, 0.15), st.floats(0.7, 2.5), st.floats(0.05, 0.6), st.floats(-3, 3), st.floats(0.1, 10))
def test_delays_of_shifted_waves(late: float, rate: float, second: float, phase: float, weight: float) -> None:
    late = np.clip(late, -0.3 / rate, 0.3 / rate)
    wave = np.array([0.01, 0.01 * second * np.exp(1j * phase)])
    shifted = wave * np.exp(-2j * np.pi * rate * late * np.array([1, 2]))
    found = delays(2.5 * shifted[:, None], wave[:, None], np.array([1.0, weight]), rate)
    assert found[0] == pytest.approx(late, abs=1e-4)


def test_the_jackknife_is_the_standard_error_of_a_mean() -> None:
    values = np.random.default_rng(1).normal(size=(12, 50))
    left = np.stack([np.delete(values, k, axis=0).mean(axis=0) for k in range(12)])
    assert jackknife_error(left) == pytest.approx(values.std(axis=0, ddof=1) / np.sqrt(12))
    assert np.isnan(jackknife_error(left[:1])).all()


def gathered(clip: Any, **parameters: Any) -> RecordingMaps:
    blobs = []
    for index in range(len(clip.plan.chunks)):
        frames, masks = clip.chunk(index)
        blobs.append(sums_to_bytes(sum_chunk(clip.plan, clip.pulse, index, frames, masks, None)))
    first = clip.chunk(0)[1]
    found = gather_maps(clip.plan, clip.pulse, Parameters(**parameters), blobs, first)
    again = RecordingMaps.from_bytes(found.to_bytes())
    assert again.to_bytes() == found.to_bytes()
    return again


def test_everything_is_gathered_and_survives_its_blob(clip_of: Any) -> None:
    clip = clip_of(seconds=10).chunked(2)
    (person,) = gathered(clip).people
    assert person.reason is None
    assert person.rate_hz == pytest.approx(1.25, abs=1e-3)
    known = person.maps["rate"][np.isfinite(person.maps["rate"])]
    assert known == pytest.approx(75, abs=0.7)
    assert person.maps["amplitude"].shape == person.box.shape
    assert mean_rate(clip.plan, clip.pulse.people[0], (2.0, 9.0)) == pytest.approx(1.25, abs=1e-9)


@pytest.mark.parametrize("method", ["hilbert", "correlation", "spectrum"])
def test_delays_of_patches_may_take_the_place_of_the_lock_in(clip_of: Any, method: str) -> None:
    y, _ = np.mgrid[:32, :48]
    (person,) = gathered(clip_of(delay_s=0.04 * (y >= 16)), map_delay=method).people
    delay = person.maps["delay"]
    assert np.nanmedian(delay[24:]) - np.nanmedian(delay[:8]) == pytest.approx(40, abs=6)
    block = delay[8:16, 8:16]
    assert len(np.unique(block[np.isfinite(block)])) == 1  # one value a patch


def test_a_refused_rate_refuses_maps_with_its_cause(clip_of: Any) -> None:
    (person,) = gathered(clip_of(seconds=9, rate_hz=None)).people
    assert person.maps == {}
    assert "too dark" in (person.reason or "")


def test_a_short_clip_says_how_short(clip_of: Any) -> None:
    (person,) = gathered(clip_of(seconds=6)).people
    assert "6.0 s of 8 s" in (person.reason or "")
