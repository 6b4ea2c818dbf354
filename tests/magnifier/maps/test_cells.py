"""Cells: sums are exact, boxes lie on patches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magnifier.maps.cells import CellBox, box_around, cell_side, cell_sums, skin_cells, union, whole_box

pytestmark = pytest.mark.unit


@settings(max_examples=15, deadline=None)
@given(st.integers(5, 60), st.integers(5, 60), st.sampled_from([2, 4, 8, 16, 32]), st.integers(0, 99))
def test_sums_are_those_of_the_samples(height: int, width: int, side: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 256, (height, width), np.uint8)
    h, w = (height + 1) // 2, (width + 1) // 2
    u, v = rng.integers(0, 256, (2, h, w), np.uint8)
    skin = (rng.uniform(size=(h, w)) < 0.6).astype(np.uint8)
    skin[h // 2, w // 2] = 1
    box = box_around(skin, side)
    assert box is not None
    found = cell_sums(y, u, v, skin_cells(skin, box)).reshape(4, *box.shape)
    padded = np.pad(y, ((0, height % 2), (0, width % 2)), mode="edge").astype(int)
    luma = padded[0::2, 0::2] + padded[1::2, 0::2] + padded[0::2, 1::2] + padded[1::2, 1::2]
    step = side // 2
    for row in range(box.rows):
        for column in range(box.columns):
            y0, x0 = (box.row + row) * step, (box.column + column) * step
            place = (slice(y0, y0 + step), slice(x0, x0 + step))
            inside = skin[place].astype(int)
            wanted = [inside.sum(), *((p[place].astype(int) * inside).sum() for p in (luma, u, v))]
            assert found[:, row, column].tolist() == wanted
    assert found[0].sum() == skin.sum()  # nothing lies outside the box


def test_boxes_begin_and_end_with_patches() -> None:
    skin = np.zeros((60, 80), np.uint8)
    skin[21:24, 33] = 1
    box = box_around(skin, 4)
    assert box == CellBox(4, 8, 16, 4, 4)  # samples 16 to 24 and 32 to 40: one patch of 16 px
    other = CellBox(4, 4, 20, 8, 8)
    both = union([box, other])
    assert both == CellBox(4, 4, 16, 8, 12)
    assert box.place_in(both) == (slice(4, 8), slice(0, 4))
    assert box_around(np.zeros((4, 4), np.uint8), 4) is None
    assert whole_box(100, 50, 4) == CellBox(4, 0, 0, 16, 28)


def test_cells_are_as_small_as_twenty_thousand_allow() -> None:
    assert cell_side(320, 240) == 2
    assert cell_side(640, 480) == 4
    assert cell_side(1280, 720) == 8
    assert cell_side(3840, 2160) == 32
    assert cell_side(3840, 2160, 2) == 2
