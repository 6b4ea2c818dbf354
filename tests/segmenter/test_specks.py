"""Specks and holes go, everything else stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmenter.specks import SPECK, majority, without_specks

pytestmark = pytest.mark.unit


def face(height=240, width=320):
    """A disc with two eyes and a mouth."""
    y, x = np.mgrid[:height, :width]
    labels = (np.hypot(x - width / 2, y - height / 2) < height / 3).astype(np.uint8)
    for dx, dy, radius in ((-30, -20, 9), (30, -20, 9), (0, 35, 12)):
        labels[np.hypot(x - width / 2 - dx, y - height / 2 - dy) < radius] = 0
    return labels


def test_noise_is_removed_and_eyes_stay():
    clean = face()
    noisy = clean ^ (np.random.default_rng(0).random(clean.shape) < 0.05).astype(np.uint8)
    found = without_specks(noisy)
    assert (found != clean).mean() < 0.003
    assert found[100, 130] == found[100, 190] == found[155, 160] == 0  # eyes, mouth


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize(("side", "stays"), [(2, False), (7, False), (14, True)])
def test_pieces_and_holes_of_less_than_a_thousandth_go(value, side, stays):
    labels = np.full((240, 320), 1 - value, np.uint8)
    labels[:, :60] = value
    labels[100 : 100 + side, 200 : 200 + side] = value
    assert (side * side >= SPECK * labels.size) == stays
    found = without_specks(labels)
    assert (found[100 + side // 2, 200 + side // 2] == value) == stays
    assert (found[:, :55] == value).all()
    outside = found.copy()
    outside[95:120, 195:220] = 1 - value
    assert (outside[:, 65:] == 1 - value).all()


@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), reach=st.integers(1, 4), seed=st.integers(0, 100))
def test_the_vote_is_that_of_the_definition(height, width, reach, seed):
    labels = np.random.default_rng(seed).integers(0, 2, (height, width)).astype(np.uint8)
    padded = np.pad(labels, reach, mode="edge").astype(int)
    side = 2 * reach + 1
    votes = np.lib.stride_tricks.sliding_window_view(padded, (side, side)).sum(axis=(2, 3))
    np.testing.assert_array_equal(majority(labels, reach), votes > side * side // 2)


@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 100))
def test_any_mask_can_be_cleaned_and_is_not_changed_in_place(height, width, seed):
    labels = np.random.default_rng(seed).integers(0, 2, (height, width)).astype(np.uint8)
    before = labels.copy()
    found = without_specks(labels)
    assert found.shape == labels.shape
    assert set(np.unique(found)) <= {0, 1}
    np.testing.assert_array_equal(labels, before)
    for value in (0, 1):
        np.testing.assert_array_equal(without_specks(np.full_like(labels, value)), np.full_like(labels, value))
