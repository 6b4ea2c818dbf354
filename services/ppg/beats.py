"""Beats of a pulse wave: when each one came, to a fraction of a frame, and how sure that is.

Steep rises of the wave are the candidates. One path through them is chosen by dynamic programming, as in Ellis 2007
(Journal of New Music Research 36:51): steep rises count for it, intervals that do not fit the rate count against it.
Then every beat is moved to where it correlates best with the mean of all beats; the whole beat gives less jitter
than any single point of it (`foot` and `steepest_rise` are there to compare).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

Floats = NDArray[np.float64]

FINE_HZ = 500.0  # the spline is read at this rate
FEWEST_BEATS = 4  # a mean beat of fewer is no template
GOOD_BEAT = 0.7  # correlation with the mean beat from which on a beat is taken for one
PULSE_BAND_HZ = (0.6, 4.0)

_SMOOTH = 0.07  # of an interval: what candidates are smoothed by; the first three harmonics stay
_MISFIT = 4.0  # cost of an interval: this times log(interval / expected)^2, in units of a typical steep rise
_LINK = (0.4, 2.4)  # of the expected interval: shortest and longest between two beats of a path
_GAP = 2.5  # cost of a longer pause
_WINDOW = (-0.4, 0.4)  # of a beat around its top, in intervals
_POINTS = 81  # in that window: one each hundredth of an interval
_REACH = 14  # points that a beat may be moved by, each way
_ROUNDS = 3
_TOP_WITHIN = 0.4  # intervals after the steepest rise
# How much of a longer interval the wave around a beat takes part in: 1 as in the phantom, 0 a wave of fixed length.
# At 0 SDNN comes out 5 ms too small on the phantom, at 1 RMSSD 2 ms too large on a contact PPG; here both are within 2.
_STRETCH = 0.7
_SCALE_S = 3.0  # the size of a typical rise is taken over this time, each way


@dataclass(frozen=True)
class Beats:
    """Beats of one person.

    Attributes
    ----------
    time_s : float64[k]
        Increasing; where the top of the mean beat lies, as each beat fits it best.
    quality : float64[k]
        Correlation with the mean beat, 0-1.
    amplitude : float64[k]
        Size against the mean beat: 1 is as large.
    jitter_s : float
        Standard deviation of the error of a time that the noise explains; NaN with fewer than `FEWEST_BEATS`.
    interval_s : float64[k]
        What the rate track says an interval should be there.
    """

    time_s: Floats
    quality: Floats
    amplitude: Floats
    jitter_s: float
    interval_s: Floats


def no_beats() -> Beats:
    """What is found where there is no pulse."""
    empty = np.zeros(0)
    return Beats(empty, empty, empty, float("nan"), empty)


def find_beats(
    wave: Floats,
    rate_hz: float,
    heart_hz: Floats,
    *,
    origin_s: float = 0.0,
    band_hz: tuple[float, float] = PULSE_BAND_HZ,
) -> Beats:
    """Times of the beats of a pulse wave.

    Parameters
    ----------
    wave : float64[n]
        Filtered pulse wave, blood up, finite.
    rate_hz : float
        Samples a second, 20 or more for useful times.
    heart_hz : float64[n]
        Heart rate at each sample; NaN where it is not known: no beats are looked for there.
    origin_s : float
        Time of the first sample.
    band_hz : tuple of float
        Band that the wave was filtered to; for the jitter.

    Returns
    -------
    Beats

    Raises
    ------
    ValueError
        If wave and heart_hz differ in length, or the wave is not finite.
    """
    if wave.shape != heart_hz.shape or wave.ndim != 1:
        raise ValueError(f"a wave of shape {wave.shape} and a rate of shape {heart_hz.shape} do not fit")
    if not np.isfinite(wave).all():
        raise ValueError("a pulse wave must be finite")
    known = np.isfinite(heart_hz) & (heart_hz > 0)
    if len(wave) < rate_hz or not known.any() or not np.ptp(wave) > 0:
        return no_beats()
    time = np.arange(len(wave)) / rate_hz
    spline = CubicSpline(time, wave)
    usual = 1 / float(np.median(heart_hz[known]))
    smooth = CubicSpline(time, gaussian_filter1d(wave, _SMOOTH * usual * rate_hz, mode="nearest"))
    expected = np.interp(time, time[known], 1 / heart_hz[known])
    rises, slopes = _rises(smooth, time, expected)
    inside = known[np.clip(np.rint(rises * rate_hz).astype(np.int64), 0, len(wave) - 1)]
    rises, slopes = rises[inside], slopes[inside]
    if len(rises) < 2:
        return no_beats()
    intervals = np.interp(rises, time, expected)
    chosen = _path(rises, slopes, intervals)
    return _aligned(spline, time, rises[chosen], intervals[chosen], origin_s, band_hz)


def _rises(spline: CubicSpline, time: Floats, expected: Floats) -> tuple[Floats, Floats]:
    """Local maxima of the slope, to a parabola's top, and their steepness against a typical beat's there."""
    fine = np.arange(time[0], time[-1], 1 / FINE_HZ)
    slope = spline(fine, 1)
    top = np.flatnonzero((slope[1:-1] > slope[:-2]) & (slope[1:-1] >= slope[2:]) & (slope[1:-1] > 0)) + 1
    if not top.size:
        return np.zeros(0), np.zeros(0)
    left, middle, right = slope[top - 1], slope[top], slope[top + 1]
    curvature = left - 2 * middle + right
    shift = np.divide(0.5 * (left - right), curvature, out=np.zeros_like(curvature), where=curvature < 0)
    at, steep = fine[top] + shift / FINE_HZ, middle
    # the beats in reach are about this many: their weakest is the one of that rank
    typical = np.empty_like(steep)
    for index, moment in enumerate(at):
        first, last = np.searchsorted(at, (moment - _SCALE_S, moment + _SCALE_S))
        near = np.sort(steep[first:last])[::-1]
        beats = max(round((min(moment + _SCALE_S, time[-1]) - max(moment - _SCALE_S, time[0]))
                          / float(np.interp(moment, time, expected))), 1)  # fmt: skip
        typical[index] = np.median(near[:beats])
    return at, steep / typical


def _path(at: Floats, steep: Floats, interval: Floats) -> NDArray[np.int64]:
    """The candidates that are beats."""
    worth = np.minimum(steep, 1.5)  # a jerk is not worth more than a beat
    best = worth.copy()
    before = np.full(len(at), -1, np.int64)
    for index in range(1, len(at)):
        first = int(np.searchsorted(at, at[index] - _LINK[1] * interval[index]))
        last = int(np.searchsorted(at, at[index] - _LINK[0] * interval[index]))
        if last > first:
            ratio = (at[index] - at[first:last]) / (0.5 * (interval[first:last] + interval[index]))
            value = best[first:last] - _MISFIT * np.log(ratio) ** 2
            choice = int(value.argmax())
            if value[choice] > 0:
                best[index], before[index] = worth[index] + value[choice], first + choice
        if first > 0:
            choice = int(best[:first].argmax())
            value_over_gap = best[choice] - _GAP
            if value_over_gap + worth[index] > best[index]:
                best[index], before[index] = worth[index] + value_over_gap, choice
    found, index = [], int(best.argmax())
    while index >= 0:
        found.append(index)
        index = int(before[index])
    return np.array(found[::-1], np.int64)


def _aligned(spline: CubicSpline, time: Floats, rises: Floats, interval: Floats, origin_s: float,
             band_hz: tuple[float, float]) -> Beats:  # fmt: skip
    """Beats moved to where they fit the mean beat best."""
    offsets = np.linspace(*_WINDOW, _POINTS)
    step = offsets[1] - offsets[0]
    wide = np.concatenate(
        [offsets[0] + step * np.arange(-_REACH, 0), offsets, offsets[-1] + step * np.arange(1, _REACH + 1)]
    )
    at = rises.copy()
    whole = (at + _WINDOW[0] * interval >= time[0]) & (at + _TOP_WITHIN * interval <= time[-1])
    at, interval = at[whole], interval[whole]
    if len(at) < FEWEST_BEATS:
        return no_beats()
    ahead = np.linspace(0, _TOP_WITHIN, _POINTS)
    at = at + ahead[np.median(_parts(spline, at, interval, ahead, time), axis=0).argmax()] * interval
    first = at.copy()
    for _ in range(_ROUNDS):
        sides = _sides(at, interval)
        template, _ = _mean_beat(spline, at, sides, offsets, time)
        parts = _parts(spline, first, sides, wide, time)
        shifts, _ = _best_shifts(parts, template)
        at = first + shifts * step * interval
    sides = _sides(at, interval)
    template, parts = _mean_beat(spline, at, sides, offsets, time)
    centred = parts - parts.mean(axis=1, keepdims=True)
    norm = np.sqrt((centred**2).sum(axis=1))
    unit = template / np.sqrt((template**2).sum())
    correlation = np.divide(centred @ unit, norm, out=np.zeros_like(norm), where=norm > 0)
    amplitude = centred @ unit / np.sqrt((template**2).sum())
    jitter = _jitter(centred, np.clip(amplitude, 0, None), template, interval, step, correlation, band_hz)
    order = np.argsort(at, kind="stable")
    at, interval, correlation, amplitude = at[order], interval[order], correlation[order], amplitude[order]
    keep = np.concatenate([[True], np.diff(at) > _LINK[0] * interval[1:] / 2])
    return Beats(at[keep] + origin_s, np.clip(correlation[keep], 0, 1), amplitude[keep], jitter, interval[keep])


def _sides(at: Floats, interval: Floats) -> Floats:
    """The scale of time before and after each beat: partly the rate's interval, partly the one that was found."""
    found = np.diff(at)
    found = np.clip(found, 0.7 * interval[1:], 1.4 * interval[1:])
    before = np.concatenate([found[:1], found])
    after = np.concatenate([found, found[-1:]])
    return (1 - _STRETCH) * interval[:, None] + _STRETCH * np.stack([before, after], axis=1)


