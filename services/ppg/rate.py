"""Heart rate from a pulse wave: spectra of sliding windows, one smooth track through them, refined between bins."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

HOP_S = 1.0
FAST_HZ = 2.0  # about the geometric middle of what a heart can do
_PADDING = 8  # the spectrum is interpolated by zeros to bins this much finer
_JUMP_HZ = 0.06  # a change of the rate from one window to the next that costs one unit of log power
_ENOUGH_BINS = 8
_BLOCK = 64  # windows that are worked on at once


@dataclass(frozen=True)
class Spectra:
    """Power spectra of sliding windows within a band.

    Attributes
    ----------
    centre_s : float64[windows]
        Middle of each window, in seconds after the first sample.
    frequency_hz : float64[bins]
    power : float64[windows, bins]
        Each window's sums to 1 (or 0, where there is no signal).
    window_s : float
        Length of a window.
    """

    centre_s: NDArray[np.float64]
    frequency_hz: NDArray[np.float64]
    power: NDArray[np.float64]
    window_s: float


def window_starts(samples: int, length: int, hop: int) -> NDArray[np.int64]:
    """First samples of the windows of `length` that fit, `hop` apart."""
    return np.arange(0, max(samples - length, 0) + 1, max(hop, 1))


def spectrum_size(length: int) -> int:
    """Points of the transform of a window: a power of two, at least eight times as many."""
    return 1 << math.ceil(math.log2(_PADDING * max(length, 2)))


def sliding_spectra(
    wave: NDArray[np.float64], rate_hz: float, window_s: float, band_hz: tuple[float, float], hop_s: float = HOP_S
) -> Spectra:
    """Welch's periodograms of Hann-tapered windows, not yet averaged.

    Parameters
    ----------
    wave : float64[n]
    rate_hz : float
        Samples a second.
    window_s : float
        Length of a window; the whole wave where that is shorter.
    band_hz : tuple of float
        Lowest and highest frequency.
    hop_s : float
        From one window to the next.

    Returns
    -------
    Spectra
    """
    length = min(max(round(window_s * rate_hz), 2), len(wave))
    starts = window_starts(len(wave), length, round(hop_s * rate_hz))
    size = spectrum_size(length)
    frequency = np.asarray(np.fft.rfftfreq(size, 1 / rate_hz), np.float64)
    inside = (frequency >= band_hz[0]) & (frequency <= band_hz[1])
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)
    power = np.empty((len(starts), int(inside.sum())))
    for first in range(0, len(starts), _BLOCK):
        at = starts[first : first + _BLOCK]
        parts = sliding_window_view(wave, length)[at]
        parts = (parts - parts.mean(axis=1, keepdims=True)) * taper
        power[first : first + len(at)] = np.abs(np.fft.rfft(parts, size)[:, inside]) ** 2
    total = power.sum(axis=1, keepdims=True)
    power = np.divide(power, total, out=np.zeros_like(power), where=total > 0)
    centre = np.asarray((starts + (length - 1) / 2) / rate_hz, np.float64)
    return Spectra(centre, frequency[inside], power, length / rate_hz)


def refine(frequency: NDArray[np.float64], power: NDArray[np.float64], index: NDArray[np.int64]) -> NDArray[np.float64]:
    """The tops of the parabolas through the logarithms of bins and their two neighbours.

    Parameters
    ----------
    frequency : float64[bins]
        Evenly spaced.
    power : float64[windows, bins]
    index : int64[windows]
        A bin of each window.

    Returns
    -------
    float64[windows]
        In Hz; the bin itself where it is the first, the last, or beside one without power.
    """
    found = frequency[index]
    rows = np.flatnonzero((index > 0) & (index < len(frequency) - 1))
    if not rows.size:
        return found
    values = power[rows[:, None], index[rows, None] + np.array([-1, 0, 1])]
    whole = values.min(axis=1) > 0
    rows, logs = rows[whole], np.log(values[whole])
    left, middle, right = logs.T
    curvature = left - 2 * middle + right
    shift = np.divide(0.5 * (left - right), curvature, out=np.zeros(len(rows)), where=curvature < 0)
    found[rows] += np.clip(shift, -0.5, 0.5) * (frequency[1] - frequency[0])
    return found


def top_near(
    frequency: NDArray[np.float64], power: NDArray[np.float64], around: NDArray[np.float64], reach: float
) -> NDArray[np.float64]:
    """The highest points within `reach` of frequencies, between bins, one a window.

    Parameters
    ----------
    frequency : float64[bins]
    power : float64[windows, bins]
    around : float64[windows]
        In Hz.
    reach : float
        In Hz.

    Returns
    -------
    float64[windows]
        In Hz; the frequency itself where no bin is within reach.
    """
    near = np.abs(frequency - around[:, None]) <= reach
    found = refine(frequency, power, np.where(near, power, -np.inf).argmax(axis=1))
    return np.where(near.any(axis=1), found, around)


def peaks(spectra: Spectra) -> NDArray[np.float64]:
    """The strongest frequency of each window for itself, in Hz."""
    return refine(spectra.frequency_hz, spectra.power, spectra.power.argmax(axis=1))


def power_at(spectra: Spectra, at_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power of each window at frequencies between bins, by straight lines; 0 outside the band.

    Parameters
    ----------
    spectra : Spectra
    at_hz : float64[windows, k]

    Returns
    -------
    float64[windows, k]
    """
    frequency, power = spectra.frequency_hz, spectra.power
    if len(frequency) < 2:
        return np.where(at_hz == frequency, power, 0.0) if len(frequency) else np.zeros(at_hz.shape)
    left = np.clip(np.searchsorted(frequency, at_hz, side="right") - 1, 0, len(frequency) - 2)
    below, above = np.take_along_axis(power, left, axis=1), np.take_along_axis(power, left + 1, axis=1)
    between = below + (above - below) * ((at_hz - frequency[left]) / (frequency[left + 1] - frequency[left]))
    return np.where((at_hz >= frequency[0]) & (at_hz <= frequency[-1]), between, 0.0)


