import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.filters import butterworth
from ppg.interval import best_mean_rate, best_mean_rates, mean_rate, mean_rates

pytestmark = pytest.mark.unit

RATE = 30.0


def wave_of(rate_hz, noise=0.0, seed=0):
    phase = 2 * np.pi * np.cumsum(rate_hz) / RATE
    clean = np.sin(phase) + 0.25 * np.sin(2 * phase + 0.7)
    return clean + noise * np.random.default_rng(seed).standard_normal(len(phase))


@settings(max_examples=15, deadline=None)
@given(low=st.floats(0.8, 3.2), change=st.floats(-0.12, 0.12), seconds=st.floats(5, 14))
def test_the_mean_of_a_ramp_is_found(low, change, seconds):
    count = round(seconds * RATE)
    rate = low * (1 + change * np.linspace(0, 1, count))
    found = best_mean_rate(wave_of(rate), RATE, np.full(count, rate.mean() * 1.01))
    assert found.hz == pytest.approx(rate.mean(), abs=0.01)
    assert found.fit > 0.98
    assert found.rate_hz.shape == (count,)


def test_it_beats_the_peak_of_a_spectrum_where_the_rate_steps():
    rate = np.where(np.arange(300) < 220, 1.2, 1.35)
    found = best_mean_rate(wave_of(rate), RATE, np.full(300, 1.2))
    assert abs(found.hz - rate.mean()) < 0.01 < abs(1.2 - rate.mean())


def test_more_noise_makes_it_less_sure():
    rate = np.full(300, 1.3)
    devs = [mean_rate(wave_of(rate, noise), RATE, rate).deviation_hz for noise in (0.1, 0.5, 1.5)]
    assert devs[0] < devs[1] < devs[2]


def test_nothing_gives_the_guess_and_no_certainty():
    found = mean_rate(np.zeros(300), RATE, np.full(300, 1.1))
    assert found.hz == pytest.approx(1.1)
    assert found.fit == 0.0
    assert np.isinf(found.deviation_hz)


def test_a_guess_for_other_samples_is_refused():
    with pytest.raises(ValueError, match="finite rate at each sample"):
        mean_rate(np.zeros(300), RATE, np.full(299, 1.1))
    with pytest.raises(ValueError, match="finite rate at each sample"):
        mean_rate(np.ones(300), RATE, np.full(300, np.nan))


@settings(max_examples=12, deadline=None)
@given(seconds=st.floats(1, 70), sampling=st.sampled_from([9.0, 15.0, 30.0]), filtered=st.booleans(),
       seed=st.integers(0, 2**31))  # fmt: skip
def test_waves_that_are_fitted_together_are_fitted_each_for_itself(seconds, sampling, filtered, seed):
    """One of them empty, one so fast that its second harmonic cannot be shown at 9 and 15 samples a second."""
    chance = np.random.default_rng(seed)
    time = np.arange(max(round(seconds * sampling), 1)) / sampling
    rates = np.array([0.9, 1.0, 1.7, 3.6])
    waves = np.sin(2 * np.pi * rates[:, None] * time) + 0.4 * chance.standard_normal((4, len(time)))
    waves[1] = 0.0
    start = np.broadcast_to(rates[:, None] * 1.005, waves.shape)
    band_pass = butterworth(0.6, 4.0, sampling) if filtered else None
    for together, alone in ((mean_rates, mean_rate), (best_mean_rates, best_mean_rate)):
        for row, found in enumerate(together(waves, sampling, start, band_pass)):
            one = alone(waves[row], sampling, start[row], band_pass)
            assert found.hz == pytest.approx(one.hz, rel=1e-6)
            assert found.fit == pytest.approx(one.fit, rel=1e-6, abs=1e-9)
            assert found.deviation_hz == pytest.approx(one.deviation_hz, rel=1e-5)
            np.testing.assert_allclose(found.rate_hz, one.rate_hz, rtol=1e-6)


def test_as_many_waves_as_there_is_memory_for_are_fitted_at_once(monkeypatch):
    time = np.arange(300) / 30
    waves = np.sin(2 * np.pi * np.linspace(0.9, 2.5, 7)[:, None] * time)
    start = np.full(waves.shape, 1.0) * np.linspace(0.91, 2.52, 7)[:, None]
    at_once = [found.hz for found in mean_rates(waves, 30.0, start)]
    monkeypatch.setattr("ppg.interval._MOST_VALUES", 4000)  # two of 6 knots and 300 samples
    assert [found.hz for found in mean_rates(waves, 30.0, start)] == pytest.approx(at_once, rel=1e-9)
    monkeypatch.setattr("ppg.interval._MOST_VALUES", 1)
    assert [found.hz for found in mean_rates(waves, 30.0, start)] == pytest.approx(at_once, rel=1e-9)
