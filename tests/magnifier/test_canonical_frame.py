"""The canonical frame: planes are read where they lie, however that is computed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magnifier.canonical_frame import bilinear, canonical_samples, inverse, moved

pytestmark = pytest.mark.unit
TURN = ((0.9, 0.1, 5.0), (-0.1, 0.9, 8.0))


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 99))
def test_one_axis_after_the_other_gives_the_same(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    planes = rng.normal(size=(2, height, width)).astype(np.float32)
    rows, columns = rng.uniform(-1, height, (7, 1)), rng.uniform(-1, width, (1, 5))
    every = np.broadcast_arrays(rows, columns)
    assert bilinear(planes, rows, columns) == pytest.approx(bilinear(planes, every[0], every[1]), abs=1e-5)


def test_a_slope_is_read_exactly_and_nothing_beyond_the_edge() -> None:
    y, x = np.mgrid[:20, :30].astype(np.float32)
    planes = np.stack([x + 10 * y, np.ones_like(x)])
    found = canonical_samples(planes, TURN, (24, 36), (1, 2))
    at_x, at_y = moved(inverse(TURN), 2 * (2 + np.arange(36.0))[None] + 0.5, 2 * (1 + np.arange(24.0))[:, None] + 0.5)
    at_x, at_y = (at_x - 0.5) / 2, (at_y - 0.5) / 2
    inside = (at_x >= 0) & (at_x <= 29) & (at_y >= 0) & (at_y <= 19)
    assert inside.sum() > 300
    assert found[0][inside] == pytest.approx((at_x + 10 * at_y)[inside], abs=1e-3)
    outside = (at_x < -0.5) | (at_x > 29.5) | (at_y < -0.5) | (at_y > 19.5)
    assert not found[:, outside].any()


def test_a_coarser_frame_sees_every_sample() -> None:
    planes = np.zeros((1, 32, 32), np.float32)
    planes[0, 8:12, 8:12] = np.arange(16).reshape(4, 4)
    shrunk = canonical_samples(planes, ((0.25, 0.0, -0.375), (0.0, 0.25, -0.375)), (8, 8))
    assert 16 * shrunk.sum() == pytest.approx(planes.sum(), rel=1e-5)


def test_there_and_back_is_where_it_began() -> None:
    x, y = moved(inverse(TURN), *moved(np.array(TURN), np.array([3.0, 40.0]), np.array([7.0, 1.0])))
    assert x == pytest.approx([3, 40])
    assert y == pytest.approx([7, 1])