def _parts(spline: CubicSpline, at: Floats, interval: Floats, offsets: Floats, time: Floats) -> Floats:
    """The wave around each beat, at offsets in intervals (of each side, where two are given); held at the ends."""
    scale = np.where(offsets < 0, interval[:, :1], interval[:, 1:]) if interval.ndim == 2 else interval[:, None]
    moments = np.clip(at[:, None] + scale * offsets, time[0], time[-1])
    return np.asarray(spline(moments), np.float64)


def _mean_beat(
    spline: CubicSpline, at: Floats, interval: Floats, offsets: Floats, time: Floats
) -> tuple[Floats, Floats]:
    """Mean of all beats, each without its mean; medians keep single odd beats out. Returns the beats as well."""
    parts = _parts(spline, at, interval, offsets, time)
    centred = parts - parts.mean(axis=1, keepdims=True)
    size = np.sqrt((centred**2).mean(axis=1, keepdims=True))
    usual = float(np.median(size))
    scaled = centred * (usual / np.where(size > 0, size, np.inf))
    middle = np.median(scaled, axis=0)
    likeness = (scaled * middle).sum(axis=1) / (np.sqrt((scaled**2).sum(axis=1) * (middle**2).sum()) + 1e-30)
    weight = np.maximum(likeness, 0.0) ** 4
    template = np.average(scaled, axis=0, weights=weight) if weight.sum() > 0 else middle
    return template - template.mean(), parts


