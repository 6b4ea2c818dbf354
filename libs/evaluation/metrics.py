"""Figures of agreement between measured and true values, each with a standard error at the level of recordings.

Windows of one recording are not independent, so errors come from the delete-one-cluster jackknife: leave out each
recording (or subject) in turn (Efron and Stein 1981, Annals of Statistics 9:586). A refused window has a NaN for its
value and counts for coverage alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
Statistic = Callable[..., float]

LIMIT_SD = 1.96  # of the limits of agreement: Bland and Altman 1986, Lancet 327:307


@dataclass(frozen=True)
class Estimate:
    """A figure and its standard error; None where it is not defined."""

    value: float | None
    standard_error: float | None = None


@dataclass(frozen=True)
class Agreement:
    """How measured values agree with true ones, of the windows that have a truth.

    Attributes
    ----------
    windows, n, clusters : int
        Windows with a truth; those of them that were answered; recordings (or subjects) that they come from.
    mae, rmse, a_rms : Estimate
        Mean absolute and root mean square error in the unit of the measurement. `a_rms` is the name that standards
        of pulse oximeters (ISO 80601-2-61) have for the root mean square error; both are given because both are
        looked for.
    mape : Estimate
        Mean absolute error relative to the truth, in per cent.
    r : Estimate
        Pearson's correlation, -1 to 1.
    bias, limit_low, limit_high : Estimate
        Mean of measured minus true, and bias -+ 1.96 standard deviations (Bland and Altman 1986).
    coverage : Estimate
        Part of the windows that were answered, 0-1.
    interval_coverage : Estimate
        Part of the answered windows whose interval holds the truth, 0-1.
    interval_width : Estimate
        Mean width of the intervals.
    wrong : Estimate
        Part of all windows that were answered with an error above the tolerance, 0-1.
    snr_db : Estimate
        Mean signal-to-noise ratio of the wave against the true rate, dB.
    """

    windows: int
    n: int
    clusters: int
    mae: Estimate
    rmse: Estimate
    mape: Estimate
    r: Estimate
    a_rms: Estimate
    bias: Estimate
    limit_low: Estimate
    limit_high: Estimate
    coverage: Estimate
    interval_coverage: Estimate
    interval_width: Estimate
    wrong: Estimate
    snr_db: Estimate

    def estimates(self) -> dict[str, Estimate]:
        """All figures that have a standard error, by name."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in found.items() if isinstance(value, Estimate)}


def mean_absolute_error(truth: Array, value: Array) -> float:
    """Mean of |value - truth| over the answered windows; NaN if there are none.

    Parameters
    ----------
    truth, value : float64[n]
        NaN in `value` where it was refused.
    """
    return _mean(np.abs(value - truth))


def root_mean_square_error(truth: Array, value: Array) -> float:
    """Root of the mean of (value - truth)^2 over the answered windows; NaN if there are none."""
    return math.sqrt(_mean((value - truth) ** 2))


def mean_absolute_percentage_error(truth: Array, value: Array) -> float:
    """Mean of |value - truth| / |truth| over the answered windows whose truth is not 0, in per cent."""
    size = np.where(truth == 0, np.nan, np.abs(truth))
    return 100 * _mean(np.abs(value - truth) / size)


def pearson_r(truth: Array, value: Array) -> float:
    """Pearson's correlation of the answered windows; NaN for fewer than three or without any variation."""
    answered = np.isfinite(value) & np.isfinite(truth)
    x, y = truth[answered], value[answered]
    if len(x) < 3:
        return math.nan
    x, y = x - x.mean(), y - y.mean()
    # each is brought to unit size first, so that neither product overflows nor vanishes
    largest = np.abs(x).max(), np.abs(y).max()
    if min(largest) <= 1e-12 * max(np.abs(truth[answered]).max(), np.abs(value[answered]).max()):
        return math.nan
    x, y = x / largest[0], y / largest[1]
    return float(np.clip(np.sum(x * y) / math.sqrt(np.sum(x * x) * np.sum(y * y)), -1, 1))


def bias(truth: Array, value: Array) -> float:
    """Mean of value - truth over the answered windows."""
    return _mean(value - truth)


def limit_of_agreement(truth: Array, value: Array, side: float) -> float:
    """Bias + `side` x 1.96 standard deviations of the differences (Bland and Altman 1986).

    Parameters
    ----------
    truth, value : float64[n]
    side : float
        -1 for the lower limit, 1 for the upper.

    Returns
    -------
    float
        NaN for fewer than two answered windows.
    """
    difference = (value - truth)[np.isfinite(value - truth)]
    if len(difference) < 2:
        return math.nan
    return float(difference.mean() + side * LIMIT_SD * difference.std(ddof=1))


