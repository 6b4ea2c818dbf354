"""CHROM: two chrominance signals in which white specular light cancels."""

from __future__ import annotations

from typing import Any

from media.arrays import array_module
from ppg.methods.windows import BandPass, locally_normalised, overlap_add, ratio, spread, window_length


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
    xp = array_module(rgb)
    samples = rgb.shape[-1]
    length = window_length(rate_hz, samples)
    normal = locally_normalised(rgb, length)
    x = band_pass(3 * normal[0] - 2 * normal[1])
    y = band_pass(1.5 * normal[0] + normal[1] - 1.5 * normal[2])

    def piece(part: slice) -> Any:
        return x[part] - ratio(xp, spread(x[part]), spread(y[part])) * y[part]

    return overlap_add(xp, samples, length, piece)
