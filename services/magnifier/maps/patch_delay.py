"""Delay of the pulse in patches of skin by four methods of the field, behind one interface.

Each takes the series of the patches and of the whole skin and gives delays with their standard errors. The map itself
comes from the lock-in (`fields`), which needs no series; these are for comparison, and for who trusts them more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, csd, hilbert, sosfiltfilt, welch

Floats = NDArray[np.float64]
Method = Literal["hilbert", "correlation", "spectrum"]

_SEGMENTS = 8  # of the series, whose scatter is the error
_MOST_BEATS = 0.5  # a delay is known to within half a beat either way


@dataclass(frozen=True)
class PatchDelays:
    """Delays against the reference.

    Attributes
    ----------
    delay_s : float64[patches]
        Seconds, positive is later; NaN where a patch has no series.
    error_s : float64[patches]
        Standard error.
    """

    delay_s: Floats
    error_s: Floats


def narrow(series: Floats, sampling_hz: float, heart_hz: float) -> Floats:
    """Band-pass of zero phase around the fundamental and second harmonic: 0.6 to 2.6 times the heart rate.

    Second-order Butterworth, forwards and backwards.

    Parameters
    ----------
    series : float64[n, ...]
    sampling_hz, heart_hz : float
    """
    high = min(2.6 * heart_hz, 0.45 * sampling_hz)
    sections = butter(2, [0.6 * heart_hz, high], "bandpass", fs=sampling_hz, output="sos")
    passed: Floats = sosfiltfilt(sections, series, axis=0, padlen=min(len(series) - 1, round(3 * sampling_hz)))
    return passed


def _by_hilbert(series: Floats, reference: Floats, sampling_hz: float, heart_hz: float) -> Floats:
    """Phase between analytic signals (Gabor 1946), weighted by their magnitudes, over 2 pi times the rate."""
    edge = round(sampling_hz)  # the transform rings at the ends
    mine, whole = hilbert(series, axis=0), hilbert(reference, axis=0)
    inside = slice(edge, -edge) if len(series) > 4 * edge else slice(None)
    product = (np.conj(mine[inside]) * whole[inside, None]).sum(axis=0)
    found: Floats = np.angle(product) / (2 * np.pi * heart_hz)
    return found


def _by_correlation(series: Floats, reference: Floats, sampling_hz: float, heart_hz: float) -> Floats:
    """Lag of the largest cross-correlation, by a parabola through its top (Knapp and Carter 1976)."""
    count = len(series)
    reach = min(max(round(_MOST_BEATS * sampling_hz / heart_hz), 2), count // 2)
    size = 1 << int(np.ceil(np.log2(2 * count)))
    product = np.fft.rfft(series, size, axis=0) * np.conj(np.fft.rfft(reference, size))[:, None]
    correlation = np.roll(np.fft.irfft(product, size, axis=0), reach, axis=0)[: 2 * reach + 1]
    top = np.clip(correlation.argmax(axis=0), 1, 2 * reach - 1)
    at = np.arange(series.shape[1])
    before, middle, after = (correlation[top + step, at] for step in (-1, 0, 1))
    bend = before - 2 * middle + after
    shift = np.divide(before - after, 2 * bend, out=np.zeros_like(bend), where=bend < 0)
    found: Floats = (top - reach + np.clip(shift, -0.5, 0.5)) / sampling_hz
    return found


def _by_spectrum(series: Floats, reference: Floats, sampling_hz: float, heart_hz: float) -> Floats:
    """Phase of the cross-spectrum at the heart rate (Welch; Bendat and Piersol 2010, ch. 5) over 2 pi times it."""
    length = min(len(series), round(max(8.0, 6 / heart_hz) * sampling_hz))
    frequency, cross = csd(
        reference[:, None], series, sampling_hz, nperseg=length, nfft=4 * length, axis=0, detrend="constant"
    )
    _, power = welch(reference, sampling_hz, nperseg=length, nfft=4 * length, detrend="constant")
    near = np.abs(frequency - heart_hz) <= 0.1 * heart_hz
    place = np.flatnonzero(near)[int(np.argmax(power[near]))]
    found: Floats = -np.angle(cross[place]) / (2 * np.pi * frequency[place])
    return found


METHODS: dict[str, Callable[[Floats, Floats, float, float], Floats]] = {
    "hilbert": _by_hilbert,
    "correlation": _by_correlation,
    "spectrum": _by_spectrum,
}


def patch_delays(
    series: Floats, reference: Floats, sampling_hz: float, heart_hz: float, method: Method = "hilbert"
) -> PatchDelays:
    """Delays of patches against a reference.

    Parameters
    ----------
    series : float64[n, patches]
        Levels on a uniform grid; columns with a NaN are left out.
    reference : float64[n]
        Of the whole skin.
    sampling_hz : float
    heart_hz : float
        Mean heart rate, 1/s.
    method : str
        `hilbert`, `correlation` or `spectrum`.

    Returns
    -------
    PatchDelays
        The error is the standard error of the mean over up to eight stretches of the series.

    Raises
    ------
    ValueError
        If the series are shorter than four beats, or the method has no such name.
    """
    if method not in METHODS:
        raise ValueError(f"{method!r} is none of {', '.join(METHODS)}")
    if len(series) < 4 * sampling_hz / heart_hz:
        raise ValueError(f"{len(series) / sampling_hz:.1f} s are less than four beats")
    estimate = METHODS[method]
    known = np.isfinite(series).all(axis=0)
    passed = narrow(series[:, known], sampling_hz, heart_hz)
    whole = narrow(reference, sampling_hz, heart_hz)
    delay, error = np.full(series.shape[1], np.nan), np.full(series.shape[1], np.nan)
    delay[known] = estimate(passed, whole, sampling_hz, heart_hz)
    beats = len(series) * heart_hz / sampling_hz
    pieces = int(min(_SEGMENTS, beats // 3))
    if pieces >= 2:
        borders = np.linspace(0, len(series), pieces + 1).round().astype(int)
        parts = np.stack(
            [estimate(passed[a:b], whole[a:b], sampling_hz, heart_hz) for a, b in pairwise(borders.tolist())]
        )
        half = _MOST_BEATS / heart_hz
        scatter = (parts - delay[known] + half) % (2 * half) - half
        error[known] = np.sqrt((scatter**2).mean(axis=0) / (pieces - 1))
    return PatchDelays(delay, error)
