"""Rates and beats of contact sensors: finger PPG, respiration belt. The truth of datasets that give waves alone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Array = NDArray[np.float64]

_PULSE_BAND_HZ = (0.5, 8.0)
_RATE_BAND_HZ = (0.6, 4.0)
_BREATHING_BAND_HZ = (0.08, 0.7)
_OUTLIER = 0.3  # an interval this far from the median holds a missed or an extra beat
_LEAST_GOOD = 0.8  # of the intervals must be no outliers
_UNIFORM_HZ = 60.0


def beats_from_ppg(time_s: Array, wave: Array) -> Array:
    """Times of the systolic peaks of a contact PPG.

    Peaks of the wave in 0.5-8 Hz that stand 0.6 periods apart and stand out by a third of the usual height; the period
    is that of the wave's autocorrelation. A parabola through three samples gives the time between samples. Contact
    PPG is clean, so nothing finer is needed for a rate.

    Parameters
    ----------
    time_s, wave : float64[n]
        Increasing seconds; NaN samples are bridged.

    Returns
    -------
    float64[k]
        Empty where the wave does not beat or is shorter than 3 s.
    """
    known = np.isfinite(wave) & np.isfinite(time_s)
    time_s, wave = time_s[known], wave[known]
    time_s, first = np.unique(time_s, return_index=True)
    wave = wave[first]
    if len(time_s) < 16 or time_s[-1] - time_s[0] < 3:
        return np.zeros(0)
    # never less than what was sampled; device clocks jitter, so the grid is our own
    rate = max(_UNIFORM_HZ, 1 / float(np.median(np.diff(time_s))))
    grid = np.arange(time_s[0], time_s[-1], 1 / rate)
    uniform = np.interp(grid, time_s, wave)
    high = min(_PULSE_BAND_HZ[1], 0.45 * rate)
    sections = signal.butter(2, (_PULSE_BAND_HZ[0], high), "bandpass", fs=rate, output="sos")
    filtered = np.asarray(signal.sosfiltfilt(sections, uniform - uniform.mean()), np.float64)
    if not filtered.std() > 1e-9 * max(float(np.abs(uniform).max()), 1e-300):
        return np.zeros(0)
    period = _period(filtered, rate)
    height = float(np.percentile(filtered, 95) - np.percentile(filtered, 5))
    peaks, _ = signal.find_peaks(filtered, distance=max(int(0.6 * period * rate), 1), prominence=height / 3)
    peaks = peaks[(peaks > 0) & (peaks < len(filtered) - 1)]
    before, here, after = filtered[peaks - 1], filtered[peaks], filtered[peaks + 1]
    bend = before - 2 * here + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1), 0)
    found: Array = grid[peaks] + np.clip(shift, -0.5, 0.5) / rate
    return found


def _period(wave: Array, rate: float) -> float:
    """The lag of the first high peak of the autocorrelation, s."""
    length = 2 ** math.ceil(math.log2(2 * len(wave)))
    power = np.abs(np.fft.rfft(wave, length)) ** 2
    correlation = np.fft.irfft(power, length)[: len(wave)]
    shortest = int(rate / _RATE_BAND_HZ[1])
    longest = min(int(rate / _RATE_BAND_HZ[0]) + 1, len(wave) - 1)
    lags = correlation[shortest:longest] / correlation[0]
    peaks, found = signal.find_peaks(lags, height=0)
    if not len(peaks):
        return 0.8
    heights = found["peak_heights"]
    first = peaks[heights >= 0.8 * heights.max()][0]
    return float(shortest + first) / rate


def rate_from_beats(beats_s: Array, start_s: float, end_s: float) -> float | None:
    """Heart rate over a window, 1/min: beats per second of their intervals, missed and extra beats left out.

    Parameters
    ----------
    beats_s : float64[k]
        Of the whole recording.
    start_s, end_s : float
        The window. An interval belongs to it with the part that lies inside.

    Returns
    -------
    float or None
        None where the beats do not cover 80 % of the window, or more than a fifth of the intervals are off by more
        than 30 % of their median: then the reference itself is not to be trusted.
    """
    if len(beats_s) < 3:
        return None
    intervals = np.diff(beats_s)
    inside = np.clip(np.minimum(beats_s[1:], end_s) - np.maximum(beats_s[:-1], start_s), 0, None)
    touched = inside > 0
    if touched.sum() < 3:
        return None
    intervals, inside = intervals[touched], inside[touched]
    good = np.abs(intervals / np.median(intervals) - 1) <= _OUTLIER
    if good.mean() < _LEAST_GOOD or inside[good].sum() < _LEAST_GOOD * (end_s - start_s):
        return None
    return float(60 * np.sum(inside[good] / intervals[good]) / np.sum(inside[good]))


def rate_of_waves(time_s: Array, wave: Array) -> float | None:
    """Rate of a breathing wave over a window, 1/min: the peak of its spectrum in 0.08-0.7 Hz, between bins.

    Parameters
    ----------
    time_s, wave : float64[n]

    Returns
    -------
    float or None
        None for less than 8 s, less than 80 % known samples, or no peak inside the band.
    """
    known = np.isfinite(wave)
    if len(wave) < 16 or known.mean() < _LEAST_GOOD or time_s[-1] - time_s[0] < 8:
        return None
    grid = np.arange(time_s[0], time_s[-1], 0.1)
    uniform = signal.detrend(np.interp(grid, time_s[known], wave[known]))
    length = 8192
    power = np.abs(np.fft.rfft(uniform * np.hanning(len(uniform)), length)) ** 2
    frequency = np.fft.rfftfreq(length, 0.1)
    band = np.flatnonzero((frequency >= _BREATHING_BAND_HZ[0]) & (frequency <= _BREATHING_BAND_HZ[1]))
    top = int(band[np.argmax(power[band])])
    if top in (band[0], band[-1]) or power[top] <= 0:
        return None
    left, here, right = np.log(power[top - 1 : top + 2])
    bend = left - 2 * here + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(60 * (top + shift) * frequency[1])