def _support(spectra: Spectra) -> NDArray[np.float64]:
    """Log power at each frequency, with a share of what lies at its double: a pulse has a second harmonic.

    Without it a pulse whose second harmonic is the stronger would be read at twice its rate.
    """
    frequency, power = spectra.frequency_hz, spectra.power
    step = frequency[1] - frequency[0]
    double = np.rint((2 * frequency - frequency[0]) / step).astype(np.int64)
    inside = double < len(frequency)
    harmonic = np.where(inside, power[:, np.minimum(double, len(frequency) - 1)], 0.0)
    # geometric, so that a harmonic without a fundamental, or the reverse, adds nothing
    return np.asarray(np.log(power + np.sqrt(power * harmonic) + 1e-4 * power.max(axis=1, keepdims=True) + 1e-12))


def track(spectra: Spectra, beside: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """The rate in every window, in Hz: the smooth path of most power (Viterbi), refined between bins.

    Each step costs (change / 0.06 Hz)^2 units of log power, for windows 1 s apart.

    Parameters
    ----------
    spectra : Spectra
    beside : float64[windows], optional
        Another path. What is wanted is the best in the other half of the band, below or above `FAST_HZ`, without the
        first three harmonics of that path: slow changes are the stronger, whatever a fast heart does.

    Returns
    -------
    float64[windows]
    """
    frequency = spectra.frequency_hz
    if len(frequency) < _ENOUGH_BINS or not spectra.power.any():
        return np.full(len(spectra.centre_s), np.nan)
    support = _support(spectra)
    if beside is not None:
        reach = max(1.5 / spectra.window_s, 0.15)  # the main lobe of the taper
        taken = np.min([np.abs(frequency - order * beside[:, None]) for order in (1, 2, 3)], axis=0) <= reach
        taken |= (frequency >= FAST_HZ) == (beside.mean() >= FAST_HZ)
        if taken.all(axis=1).any():
            return np.full(len(spectra.centre_s), np.nan)
        support[taken] = support.min()
    step, bins, most = frequency[1] - frequency[0], np.arange(len(frequency)), len(frequency) - 1
    every = (np.arange(-most, most + 1) * (step / _JUMP_HZ)) ** 2
    around = np.full(len(frequency) + 2 * most, -np.inf)
    reached = sliding_window_view(around, 2 * most + 1)  # of each bin, all that are up to `most` away
    best = support[0]
    came_from = np.zeros(support.shape, np.int64)
    for row in range(1, len(support)):
        # a jump that costs more than it can gain is never better than none
        far = min(int(_JUMP_HZ * math.sqrt(best.max() - best.min()) / step) + 2, most)
        near = slice(most - far, most + far + 1)
        around[most : most + len(best)] = best
        options = reached[:, near] - every[near]  # [to, from]
        chosen = options.argmax(axis=1)
        came_from[row] = bins + chosen - far
        best = options[bins, chosen] + support[row]
    path = np.empty(len(support), np.int64)
    path[-1] = best.argmax()
    for row in range(len(support) - 1, 0, -1):
        path[row - 1] = came_from[row, path[row]]
    reach = 0.5 / spectra.window_s  # half of the peak's half width: the top of the peak that the path runs along
    return top_near(frequency, spectra.power, frequency[path], reach)


def snr(spectra: Spectra, rates_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power at the rate and its first harmonic over the rest of the band (de Haan and Jeanne 2013), per window.

    Parameters
    ----------
    spectra : Spectra
    rates_hz : float64[windows]

    Returns
    -------
    float64[windows]
        A ratio, not in dB. Around each of the two the main lobe of the taper counts, +- 2 / window, but at least
        +- 0.1 Hz.
    """
    reach = max(1.5 / spectra.window_s, 0.1)
    frequency = spectra.frequency_hz[None]
    rate = rates_hz[:, None]
    near = (np.abs(frequency - rate) <= reach) | (np.abs(frequency - 2 * rate) <= reach)
    signal = (spectra.power * near).sum(axis=1)
    return np.asarray(signal / np.maximum(spectra.power.sum(axis=1) - signal, 1e-9))
