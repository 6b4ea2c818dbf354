"""Cells are averaged where they agree, edges stay, and what a codec copied is made good."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from magnifier.maps.cells import CellBox
from magnifier.maps.harmonics import Beats
from magnifier.maps.local_wiener import LocalWiener, blurred, news_share
from magnifier.maps.lockin import COPIED, Equations

pytestmark = pytest.mark.unit
SHAPE = (60, 80)


def noisy(truth: np.ndarray, error: float, groups: int = 10, seed: int = 0) -> Beats:
    """Beats whose groups scatter as an error of that size says: real and imaginary part together."""
    rng = np.random.default_rng(seed)
    parts = rng.normal(size=(2, 2, groups, *SHAPE)) * error * np.sqrt(groups / 2)
    noise = parts[0] + 1j * parts[1]
    mean = noise.mean(axis=1)
    left_out = (noise.sum(axis=1, keepdims=True) - noise) / (groups - 1)
    flat = np.full((2, *SHAPE), error)
    return Beats(truth + mean, truth[:, None] + left_out, flat)


def test_even_skin_becomes_smooth_and_says_how_sure_it_is() -> None:
    truth = np.ones((2, *SHAPE), complex)
    given = noisy(truth, 0.3)
    wiener = LocalWiener(np.ones(SHAPE), 4.0)
    found = wiener.beats(given, wiener.kept(given.amplitude, given.error))
    off = np.abs(found.amplitude - truth)
    assert np.sqrt((off**2).mean()) < 0.35 * 0.3
    # what might have been real counts as an error too, so it says rather too much
    assert 0.4 < np.sqrt((off**2).mean()) / np.sqrt((found.error**2).mean()) < 1.2


def test_a_strong_line_keeps_its_height() -> None:
    truth = np.ones((2, *SHAPE), complex)
    truth[:, 28:32] = 3
    given = noisy(truth, 0.1, seed=1)
    wiener = LocalWiener(np.ones(SHAPE), 4.0)
    found = wiener.beats(given, wiener.kept(given.amplitude, given.error)).amplitude[0].real
    blunt = gaussian_filter(given.amplitude[0].real, 4.0)
    assert found[28:32].mean() == pytest.approx(3, rel=0.05)
    assert blunt[28:32].mean() < 2
    assert np.std(found[:10]) < 0.6 * np.std(given.amplitude[0].real[:10])


def test_what_is_no_skin_enters_no_mean() -> None:
    weights = np.ones(SHAPE)
    weights[:, 40:] = 0
    values = np.where(weights > 0, 2.0, 99.0)
    mean = LocalWiener(weights, 3.0).mean(values)
    assert mean[:, :40] == pytest.approx(2.0)


def test_a_gaussian_of_complex_planes_is_that_of_their_parts() -> None:
    values = np.random.default_rng(2).normal(size=(3, *SHAPE)) * (1 + 2j)
    found = blurred(values, 1.5)
    wanted = gaussian_filter(values[1].imag, 1.5, mode="constant", truncate=3)
    assert found[1].imag == pytest.approx(wanted)


def test_the_share_of_news_is_that_of_new_samples() -> None:
    frames, copied = 100.0, np.where(np.arange(80) < 40, 0.75, 0.25) * np.ones((60, 1))
    weight = frames * (1 - copied + COPIED * copied)
    count = weight.size
    nothing = np.zeros((1, 1, count))
    equations = Equations(
        CellBox(4, 0, 0, *SHAPE), nothing, nothing, nothing[0], weight.reshape(1, -1), np.full(count, frames)
    )
    share = news_share(equations, np.ones(SHAPE, bool), 1.0)
    assert share[:, :30] == pytest.approx(0.25, abs=1e-6)
    assert share[:, 50:] == pytest.approx(0.75, abs=1e-6)
