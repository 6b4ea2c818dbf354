"""Polygons as samples of a plane."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def fill(corners: NDArray[np.float64], sizes: tuple[int, ...], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Where the samples of a plane lie inside one of some polygons.

    A sample counts by its centre, and lies inside where a polygon winds around it, so polygons may overlap, and one
    that crosses itself has no holes. The area is that of the polygons without bias.

    Parameters
    ----------
    corners : float64[n, 2]
        x, y in samples counted from the plane's left and upper edge, of one polygon after the other.
    sizes : tuple of int
        Corners of each polygon; their sum is n.
    shape : tuple of int
        Height and width of the plane.

    Returns
    -------
    bool[height, width]
    """
    height, width = shape
    starts, following = _edges(sizes)
    x0, y0 = corners[:, 0], corners[:, 1]
    x1, y1 = x0[following], y0[following]
    # all polygons are made to wind the same way, so that none takes another away
    way = np.repeat(np.where(np.add.reduceat(x0 * y1 - x1 * y0, starts) >= 0, 1, -1), sizes)
    # an edge crosses the middle line of row r where low <= r + 1/2 < high
    first, last = (np.ceil(y - 0.5).clip(0, height).astype(np.intp) for y in (y0, y1))
    low, count = np.minimum(first, last), np.abs(last - first)
    way = np.where(last > first, way, -way)
    edge = np.repeat(np.arange(len(corners)), count)
    row = np.arange(len(edge)) + (low - np.cumsum(count) + count)[edge]
    slope = (x1 - x0) / np.where(count > 0, y1 - y0, 1.0)
    x = x0[edge] + (row + 0.5 - y0[edge]) * slope[edge]
    column = np.ceil(x - 0.5).clip(0, width).astype(np.intp)
    winding = np.zeros(height * (width + 1), np.int8)
    np.add.at(winding, row * (width + 1) + column, way[edge].astype(np.int8))
    whole = winding.reshape(height, width + 1)
    return np.asarray(np.cumsum(whole[:, :-1], axis=1, dtype=np.int8) != 0)


def fill_convex(corners: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Where the samples of a plane lie inside a convex polygon, by their centres: each row is one interval.

    Parameters
    ----------
    corners : float64[n, 2]
        x, y in samples counted from the plane's left and upper edge, in order around it.
    shape : tuple of int
        Height and width of the plane.

    Returns
    -------
    bool[height, width]
    """
    height, width = shape
    x, y = corners[:, 0], corners[:, 1]
    middles = np.arange(height) + 0.5
    upper = int(y.argmin())
    x, y = np.roll(x, -upper), np.roll(y, -upper)
    lower = int(y.argmax())
    one = np.interp(middles, y[: lower + 1], x[: lower + 1])
    other = np.interp(middles, np.append(y[lower:], y[0])[::-1], np.append(x[lower:], x[0])[::-1])
    edges = np.ceil(np.stack([np.minimum(one, other), np.maximum(one, other)]) - 0.5).clip(0, width)
    edges[:, (middles < y[0]) | (middles >= y[lower])] = 0
    left, right = edges.astype(np.int16)[..., None]
    columns = np.arange(width, dtype=np.int16)
    return np.asarray((columns >= left) & (columns < right))


@lru_cache(maxsize=128)
def _edges(sizes: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where each polygon starts, and which corner follows each corner."""
    starts = np.cumsum((0, *sizes[:-1]))
    following = np.concatenate(
        [start + (np.arange(size) + 1) % size for start, size in zip(starts, sizes, strict=True)]
    )
    return starts, following