def _best_shifts(parts: Floats, template: Floats) -> tuple[Floats, Floats]:
    """Shift in points, to a fraction, at which each part correlates best with the template, and the correlation."""
    windows = sliding_window_view(parts, len(template), axis=1)  # [beats, shifts, points]
    dot = windows @ template
    mean = windows.mean(axis=2)
    norm = np.sqrt(np.maximum((windows**2).sum(axis=2) - len(template) * mean**2, 1e-300))
    score = dot / (norm * np.sqrt((template**2).sum()))
    # of the tops the nearest to where the beat was found, unless another is clearly better
    shifts = np.arange(score.shape[1]) - _REACH
    best = (score - 0.1 * (shifts / _REACH) ** 2).argmax(axis=1)
    rows = np.arange(len(score))
    inner = np.clip(best, 1, score.shape[1] - 2)
    left, middle, right = score[rows, inner - 1], score[rows, inner], score[rows, inner + 1]
    curvature = left - 2 * middle + right
    part = np.divide(0.5 * (left - right), curvature, out=np.zeros_like(curvature), where=curvature < 0)
    return shifts[inner] + np.clip(part, -1, 1), middle


def _jitter(centred: Floats, amplitude: Floats, template: Floats, interval: Floats, step: float,
            quality: Floats, band_hz: tuple[float, float]) -> float:  # fmt: skip
    """Standard deviation of a beat's time by the Cramer-Rao bound of a delay in white noise of limited band.

    var = (N0 / 2) / integral s'(t)^2 dt (Kay 1993, Fundamentals of Statistical Signal Processing I, example 3.13),
    with N0 / 2 = sigma^2 / (2 B) from what remains of a beat when the mean beat, as large as fits, is taken away.
    """
    good = quality > 0
    if good.sum() < FEWEST_BEATS:
        return float("nan")
    period = float(np.median(interval))
    length = period * (_POINTS - 1) * step
    width = max(band_hz[1] - band_hz[0], 0.5)
    slope = np.gradient(template, step * period)
    ramp = np.linspace(-1, 1, len(template))
    # beats differ in shape as well: where the band is wide enough to tell that from noise, stretch and drift go too
    terms = [template, slope, np.ones_like(ramp), ramp, ramp * slope, ramp**2]
    free = 2 * width * length  # independent values in a beat
    if free < len(terms) + 3:
        terms = terms[:3]
    basis = np.linalg.qr(np.stack(terms, axis=1))[0]
    rest = centred[good] - (centred[good] @ basis) @ basis.T
    # the median over beats: a few odd ones do not speak for all
    spread = float(np.median((rest**2).mean(axis=1))) * free / max(free - len(terms), 1.0)
    energy = float((slope**2).mean()) * length * float(np.median(amplitude[good])) ** 2
    return float(np.sqrt(spread / (2 * width) / energy)) if energy > 0 else float("nan")


