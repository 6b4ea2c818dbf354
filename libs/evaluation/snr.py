"""Signal-to-noise ratio of a pulse wave against a rate that is known from elsewhere."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

BAND_HZ = (0.6, 4.0)
FUNDAMENTAL_HZ, HARMONIC_HZ = 0.1, 0.2  # half widths around the rate and its double
_BINS_HZ = 0.005


def snr_db(wave: NDArray[np.float64], sampling_hz: float, rate_hz: float) -> float:
    """Power at the true rate and its double over the power of the rest of the band, in dB.

    The definition of de Haan and Jeanne 2013 (IEEE Transactions on Biomedical Engineering 60:2878, section III), with
    the true rate for the template: +-0.1 Hz about it and +-0.2 Hz about its double, in 0.6-4 Hz (36-240 bpm), of the
    periodogram of the window as it is.

    Parameters
    ----------
    wave : float64[n]
    sampling_hz, rate_hz : float
        Samples a second; the true rate, 1/s.

    Returns
    -------
    float
        NaN where the wave is shorter than 2 s, is not finite, does not vary, or the rate lies outside the band.
    """
    if len(wave) < 2 * sampling_hz or not np.isfinite(wave).all() or not BAND_HZ[0] <= rate_hz <= BAND_HZ[1]:
        return math.nan
    length = max(len(wave), int(sampling_hz / _BINS_HZ))
    power = np.abs(np.fft.rfft(wave - wave.mean(), length)) ** 2
    frequency = np.fft.rfftfreq(length, 1 / sampling_hz)
    band = (frequency >= BAND_HZ[0]) & (frequency <= BAND_HZ[1])
    pulse = np.abs(frequency - rate_hz) <= FUNDAMENTAL_HZ
    pulse |= np.abs(frequency - 2 * rate_hz) <= HARMONIC_HZ
    signal, noise = float(power[band & pulse].sum()), float(power[band & ~pulse].sum())
    if signal <= 0 or noise <= 0:
        return math.nan
    return 10 * math.log10(signal / noise)
