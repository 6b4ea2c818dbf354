"""Beats are timed to a part of a frame, and none is missed or made up."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from ppg.beats import find_beats, foot, steepest_rise
from ppg.filters import butterworth
from ppg.rate import sliding_spectra, track

SHARED = Path(__file__).parents[2] / ".." / "shared" / "ecg"
FPS = 30.0


def recording(rate_bpm=70.0, sdnn_s=0.04, noise=0.0, seed=0, seconds=60.0, length=None):
    """A pulse of two harmonics and its true beats; intervals vary slowly and with a breath."""
    rng = np.random.default_rng(seed)
    mean = 60 / rate_bpm
    count = int(seconds / mean) + 8
    at = np.arange(count) * mean
    swing = np.sin(2 * np.pi * 0.1 * at + rng.uniform(0, 6)) + np.sin(2 * np.pi * 0.24 * at + rng.uniform(0, 6))
    intervals = mean + sdnn_s * swing if length is None else length(np.full(count, mean))
    beats = np.cumsum(intervals) - 2 * mean
    time = np.arange(0, seconds, 1 / FPS)
    phase = 2 * np.pi * np.interp(time, beats, np.arange(count))
    wave = np.cos(phase) + 0.35 * np.cos(2 * phase - 1.2) + noise * rng.normal(size=len(time))
    heart = np.convolve(1 / np.interp(time, beats[1:], np.diff(beats)), np.ones(241) / 241, "same")
    weight = np.convolve(np.ones(len(time)), np.ones(241) / 241, "same")
    return time, wave, beats[(beats > 0) & (beats < seconds)], heart / weight


def errors(found, truth):
    """Of each beat found, s, constant offset removed; and how many true ones in the middle were not found."""
    nearest = truth[np.abs(found[:, None] - truth).argmin(axis=1)]
    offset = np.median(found - nearest)
    nearest = truth[np.abs(found[:, None] - offset - truth).argmin(axis=1)]
    inner = truth[(truth > 1.5) & (truth < truth[-1] - 1.5)]
    missed = sum(np.abs(found - offset - beat).min() > 0.15 for beat in inner)
    return found - offset - nearest, int(missed)


@pytest.mark.unit
@pytest.mark.parametrize("rate_bpm", [42, 55, 75, 100, 140, 215])
def test_clean_beats_are_within_8_ms(rate_bpm):
    _, wave, truth, heart = recording(rate_bpm, 0.03 * 60 / rate_bpm)
    beats = find_beats(butterworth(0.6, 8, FPS)(wave), FPS, heart, band_hz=(0.6, 8))
    wrong, missed = errors(beats.time_s, truth)
    assert missed == 0
    assert np.sqrt((wrong**2).mean()) <= 0.008
    inner = truth[(truth >= beats.time_s[0] - 0.3) & (truth <= beats.time_s[-1] + 0.3)]
    assert abs(np.diff(beats.time_s).std(ddof=1) - np.diff(inner).std(ddof=1)) <= 0.005


@pytest.mark.unit
@settings(max_examples=12, deadline=None)
@given(rate_bpm=st.floats(42, 200), seed=st.integers(0, 1000), shift=st.floats(-50, 50), gain=st.floats(1e-6, 1e3))
def test_times_follow_the_clock_and_not_the_size(rate_bpm, seed, shift, gain):
    _, wave, _, heart = recording(rate_bpm, 0.02 * 60 / rate_bpm, 0.1, seed, 20)
    filtered = butterworth(0.6, 8, FPS)(wave)
    here = find_beats(filtered, FPS, heart)
    there = find_beats(gain * filtered, FPS, heart, origin_s=shift)
    np.testing.assert_allclose(there.time_s - shift, here.time_s, atol=1e-6)
    assert (np.diff(here.time_s) > 0).all()
    assert ((here.quality >= 0) & (here.quality <= 1)).all()


@pytest.mark.unit
def test_the_mean_beat_has_less_jitter_than_a_single_point():
    spread = {"mean": [], "rise": [], "foot": []}
    for seed in range(3):
        _, wave, truth, heart = recording(70, 0.02, 0.2, seed)
        filtered = butterworth(0.6, 8, FPS)(wave)
        beats = find_beats(filtered, FPS, heart, band_hz=(0.6, 8)).time_s
        rises = steepest_rise(filtered, FPS, beats - 0.15, 0.1)
        feet = foot(filtered, FPS, beats - 0.15, 0.1)
        for name, found in (("mean", beats), ("rise", rises), ("foot", feet)):
            spread[name].append(errors(found, truth)[0].std())
    assert np.mean(spread["mean"]) < 0.8 * np.mean(spread["rise"])
    assert np.mean(spread["mean"]) < 0.8 * np.mean(spread["foot"])


@pytest.mark.unit
@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_the_jitter_is_about_what_it_says(noise):
    said, true = [], []
    for seed in range(4):
        _, wave, truth, heart = recording(70, 0.0, noise, seed)
        beats = find_beats(butterworth(0.6, 8, FPS)(wave), FPS, heart, band_hz=(0.6, 8))
        said.append(beats.jitter_s)
        true.append(errors(beats.time_s, truth)[0].std())
    assert 0.6 < np.mean(said) / np.mean(true) < 1.5


@pytest.mark.unit
def test_a_premature_beat_is_found():
    def early(intervals):
        intervals[20], intervals[21] = 0.7 * intervals[20], 1.3 * intervals[21]
        return intervals

    _, wave, truth, heart = recording(66, length=early)
    beats = find_beats(butterworth(0.6, 8, FPS)(wave), FPS, heart, band_hz=(0.6, 8))
    wrong, missed = errors(beats.time_s, truth)
    assert missed == 0
    assert np.abs(wrong).max() < 0.12


@pytest.mark.unit
def test_where_the_rate_is_not_known_there_are_no_beats():
    time, wave, _, heart = recording()
    heart = np.where((time > 20) & (time < 40), np.nan, heart)
    beats = find_beats(wave - wave.mean(), FPS, heart)
    assert not ((beats.time_s > 20.6) & (beats.time_s < 39.4)).any()
    assert (beats.time_s < 20).sum() > 15
    assert (beats.time_s > 40).sum() > 15
    assert find_beats(wave, FPS, np.full(len(wave), np.nan)).time_s.size == 0


@pytest.mark.unit
def test_a_flat_or_short_wave_has_no_beats_and_a_broken_one_is_refused():
    assert find_beats(np.zeros(300), FPS, np.ones(300)).time_s.size == 0
    assert find_beats(np.ones(5), FPS, np.ones(5)).time_s.size == 0
    with pytest.raises(ValueError, match="fit"):
        find_beats(np.ones(30), FPS, np.ones(31))
    with pytest.raises(ValueError, match="finite"):
        find_beats(np.full(300, np.nan), FPS, np.ones(300))


@pytest.mark.clips
@pytest.mark.parametrize(("down", "rate_hz"), [(1, 250.0), (8, 31.25)])
def test_the_shared_minute(down, rate_hz):
    if not (SHARED / "PPGData.mat").is_file():
        pytest.skip("the shared ECG and PPG minute is not here")
    ppg = scipy.io.loadmat(SHARED / "PPGData.mat")["PPG"][0, 0]
    own = np.diff(ppg["peaks"].ravel() / 250.0)
    wave = butterworth(0.6, 8, rate_hz)(resample_poly(ppg["data"].ravel().astype(float), 1, down))
    spectra = sliding_spectra(wave, rate_hz, 8.53, (0.6, 4))
    heart = np.interp(np.arange(len(wave)) / rate_hz, spectra.centre_s, track(spectra))
    found = np.diff(find_beats(wave, rate_hz, heart, band_hz=(0.6, 8)).time_s)
    assert abs(60 / found.mean() - 60 / own.mean()) <= 0.1
    assert abs(found.std(ddof=1) - own.std(ddof=1)) <= 0.003
    rmssd = [np.sqrt((np.diff(each) ** 2).mean()) for each in (found, own)]
    assert abs(rmssd[0] - rmssd[1]) <= 0.003
