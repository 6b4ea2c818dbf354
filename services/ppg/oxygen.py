"""Experimental: oxygen saturation from the ratio of ratios of red and blue, with the user's own calibration.

SpO2 = A - B R with R = (AC/DC of red) / (AC/DC of blue), the camera's form of the pulse oximeter's equation (Scully et
al. 2012, IEEE TBME 59:303). A and B depend on camera, light and skin: without one's own calibration R says next to
nothing, so there are no default constants.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ppg.variability import Estimate

Floats = NDArray[np.float64]

PLAUSIBLE = (50.0, 100.0)  # %
LEAST_PARTS = 4
PART_S = 5.0
LEAST_CORRELATION = 0.5  # of red and of blue with the pulse wave

_T90 = {4: 2.353, 5: 2.132, 6: 2.015, 7: 1.943, 8: 1.895, 9: 1.860, 10: 1.833}  # Student's, two-sided 90 %, by count


def ratio_of_ratios(rgb: Floats, filtered: Floats, wave: Floats, rate_hz: float) -> tuple[Floats, float]:
    """R of every 5 s.

    Red and blue are projected on the pulse wave, so that noise the two share with nothing does not count as pulse.

    Parameters
    ----------
    rgb, filtered : float64[3, n]
        Mean colour of skin, and the same after the band-pass.
    wave : float64[n]
        The pulse wave.
    rate_hz : float

    Returns
    -------
    ratios : float64[k]
        NaN where blue has no pulse.
    correlation : float
        Of red or blue with the wave, whichever is the weaker, 0-1.
    """
    length = max(round(PART_S * rate_hz), 2)
    ratios = []
    for start in range(0, len(wave) - length + 1, length):
        span = slice(start, start + length)
        one = wave[span] - wave[span].mean()
        pulsatile = (
            (filtered[:, span] - filtered[:, span].mean(axis=1, keepdims=True)) @ one / rgb[:, span].mean(axis=1)
        )
        ratios.append(pulsatile[0] / pulsatile[2] if abs(pulsatile[2]) > 0 else math.nan)
    size = np.sqrt((filtered**2).sum(axis=1) * (wave**2).sum())
    shared = np.abs(filtered @ wave) / np.where(size > 0, size, np.inf)
    return np.array(ratios), float(min(shared[0], shared[2]))


def oxygen_saturation(ratios: Floats, correlation: float, a: float | None, b: float | None) -> Estimate:
    """SpO2 in %, with the 90 % interval of the parts' scatter alone: the calibration's own error is not in it.

    Parameters
    ----------
    ratios : float64[k]
    correlation : float
        As of `ratio_of_ratios`.
    a, b : float or None
        The user's calibration.
    """
    if a is None or b is None:
        return Estimate(
            refused="no calibration: without your own, spo2_a and spo2_b, a camera's R says nothing of SpO2"
        )
    good = ratios[np.isfinite(ratios)]
    if len(good) < LEAST_PARTS:
        return Estimate(refused=f"clip too short: {len(good) * PART_S:.0f} s of {LEAST_PARTS * PART_S:.0f} s")
    if correlation < LEAST_CORRELATION:
        return Estimate(refused="the pulse is too weak in red or blue; use brighter, even light")
    values = a - b * good
    value = float(np.median(values))
    # the median of a normal sample scatters 1.25 times as much as its mean
    spread = 1.2533 * float(values.std(ddof=1)) / math.sqrt(len(values))
    half = _T90.get(len(values), 1.75) * spread
    if not PLAUSIBLE[0] <= value <= PLAUSIBLE[1]:
        return Estimate(refused=f"{value:.0f} % is not possible: the calibration does not fit this camera and light")
    return Estimate(value, max(value - half, 0.0), min(value + half, 100.0), round(correlation * 0.5, 3))
