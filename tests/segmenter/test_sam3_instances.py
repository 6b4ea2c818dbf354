"""Instances: duplicates, matches, labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmenter.sam3.instances import compose, mask_iou, match, without_duplicates, without_specks

pytestmark = pytest.mark.unit


def boxes(*corners, shape=(40, 60)):
    masks = np.zeros((len(corners), *shape), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, corners, strict=True):
        mask[y0:y1, x0:x1] = True
    return masks


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), k=st.integers(0, 6))
def test_of_duplicates_the_best_stays(seed, k):
    rng = np.random.default_rng(seed)
    masks, scores = rng.random((k, 4, 5)) < 0.5, rng.random(k)
    kept = without_duplicates(masks, scores, 0.4)
    assert (np.diff(scores[kept]) <= 0).all()
    overlap = mask_iou(masks, masks)
    for index in range(k):
        if index in kept:
            assert all(overlap[index, other] <= 0.4 for other in kept if other != index)
        elif masks[index].any():
            assert any(overlap[index, other] > 0.4 and scores[other] >= scores[index] for other in kept)


def test_intersection_over_union_is_that_of_counting():
    first, second = boxes((0, 0, 10, 10), (5, 0, 15, 10)), boxes((0, 0, 10, 10), (0, 0, 0, 0))
    np.testing.assert_allclose(mask_iou(first, second), [[1, 0], [1 / 3, 0]])
    assert mask_iou(boxes((0, 0, 0, 0)), boxes((0, 0, 0, 0)))[0, 0] == 0


def test_pairs_are_the_best_ones_each_used_once():
    first = boxes((0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10))
    second = boxes((21, 0, 31, 10), (3, 0, 13, 10), (1, 0, 11, 10))
    assert match(first, second) == [(0, 2), (1, 0)]
    assert match(first[:0], second) == []


def test_specks_and_small_holes_go_and_eyes_stay():
    mask = np.zeros((200, 300), bool)
    mask[50:150, 50:200] = True
    clean = mask.copy()
    clean[80:90, 90:110] = False  # an eye
    noisy = clean.copy()
    noisy[10:12, 10:13] = True
    noisy[120:122, 100:104] = False
    np.testing.assert_array_equal(without_specks(noisy), clean)
    assert without_specks(clean) is clean
    assert not without_specks(np.zeros((20, 20), bool)).any()


def test_labels_cover_the_skin_and_nothing_else():
    instances = np.stack([np.where(mask, 0.9, 0.1) for mask in boxes((2, 2, 20, 20), (30, 5, 50, 25))]).astype(
        np.float32
    )
    skin = (instances > 0.5).any(axis=0)
    skin[0:2, 2:20] = True  # skin that no instance took is that of the nearest
    found = compose(skin, instances, [3, 7], [0.8, 0.6], (119, 80))
    np.testing.assert_array_equal(found.labels > 0, skin)
    assert set(np.unique(found.labels[:, :25])) == {0, 3}
    assert set(np.unique(found.labels[:, 25:])) == {0, 7}
    assert [(one.id, one.box, one.confidence) for one in found.instances] == [
        (3, (4, 0, 40, 40), 0.8),
        (7, (60, 10, 100, 50), 0.6),
    ]


def test_labels_without_skin_or_without_instances():
    nothing = np.zeros((0, 40, 60), np.float32)
    assert compose(np.zeros((40, 60), bool), nothing, [], [], (120, 80)).instances == []
    found = compose(boxes((50, 30, 60, 40))[0], nothing, [], [], (119, 79))
    assert [(one.id, one.box, one.confidence) for one in found.instances] == [(1, (100, 60, 119, 79), 0.0)]
