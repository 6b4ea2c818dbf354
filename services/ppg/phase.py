"""Phase of the heart beat over time: what a lock-in and a band that follows the rate refer to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

Floats = NDArray[np.float64]

HALF_S = 2.5  # of the window: long enough to tell a beat from its neighbours, short enough to follow a sinus rhythm


def heart_phase(wave: Floats, rate_hz: float, heart_hz: Floats, half_s: float = HALF_S) -> Floats:
    """Phase of the beat: the wave is demodulated at the heart's own rate, and what is left of its phase averaged.

    phi(t) = phi0(t) + arg(sum over tau of h(tau) x(t + tau) exp(-i phi0(t + tau))), phi0 = 2 pi times the integral of
    the heart rate, h a Hann window (complex demodulation: Bloomfield 2000, Fourier Analysis of Time Series, ch. 7).

    Parameters
    ----------
    wave : float64[n]
        Band-passed pulse on a uniform grid, blood up.
    rate_hz : float
        Samples a second.
    heart_hz : float64[n]
        Heart rate on the same grid, 1/s; NaN where it is refused.
    half_s : float
        Half length of the window, s; at the ends of the clip only what lies inside counts.

    Returns
    -------
    float64[n]
        Radians, without jumps; cos(phase) is largest where the fundamental of the wave is. NaN everywhere where any
        of the rate is.
    """
    if not len(wave) or not np.isfinite(heart_hz).all():
        return np.full(len(wave), np.nan)
    turns = np.concatenate([[0.0], np.cumsum((heart_hz[1:] + heart_hz[:-1]) / 2)]) / rate_hz
    carrier = np.exp(-2j * np.pi * turns)
    half = max(round(half_s * rate_hz), 1)
    window = np.hanning(2 * half + 3)[1:-1]
    low = wave * carrier
    mean = correlate1d(low.real, window, mode="constant") + 1j * correlate1d(low.imag, window, mode="constant")
    found: Floats = 2 * np.pi * turns + np.unwrap(np.angle(mean))
    return found
