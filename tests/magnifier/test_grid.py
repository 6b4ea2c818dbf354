"""Grids of fields: means of what lies around, and back to every pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magnifier.grid import field_grid, luma_at_chroma

pytestmark = pytest.mark.unit


@given(
    height=st.integers(33, 90),
    width=st.integers(33, 90),
    grid=st.sampled_from([("patch", 2), ("patch", 6), ("patch", 16), ("pyramid", 2), ("pyramid", 4)]),
)
@settings(max_examples=25, deadline=None)
def test_what_is_even_stays_and_a_slope_comes_back(height: int, width: int, grid: tuple[str, int]) -> None:
    made = field_grid(height, width, grid[0], grid[1])  # type: ignore[arg-type]
    down, across = (height + 1) // 2, (width + 1) // 2
    even = np.full((1, down, across), 7.0, np.float32)
    whole = (slice(0, height), slice(0, width))
    coarse = (slice(0, down), slice(0, across))
    for place, luma, shape in ((whole, True, (height, width)), (coarse, False, (down, across))):
        back = made.expand(made.reduce(even), *place, luma=luma)
        assert back.shape == (1, *shape)
        assert back == pytest.approx(7.0, abs=1e-4)
    slope = np.tile(np.arange(across, dtype=np.float32), (down, 1))[None]
    back = made.expand(made.reduce(slope), *coarse, luma=False)
    edge = int(2 * made.columns.step) + 2
    assert back[0, :, edge:-edge] == pytest.approx(slope[0, :, edge:-edge], abs=0.01)


def test_a_level_of_the_pyramid_is_the_filter_repeated() -> None:
    made = field_grid(128, 128, "pyramid", 4)
    assert made.shape == (8, 8)
    impulse = np.zeros((1, 64, 64), np.float32)
    impulse[0, 32, 32] = 1
    kernel = np.array([1.0])
    for level in range(3):  # the binomial filter, its taps 2^level samples apart
        spread = np.zeros(4 * 2**level + 1)
        spread[:: 2**level] = np.array([1, 4, 6, 4, 1]) / 16
        kernel = np.convolve(kernel, spread)
    centre = len(kernel) // 2
    expected = kernel[centre - 8 :: 8][:3] if centre >= 8 else kernel[centre:]
    row = made.reduce(impulse)[0, 4, 3:6] / made.reduce(impulse)[0, 4, 4]
    assert row == pytest.approx(expected / expected[1], abs=1e-5)


def test_patches_are_means_of_squares() -> None:
    draw = np.random.default_rng(1)
    planes = draw.normal(size=(3, 20, 30)).astype(np.float32)
    made = field_grid(40, 60, "patch", 16)
    assert made.shape == (3, 4)
    found = made.reduce(planes)
    assert found[:, 1, 2] == pytest.approx(planes[:, 8:16, 16:24].mean(axis=(1, 2)), abs=1e-5)
    assert found[:, 2, 3] == pytest.approx(planes[:, 16:20, 24:30].mean(axis=(1, 2)), abs=1e-5)  # what is left over


def test_the_finest_grid_is_the_chroma_plane_itself() -> None:
    made = field_grid(40, 61, "patch", 2)
    planes = np.random.default_rng(1).normal(size=(3, 20, 31)).astype(np.float32)
    assert made.finest
    assert made.reduce(planes) is planes


@pytest.mark.parametrize("shape", [(40, 60), (41, 61), (1, 1), (2, 3)])
def test_luma_is_averaged_by_two(shape: tuple[int, int]) -> None:
    y = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    padded = np.pad(y, ((0, shape[0] % 2), (0, shape[1] % 2)), mode="edge").astype(float)
    expected = padded.reshape(padded.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))
    assert luma_at_chroma(y) == pytest.approx(expected)


def test_a_level_that_is_too_deep_is_refused() -> None:
    with pytest.raises(ValueError, match="pyramid_level of at most 4"):
        field_grid(48, 300, "pyramid", 6)
