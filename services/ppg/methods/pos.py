"""POS: the plane orthogonal to the skin."""

from __future__ import annotations

from typing import Any

from media.arrays import array_module
from ppg.methods.windows import BandPass, ratio, spread, window_length

_BLOCK = 4096  # windows that are worked on at once


def pos(rgb: Any, rate_hz: float, band_pass: BandPass) -> Any:
    """Plane orthogonal to skin (Wang, den Brinker, Stuijk and de Haan 2017, algorithm 1).

    In every window of 1.6 s: Cn = C / mean(C); S = [[0, 1, -1], [-2, 1, 1]] Cn; h = S1 + std(S1) / std(S2) S2;
    overlap-add of h - mean(h). Here the sum is divided by the number of windows at each sample, which keeps its
    scale up to the ends, and band-passed.

    Parameters
    ----------
    rgb : float64[3, n]
    rate_hz : float
    band_pass : callable
        Filters along the last axis.

    Returns
    -------
    float64[n]
    """
    xp = array_module(rgb)
    samples = rgb.shape[-1]
    length = window_length(rate_hz, samples)
    total, count = xp.zeros(samples), xp.zeros(samples)
    windows = xp.lib.stride_tricks.sliding_window_view(rgb, length, axis=-1)  # [3, starts, length]
    for start in range(0, windows.shape[1], _BLOCK):
        part = windows[:, start : start + _BLOCK]
        mean = part.mean(axis=-1, keepdims=True)
        normal = ratio(xp, part, mean)
        first = normal[1] - normal[2]
        second = normal[1] + normal[2] - 2 * normal[0]
        wave = first + ratio(xp, spread(first), spread(second)) * second
        wave = wave - wave.mean(axis=-1, keepdims=True)
        starts = wave.shape[0]
        for offset in range(length):  # in a fixed order, whatever the number of windows
            total[start + offset : start + offset + starts] += wave[:, offset]
            count[start + offset : start + offset + starts] += 1
    return -band_pass(total / count)
