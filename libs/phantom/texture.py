"""Random textures, soft shapes and blur: the means of drawing."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

_OCTAVES = (4, 11, 29, 97)  # cells of the texture across the larger side


def texture(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Smooth random texture of mean about 0 and standard deviation about 1: interpolated grids of four sizes."""
    total = np.zeros((height, width), np.float32)
    for cells in _OCTAVES:
        step = max(height, width) / cells
        rows, columns = math.ceil(height / step) + 2, math.ceil(width / step) + 2
        grid = rng.standard_normal((rows, columns)).astype(np.float32)
        total += _interpolate(_interpolate(grid, height, step).T, width, step).T
    total *= np.float32(1 / math.sqrt(len(_OCTAVES) * (2 / 3) ** 2))  # linear interpolation keeps 2/3 of variance
    return total


def _interpolate(grid: Plane, size: int, step: float) -> Plane:
    return sample(grid, np.arange(size) / step)


def sample(plane: Plane, rows: NDArray[np.float64]) -> Plane:
    """Rows of a plane at fractional places, linearly interpolated, the last one repeated."""
    place = np.clip(rows, 0, plane.shape[0] - 1)
    below = np.minimum(place.astype(np.intp), plane.shape[0] - 2)
    part = (place - below).astype(np.float32)[:, None]
    mixed: Plane = plane[below] * (1 - part) + plane[below + 1] * part
    return mixed


def soft(distance: NDArray[np.floating], edge: float) -> Plane:
    """1 inside a shape (distance below 0), 0 outside, with a linear edge as wide as `edge`."""
    inside: Plane = np.clip(0.5 - distance / edge, 0, 1).astype(np.float32)
    return inside


def ramp(values: NDArray[np.floating], low: float, high: float) -> Plane:
    """0 below `low`, 1 above `high`, smooth between (3 t^2 - 2 t^3)."""
    part = np.clip((values - low) / (high - low), 0, 1).astype(np.float32)
    smooth: Plane = part * part * (3 - 2 * part)
    return smooth


def bump(values: NDArray[np.floating], width: float) -> Plane:
    """A Gaussian of height 1 about 0."""
    high: Plane = np.exp(-0.5 * (values / width) ** 2).astype(np.float32)
    return high


def blurred(plane: Plane, sigma: float) -> Plane:
    """Gaussian blur over the last two axes, edges repeated; `sigma` in samples."""
    if sigma <= 0.05:
        return plane
    reach = math.ceil(3 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in (-2, -1):
        size = plane.shape[axis]
        wide = np.take(plane, np.clip(np.arange(-reach, size + reach), 0, size - 1), axis=axis)
        total = np.zeros_like(plane)
        for place, weight in enumerate(kernel.astype(np.float32)):
            window = wide[..., place : place + size, :] if axis == -2 else wide[..., place : place + size]
            total += weight * window
        plane = total
    return plane


def halved(plane: Plane) -> Plane:
    """Mean of 2 x 2 samples over the last two axes, both even."""
    rows = plane[..., 0::2, :] + plane[..., 1::2, :]
    mean: Plane = (rows[..., 0::2] + rows[..., 1::2]) * np.float32(0.25)
    return mean