def steepest_rise(wave: Floats, rate_hz: float, near_s: Floats, reach_s: float) -> Floats:
    """Times of the steepest rise of the wave within `reach_s` of each time; for comparison.

    Parameters
    ----------
    wave : float64[n]
    rate_hz : float
    near_s : float64[k]
        Seconds after the first sample.
    reach_s : float

    Returns
    -------
    float64[k]
    """
    return _fiducial(wave, rate_hz, near_s, reach_s, 1)[0]


def foot(wave: Floats, rate_hz: float, near_s: Floats, reach_s: float) -> Floats:
    """Times of the foot by intersecting tangents: the tangent at the steepest rise meets the level of the minimum.

    As in Chiu et al. 1991 (American Heart Journal 121:1460). For comparison; parameters as in `steepest_rise`.
    """
    rise, spline = _fiducial(wave, rate_hz, near_s, reach_s, 1)
    offsets = np.arange(-4 * reach_s, 0, 1 / FINE_HZ)
    lowest = spline(np.clip(rise[:, None] + offsets, 0, (len(wave) - 1) / rate_hz)).min(axis=1)
    return np.asarray(rise - (spline(rise) - lowest) / np.maximum(spline(rise, 1), 1e-30), np.float64)


def _fiducial(wave: Floats, rate_hz: float, near_s: Floats, reach_s: float, order: int) -> tuple[Floats, CubicSpline]:
    end = (len(wave) - 1) / rate_hz
    spline = CubicSpline(np.arange(len(wave)) / rate_hz, wave)
    offsets = np.arange(-reach_s, reach_s, 1 / FINE_HZ)
    moments = np.clip(near_s[:, None] + offsets, 0, end)
    values = spline(moments, order)
    return moments[np.arange(len(near_s)), values.argmax(axis=1)], spline
