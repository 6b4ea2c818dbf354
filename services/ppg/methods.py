"""From R, G and B to one pulse wave: GREEN, CHROM, POS and the seed's white mean.

All take the mean colour of skin, float64[3, n] in 0-255 at a constant rate, and give a wave in parts of the skin's
brightness in which blood goes up: more blood absorbs more light, so GREEN and POS, which follow the light, are
turned round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ppg.arrays import array_module, ndimage_module

WINDOW_S = 1.6  # of POS and CHROM: at least one beat from 37.5 bpm upwards
_BLOCK = 4096  # windows that are worked on at once

BandPass = Callable[[Any], Any]


def window_length(rate_hz: float, samples: int) -> int:
    """Samples of a 1.6 s window, at least 3 and at most the whole signal."""
    return max(min(round(WINDOW_S * rate_hz), samples), min(3, samples))


def _spread(signal: Any) -> Any:
    return signal.std(axis=-1, keepdims=True)


def _ratio(xp: Any, first: Any, second: Any) -> Any:
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


def green(rgb: Any, rate_hz: float, band_pass: BandPass) -> Any:
    """The green channel (Verkruysse, Svaasand and Nelson 2008).

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
    return -band_pass(relative(rgb)[1])


def white(rgb: Any, rate_hz: float, band_pass: BandPass) -> Any:
    """Mean of the three filtered channels (faceHR, ajsteele 2022), in parts of their mean brightness."""
    xp = array_module(rgb)
    mean = float(rgb.mean())
    wave = -band_pass(rgb).mean(axis=0)
    return wave / mean if mean > 0 else xp.zeros_like(wave)


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
        normal = _ratio(xp, part, mean)
        first = normal[1] - normal[2]
        second = normal[1] + normal[2] - 2 * normal[0]
        wave = first + _ratio(xp, _spread(first), _spread(second)) * second
        wave = wave - wave.mean(axis=-1, keepdims=True)
        starts = wave.shape[0]
        for offset in range(length):  # in a fixed order, whatever the number of windows
            total[start + offset : start + offset + starts] += wave[:, offset]
            count[start + offset : start + offset + starts] += 1
    return -band_pass(total / count)


def chrom(rgb: Any, rate_hz: float, band_pass: BandPass) -> Any:
    """Chrominance (de Haan and Jeanne 2013, eqs. 9-12).

    X = 3 Rn - 2 Gn, Y = 1.5 Rn + Gn - 1.5 Bn of the normalised colour, both band-passed; S = X - std(X) / std(Y) Y in
    windows of 1.6 s with a Hann taper, half overlapping and added. Channels are normalised by their centred mean
    over 1.6 s and filtered before they are cut into windows, because a window is too short for the filter.

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
    xp, ndimage = array_module(rgb), ndimage_module(rgb)
    samples = rgb.shape[-1]
    length = window_length(rate_hz, samples)
    normal = _ratio(xp, rgb, ndimage.uniform_filter1d(rgb, length | 1, axis=-1, mode="mirror"))
    x = band_pass(3 * normal[0] - 2 * normal[1])
    y = band_pass(1.5 * normal[0] + normal[1] - 1.5 * normal[2])
    taper = xp.sin(xp.pi * (xp.arange(length) + 0.5) / length) ** 2
    total, weight = xp.zeros(samples), xp.zeros(samples)
    last = samples - length
    for start in sorted({*range(0, last + 1, max(length // 2, 1)), last}):
        part = slice(start, start + length)
        alpha = _ratio(xp, _spread(x[part]), _spread(y[part]))
        total[part] += taper * (x[part] - alpha * y[part])
        weight[part] += taper
    return total / weight


METHODS: dict[str, Callable[[Any, float, BandPass], Any]] = {"pos": pos, "chrom": chrom, "green": green, "white": white}
