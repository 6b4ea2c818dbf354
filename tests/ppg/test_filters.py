"""Band-passes against SciPy's, their response, their ends, and the seed's own form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from ppg.filters import butterworth, fir, moving_averages, usable_band, zero_padded_moving_averages
from ppg.resample import fill_gaps, grid_times, resample

pytestmark = pytest.mark.unit

FILTERS = {
    "butterworth": lambda rate: butterworth(0.6, 4.0, rate),
    "fir": lambda rate: fir(0.6, 4.0, rate),
    "moving_average": lambda rate: moving_averages(round(3 * rate), round(0.2 * rate), rate),
}


@pytest.mark.parametrize("rate", [15.0, 30.0, 59.94])
def test_butterworth_is_scipys_run_forwards_and_backwards(rate):
    noise = np.random.default_rng(0).standard_normal(round(40 * rate))
    sections = signal.butter(2, [0.6, 4.0], "bandpass", fs=rate, output="sos")
    expected = signal.sosfiltfilt(sections, noise)
    inner = slice(round(6 * rate), -round(6 * rate))
    found = butterworth(0.6, 4.0, rate)(noise)
    # the response is cut at -60 dB
    assert np.abs(found - expected)[inner].max() < 0.02 * expected.std()
    frequency = np.linspace(0.3, 5, 50)
    _, response = signal.sosfreqz(sections, frequency, fs=rate)
    np.testing.assert_allclose(butterworth(0.6, 4.0, rate).gain_at(frequency), np.abs(response) ** 2, atol=0.03)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("rate", [24.0, 30.0, 60.0])
def test_phase_is_zero_and_the_gain_is_what_it_says(name, rate):
    band_pass = FILTERS[name](rate)
    time = np.arange(round(30 * rate)) / rate
    inner = slice(round(6 * rate), -round(6 * rate))
    for beat in (0.8, 1.2, 2.5):
        found = band_pass(np.sin(2 * np.pi * beat * time) + 100.0)
        gain = float(band_pass.gain_at(beat))
        np.testing.assert_allclose(found[inner], gain * np.sin(2 * np.pi * beat * time)[inner], atol=2e-3)
    assert abs(float(band_pass.gain_at(0.0))) < 1e-12
    assert 0.9 < float(band_pass.gain_at(band_pass.centre_hz)) < 1.3


@pytest.mark.parametrize("name", FILTERS)
def test_a_constant_gives_nothing_up_to_the_ends(name):
    band_pass = FILTERS[name](30.0)
    for samples in (2, 9, 40, 300):
        assert np.abs(band_pass(np.full(samples, 140.0))).max() < 1e-9


@pytest.mark.parametrize("name", FILTERS)
def test_the_pulse_is_there_up_to_the_ends(name):
    """A cosine about the first and last sample is its own mirror image: there the ends are exact."""
    rate, beat = 30.0, 1.5
    time = np.arange(301) / rate
    band_pass = FILTERS[name](rate)
    wave = np.cos(2 * np.pi * beat * time)
    np.testing.assert_allclose(band_pass(wave), float(band_pass.gain_at(beat)) * wave, atol=1e-9)


def test_the_seeds_form_is_its_own_code():
    def moving_average(x, n):
        return np.convolve(x, np.ones(n) / n, mode="same")

    trace = 138 + np.sin(np.arange(301) / 5)
    expected = moving_average(trace - moving_average(trace, 90), 6)
    np.testing.assert_allclose(zero_padded_moving_averages(trace, 90, 6), expected, atol=1e-9)
    assert np.abs(expected).max() > 40  # the transient at the ends that its multiplier rests on
    assert np.abs(expected[60:-60]).max() < 2
    assert len(zero_padded_moving_averages(trace[:30], 90, 6)) == 30


def test_bands_that_do_not_fit_are_refused_or_cut():
    assert usable_band(0.6, 4.0, 30.0) == (0.6, 4.0)
    assert usable_band(0.6, 4.0, 8.0) == (0.6, pytest.approx(3.6))
    for make in (butterworth, fir):
        with pytest.raises(ValueError, match="no band"):
            make(0.6, 4.0, 1.0)


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 60), rate=st.floats(5, 240), low=st.floats(0.2, 1.0), seed=st.integers(0, 100),
    name=st.sampled_from(["butterworth", "fir"]),
)  # fmt: skip
def test_any_clip_gives_finite_waves_of_its_length(n, rate, low, seed, name):
    wave = np.random.default_rng(seed).uniform(0, 255, (3, n))
    found = {"butterworth": butterworth, "fir": fir}[name](low, 4.0, rate)(wave)
    assert found.shape == wave.shape
    assert np.isfinite(found).all()


def test_resampling_is_the_identity_where_times_coincide_and_close_elsewhere():
    grid = grid_times(0.0, 30.0, 300)
    values = np.random.default_rng(0).standard_normal((2, 300))
    np.testing.assert_array_equal(resample(values, grid + 1e-9, grid), values)
    jitter = grid + np.random.default_rng(1).uniform(-0.4, 0.4, 300) / 30
    found = resample(np.sin(2 * np.pi * jitter)[None], jitter, grid)[0]
    assert np.abs(found - np.sin(2 * np.pi * grid))[2:-2].max() < 0.03


def test_gaps_are_bridged():
    nan = np.nan
    values = np.array([[nan, 1, nan, 3, nan, nan], [nan] * 6, [1, 2, 3, 4, 5, 6]])
    np.testing.assert_array_equal(fill_gaps(values), [[1, 1, 2, 3, 3, 3], [0] * 6, [1, 2, 3, 4, 5, 6]])
