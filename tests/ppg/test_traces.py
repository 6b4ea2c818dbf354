"""Sums over skin are exact integers, and the blob keeps them."""

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from media.array_blob import pack
from ppg.profiles import BINS, STRIPS
from ppg.trace_blob import Trace
from ppg.traces import AUTO_PATCHES, MOST_PATCHES, PatchGrid, clipped, frame_sums, luma_sums, means, patch_grid

pytestmark = pytest.mark.unit


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 61), width=st.integers(1, 61), side=st.integers(1, 70), seed=st.integers(0, 1000),
    bright=st.booleans(),
)  # fmt: skip
def test_sums_are_those_of_a_loop_over_samples(height, width, side, seed, bright):
    rng = np.random.default_rng(seed)
    shape = ((height + 1) // 2, (width + 1) // 2)
    y = np.full((height, width), 255, np.uint8) if bright else rng.integers(0, 256, (height, width)).astype(np.uint8)
    u, v = rng.integers(250 if bright else 0, 256, (2, *shape)).astype(np.uint8)
    mask = rng.integers(0, 2, shape).astype(np.uint8)
    grid = PatchGrid(shape, side)
    found = frame_sums(y, u, v, mask, grid)
    expected = np.zeros((4, grid.count), np.int64)
    for i, j in np.argwhere(mask):
        patch = i // side * grid.columns + j // side
        pixels = [int(y[min(2 * i + a, height - 1), min(2 * j + b, width - 1)]) for a in (0, 1) for b in (0, 1)]
        expected[:, patch] += [1, sum(pixels), int(u[i, j]), int(v[i, j])]
    np.testing.assert_array_equal(found, expected)


def test_large_patches_do_not_overflow():
    grid = PatchGrid((540, 960), 540)
    full = np.full((540, 960), 255, np.uint8)
    found = frame_sums(np.full((1080, 1920), 255, np.uint8), full, full, np.ones_like(full), grid)
    assert found.sum(axis=1).tolist() == [540 * 960 * n for n in (1, 1020, 255, 255)]


def test_luma_of_odd_sizes_repeats_the_edge():
    y = np.arange(15, dtype=np.uint8).reshape(3, 5)
    np.testing.assert_array_equal(luma_sums(y, (2, 3)), [[12, 20, 28 - 2], [42, 50, 56]] * np.array(1))


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 1080), width=st.integers(1, 1920), size=st.one_of(st.none(), st.integers(8, 512)))
def test_the_grid_covers_the_picture_with_few_patches(height, width, size):
    grid = patch_grid((height, width), size)
    assert grid.rows * grid.side >= height
    assert grid.columns * grid.side >= width
    assert grid.count <= (AUTO_PATCHES if size is None else MOST_PATCHES)
    if size is not None:
        assert grid.side >= size // 2


def test_means_of_nothing_are_nan():
    sums = np.array([[2, 0], [800, 0], [220, 0], [300, 0]])
    np.testing.assert_array_equal(means(sums), [[100, np.nan], [110, np.nan], [150, np.nan]])


def test_the_blob_comes_back():
    rng = np.random.default_rng(0)
    sums = {2: rng.integers(0, 2**32, (5, 4, 6), dtype=np.uint32), 1: np.zeros((5, 4, 6), np.uint32)}
    limits = {1: np.arange(5, dtype=np.uint32), 2: np.full(5, 2**32 - 1, np.uint32)}
    profiles = rng.integers(0, 2**16, (5, 2, STRIPS, BINS), dtype=np.uint16)
    trace = Trace(PatchGrid((4, 6), 2), 17, 5, 1, sums, limits, profiles)
    found = Trace.from_bytes(trace.to_bytes())
    assert (found.grid, found.first, found.frames, found.concealed) == (trace.grid, 17, 5, 1)
    assert list(found.sums) == [1, 2]
    for label, array in sums.items():
        np.testing.assert_array_equal(found.sums[label], array)
    assert list(found.clipped) == [1, 2]
    for label, array in limits.items():
        np.testing.assert_array_equal(found.clipped[label], array)
    np.testing.assert_array_equal(found.profiles, profiles)
    assert len(Trace.from_bytes(Trace(PatchGrid((4, 6), 2), 0, 5).to_bytes()).profiles) == 0
    with pytest.raises(ValueError, match="traces"):
        Trace.from_bytes(b"nothing of the kind")
    older = zstandard.ZstdCompressor().compress(pack({}, {"shape": [4, 6], "side": 2}))
    with pytest.raises(ValueError, match="older"):
        Trace.from_bytes(older)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), full_range=st.booleans())
def test_clipped_samples_are_those_of_a_loop(seed, full_range):
    rng = np.random.default_rng(seed)
    edges = [0, 1, 15, 16, 17, 128, 234, 235, 236, 239, 240, 241, 254, 255]
    low, high, most = (0, 255, 255) if full_range else (16, 235, 240)
    y = np.repeat(np.repeat(rng.choice(edges, (5, 7)), 2, axis=0), 2, axis=1).astype(np.uint8)
    y[0, :] = 128  # one pixel of four within the range is enough
    u, v = rng.choice(edges, (2, 5, 7)).astype(np.uint8)
    found = clipped(luma_sums(y, (5, 7)), u, v, full_range)
    for i, j in np.ndindex(5, 7):
        four = y[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].astype(int).sum()
        beyond = four <= 4 * low or four >= 4 * high
        assert found[i, j] == (beyond or not low < u[i, j] < most or not low < v[i, j] < most)
