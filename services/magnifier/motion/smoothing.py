"""Smoothing of a band in space: a Gaussian that keeps every second sample, and the way back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magnifier.motion.composite import mirrored_index
from media.arrays import array_module

_WIDTH = 2.5  # standard deviations on each side


def smoothing_kernel(sigma: float) -> NDArray[np.float32] | None:
    """A Gaussian of sum 1, float32[2 n + 1]; None for a standard deviation of 0."""
    if sigma == 0:
        return None
    half = math.ceil(_WIDTH * sigma)
    kernel = np.exp(-((np.arange(-half, half + 1) / sigma) ** 2) / 2)
    normal: NDArray[np.float32] = (kernel / kernel.sum()).astype(np.float32)
    return normal


def thinned(values: Any, kernel: NDArray[np.float32] | None) -> Any:
    """Smoothed values at every second sample of both axes, mirrored at the edges; as they are without a kernel.

    Parameters
    ----------
    values : complex64[h, w]
    kernel : float32[2 n + 1], optional

    Returns
    -------
    complex64[ceil(h / 2), ceil(w / 2)]
    """
    if kernel is None:
        return values
    xp = array_module(values)
    half = len(kernel) // 2
    for axis in (0, 1):
        size = values.shape[axis]
        grown = xp.take(values, xp.asarray(mirrored_index(size, half, size + 2 * half)), axis=axis)
        count = (size + 1) // 2
        total: Any = None
        for offset in range(half + 1):  # symmetric: neighbours at one distance share their weight
            near = _every_second(grown, half - offset, count, axis)
            if offset:
                near = near + _every_second(grown, half + offset, count, axis)
            near = near * kernel[half + offset]
            total = near if total is None else total + near
        values = total
    return values


def doubled(values: Any, shape: tuple[int, int]) -> Any:
    """What `thinned` kept, drawn through by straight lines: float32[shape]."""
    if values.shape == shape:
        return values
    xp = array_module(values)
    rows = xp.empty((shape[0], values.shape[1]), values.dtype)
    _between(values, rows)
    found = xp.empty(shape, values.dtype)
    _between(rows.T, found.T)
    return found


def _between(values: Any, out: Any) -> None:
    """Even rows as they are, odd rows the mean of their neighbours, the last one held."""
    xp = array_module(values)
    out[0::2] = values
    pairs = len(values) - 1
    middle = out[1 : 2 * pairs : 2]
    xp.add(values[:-1], values[1:], out=middle)
    middle *= np.float32(0.5)
    if len(out) == 2 * len(values):
        out[-1] = values[-1]


def _every_second(values: Any, start: int, count: int, axis: int) -> Any:
    part = slice(start, start + 2 * count - 1, 2)
    return values[part] if axis == 0 else values[:, part]
