"""Resampling from true frame times: the band's top, dropped frames, times that nearly coincide."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.filters import butterworth
from ppg.resample import gaps, resample

pytestmark = pytest.mark.unit


def test_the_bands_top_survives_at_low_frame_rates():
    rate = 15.0
    times = np.arange(300) / rate
    wanted = times[:-1] + 0.5 / rate
    wave = resample(np.sin(2 * np.pi * 4.0 * times), times, wanted)
    inner = slice(20, -20)
    truth = np.sin(2 * np.pi * 4.0 * wanted)
    gain = (wave * truth)[inner].sum() / (truth**2)[inner].sum()
    linear = (np.interp(wanted, times, np.sin(2 * np.pi * 4.0 * times)) * truth)[inner].sum() / (truth**2)[inner].sum()
    assert linear < 0.7
    assert gain > 0.93


def test_jitter_of_frame_times_is_taken_out():
    grid = np.arange(600) / 30
    times = grid + np.random.default_rng(0).uniform(-0.3, 0.3, 600) / 30
    found, linear = (f(np.sin(2 * np.pi * 3.0 * times)) for f in (
        lambda values: resample(values, times, grid), lambda values: np.interp(grid, times, values)))  # fmt: skip
    truth = np.sin(2 * np.pi * 3.0 * grid)
    error, before = (np.sqrt(((wave - truth)[5:-5] ** 2).mean()) for wave in (found, linear))
    assert error < 0.25 * before


def test_gaps_are_named_and_do_not_become_pulse():
    rate = 30.0
    grid = np.arange(900) / rate
    rng = np.random.default_rng(1)
    kept = np.ones(900, bool)
    for start in (100, 300, 500, 700):
        kept[start : start + 12] = False  # 0.4 s
    times = grid[kept]
    found = gaps(times)
    np.testing.assert_allclose(found[:, 0], grid[[99, 299, 499, 699]])
    np.testing.assert_allclose(found[:, 1], grid[[112, 312, 512, 712]])
    noise = rng.standard_normal(900)
    wave = resample(noise[kept], times, grid)
    np.testing.assert_allclose(wave[kept], noise[kept], atol=1e-9)
    for start in (100, 300, 500, 700):  # a straight line, within its ends
        assert wave[start : start + 12].max() <= max(noise[start - 1], noise[start + 12]) + 1e-12
        assert wave[start : start + 12].min() >= min(noise[start - 1], noise[start + 12]) - 1e-12
    band_pass = butterworth(0.6, 4.0, rate)
    assert band_pass(wave).std() < 1.1 * band_pass(noise).std()


def test_one_dropped_frame_is_no_gap():
    times = np.delete(np.arange(300) / 30, [50, 51, 120])
    assert len(gaps(times)) == 0
    grid = np.arange(300) / 30
    found = resample(np.sin(2 * np.pi * 2.5 * times), times, grid)
    assert np.abs(found - np.sin(2 * np.pi * 2.5 * grid))[5:-5].max() < 0.02


def test_times_that_nearly_coincide_do_not_swing():
    times = np.sort(np.concatenate([np.arange(100) / 30, [1.0001, 2.00005]]))
    values = np.random.default_rng(0).standard_normal(102)
    found = resample(values, times, np.linspace(0, 3.3, 500))
    assert np.abs(found).max() < 2 * np.abs(values).max()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10000), n=st.integers(1, 80), m=st.integers(1, 80))
def test_any_times_give_finite_values_and_constants_stay(seed, n, m):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.exponential(1 / 30, n) + 1e-7)
    wanted = np.sort(rng.uniform(-0.5, times[-1] + 0.5, m))
    values = rng.standard_normal((2, n))
    found = resample(values, times, wanted)
    assert found.shape == (2, m)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, resample(values, times, wanted))
    np.testing.assert_allclose(resample(np.full(n, 7.0), times, wanted), 7.0, atol=1e-9)


def test_nothing_to_resample_is_refused():
    with pytest.raises(ValueError, match="cannot be resampled"):
        resample(np.zeros((3, 4)), np.arange(5.0), np.arange(5.0))
    with pytest.raises(ValueError, match="cannot be resampled"):
        resample(np.zeros((3, 0)), np.zeros(0), np.arange(5.0))
