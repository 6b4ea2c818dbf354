"""The kernel of acceleration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magnifier.motion.acceleration import HALF_LENGTH_S, acceleration_kernel

pytestmark = pytest.mark.unit


def response(kernel: np.ndarray, frequency: np.ndarray, rate: float) -> np.ndarray:
    offset = np.arange(len(kernel)) - len(kernel) // 2
    return np.cos(2 * np.pi * frequency[:, None] / rate * offset) @ kernel


@given(frequency=st.floats(0.4, 3.0), rate=st.floats(12.5, 120))
@settings(max_examples=40, deadline=None)
def test_it_answers_to_its_frequency_and_to_no_steady_movement(frequency, rate) -> None:  # type: ignore[no-untyped-def]
    kernel = acceleration_kernel(frequency, rate)
    offset = np.arange(len(kernel)) - len(kernel) // 2
    assert np.array_equal(kernel, kernel[::-1])
    assert abs(kernel.sum()) < 1e-12
    assert abs((kernel * offset).sum()) < 1e-9
    assert len(kernel) // 2 <= HALF_LENGTH_S * rate
    frequencies = np.linspace(0, rate / 2, 400)
    assert response(kernel, np.array([frequency]), rate)[0] == pytest.approx(1)
    assert response(kernel, frequencies, rate).max() < 1.02


@pytest.mark.parametrize(("frequency", "text"), [(0.0, "above 0"), (8.0, "up to 7.5 Hz"), (0.2, "choose 0.37 Hz")])
def test_what_cannot_be_made_is_refused(frequency, text) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=text):
        acceleration_kernel(frequency, 30.0)
