"""The soft edge of a mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from magnifier.soft_edge import bounding_box, edge_radius, soft_weights, upsampled

pytestmark = pytest.mark.unit

masks = hnp.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.integers(0, 1))


@given(skin=masks, radius=st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_weights_are_one_on_skin_and_follow_the_count_of_neighbours(skin, radius) -> None:  # type: ignore[no-untyped-def]
    weights = soft_weights(skin, radius)
    assert weights.dtype == np.float32
    assert (weights[skin == 1] == 1).all()
    height, width = skin.shape
    for y in range(height):
        for x in range(width):
            near = skin[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1].sum()
            expected = 1.0 if skin[y, x] else min(2 * near / (2 * radius + 1) ** 2, 1)
            assert weights[y, x] == pytest.approx(expected, abs=1e-6)


def test_a_straight_edge_is_a_falling_ramp() -> None:
    skin = np.zeros((15, 20), np.uint8)
    skin[:, :10] = 1
    ramp = soft_weights(skin, 3)[7, 9:]
    assert ramp[0] == 1
    assert (np.diff(ramp[:4]) < 0).all()
    assert (ramp[4:] == 0).all()


@given(skin=masks, margin=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_the_box_holds_all_skin_and_its_margin(skin, margin) -> None:  # type: ignore[no-untyped-def]
    box = bounding_box(skin, margin)
    if box is None:
        assert not skin.any()
        return
    y0, y1, x0, x1 = box
    assert skin[y0:y1, x0:x1].sum() == skin.sum()
    inner = bounding_box(skin, 0)
    assert inner is not None
    assert box == (
        max(inner[0] - margin, 0),
        min(inner[1] + margin, skin.shape[0]),
        max(inner[2] - margin, 0),
        min(inner[3] + margin, skin.shape[1]),
    )
    # what lies outside the grown box is untouched: the box may be cut out before the edge is softened
    weights = soft_weights(skin, min(margin, 7))
    weights[y0:y1, x0:x1] = 0
    assert not weights.any()


def test_luma_weights_repeat_chroma_weights_also_at_odd_sizes() -> None:
    weights = np.arange(6, dtype=np.float32).reshape(2, 3)
    fine = upsampled(weights, (3, 5))
    assert fine.tolist() == [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]


def test_the_radius_follows_the_picture_and_is_checked() -> None:
    assert [edge_radius(s) for s in ((60, 80), (240, 320), (540, 960), (1080, 1920))] == [1, 2, 4, 7]
    with pytest.raises(ValueError, match="radius"):
        soft_weights(np.ones((3, 3), np.uint8), 8)