def coverage(truth: Array, value: Array) -> float:
    """Part of the windows that were answered, 0-1; NaN without windows."""
    return float(np.isfinite(value).mean()) if len(value) else math.nan


def interval_coverage(truth: Array, low: Array, high: Array) -> float:
    """Part of the intervals that hold the truth, ends included, 0-1; NaN if there are none."""
    given = np.isfinite(low) & np.isfinite(high)
    return float(((low <= truth) & (truth <= high))[given].mean()) if given.any() else math.nan


def wrong(truth: Array, value: Array, tolerance: float) -> float:
    """Part of all windows that were answered with an error above `tolerance`, 0-1.

    A refusal is never wrong: this is the risk that a user of the numbers bears.
    """
    if not len(value):
        return math.nan
    with np.errstate(invalid="ignore"):
        return float((np.abs(value - truth) > tolerance).mean())


def jackknife(statistic: Statistic, cluster: NDArray[np.int64], *columns: Array) -> Estimate:
    """A statistic of all windows with its standard error, by leaving out each cluster in turn.

    Parameters
    ----------
    statistic : callable
        From columns to a float; NaN where it is not defined.
    cluster : int64[n]
        Of which recording (or subject) each window is.
    *columns : float64[n]

    Returns
    -------
    Estimate
        Without a standard error where fewer than two clusters leave the statistic defined.
    """
    value = statistic(*columns)
    if not math.isfinite(value):
        return Estimate(None)
    left_out = np.array(
        [statistic(*(column[cluster != one] for column in columns)) for one in np.unique(cluster)], np.float64
    )
    left_out = left_out[np.isfinite(left_out)]
    count = len(left_out)
    if count < 2:
        return Estimate(value)
    spread = float(np.sum((left_out - left_out.mean()) ** 2))
    return Estimate(value, math.sqrt((count - 1) / count * spread))


def agreement(truth: Array, value: Array, low: Array, high: Array, cluster: NDArray[np.int64],
              tolerance: float, snr_db: Array | None = None) -> Agreement:  # fmt: skip
    """All figures of one measurement.

    Parameters
    ----------
    truth : float64[n]
        Windows without a truth (NaN) are left out.
    value, low, high : float64[n]
        Measured, and the ends of its interval; NaN where refused.
    cluster : int64[n]
        Of which recording (or subject) each window is.
    tolerance : float
        An answered window with a larger error counts as wrong.
    snr_db : float64[n], optional
        Of each window's wave against the truth, NaN where unknown.

    Raises
    ------
    ValueError
        If the columns differ in length.
    """
    ratios = np.full(len(truth), np.nan) if snr_db is None else snr_db
    if len({len(column) for column in (truth, value, low, high, cluster, ratios)}) != 1:
        raise ValueError("the columns differ in length")
    known = np.isfinite(truth)
    truth, value, low, high, ratios = truth[known], value[known], low[known], high[known], ratios[known]
    cluster = cluster[known]
    error = jackknife(root_mean_square_error, cluster, truth, value)
    return Agreement(
        windows=len(truth),
        n=int(np.isfinite(value).sum()),
        clusters=len(np.unique(cluster)),
        mae=jackknife(mean_absolute_error, cluster, truth, value),
        rmse=error,
        mape=jackknife(mean_absolute_percentage_error, cluster, truth, value),
        r=jackknife(pearson_r, cluster, truth, value),
        a_rms=error,
        bias=jackknife(bias, cluster, truth, value),
        limit_low=jackknife(lambda t, v: limit_of_agreement(t, v, -1), cluster, truth, value),
        limit_high=jackknife(lambda t, v: limit_of_agreement(t, v, 1), cluster, truth, value),
        coverage=jackknife(coverage, cluster, truth, value),
        interval_coverage=jackknife(interval_coverage, cluster, truth, low, high),
        interval_width=jackknife(lambda a, b: _mean(b - a), cluster, low, high),
        wrong=jackknife(lambda t, v: wrong(t, v, tolerance), cluster, truth, value),
        snr_db=jackknife(_mean, cluster, ratios),
    )


def upper_bound(count: int, total: int, confidence: float = 0.95) -> float:
    """One-sided upper limit of a proportion, exact (Clopper and Pearson 1934, Biometrika 26:404), 0-1.

    Where an event was seen 0 times in 300, its standard error is 0 but its rate may still be 1 %: 0.00993.

    Raises
    ------
    ValueError
        If `total` is 0 or `count` does not lie in 0..total.
    """
    if total < 1 or not 0 <= count <= total:
        raise ValueError(f"{count} of {total} is no proportion")
    return 1.0 if count == total else float(stats.beta.ppf(confidence, count + 1, total - count))


def _mean(values: Array) -> float:
    """Of those that are numbers; NaN if there are none."""
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else math.nan
