"""Between the frames' own times and the uniform grid of the plan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SAME_S = 1e-6  # times that differ by less are the same


def grid_times(origin_s: float, rate_hz: float, samples: int) -> NDArray[np.float64]:
    """Times of a uniform grid in seconds."""
    return origin_s + np.arange(samples) / rate_hz


def fill_gaps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values with every NaN replaced by linear interpolation over the index, and by the nearest value at the ends.

    Parameters
    ----------
    values : float64[..., n]

    Returns
    -------
    float64[..., n]
        Zeros where a row has no value at all.
    """
    filled = np.array(values, np.float64)
    for row in filled.reshape(-1, filled.shape[-1]):
        missing = np.isnan(row)
        if missing.all():
            row[:] = 0.0
        elif missing.any():
            index = np.arange(len(row))
            row[missing] = np.interp(index[missing], index[~missing], row[~missing])
    return filled


def resample(
    values: NDArray[np.float64], times: NDArray[np.float64], wanted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Values at other times, by linear interpolation; the same values where the times coincide.

    Parameters
    ----------
    values : float64[..., n]
        Without NaN.
    times : float64[n]
        In seconds, increasing.
    wanted : float64[m]

    Returns
    -------
    float64[..., m]
        The first and last value are held beyond the ends.
    """
    if len(times) == len(wanted) and np.abs(times - wanted).max(initial=0.0) < _SAME_S:
        return np.array(values, np.float64)
    rows = values.reshape(-1, values.shape[-1])
    found = np.stack([np.interp(wanted, times, row) for row in rows])
    return found.reshape(*values.shape[:-1], len(wanted))
