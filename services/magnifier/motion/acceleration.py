"""Acceleration: a temporal filter that answers to changes of speed alone (Zhang et al. 2017, CVPR, section 3).

The second derivative of a Gaussian gives nothing for what is constant or moves with constant speed, so that small
changes can be magnified on something that also moves far.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

HALF_LENGTH_S = 2.5
_WIDTH = 4.0  # standard deviations of the Gaussian on each side


def acceleration_sigma(frequency_hz: float) -> float:
    """Standard deviation in seconds of the Gaussian whose second derivative answers most to `frequency_hz`.

    The response (2 pi f s)^2 exp(-(2 pi f s)^2 / 2) is largest where 2 pi f s = sqrt(2).
    """
    return math.sqrt(2) / (2 * math.pi * frequency_hz)


def acceleration_weight(time_s: NDArray[np.float64], frequency_hz: float) -> NDArray[np.float64]:
    """The negative second derivative of a Gaussian, a density over seconds, with a response of 1 at `frequency_hz`.

    Parameters
    ----------
    time_s : float64[n]
        Seconds from the middle.
    frequency_hz : float

    Returns
    -------
    float64[n]
        1/s. Its integral and first moment are 0.
    """
    sigma = acceleration_sigma(frequency_hz)
    x = np.asarray(time_s, np.float64) / sigma
    # -d2/dt2 of the Gaussian has the response w^2 exp(-w^2 s^2 / 2), at w = sqrt(2) / s that is 2 / (e s^2)
    density: NDArray[np.float64] = (1 - x**2) * np.exp(-(x**2) / 2) / (sigma * math.sqrt(2 * math.pi)) * math.e / 2
    return density


def check_frequency(frequency_hz: float, rate_hz: float) -> None:
    """Refuse a frequency that the filter cannot be made for.

    Raises
    ------
    ValueError
        If it is not above 0, above a quarter of the frame rate, or so low that the filter is longer than +-2.5 s.
    """
    if not 0 < frequency_hz <= rate_hz / 4:
        raise ValueError(
            f"acceleration at {frequency_hz:g} Hz needs at least four frames a period: at {rate_hz:g} frames a second "
            f"choose a frequency above 0 and up to {rate_hz / 4:g} Hz"
        )
    if _WIDTH * acceleration_sigma(frequency_hz) > HALF_LENGTH_S + 1e-9:
        lowest = _WIDTH * math.sqrt(2) / (2 * math.pi * HALF_LENGTH_S)
        raise ValueError(
            f"acceleration at {frequency_hz:g} Hz needs a filter longer than +-{HALF_LENGTH_S:g} s: choose "
            f"{math.ceil(100 * lowest) / 100:g} Hz or more"
        )


def acceleration_kernel(frequency_hz: float, rate_hz: float) -> NDArray[np.float64]:
    """The filter on uniform samples, for `scipy.ndimage.correlate1d` along time: of colour, or of phase.

    Parameters
    ----------
    frequency_hz : float
        Where the response is largest, and 1.
    rate_hz : float
        Samples a second.

    Returns
    -------
    float64[2 n + 1]
        Symmetric; sum and first moment are 0, so neither a level nor a slope passes. n / rate is 2.5 s or less.

    Raises
    ------
    ValueError
        As `check_frequency`.
    """
    check_frequency(frequency_hz, rate_hz)
    half = math.ceil(_WIDTH * acceleration_sigma(frequency_hz) * rate_hz)
    half = min(half, math.floor(HALF_LENGTH_S * rate_hz))
    offset = np.arange(-half, half + 1)
    kernel = acceleration_weight(offset / rate_hz, frequency_hz) / rate_hz
    taper = np.hanning(len(kernel) + 2)[1:-1]
    kernel -= taper * (kernel.sum() / taper.sum())
    response = float((kernel * np.cos(2 * np.pi * frequency_hz / rate_hz * offset)).sum())
    return kernel / response
