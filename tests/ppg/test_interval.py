import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.interval import best_mean_rate, mean_rate

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
