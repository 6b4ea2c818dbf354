"""The phase of the beat follows the heart, through a wandering rate and a wave that is no sine."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.phase import heart_phase

pytestmark = pytest.mark.unit
RATE = 30.0


def beating(seconds: float, low: float, swing: float, start: float):
    """Times, true phase and rate of a heart that wanders round `low` Hz."""
    at = np.arange(round(seconds * RATE)) / RATE
    rate = low + swing * np.sin(2 * np.pi * 0.1 * at)
    turns = low * at - swing * np.cos(2 * np.pi * 0.1 * at) / (2 * np.pi * 0.1)
    return at, start + 2 * np.pi * turns, rate


@settings(max_examples=20, deadline=None)
@given(low=st.floats(0.8, 2.5), swing=st.floats(0, 0.1), start=st.floats(-3, 3))
def test_the_phase_is_that_of_the_beat(low, swing, start):
    _, true, rate = beating(20, low, swing, start)
    wave = np.cos(true) + 0.3 * np.cos(2 * true + 1)
    found = heart_phase(wave, RATE, rate)
    error = np.angle(np.exp(1j * (found - true)))
    assert np.abs(error).max() < 0.15  # at the ends half the window is there
    assert np.abs(error[75:-75]).max() < 0.03
    assert np.abs(np.diff(found)).max() < np.pi


def test_a_rate_that_is_slightly_off_does_not_run_away():
    _, true, _ = beating(40, 1.2, 0.0, 0.4)
    found = heart_phase(np.cos(true), RATE, np.full(len(true), 1.22))
    assert np.abs(np.angle(np.exp(1j * (found - true))))[75:-75].max() < 0.02


def test_where_the_rate_is_refused_there_is_no_phase():
    rate = np.full(100, 1.2)
    rate[50] = np.nan
    assert np.isnan(heart_phase(np.ones(100), RATE, rate)).all()
    assert heart_phase(np.zeros(0), RATE, np.zeros(0)).shape == (0,)
