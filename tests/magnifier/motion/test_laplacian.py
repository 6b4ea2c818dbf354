"""The Laplacian pyramid and its gains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magnifier.motion.laplacian import FINEST_WAVELENGTH, amplified, expanded, levels_of, reduced

pytestmark = pytest.mark.unit

sizes = st.tuples(st.integers(5, 70), st.integers(5, 70))


@given(size=sizes, seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_equal_gains_give_the_picture_without_its_coarse_rest(size, seed) -> None:  # type: ignore[no-untyped-def]
    image = np.random.default_rng(seed).uniform(0, 255, size).astype(np.float32)
    rest = [image]
    for _ in range(levels_of(*size)):
        rest.append(reduced(rest[-1]))
    coarse = rest[-1]
    for finer in rest[-2::-1]:
        coarse = expanded(coarse, finer.shape)
    found = amplified(image, [2.0] * levels_of(*size))
    assert np.abs(found - 2 * (image - coarse)).max() < 1e-3


@given(size=sizes, seed=st.integers(0, 99), gains=st.lists(st.floats(-2, 20), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_brightness_alone_gives_nothing_and_the_sum_of_pictures_the_sum(size, seed, gains) -> None:  # type: ignore[no-untyped-def]
    gains = gains[: levels_of(*size)]
    a, b = np.random.default_rng(seed).uniform(-50, 50, (2, *size)).astype(np.float32)
    assert np.abs(amplified(np.full(size, 200, np.float32), gains)).max() < 1e-2
    assert np.abs(amplified(a + b, gains) - amplified(a, gains) - amplified(b, gains)).max() < 1e-2


@pytest.mark.parametrize("size", [(33, 47), (32, 48), (32, 47)])
def test_reduced_and_expanded_a_smooth_picture_stays(size) -> None:  # type: ignore[no-untyped-def]
    y, x = np.mgrid[: size[0], : size[1]]
    smooth = (100 + 20 * np.cos(np.pi * y / (size[0] - 1)) + 20 * np.cos(np.pi * x / (size[1] - 1))).astype(np.float32)
    assert reduced(smooth).shape == ((size[0] + 1) // 2, (size[1] + 1) // 2)
    assert np.abs(expanded(reduced(smooth), size) - smooth).max() < 0.6


def test_a_level_passes_its_wavelength_most() -> None:
    at = np.arange(1024)
    passed = []
    wavelengths = 2.0 ** np.arange(2.5, 6, 0.125)
    for wavelength in wavelengths:
        wave = np.broadcast_to(np.cos(2 * np.pi * at / wavelength), (64, 1024)).astype(np.float32)
        passed.append(amplified(wave, [0, 0, 1.0])[32, 256:-256].std())
    assert wavelengths[int(np.argmax(passed))] == pytest.approx(4 * FINEST_WAVELENGTH, rel=0.1)
