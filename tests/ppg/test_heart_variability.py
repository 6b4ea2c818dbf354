"""Variability: the standard sums, what is left out, what is refused, and intervals that hold the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.variability import LEAST_SECONDS, intervals, pnn50, rmssd, sdnn, successive, variability

pytestmark = pytest.mark.unit


def series(count=150, low=0.05, high=0.04):
    k = np.arange(count)
    wave = low * np.sin(2 * np.pi * 0.085 * k) + high * np.sin(2 * np.pi * 0.2295 * k + 1)
    lengths = np.round(0.85 + wave + 0.012 * np.sin(2 * np.pi * 0.0255 * k), 3)
    return np.concatenate([[0.0], np.cumsum(lengths)])


def test_the_sums_are_those_of_neurokit2():
    """neurokit2 0.2.13, hrv_time and hrv_frequency(psd_method='welch', interpolation_rate=4, normalize=False)."""
    found = intervals(series())
    assert 1000 * sdnn(found) == pytest.approx(45.75492345239174, rel=1e-9)
    assert 1000 * rmssd(found) == pytest.approx(41.434593075782765, rel=1e-9)
    # it divides by the number of intervals, the Task Force by that of the differences
    assert pnn50(found) * 149 / 150 == pytest.approx(29.333333333333332, rel=1e-9)
    values = variability(found)
    # another window, detrending and interpolation: the same within a few parts in a hundred
    assert values["lf"].value == pytest.approx(1250.2292100995185, rel=0.05)
    assert values["hf"].value == pytest.approx(772.7262180772193, rel=0.05)
    assert values["lf_hf"].value == pytest.approx(1.6179458918974867, rel=0.08)


def test_band_powers_are_those_of_the_sines():
    values = variability(intervals(series(300)))
    assert values["lf"].value == pytest.approx(1e6 * 0.05**2 / 2, rel=0.1)
    assert values["hf"].value == pytest.approx(1e6 * 0.04**2 / 2, rel=0.1)


@pytest.mark.parametrize(("change", "odd"), [("early", 2), ("missed", 1), ("extra", 2)])
def test_beats_that_are_not_normal_are_left_out(change, odd):
    beats = series(80, 0.01, 0.01)
    clean = sdnn(intervals(beats))
    if change == "early":
        beats[40] -= 0.3
    elif change == "missed":
        beats = np.delete(beats, 40)
    else:
        beats = np.insert(beats, 40, (beats[39] + beats[40]) / 2)
    found = intervals(beats)
    assert (~found.normal).sum() == odd
    assert sdnn(found) == pytest.approx(clean, rel=0.1)
    assert np.abs(successive(found)).max() < 0.1
    assert variability(found)["sdnn"].refused is None


def test_no_difference_goes_over_a_gap():
    found = intervals(np.delete(series(60, 0.01, 0.01), 30))
    # one odd interval of 59: the differences to both of its neighbours are gone
    assert len(successive(found)) == 58 - 2


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(5, 120), spread=st.floats(0.001, 0.05))
def test_values_lie_in_their_intervals_and_short_clips_are_refused(seed, count, spread):
    rng = np.random.default_rng(seed)
    beats = np.cumsum(0.8 + np.clip(spread * rng.normal(size=count), -0.07, 0.07))
    found = intervals(beats, jitter_s=0.002)
    for name, one in variability(found).items():
        if one.refused is None:
            assert found.seconds >= LEAST_SECONDS[name]
            assert 0 <= one.low <= one.value <= one.high
            assert 0 <= one.confidence <= 1
        else:
            assert np.isnan(one.value)


def test_the_refusal_says_how_long_is_long_enough():
    values = variability(intervals(series(20)))
    assert values["sdnn"].refused.endswith("s of 20 s")
    assert values["lf_hf"].refused.endswith("s of 55 s")
    values = variability(intervals(series(40)))
    assert values["sdnn"].refused is None
    assert values["lf_hf"].refused.endswith("s of 55 s")


def test_jitter_is_taken_away_and_too_much_of_it_refused():
    rng = np.random.default_rng(1)
    true = intervals(series(150))
    differences = {"sdnn": [], "rmssd": []}
    for _ in range(20):
        noisy = intervals(series(150) + 0.012 * rng.normal(size=151), jitter_s=0.012)
        for name, plain in (("sdnn", sdnn), ("rmssd", rmssd)):
            differences[name].append(
                (variability(noisy)[name].value - 1000 * plain(true), 1000 * (plain(noisy) - plain(true)))
            )
    for pairs in differences.values():
        corrected, raw = np.mean(pairs, axis=0)
        assert abs(corrected) < 0.35 * raw
    assert "noise" in variability(intervals(series(150, 0.004, 0.004), jitter_s=0.02))["sdnn"].refused
    assert "uncertain" in variability(intervals(series(150), jitter_s=0.05))["sdnn"].refused
    assert "uncertain" in variability(intervals(series(150), jitter_s=float("nan")))["rmssd"].refused


def test_the_intervals_hold_the_truth_nine_times_of_ten():
    rng = np.random.default_rng(5)
    inside = []
    for _ in range(300):
        lengths = 0.9 + 0.04 * rng.normal(size=66)
        values = variability(intervals(np.cumsum(lengths) + 0.006 * rng.normal(size=66), jitter_s=0.006))
        for name, truth in (("sdnn", 40.0), ("rmssd", 40.0 * np.sqrt(2))):
            inside.append(values[name].low <= truth <= values[name].high)
    assert 0.85 <= np.mean(inside) <= 0.95


def test_uneven_beats_are_refused():
    rng = np.random.default_rng(0)
    found = intervals(np.cumsum(rng.uniform(0.4, 1.4, 80)))
    assert "odd" in variability(found)["sdnn"].refused
    with pytest.raises(ValueError, match="increase"):
        intervals(np.array([0.0, 1.0, 1.0]))
