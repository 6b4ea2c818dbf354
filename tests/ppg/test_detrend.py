"""Smoothness priors: the paper's own matrix, its cut-off, and what it must leave alone."""

import numpy as np
import pytest

from ppg.detrend import cut_off_hz, gain_at, regularization_of, smoothness_priors

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("samples", [3, 4, 5, 50])
def test_it_is_the_equation_of_the_paper(samples):
    signal = np.random.default_rng(0).standard_normal((2, samples)) + 100
    second = np.diff(np.eye(samples), 2, axis=0)
    inverse = np.linalg.inv(np.eye(samples) + 10.0**2 * second.T @ second)
    expected = ((np.eye(samples) - inverse) @ signal.T).T
    np.testing.assert_allclose(smoothness_priors(signal, 10.0), expected, atol=1e-9)


def test_the_cut_off_is_that_of_the_paper_and_goes_both_ways():
    assert cut_off_hz(500.0, 4.0) == pytest.approx(0.035, abs=0.001)
    for rate, wanted in ((30.0, 0.3), (15.0, 0.7), (240.0, 0.5)):
        found = regularization_of(wanted, rate)
        assert cut_off_hz(found, rate) == pytest.approx(wanted)
        assert float(gain_at(wanted, found, rate)) == pytest.approx(2**-0.5)


def test_the_gain_is_what_it_says():
    rate, strength = 30.0, regularization_of(0.4, 30.0)
    time = np.arange(1800) / rate
    for frequency in (0.1, 0.4, 1.0, 3.0):
        wave = np.sin(2 * np.pi * frequency * time)
        found = smoothness_priors(wave, strength)[450:-450]
        np.testing.assert_allclose(found, float(gain_at(frequency, strength, rate)) * wave[450:-450], atol=2e-3)


def test_lines_go_whatever_their_slope_and_ten_minutes_stay_exact():
    line = 140 - 0.01 * np.arange(18000.0)
    assert np.abs(smoothness_priors(line, regularization_of(0.1, 30.0))).max() < 1e-6
    assert np.abs(smoothness_priors(np.full(2, 9.0), 10.0)).max() == 0


def test_wrong_values_are_refused():
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="regularization"):
            smoothness_priors(np.zeros(9), wrong)
    for wrong in (0.0, 15.0, 99.0):
        with pytest.raises(ValueError, match="cut-off"):
            regularization_of(wrong, 30.0)
