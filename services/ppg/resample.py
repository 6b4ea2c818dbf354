"""Between the frames' own times and the uniform grid of the plan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

_SAME_S = 1e-6  # times that differ by less are the same
_GAP_STEPS, _GAP_S = 1.5, 0.1
_CLOSE_STEPS = 0.25  # of the median distance
_FEWEST = 4  # samples, for a cubic spline


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


def gaps(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spans without frames that are too long to draw a pulse through.

    Longer than 1.5 of the median distance of frames and than 0.1 s: a wave of 4 Hz, sampled with Nyquist's rate and a
    fifth to spare, needs a value each 0.1 s.

    Parameters
    ----------
    times : float64[n]
        In seconds, increasing.

    Returns
    -------
    float64[k, 2]
        First and last time of each, those of the frames about it.
    """
    if len(times) < 2:
        return np.zeros((0, 2))
    steps = np.diff(times)
    at = np.flatnonzero(steps > max(_GAP_STEPS * float(np.median(steps)), _GAP_S) + _SAME_S)
    return np.stack([times[at], times[at + 1]], axis=-1)


def resample(
    values: NDArray[np.float64], times: NDArray[np.float64], wanted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Values at other times, by cubic splines; the same values where the times coincide.

    Linear interpolation weakens a wave of f Hz midway between two frames by cos(pi f / rate): by 33 % for 4 Hz at 15
    frames a second. A cubic spline (not-a-knot; de Boor, A Practical Guide to Splines, chapter IV) loses about 3 %.
    Over a gap (`gaps`), where a spline would swing, the values on its two sides are joined by a straight line, and no
    spline runs across. Frames closer than a quarter of the median distance are one sample, at their mean time: their
    noise would otherwise become a steep slope.

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

    Raises
    ------
    ValueError
        If there is no value or as many times as values are not given.
    """
    if values.shape[-1] != len(times) or not len(times):
        raise ValueError(f"{values.shape[-1]} values at {len(times)} times cannot be resampled")
    if len(times) == len(wanted) and np.abs(times - wanted).max(initial=0.0) < _SAME_S:
        return np.array(values, np.float64)
    rows, at = _apart(np.asarray(values, np.float64).reshape(-1, values.shape[-1]), np.asarray(times, np.float64))
    found = np.stack([np.interp(wanted, at, row) for row in rows]) if len(rows) else np.zeros((0, len(wanted)))
    ends = gaps(at)
    starts = np.concatenate([[0], np.searchsorted(at, ends[:, 1])])
    stops = np.concatenate([np.searchsorted(at, ends[:, 0], side="right"), [len(at)]])
    for start, stop in zip(starts, stops, strict=True):
        if stop - start < _FEWEST:
            continue  # a straight line is there already
        inside = (wanted >= at[start]) & (wanted <= at[stop - 1])
        if inside.any():
            found[:, inside] = CubicSpline(at[start:stop], rows[:, start:stop], axis=-1)(wanted[inside])
    return found.reshape(*values.shape[:-1], len(wanted))


def _apart(rows: NDArray[np.float64], times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows and times with frames that are too close made one."""
    if len(times) < 3:
        return rows, times
    least = _CLOSE_STEPS * float(np.median(np.diff(times)))
    if np.diff(times).min() >= least and least > 0:
        return rows, times
    kept = [0]
    for index in range(1, len(times)):
        if times[index] - times[kept[-1]] >= max(least, _SAME_S):
            kept.append(index)
    count = np.diff([*kept, len(times)])
    return np.add.reduceat(rows, kept, axis=-1) / count, np.add.reduceat(times, kept) / count
