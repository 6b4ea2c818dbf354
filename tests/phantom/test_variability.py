"""Intervals between beats have the statistics that are set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.interpolate import CubicSpline

from phantom import PhantomSettings
from phantom.breathing import breath, breathing_phase, breaths
from phantom.variability import powers
from phantom.wave import beats, blood, blood_volume, harmonics, heart_phase, heart_rate, interval_statistics

pytestmark = pytest.mark.unit


def band_powers(clip: PhantomSettings) -> tuple[float, float]:
    """LF and HF power of the intervals, s^2, by a periodogram of the series resampled by a spline."""
    times = beats(clip)
    grid = np.arange(times[1], times[-1], 0.25)
    series = CubicSpline(times[1:], np.diff(times))(grid)
    window = np.hanning(len(series))
    spectrum = np.abs(np.fft.rfft((series - series.mean()) * window)) ** 2 * 2 / (window**2).sum() / len(series)
    at = np.fft.rfftfreq(len(series), 0.25)
    low = spectrum[(at >= 0.04) & (at < 0.15)].sum()
    high = spectrum[(at >= 0.15) & (at < 0.4)].sum()
    return float(low), float(high)


@pytest.mark.parametrize(
    ("given_", "rmssd"),
    [({"sdnn": 50.0, "rmssd": 30.0}, 30.0), ({"sdnn": 40.0, "lf_hf": 2.0, "rmssd": 25.0}, 25.0),
     ({"sdnn": 60.0, "lf_hf": 0.5}, None), ({"sdnn": 50.0, "respiratory_arrhythmia": 25.0}, None)],
)  # fmt: skip
def test_sdnn_and_rmssd_are_the_set_ones_over_many_seeds(given_: dict[str, float], rmssd: float | None) -> None:
    found = np.array(
        [interval_statistics(PhantomSettings(seconds=300, heart_rate=66, seed=s, **given_)) for s in range(16)]
    )
    mean, error = found.mean(axis=0), found.std(axis=0) / 4
    assert mean[0] == pytest.approx(given_["sdnn"], abs=0.6 + 3 * error[0])
    assert error[0] < 1.0
    if rmssd is not None:
        assert mean[1] == pytest.approx(rmssd, abs=0.6 + 3 * error[1])


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
def test_the_bands_have_the_set_ratio(ratio: float) -> None:
    both = [band_powers(PhantomSettings(seconds=600, heart_rate=75, sdnn=50, lf_hf=ratio, seed=s)) for s in range(8)]
    low, high = np.mean(both, axis=0)
    assert low / high == pytest.approx(ratio, rel=0.2)
    assert low + high == pytest.approx(0.05**2, rel=0.2)


def test_breathing_in_shortens_the_intervals() -> None:
    clip = PhantomSettings(seconds=120, respiratory_arrhythmia=40, breathing_rate=12, heart_rate=70)
    times = beats(clip)
    at = breath(clip, times[:-1])
    slope, mean = np.polyfit(at, np.diff(times), 1)
    assert slope == pytest.approx(-0.040, abs=0.002)
    assert mean == pytest.approx(60 / 70, abs=0.005)


def test_premature_beats_come_early_and_are_made_up_for() -> None:
    clip = PhantomSettings(seconds=200, premature_beats=0.1, heart_rate=60)
    intervals = np.diff(beats(clip))
    early = np.flatnonzero(intervals < 0.8)
    assert 8 <= len(early) <= 34
    assert np.allclose(intervals[early], 0.7, atol=1e-6)
    assert np.allclose(intervals[early[early + 1 < len(intervals)] + 1], 1.3, atol=1e-6)


def test_a_step_of_rate_is_a_step() -> None:
    clip = PhantomSettings(seconds=20, heart_rate=60, heart_rate_end=120, heart_rate_change="step")
    assert np.allclose(np.diff(beats(clip))[:9], 1.0)
    assert np.allclose(np.diff(beats(clip))[11:], 0.5)
    assert heart_rate(clip, np.array([9.9, 10.1])).tolist() == [60, 120]


@given(
    rate=st.floats(40, 220), end=st.none() | st.floats(40, 220), change=st.sampled_from(["ramp", "step"]),
    sdnn=st.floats(0, 60), early=st.sampled_from([0.0, 0.1]), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_phase_and_beats_agree_with_variability(
    rate: float, end: float | None, change: str, sdnn: float, early: float, seed: int
) -> None:
    clip = PhantomSettings(
        seconds=12, heart_rate=rate, heart_rate_end=end, heart_rate_change=change, sdnn=sdnn, premature_beats=early,
        seed=seed,
    )  # fmt: skip
    found = beats(clip)
    assert (np.diff(found) > 0).all()
    assert np.allclose(heart_phase(clip, found) / (2 * np.pi), np.arange(len(found)), atol=1e-6)
    fine = np.linspace(0, 12, 4001)
    assert (np.diff(heart_phase(clip, fine)) > 0).all()
    # the rate is the slope of the phase
    turns = np.trapezoid(heart_rate(clip, fine) / 60, fine)
    assert turns == pytest.approx(float(heart_phase(clip, fine[-1:])[0]) / (2 * np.pi), abs=0.06)


@pytest.mark.parametrize("shape", ["harmonics", "waves"])
def test_the_fundamental_is_one_and_peaks_at_the_beat(shape: str) -> None:
    clip = PhantomSettings(pulse_shape=shape)
    phase = 2 * np.pi * np.arange(512) / 512
    spectrum = np.fft.rfft(blood_volume(clip, phase)) / 256
    assert abs(spectrum[1]) == pytest.approx(1)
    assert np.angle(spectrum[1]) == pytest.approx(0, abs=1e-9)
    assert np.allclose(spectrum[1 : len(harmonics(clip)) + 1], harmonics(clip))


def test_the_shape_waves_has_a_steep_systole_and_a_second_wave() -> None:
    clip = PhantomSettings(pulse_shape="waves", diastolic_wave=0.6)
    wave = blood_volume(clip, 2 * np.pi * np.arange(2000) / 1000)
    top = int(np.argmax(wave[:1000]))
    slope = np.diff(wave)
    assert slope.max() > -1.25 * slope.min()
    peaks = [i for i in range(top + 30, top + 900) if wave[i - 1] < wave[i] >= wave[i + 1]]
    assert len(peaks) == 1
    assert 0.25 < (peaks[0] - top) / 1000 < 0.45


def test_the_breath_changes_amplitude_and_baseline_of_the_pulse() -> None:
    clip = PhantomSettings(seconds=60, breathing_amplitude=0.3, breathing_baseline=0.5, breathing_rate=14)
    time = np.arange(0, 60, 0.01)
    wave, pure, air = blood(clip, time), blood_volume(clip, heart_phase(clip, time)), breath(clip, time)
    fit = np.linalg.lstsq(np.stack([pure, pure * air, air], axis=1), wave, rcond=None)[0]
    assert fit == pytest.approx([1, 0.3, 0.5])


def test_breaths_start_at_whole_turns() -> None:
    clip = PhantomSettings(seconds=60, breathing_rate=10, breathing_rate_end=20, seed=4)
    found = breaths(clip)
    assert len(found) == pytest.approx(15, abs=1)
    turns = breathing_phase(clip, found) / (2 * np.pi)
    assert np.allclose(turns, np.rint(turns), atol=2e-4)
    assert (breath(clip, found) < -0.999).all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"sdnn": 40, "rmssd": 200}, "sdnn 40 ms cannot go with rmssd 200"), ({"lf_hf": 2}, "lf_hf needs sdnn"),
     ({"sdnn": 40, "lf_hf": 1, "breathing_rate": 30}, "breathing_rate of 9-24"),
     ({"sdnn": 20, "respiratory_arrhythmia": 100}, "cannot go with"),
     ({"sdnn": 40, "rmssd": 30, "lf_hf": 1, "respiratory_arrhythmia": 10}, "at most two")],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_reason(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        PhantomSettings(**wrong)


def test_powers_add_up() -> None:
    assert sum(powers(PhantomSettings(sdnn=50, rmssd=40))) == pytest.approx(0.05**2)
    assert powers(PhantomSettings()) == (0, 0, 0)
