"""The ratio of a wave against a known rate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.snr import snr_db

pytestmark = pytest.mark.unit

TIME = np.arange(0, 30, 1 / 30)


def noisy(rate_hz: float, sigma: float, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    pulse = np.sin(2 * np.pi * rate_hz * TIME) + 0.3 * np.sin(4 * np.pi * rate_hz * TIME + 1)
    return pulse + sigma * np.random.default_rng(seed).standard_normal(len(TIME))


@settings(deadline=None, max_examples=30)
@given(st.floats(0.8, 3.5), st.integers(0, 1000))
def test_it_is_high_at_the_rate_low_elsewhere_and_falls_with_noise(rate: float, seed: int) -> None:
    clean, dirty = noisy(rate, 0.2, seed), noisy(rate, 2, seed)
    assert snr_db(clean, 30, rate) > 6
    assert snr_db(clean, 30, rate) > snr_db(dirty, 30, rate)
    elsewhere = rate + 0.55 if rate < 2 else rate - 0.55
    assert snr_db(clean, 30, elsewhere) < 0


@settings(deadline=None, max_examples=30)
@given(st.floats(1e-3, 1e3), st.floats(-100, 100))
def test_scale_and_offset_do_not_matter(scale: float, offset: float) -> None:
    wave = noisy(1.2, 0.5)
    assert snr_db(scale * wave + offset, 30, 1.2) == pytest.approx(snr_db(wave, 30, 1.2), abs=0.01)


def test_white_noise_has_the_ratio_of_the_bands() -> None:
    found = [snr_db(np.random.default_rng(k).standard_normal(900), 30, 1.2) for k in range(200)]
    part = (0.2 + 0.4) / 3.4  # of 0.6-4 Hz
    assert np.mean([10 ** (value / 10) for value in found]) == pytest.approx(part / (1 - part), rel=0.1)


def test_it_is_not_defined_without_a_wave_or_a_rate() -> None:
    wave = noisy(1.2, 0.5)
    for bad in (wave[:30], np.zeros(900), np.where(TIME < 1, np.nan, wave)):
        assert math.isnan(snr_db(bad, 30, 1.2))
    assert math.isnan(snr_db(wave, 30, 0.2))
    assert math.isnan(snr_db(wave, 30, 5))
