"""PBV: the colours' combination that blood volume alone explains."""

from __future__ import annotations

from typing import Any

from media.arrays import array_module
from ppg.methods.windows import BandPass, overlap_add, relative, window_length

SIGNATURE = (0.33, 0.77, 0.53)  # relative pulse in R, G, B under white light (de Haan and van Leest 2014)
WINDOW_S = 256 / 30  # long enough to tell the covariance of three channels from noise
_LOADING = 1e-6  # of the covariance's trace: keeps it invertible without noise


def pbv(rgb: Any, rate_hz: float, band_pass: BandPass) -> Any:
    """Blood-volume pulse signature (de Haan and van Leest 2014).

    Weights W with W Cn Cn^T = k p: the combination of the normalised, filtered channels Cn whose correlation with
    each of them is as the signature p has it, so W = k p Q^-1 with Q = Cn Cn^T. Here k makes W p' = -1, where p' is p
    over its green: the wave is the part of green's brightness that blood takes. Windows of 8.53 s with a Hann taper,
    half overlapping and added.

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
    length = window_length(rate_hz, samples, WINDOW_S)
    normal = band_pass(relative(rgb))
    signature = xp.asarray(SIGNATURE) / SIGNATURE[1]

    def piece(part: slice) -> Any:
        colour = normal[:, part]
        scatter = xp.stack([xp.stack([(first * second).sum() for second in colour]) for first in colour])
        trace = float(xp.trace(scatter))
        if trace <= 0:
            return xp.zeros(length)
        weights = xp.linalg.solve(scatter / trace + _LOADING * xp.eye(3), signature)
        weights = -weights / (weights * signature).sum()
        return weights[0] * colour[0] + weights[1] * colour[1] + weights[2] * colour[2]

    return overlap_add(xp, samples, length, piece)
