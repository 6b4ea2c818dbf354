"""Flashes that can harm people with photosensitive epilepsy (WCAG 2.2, success criterion 2.3.1).

A general flash is a pair of opposing changes of relative luminance of 10 % of the maximum or more, where the darker
image is below 0.80. Three in a second are allowed, and more on an area of less than a quarter of 341 x 256 pixels of a
screen of 1024 x 768, which is 2.8 % of it: here the clip is taken to fill the screen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCKS = 8  # rows and columns of blocks whose brightness is looked at
MOST_PER_S = 3
SMALL_AREA = 341 * 256 / 4 / (1024 * 768)
_CHANGE, _BRIGHT = 0.1, 0.8
_EVERY = 4  # rows and columns of luma that are looked at
_GAMMA = 2.2


def block_brightness(y: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mean luma of 8x8 blocks of a picture, from every fourth sample of it.

    Parameters
    ----------
    y : uint8[height, width]

    Returns
    -------
    uint8[64]
    """
    seen = y[::_EVERY, ::_EVERY] if min(y.shape) >= 4 * BLOCKS * _EVERY else y
    edges = [np.linspace(0, length, BLOCKS, endpoint=False).astype(np.intp) for length in seen.shape]
    sums = np.add.reduceat(np.add.reduceat(seen, edges[0], axis=0, dtype=np.uint32), edges[1], axis=1)
    counts = [np.diff(edge, append=length) for edge, length in zip(edges, seen.shape, strict=True)]
    means: NDArray[np.uint8] = (sums / np.outer(*counts) + 0.5).astype(np.uint8).reshape(-1)
    return means


def flashing(brightness: NDArray[np.uint8], times: NDArray[np.float64], full_range: bool) -> tuple[float, float]:
    """The most flashes in a second, and the largest part of the picture that flashes more than three times in one.

    Parameters
    ----------
    brightness : uint8[n, blocks]
        Luma of each block in each frame.
    times : float64[n]
        Seconds.
    full_range : bool
        Of luma.

    Returns
    -------
    per_second, area : float
    """
    black, span = (0.0, 255.0) if full_range else (16.0, 219.0)
    luminance = np.clip((brightness.astype(np.float64) - black) / span, 0, 1) ** _GAMMA
    if not len(luminance):
        return 0.0, 0.0
    low, high = luminance[0].copy(), luminance[0].copy()
    direction = np.zeros(luminance.shape[1], np.int8)
    changes = np.zeros(luminance.shape, np.int32)
    for index, now in enumerate(luminance):
        low, high = np.minimum(low, now), np.maximum(high, now)
        fell = (direction >= 0) & (high - now >= _CHANGE) & (now < _BRIGHT)
        rose = (direction <= 0) & (now - low >= _CHANGE) & (low < _BRIGHT) & ~fell
        changes[index] = fell | rose
        direction = np.where(fell, -1, np.where(rose, 1, direction)).astype(np.int8)
        # the next change is counted from here
        low, high = np.where(fell | rose, now, low), np.where(fell | rose, now, high)
    total = np.concatenate([np.zeros((1, luminance.shape[1]), np.int64), changes.cumsum(axis=0)])
    after = np.searchsorted(times, times + 1.0)
    within = (total[after] - total[np.arange(len(times))]) // 2
    return float(within.max()), float((within > MOST_PER_S).mean(axis=1).max())
