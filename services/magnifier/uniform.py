"""Uniform magnification with calibrated gain: the pulse of the whole skin, added g times to every skin sample.

A pulse of a levels becomes (1 + g) a. The added wave is one number a frame and channel, mostly a fraction of a
level; it is rounded with an ordered dither, so that its mean over the skin is exact and no state goes from frame
to frame: any chunking gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.arrays import array_module

Plane = NDArray[np.uint8]
_BITS = 4  # 16x16 thresholds


def bayer_thresholds(bits: int = _BITS) -> NDArray[np.float32]:
    """Bayer's ordered dither (Bayer 1973, IEEE ICC 26:11): every threshold (i + 1/2) / n^2 once.

    Parameters
    ----------
    bits : int
        n = 2^bits rows and columns.

    Returns
    -------
    float32[n, n]
        Between 0 and 1, both excluded; mean 1/2.
    """
    order = np.zeros((1, 1), np.int64)
    for _ in range(bits):
        order = np.block([[4 * order, 4 * order + 2], [4 * order + 3, 4 * order + 1]])
    thresholds: NDArray[np.float32] = ((order + 0.5) / order.size).astype(np.float32)
    return thresholds


@dataclass(frozen=True)
class Added:
    """What adding a wave did to one plane.

    Attributes
    ----------
    clipped : int
        Samples that would have left 0-255.
    lost : float
        Sum over these samples of the levels by which saturation changed them: against the wave's sign.
    """

    clipped: int = 0
    lost: float = 0.0


def add_wave(
    plane: Plane, weights: NDArray[np.float32], wave: float, thresholds: NDArray[np.float32] | np.float32
) -> tuple[Plane, Added]:
    """`plane + weights * wave`, as `add_levels` adds it.

    Parameters
    ----------
    plane : uint8[h, w]
    weights : float32[h, w]
        0-1.
    wave : float
        Levels to add at weight 1. 0 gives the plane back bit for bit.
    thresholds : float32[h, w] or float32
    """
    return add_levels(plane, weights * np.float32(wave), thresholds)


def add_levels(
    plane: Plane, levels: NDArray[np.float32], thresholds: NDArray[np.float32] | np.float32
) -> tuple[Plane, Added]:
    """`plane + levels`, dithered to whole levels and saturated, never wrapped.

    Parameters
    ----------
    plane : uint8[h, w]
    levels : float32[h, w]
        To add; 0 gives the plane back bit for bit. The array is written over.
    thresholds : float32[h, w] or float32
        A sum is rounded up where its fraction and its threshold reach 1; 1/2 everywhere rounds to the nearest.

    Returns
    -------
    plane : uint8[h, w]
        A new array.
    added : Added
    """
    xp = array_module(levels)
    added = Added()
    sums = levels
    sums += thresholds
    sums += plane
    if sums.size and (float(sums.min()) < 0 or float(sums.max()) >= 256):
        under, over = sums < 0, sums >= 256
        clipped = int(xp.count_nonzero(under)) + int(xp.count_nonzero(over))
        lost = float((255 - sums[over]).sum(dtype=np.float64)) - float(sums[under].sum(dtype=np.float64))
        added = Added(clipped, lost)
        xp.clip(sums, 0, 255, out=sums)
    return sums.astype(np.uint8), added
