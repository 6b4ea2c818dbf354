"""The Laplacian pyramid (Burt and Adelson 1983, IEEE Trans. Comm. 31:532), for pictures that are amplified by scale.

The generating kernel is the binomial 1 4 6 4 1 (a = 0.375 there); pictures are mirrored at their edges, the outermost
sample not repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from magnifier.motion.composite import mirrored_index
from media.arrays import array_module

# px: level k passes waves of 2^k times this most, where w(f)^2 (1 - w(2 f)^2) of w = cos(pi f)^4 is largest; of level
# 0, which passes all short waves, it is the longest that passes by half
FINEST_WAVELENGTH = 5.3


def levels_of(height: int, width: int) -> int:
    """How many levels a picture has until its shorter side is below 5 samples, the coarse rest not counted."""
    count, shorter = 0, min(height, width)
    while shorter >= 5:
        count, shorter = count + 1, shorter // 2
    return count


def reduced(picture: Any) -> Any:
    """The next coarser picture: smoothed, every second sample of both axes; float32[ceil(h / 2), ceil(w / 2)]."""
    xp = array_module(picture)
    for axis in (0, 1):
        size = picture.shape[axis]
        grown = xp.take(picture, xp.asarray(mirrored_index(size, 2, size + 4)), axis=axis)
        count = (size + 1) // 2
        near, here, far = (_part(grown, start, count, 2, axis) for start in (1, 2, 0))
        found = near + _part(grown, 3, count, 2, axis)
        found *= np.float32(4)
        found += here * np.float32(6)
        found += far
        found += _part(grown, 4, count, 2, axis)
        found *= np.float32(1 / 16)
        picture = found
    return picture


def expanded(picture: Any, shape: tuple[int, int]) -> Any:
    """A coarser picture at the samples of a finer one: float32[shape]."""
    xp = array_module(picture)
    for axis in (0, 1):
        size = picture.shape[axis]
        # two samples stand between two of the coarse grid: mirrored on the fine grid, the last of an even size repeats
        index = np.arange(-1, size + 1)
        index[0] = min(1, size - 1)
        index[-1] = size - 1 if shape[axis] % 2 == 0 else max(size - 2, 0)
        grown = xp.take(picture, xp.asarray(index), axis=axis)
        found = xp.empty(shape if axis else (shape[0], picture.shape[1]), xp.float32)
        odd = _part(found, 1, shape[axis] // 2, 2, axis)
        xp.add(picture if shape[axis] // 2 == size else _part(picture, 0, size - 1, 1, axis),
               _part(grown, 2, shape[axis] // 2, 1, axis), out=odd)  # fmt: skip
        odd *= np.float32(0.5)
        even = _part(found, 0, size, 2, axis)
        xp.multiply(picture, np.float32(6), out=even)
        even += _part(grown, 0, size, 1, axis)
        even += _part(grown, 2, size, 1, axis)
        even *= np.float32(1 / 8)
        picture = found
    return picture


def amplified(picture: Any, gains: Sequence[float]) -> Any:
    """A picture whose levels have gains of their own; of the coarse rest that the last level leaves nothing is kept.

    With G_k the k times reduced picture and E the expansion, the sum of gain_k (G_k - E G_(k+1)) is found from the
    coarsest level up as y_k = gain_k G_k + E (y_(k+1) - gain_k G_(k+1)): one expansion a level.

    Parameters
    ----------
    picture : float32[h, w]
    gains : sequence of float
        Of the finest level first.

    Returns
    -------
    float32[h, w]
    """
    coarser = [picture]
    for _ in gains:
        coarser.append(reduced(coarser[-1]))
    total: Any = coarser[-1] * np.float32(0)
    for level in range(len(gains) - 1, -1, -1):
        gain = np.float32(gains[level])
        if gain:
            total -= coarser[level + 1] * gain
        total = expanded(total, coarser[level].shape)
        if gain:
            total += coarser[level] * gain
    return total


def _part(values: Any, start: int, count: int, step: int, axis: int) -> Any:
    part = slice(start, start + step * (count - 1) + 1 if count else start, step)
    return values[part] if axis == 0 else values[:, part]
