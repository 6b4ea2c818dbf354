"""Movement in step with the heart is taken out of the maps, blood is left."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from magnifier.maps.harmonics import Beats
from magnifier.maps.movement import log_slope, movement, without_movement

pytestmark = pytest.mark.unit
SHAPE, SIDE = (80, 100), 4
SEEN = np.ones(SHAPE, bool)


def level() -> np.ndarray:
    """Skin with grain, and a dark line across it."""
    rng = np.random.default_rng(3)
    rows = np.arange(SHAPE[0])[:, None]
    return (
        120 * (1 + 0.5 * gaussian_filter(rng.normal(size=SHAPE), 1.5)) * (1 - 0.3 * np.exp(-(((rows - 40) / 2) ** 2)))
    )


def beats(amplitude: np.ndarray) -> Beats:
    return Beats(amplitude, np.repeat(amplitude[:, None], 4, axis=1), np.full((2, *SHAPE), 1e-4))


def test_a_slope_is_the_gradient_of_the_logarithm() -> None:
    across = 100 * np.exp(0.01 * SIDE * np.arange(SHAPE[1])) * np.ones((SHAPE[0], 1))
    slope = log_slope(across, SEEN, SIDE, 0.75)
    assert slope[0][5:-5, 5:-5] == pytest.approx(0.01, abs=1e-6)
    assert slope[1][5:-5, 5:-5] == pytest.approx(0, abs=1e-9)


def test_movement_is_found_and_taken_out() -> None:
    slope = log_slope(level(), SEEN, SIDE, 0.75)
    true = np.array([[0.02 + 0.01j, 0.03], [-0.04j, 0.01]])  # px: to the right and down, of both harmonics
    blood = np.full((2, *SHAPE), 0.004 + 0j)
    given = beats(blood + (slope[:, None] * true[:, :, None, None]).sum(axis=0))
    moved = movement(given, slope, SEEN.astype(float), 8.0, 0.75)
    inner = moved[:, :, 10:-10, 10:-10]
    assert np.abs(inner - true[:, :, None, None]).max() < 0.1 * np.abs(true).max()
    left = without_movement(given, slope, moved)
    before = np.abs(given.amplitude - blood).max()
    assert np.abs(left.amplitude - blood)[:, 10:-10, 10:-10].max() < 0.1 * before
    assert left.left_out[:, 0] == pytest.approx(left.amplitude)


def test_a_vessel_is_no_movement() -> None:
    rows = np.arange(SHAPE[0])[:, None]
    vessel = 0.004 * (1 + np.exp(-(((rows - 40) / 2) ** 2))) * np.ones((2, *SHAPE)) + 0j
    slope = log_slope(level(), SEEN, SIDE, 0.75)  # a dark line lies over it: its two edges speak against each other
    left = without_movement(beats(vessel), slope, movement(beats(vessel), slope, SEEN.astype(float), 8.0, 0.75))
    assert left.amplitude[0, 40, 20:80].real == pytest.approx(0.008, rel=0.06)


def test_skin_without_an_edge_does_not_move() -> None:
    given = beats(np.random.default_rng(0).normal(size=(2, *SHAPE)) * 1e-4 + 0.004 + 0j)
    slope = log_slope(np.full(SHAPE, 120.0), SEEN, SIDE, 0.75)
    found = without_movement(given, slope, movement(given, slope, SEEN.astype(float), 8.0, 0.75))
    assert found.amplitude == pytest.approx(given.amplitude, abs=1e-9)
