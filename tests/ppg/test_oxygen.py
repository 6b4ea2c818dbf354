"""SpO2: the ratio is measured, the number comes from the user's calibration alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.oxygen import oxygen_saturation, ratio_of_ratios

pytestmark = pytest.mark.unit

DC = np.array([180.0, 120.0, 90.0])


def colours(red, blue, noise=0.0, seconds=30, seed=0):
    rng = np.random.default_rng(seed)
    wave = np.sin(2 * np.pi * 1.2 * np.arange(30 * seconds) / 30)
    filtered = -DC[:, None] * np.array([red, 0.006, blue])[:, None] * wave
    filtered = filtered + noise * rng.normal(size=filtered.shape)
    return DC[:, None] + filtered, filtered, wave


@settings(max_examples=30, deadline=None)
@given(red=st.floats(0.0005, 0.01), blue=st.floats(0.001, 0.01), a=st.floats(95, 115), b=st.floats(5, 30))
def test_the_ratio_and_the_equation(red, blue, a, b):
    ratios, correlation = ratio_of_ratios(*colours(red, blue), 30.0)
    np.testing.assert_allclose(ratios, red / blue, rtol=1e-3)
    assert correlation == pytest.approx(1)
    found = oxygen_saturation(ratios, correlation, a, b)
    expected = a - b * red / blue
    if 50.1 < expected < 99.9:
        assert found.value == pytest.approx(expected, abs=0.1)
        assert found.low <= found.value <= found.high
    elif not 49.9 <= expected <= 100.1:
        assert "calibration" in found.refused


def test_no_number_without_a_calibration_of_ones_own():
    ratios, correlation = ratio_of_ratios(*colours(0.003, 0.005), 30.0)
    for a, b in ((None, None), (110.0, None), (None, 25.0)):
        assert "no calibration" in oxygen_saturation(ratios, correlation, a, b).refused


def test_a_weak_pulse_and_a_short_clip_are_refused():
    ratios, correlation = ratio_of_ratios(*colours(0.0005, 0.0005, noise=1.0), 30.0)
    assert "weak" in oxygen_saturation(ratios, correlation, 110, 25).refused
    ratios, correlation = ratio_of_ratios(*colours(0.003, 0.005, seconds=12), 30.0)
    assert oxygen_saturation(ratios, correlation, 110, 25).refused == "clip too short: 10 s of 20 s"


def test_noise_widens_the_interval():
    widths = []
    for noise in (0.01, 0.1):
        found = oxygen_saturation(*ratio_of_ratios(*colours(0.003, 0.005, noise), 30.0), 110, 25)
        widths.append(found.high - found.low)
    assert widths[1] > 3 * widths[0]
