"""Profiles of a frame's brightness: means over rows and over columns, a kilobyte a frame, to see motion in.

Each frame's profiles depend on that frame alone and are made of whole numbers, so that no way of cutting the clip
changes a bit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.arrays import array_module

STRIPS = 4  # side by side (for profiles along y), and one above the other (for profiles along x)
BINS = 64
SCALE = 64  # units of a profile in a grey level
_PIXELS = 4  # of Y in a sum


def bin_size(size: int) -> int:
    """Chroma samples in a bin, so that `BINS` are enough; the last bin may hold fewer."""
    return max(-(-size // BINS), 1)


def bin_counts(size: int) -> NDArray[np.int64]:
    """How many samples each bin holds; 0 in those that are not needed."""
    starts = np.arange(BINS, dtype=np.int64) * bin_size(size)
    return np.clip(size - starts, 0, bin_size(size))


def strip_edges(size: int) -> list[int]:
    """First samples of the strips, and the end; whole bins each."""
    bins = -(-size // bin_size(size))
    return [min(strip * bins // STRIPS * bin_size(size), size) for strip in range(STRIPS)] + [size]


def _binned(values: Any, dtype: Any) -> Any:
    """Sums of the first axis's samples in bins; slices are added whole, which is ten times as fast as `reduceat`."""
    xp = array_module(values)
    step = bin_size(len(values))
    found = xp.zeros((-(-len(values) // step), *values.shape[1:]), dtype)
    for offset in range(step):
        part = values[offset::step]
        found[: len(part)] += part
    return found


def frame_profiles(luma: Any) -> Any:
    """Profiles of one frame.

    Parameters
    ----------
    luma : uint16[h, w]
        Y summed over the 2x2 pixels of each chroma sample, 0-1020 (`ppg.traces.luma_sums`).

    Returns
    -------
    uint16[2, STRIPS, BINS]
        Mean Y in units of 1/64 level, rounded down. First along y, of strips from left to right; then along x, of
        strips from top to bottom. 0 in bins that hold no sample.
    """
    xp = array_module(luma)
    height, width = luma.shape
    # one pass over the frame, into bins that nest in the strips; both directions come from it
    rows = _binned(luma, xp.uint16 if bin_size(height) * 1020 <= 0xFFFF else xp.uint32)
    columns, lines = strip_edges(width), [edge // bin_size(height) for edge in strip_edges(height)]
    lines[-1] = len(rows)
    sums = xp.zeros((2, STRIPS, BINS), xp.int64)
    for strip in range(STRIPS):
        sums[0, strip, : len(rows)] = rows[:, columns[strip] : columns[strip + 1]].sum(axis=1, dtype=xp.uint32)
        band = rows[lines[strip] : lines[strip + 1]].sum(axis=0, dtype=xp.uint32)
        along = _binned(band, xp.uint32)
        sums[1, strip, : len(along)] = along
    return (sums * SCALE // xp.asarray(_divisors(height, width))).astype(xp.uint16)


@lru_cache(maxsize=16)
def _divisors(height: int, width: int) -> NDArray[np.int64]:
    """Pixels of Y in each bin, at least 1."""
    deep = np.diff(strip_edges(width))[:, None] * bin_counts(height)
    wide = np.diff(strip_edges(height))[:, None] * bin_counts(width)
    pixels: NDArray[np.int64] = np.maximum(_PIXELS * np.stack([deep, wide]), 1)
    return pixels
