"""Polygons as samples: what lies inside them, without bias, and no more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from media.polygons import fill, fill_convex

pytestmark = pytest.mark.unit


def circle(x: float, y: float, radius: float, corners: int = 40) -> NDArray[np.float64]:
    angle = 2 * np.pi * np.arange(corners) / corners
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)


@settings(max_examples=40, deadline=None)
@given(st.floats(-10, 70), st.floats(-10, 60), st.floats(2, 25), st.integers(3, 40), st.booleans())
def test_a_filled_polygon_is_what_lies_inside_it(x, y, radius, corners, turned) -> None:  # type: ignore[no-untyped-def]
    polygon = circle(x, y, radius, corners)[:: -1 if turned else 1]
    filled = fill(polygon, (corners,), (50, 60))
    rows, columns = np.indices((50, 60)) + 0.5
    angle = 2 * np.pi / corners
    # half planes of a convex polygon
    normals = (np.arange(corners) + 0.5) * angle
    far = radius * np.cos(angle / 2)
    along = [(columns - x) * np.cos(normal) + (rows - y) * np.sin(normal) - far for normal in normals]
    outwards = np.max(along, axis=0)
    sure = np.abs(outwards) > 1e-6  # samples right on an edge may be either
    assert np.array_equal(filled[sure], (outwards < 0)[sure])
    assert np.array_equal(fill_convex(polygon, (50, 60))[sure], filled[sure])


def test_the_area_of_a_filled_polygon_has_no_bias() -> None:
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(200):
        x, y, radius = rng.uniform(25, 30), rng.uniform(25, 30), rng.uniform(8, 20)
        polygon = circle(x, y, radius)
        area = 20 * radius**2 * np.sin(2 * np.pi / 40)
        errors.append(fill(polygon, (40,), (60, 60)).sum() - area)
    assert abs(np.mean(errors)) < 0.5  # of hundreds of samples
    assert np.abs(errors).max() < 12


def test_polygons_that_overlap_are_one_and_take_nothing_away() -> None:
    left, right = circle(20, 20, 10), circle(28, 20, 10)[::-1]
    both = fill(np.concatenate([left, right]), (40, 40), (40, 50))
    assert np.array_equal(both, fill(left, (40,), (40, 50)) | fill(right, (40,), (40, 50)))


def test_a_polygon_outside_the_plane_fills_nothing() -> None:
    assert not fill(circle(-30, 10, 8), (40,), (20, 20)).any()
    assert fill(circle(10, 10, 99), (40,), (20, 20)).all()
