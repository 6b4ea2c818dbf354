"""Heart rate of every patch of skin by itself: where the picture pulses with the person, and where with a lamp."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft
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
    steady = np.ascontiguousarray((detrend(series[:, known], axis=0) * np.hanning(count)[:, None]).T)
    double = np.abs(rfft(steady, 2 * count)) ** 2
    coarse = double[:, ::2]
    frequency = np.fft.rfftfreq(count, 1 / sampling_hz)
    inside = (frequency >= band_hz[0]) & (frequency <= band_hz[1])
    independent = max(int(inside.sum() * 2 / 3), 2)
    double_hz = np.fft.rfftfreq(2 * count, 1 / sampling_hz)
    within = np.flatnonzero((double_hz >= band_hz[0]) & (double_hz <= band_hz[1]))
    start = within[double[:, within].argmax(axis=1)] * (_PADDED // 2)
    step_hz = sampling_hz / (_PADDED * count)
    low, high = np.ceil(band_hz[0] / step_hz - 1e-9), np.floor(band_hz[1] / step_hz + 1e-9)
    top, power = np.empty(len(known)), np.empty((3, len(known)))
    # the many frequencies of a padded transform only where the few have their top: most patches share it
    for place in np.unique(start):
        mine = np.flatnonzero(start == place)
        near = place + np.arange(-_PADDED // 2 - 1, _PADDED // 2 + 2)
        waves = np.exp(-2j * np.pi / (_PADDED * count) * np.outer(near, np.arange(count)))
        parts = [w @ steady[mine].T for w in (waves.real, waves.imag)]
        fine = parts[0] ** 2 + parts[1] ** 2
        allowed = np.flatnonzero((near >= low) & (near <= high))
        best = np.clip(allowed[fine[allowed].argmax(axis=0)], 1, len(near) - 2)
        top[mine] = near[best]
        power[:, mine] = fine[best + np.array([[-1], [0], [1]]), np.arange(len(mine))]
    before, middle, after = power
    bend = before - 2 * middle + after
    shift = np.divide(before - after, 2 * bend, out=np.zeros_like(bend), where=bend < 0)
    total = coarse[:, inside].sum(axis=1)
    # the window spreads a line over three ordinates of weights 1/4, 1, 1/4
    share = np.clip(np.divide(middle * 1.5, total, out=np.zeros_like(total), where=total > 0), 0, 1)
    chance[known] = np.minimum(independent * (1 - share) ** (independent - 1), 1.0)
    sure = chance[known] < _SIGNIFICANT
    rate[known] = np.where(sure, (top + np.clip(shift, -0.5, 0.5)) * step_hz, np.nan)
    return rate, chance
