"""Smoothness-priors detrending: a slow trend is estimated and taken away."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solveh_banded

from media.arrays import array_module, to_host

_HALF_POWER_ROOT = math.sqrt(1 + math.sqrt(2))  # of H / (1 - H) where H = 1 / sqrt(2), -3 dB


def smoothness_priors(signal: Any, regularization: float) -> Any:
    """The signal without its trend (Tarvainen, Ranta-aho and Karjalainen 2002, eq. 10).

    z_stat = (I - (I + lambda^2 D2^T D2)^-1) z with D2 the second differences. The matrix has five diagonals, so it is
    solved in O(n) by a banded Cholesky factorisation, on the CPU. Away from the ends it is a zero-phase high-pass
    with H = lambda^2 s^4 / (1 + lambda^2 s^4), s = 2 sin(pi f / rate): at lambda = 500 and 4 samples a second -3 dB at
    0.035 Hz, as the paper has it. `regularization_of` gives lambda for a cut-off frequency.

    Parameters
    ----------
    signal : float64[..., n]
        Without NaN, at a constant rate.
    regularization : float
        lambda, at least 0; 0 leaves nothing, infinity takes a straight line away.

    Returns
    -------
    float64[..., n]
        Zeros for fewer than three samples.

    Raises
    ------
    ValueError
        If `regularization` is negative or not finite.
    """
    if not (math.isfinite(regularization) and regularization >= 0):
        raise ValueError(f"regularization must be finite and not negative, not {regularization!r}")
    xp = array_module(signal)
    values = np.asarray(to_host(signal), np.float64)
    samples = values.shape[-1]
    if samples < 3:
        return xp.asarray(np.zeros_like(values))
    # diagonals of D2^T D2, upper form; each second difference adds [1, -2, 1]^T [1, -2, 1] at its place
    bands = np.zeros((3, samples))
    bands[2, :-2] += 1
    bands[2, 1:-1] += 4
    bands[2, 2:] += 1
    bands[1, 1:-1] -= 2
    bands[1, 2:] -= 2
    bands[0, 2:] += 1
    bands *= regularization**2
    bands[2] += 1
    mean = values.mean(axis=-1, keepdims=True)  # the trend of a constant is itself: less to cancel
    rows = (values - mean).reshape(-1, samples)
    trend = solveh_banded(bands, rows.T, check_finite=False).T
    return xp.asarray((rows - trend).reshape(values.shape))


def cut_off_hz(regularization: float, rate_hz: float) -> float:
    """Frequency in Hz at which `smoothness_priors` passes -3 dB; half the rate where it passes less everywhere."""
    half = (_HALF_POWER_ROOT / regularization) ** 0.5 / 2 if regularization > 0 else math.inf
    return rate_hz / math.pi * math.asin(min(half, 1.0))


def regularization_of(cut_off_hz: float, rate_hz: float) -> float:
    """lambda for a cut-off (-3 dB) in Hz.

    Raises
    ------
    ValueError
        If the cut-off is not between 0 and half the sampling rate.
    """
    if not 0 < cut_off_hz < rate_hz / 2:
        raise ValueError(f"a cut-off of {cut_off_hz:g} Hz is not between 0 and half of {rate_hz:g} samples a second")
    return _HALF_POWER_ROOT / (2 * math.sin(math.pi * cut_off_hz / rate_hz)) ** 2


def gain_at(frequency_hz: ArrayLike, regularization: float, rate_hz: float) -> NDArray[np.float64]:
    """Response of `smoothness_priors` at frequencies in Hz, away from the ends: real, 0-1."""
    step = 2 * np.sin(np.pi * np.asarray(frequency_hz, np.float64) / rate_hz)
    power = regularization**2 * step**4
    return np.asarray(power / (1 + power), np.float64)
