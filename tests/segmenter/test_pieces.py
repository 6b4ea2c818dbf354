"""Skin of one colour is cut where its pieces lie clearly apart, and only there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from segmenter.pieces import MOST, are_apart, cut_into_pieces, find_pieces

pytestmark = pytest.mark.unit

SIZE = (640, 480)


def ellipses(*middles, shape=(240, 320), radius=30):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    mask = np.zeros(shape, bool)
    for number, (x, y) in enumerate(middles):
        mask |= ((columns - x) / radius) ** 2 + ((rows - y) / (1.3 * radius)) ** 2 < 1 - 0.02 * number
    return mask.view(np.uint8)


def test_two_faces_are_two_and_their_boxes_are_theirs():
    mask = cut_into_pieces(ellipses((80, 120), (230, 130)), SIZE)
    assert [instance.id for instance in mask.instances] == [1, 2]
    for instance, x in zip(mask.instances, (80, 230), strict=True):
        rows, columns = np.nonzero(mask.labels == instance.id)
        assert abs(columns.mean() - x) < 1
        assert instance.box == (
            2 * columns.min(), 2 * rows.min(), 2 * (columns.max() + 1), 2 * (rows.max() + 1)
        )  # fmt: skip


def test_fingers_specks_and_a_watch_do_not_cut_a_hand():
    mask = ellipses((150, 120), radius=60)
    mask[100:106] = 0  # a strap of 12 px: 2 % of the width
    mask[20:26, 20:26] = 1  # a speck far away
    found = cut_into_pieces(mask, SIZE)
    assert len(found.instances) == 1
    assert np.array_equal(found.labels, mask)  # nothing is lost, the speck belongs to the hand …
    assert found.instances[0].box[0] > 100  # … and does not stretch its box


def test_the_largest_are_kept_and_the_others_belong_to_the_nearest():
    middles = [(25 + 50 * (n % 6), 60 + 90 * (n // 6)) for n in range(12)]
    mask = ellipses(*middles, radius=12)
    found = find_pieces(mask[::4, ::4] > 0)
    assert found.count == MOST
    assert np.array_equal(found.all > 0, mask[::4, ::4] > 0)


def test_an_empty_mask_and_odd_sizes():
    empty = cut_into_pieces(np.zeros((61, 87), np.uint8), (173, 121))
    assert empty.instances == []
    full = cut_into_pieces(np.ones((61, 87), np.uint8), (173, 121))
    assert [instance.box for instance in full.instances] == [(0, 0, 173, 121)]


@given(seed=st.integers(0, 1000), shape=st.sampled_from([(61, 87), (120, 160), (240, 135)]))
@settings(max_examples=25, deadline=None)
def test_whatever_the_mask_no_sample_is_gained_or_lost(seed, shape):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 6)
    labels = (noise > 0.02).astype(np.uint8)
    mask = cut_into_pieces(labels, (2 * shape[1], 2 * shape[0]))
    assert np.array_equal(mask.labels > 0, labels > 0)
    assert sorted({instance.id for instance in mask.instances}) == [i.id for i in mask.instances]
    assert set(np.unique(mask.labels[mask.labels > 0])) == {instance.id for instance in mask.instances}


def test_a_clip_is_cut_only_where_pieces_stay_apart():
    two, one = ellipses((80, 120), (230, 130))[::4, ::4] > 0, ellipses((150, 120))[::4, ::4] > 0
    nothing = np.zeros_like(one)
    assert are_apart([two] * 9 + [one])
    assert are_apart([two] * 4 + [nothing] * 6)
    assert not are_apart([two] * 7 + [one] * 3)
    assert not are_apart([one] * 10)
    assert not are_apart([nothing])
