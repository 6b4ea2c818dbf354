"""Pictures closed to a torus, changes added to planes, smoothing that thins out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magnifier.motion.composite import Closed, added, mirrored_index
from magnifier.motion.smoothing import doubled, smoothing_kernel, thinned

pytestmark = pytest.mark.unit


@given(height=st.integers(1, 20), width=st.integers(1, 20), more=st.integers(0, 9), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_a_closed_picture_keeps_its_own_and_has_no_seam(height, width, more, seed) -> None:  # type: ignore[no-untyped-def]
    plane = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    closed = Closed((height, width), (height + 2 * more, width + more), (more, more // 2))
    grown = closed.grown(plane)
    assert grown.shape == (height + 2 * more, width + more)
    assert np.array_equal(closed.cut(grown), plane)
    assert grown.min() >= plane.min() - 1e-3
    assert grown.max() <= plane.max() + 1e-3
    flat = Closed((height, width), (height + 30, width + 40), (15, 20)).grown(plane)
    for axis in (0, 1):  # all round, no step is larger than a part of the way from one edge to the other
        steps = np.abs(np.diff(np.concatenate([flat, flat.take([0], axis)], axis), axis=axis))
        outside = steps[:14] if axis == 0 else steps[:, :19]
        assert outside.max() < 255 * np.pi / 2 / 30


def test_mirrored_samples_are_not_repeated() -> None:
    assert mirrored_index(4, 3, 11).tolist() == [3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]
    assert mirrored_index(1, 2, 4).tolist() == [0, 0, 0, 0]


def test_a_change_is_rounded_and_saturates() -> None:
    plane = np.array([[0, 10], [250, 255]], np.uint8)
    change = np.array([[-5, 0.6], [9, 0.4]], np.float32)
    assert added(plane, change.copy()).tolist() == [[0, 11], [255, 255]]
    assert added(plane, change.copy(), np.array([[0.0]], np.float32)).tolist() == plane.tolist()
    half = np.array([[1, 0], [0.5, 1]], np.float32)
    assert added(plane, change.copy(), half).tolist() == [[0, 10], [254, 255]]


@given(height=st.integers(2, 21), width=st.integers(2, 21), sigma=st.sampled_from([1.0, 2.0]))
@settings(max_examples=20, deadline=None)
def test_what_is_constant_stays_and_waves_are_weakened_as_a_gaussian_does(height, width, sigma) -> None:  # type: ignore[no-untyped-def]
    kernel = smoothing_kernel(sigma)
    values = np.full((height, width), 2 + 1j, np.complex64)
    few = thinned(values, kernel)
    assert few.shape == ((height + 1) // 2, (width + 1) // 2)
    assert np.abs(few - (2 + 1j)).max() < 1e-5
    assert np.abs(doubled(few.real, (height, width)) - 2).max() < 1e-5
    wave = np.broadcast_to(np.cos(np.pi * np.arange(33) / 8), (9, 33)).astype(np.complex64)
    assert np.abs(thinned(wave, kernel) - np.exp(-((sigma * np.pi / 8) ** 2) / 2) * wave[::2, ::2]).max() < 0.03


def test_lines_are_drawn_between_kept_samples() -> None:
    kept = np.array([[0, 4], [2, 6]], np.float32)
    assert doubled(kept, (4, 3)).tolist() == [[0, 2, 4], [1, 3, 5], [2, 4, 6], [2, 4, 6]]
    assert thinned(kept, None) is kept
    assert smoothing_kernel(0) is None
