"""Profiles are the means they say, whatever the size of the picture."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.profiles import BINS, SCALE, STRIPS, bin_counts, bin_size, frame_profiles, strip_edges

pytestmark = pytest.mark.unit


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 150), width=st.integers(1, 150), seed=st.integers(0, 1000))
def test_they_are_the_means_of_a_loop(height, width, seed):
    luma = np.random.default_rng(seed).integers(0, 1021, (height, width)).astype(np.uint16)
    found = frame_profiles(luma)
    assert found.shape == (2, STRIPS, BINS)
    assert found.dtype == np.uint16
    for axis, turned in enumerate((luma, luma.T)):
        step, edges = bin_size(turned.shape[0]), strip_edges(turned.shape[1])
        for strip in range(STRIPS):
            for place in range(BINS):
                part = turned[place * step : (place + 1) * step, edges[strip] : edges[strip + 1]].astype(int)
                expected = SCALE * part.sum() // (4 * part.size) if part.size else 0
                assert found[axis, strip, place] == expected


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 3000))
def test_bins_and_strips_cover_every_sample_once(size):
    assert bin_counts(size).sum() == size
    edges = strip_edges(size)
    assert (edges[0], edges[-1]) == (0, size)
    assert all(a <= b for a, b in pairwise(edges))


def test_the_brightest_picture_does_not_overflow():
    for shape in ((240, 320), (1080, 1920), (2160, 3840)):
        found = frame_profiles(np.full(shape, 1020, np.uint16))
        used = found[found > 0]
        assert used.min() == used.max() == 255 * SCALE


def test_a_frame_takes_a_kilobyte():
    assert frame_profiles(np.zeros((240, 320), np.uint16)).nbytes <= 1024
