"""What the methods share: ratios without NaN, normalised colour, windows that are added up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from media.arrays import array_module, ndimage_module

WINDOW_S = 1.6  # of POS and CHROM: at least one beat from 37.5 bpm upwards

BandPass = Callable[[Any], Any]


def window_length(rate_hz: float, samples: int, window_s: float = WINDOW_S) -> int:
    """Samples of a window, at least 3 and at most the whole signal."""
    return max(min(round(window_s * rate_hz), samples), min(3, samples))


def spread(signal: Any) -> Any:
    """Standard deviation along the last axis, which is kept."""
    return signal.std(axis=-1, keepdims=True)


def ratio(xp: Any, first: Any, second: Any) -> Any:
    """`first / second`, 0 where `second` is not positive."""
    return xp.where(second > 0, first / xp.where(second > 0, second, 1.0), 0.0)


def relative(rgb: Any) -> Any:
    """Each channel over its mean, less 1.

    Parameters
    ----------
    rgb : float64[3, n]

    Returns
    -------
    float64[3, n]
        Zeros for a channel that is black throughout.
    """
    xp = array_module(rgb)
    mean = rgb.mean(axis=-1, keepdims=True)
    return xp.where(mean > 0, rgb / xp.where(mean > 0, mean, 1.0) - 1.0, 0.0)


def locally_normalised(rgb: Any, length: int) -> Any:
    """Each channel over its centred mean of `length` samples (made odd), float64[3, n]; 0 where that is black."""
    xp, ndimage = array_module(rgb), ndimage_module(rgb)
    return ratio(xp, rgb, ndimage.uniform_filter1d(rgb, length | 1, axis=-1, mode="mirror"))


def overlap_add(xp: Any, samples: int, length: int, piece: Callable[[slice], Any]) -> Any:
    """Waves of windows that overlap by half, added with a Hann taper and divided by its sum.

    Parameters
    ----------
    xp : module
    samples : int
    length : int
        Of a window, at most `samples`.
    piece : callable
        The wave of a window, float64[length], of the slice that it covers.

    Returns
    -------
    float64[samples]
    """
    taper = xp.sin(xp.pi * (xp.arange(length) + 0.5) / length) ** 2
    total, weight = xp.zeros(samples), xp.zeros(samples)
    last = samples - length
    for start in sorted({*range(0, last + 1, max(length // 2, 1)), last}):
        part = slice(start, start + length)
        total[part] += taper * piece(part)
        weight[part] += taper
    return total / weight
