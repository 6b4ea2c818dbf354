"""Heart rate of every patch of skin by itself: where the picture pulses with the person, and where with a lamp."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import detrend

Floats = NDArray[np.float64]

_PADDED = 8  # times as many frequencies as the series has
_SIGNIFICANT = 0.001


def patch_rates(series: Floats, sampling_hz: float, band_hz: tuple[float, float]) -> tuple[Floats, Floats]:
    """The strongest frequency in a band, where it is stronger than chance.

    Periodogram of the detrended series through a Hann window, its top refined by a parabola. Chance is judged by
    Fisher's test of the largest ordinate (Fisher 1929, Proc. R. Soc. A 125:54), with two thirds of the ordinates
    counted, since the window makes neighbours alike.

    Parameters
    ----------
    series : float64[n, patches]
        On a uniform grid; columns with a NaN are left out. n of at least 16.
    sampling_hz : float
    band_hz : tuple of float

    Returns
    -------
    rate_hz : float64[patches]
        NaN where nothing stands out.
    chance : float64[patches]
        Probability of such a peak in white noise; NaN where there is no series.
    """
    rate, chance = np.full(series.shape[1], np.nan), np.full(series.shape[1], np.nan)
    known = np.flatnonzero(np.isfinite(series).all(axis=0))
    if not known.size:
        return rate, chance
    count = len(series)
    steady = detrend(series[:, known], axis=0) * np.hanning(count)[:, None]
    coarse = np.abs(np.fft.rfft(steady, axis=0)) ** 2
    frequency = np.fft.rfftfreq(count, 1 / sampling_hz)
    inside = (frequency >= band_hz[0]) & (frequency <= band_hz[1])
    independent = max(int(inside.sum() * 2 / 3), 2)
    fine = np.abs(np.fft.rfft(steady, _PADDED * count, axis=0)) ** 2
    fine_hz = np.fft.rfftfreq(_PADDED * count, 1 / sampling_hz)
    within = np.flatnonzero((fine_hz >= band_hz[0]) & (fine_hz <= band_hz[1]))
    top = np.clip(within[fine[within].argmax(axis=0)], 1, len(fine_hz) - 2)
    at = np.arange(len(known))
    before, middle, after = (fine[top + step, at] for step in (-1, 0, 1))
    bend = before - 2 * middle + after
    shift = np.divide(before - after, 2 * bend, out=np.zeros_like(bend), where=bend < 0)
    total = coarse[inside].sum(axis=0)
    # the window spreads a line over three ordinates of weights 1/4, 1, 1/4
    share = np.clip(np.divide(middle * 1.5, total, out=np.zeros_like(total), where=total > 0), 0, 1)
    chance[known] = np.minimum(independent * (1 - share) ** (independent - 1), 1.0)
    sure = chance[known] < _SIGNIFICANT
    rate[known] = np.where(sure, (top + np.clip(shift, -0.5, 0.5)) * fine_hz[1], np.nan)
    return rate, chance
