"""Filters in time as rows of weights: what a frame's magnified form takes from each frame around it.

A filter of finite support is a banded matrix: row t holds the weights of the frames of [t - before, t + after]. That
covers a symmetric kernel on a uniform grid (with the clip mirrored at its ends, and frames at any distance from one
another) as well as a fit that follows the heart's own phase; whatever the filter, its output for a frame depends on the
frames of its support alone, so any chunking gives the same bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mesh.support import FIELD_SECONDS, butterworth_half_length_s

Floats = NDArray[np.float64]
_TICK = 1e-6  # s: times are sums of rounded ticks
_HIGHEST = 0.45  # of the frame rate: an upper edge beyond it is lowered to it


@dataclass(frozen=True)
class Row:
    """Weights of the frames `first`, `first + 1`, … for one frame's output; they sum to 0."""

    first: int
    weights: NDArray[np.float32]


class Rows(Protocol):
    """A filter of finite support."""

    def row(self, frame: int) -> Row:
        """What the output at `frame` is made of."""

    def response(self, frequency_hz: float) -> float:
        """Part of a sinusoid that passes, in the middle of the clip."""


def fir_kernel(low_hz: float, high_hz: float, rate_hz: float, half_length_s: float = FIELD_SECONDS) -> Floats:
    """A windowed-sinc band-pass (Hamming window; Oppenheim and Schafer, Discrete-Time Signal Processing, section 7.5).

    Parameters
    ----------
    low_hz, high_hz : float
        Edges, where the response is about 1/2.
    rate_hz : float
        Samples a second.
    half_length_s : float
        Seconds on each side.

    Returns
    -------
    float64[half + 1]
        The middle and one side of the symmetric kernel; it sums to 0 and has the response 1 at the geometric mean of
        the edges.

    Raises
    ------
    ValueError
        If the band is empty or above what the frame rate carries.
    """
    low_hz, high_hz = usable_band(low_hz, high_hz, rate_hz)
    half = max(int(half_length_s * rate_hz + _TICK), 1)
    n = np.arange(half + 1)
    sinc = 2 * high_hz / rate_hz * np.sinc(2 * high_hz / rate_hz * n)
    sinc -= 2 * low_hz / rate_hz * np.sinc(2 * low_hz / rate_hz * n)
    return _scaled(sinc, 0.54 + 0.46 * np.cos(np.pi * n / half), math.sqrt(low_hz * high_hz) / rate_hz)


def butterworth_kernel(low_hz: float, high_hz: float, rate_hz: float, order: int = 2) -> Floats:
    """The impulse response of a Butterworth band-pass that is run forwards and backwards, cut at about -60 dB.

    The response of both passes is 1 / (1 + ((w^2 - w0^2) / (B w))^(2 order)) with the frequency warped by the bilinear
    transform, w0^2 the product of the edges, B their distance (Oppenheim and Schafer, section 7.3).

    Parameters and result are those of `fir_kernel`.
    """
    low_hz, high_hz = usable_band(low_hz, high_hz, rate_hz)
    low, high = (math.tan(math.pi * edge / rate_hz) for edge in (low_hz, high_hz))
    half = max(int(butterworth_half_length_s(low_hz, high_hz) * rate_hz + _TICK), 1)
    size = 1 << math.ceil(math.log2(8 * half + 64))  # long enough for the response to die out
    warped = np.tan(np.pi * np.arange(1, size // 2) / size)
    power = np.zeros(size // 2 + 1)
    power[1:-1] = 1 / (1 + ((warped**2 - low * high) / ((high - low) * warped)) ** (2 * order))
    kernel = np.fft.irfft(power)[: half + 1]
    return _scaled(kernel, np.ones(half + 1), math.sqrt(low_hz * high_hz) / rate_hz)


def usable_band(low_hz: float, high_hz: float, rate_hz: float) -> tuple[float, float]:
    """The band as far as the frame rate carries it: up to 0.45 of the rate.

    Raises
    ------
    ValueError
        If nothing is left of it.
    """
    high = min(high_hz, _HIGHEST * rate_hz)
    if not 0 < low_hz < high:
        raise ValueError(
            f"there is no band from {low_hz:g} to {high_hz:g} Hz at {rate_hz:g} frames a second, which carry up to "
            f"{_HIGHEST * rate_hz:.3g} Hz: lower magnify_low_hz and magnify_high_hz"
        )
    return low_hz, high


def _scaled(kernel: Floats, window: Floats, centre: float) -> Floats:
    """Windowed, without a response at 0, with a response of 1 at `centre` (in parts of the rate)."""
    kernel = kernel * window
    kernel = kernel - window * (kernel[0] + 2 * kernel[1:].sum()) / (window[0] + 2 * window[1:].sum())
    return kernel / _response(kernel, centre)


def _response(kernel: Floats, frequency: float) -> float:
    lags = np.arange(1, len(kernel))
    return float(kernel[0] + 2 * np.cos(2 * np.pi * frequency * lags) @ kernel[1:])


class KernelRows:
    """A symmetric kernel on a uniform grid of time, between frames that may lie anywhere.

    Frames are interpolated onto the grid, filtered there, and interpolated back: both linear, so the whole is one row
    of weights. At a constant rate the grid is the frames and nothing is interpolated. At its ends the clip is mirrored
    (its first and last frame are not repeated).

    Parameters
    ----------
    times : float64[n]
        Of all frames of the clip, s.
    rate_hz : float
        Of the grid, whose first sample is the first frame.
    kernel : float64[half + 1]
        The middle and one side.
    """

    def __init__(self, times: Floats, rate_hz: float, kernel: Floats) -> None:
        self._times, self._rate, self._kernel = times, rate_hz, kernel
        samples = max(round((times[-1] - times[0]) * rate_hz) + 1, 1)
        grid = times[0] + np.arange(samples) / rate_hz
        self._left = np.clip(np.searchsorted(times, grid + _TICK, side="right") - 1, 0, max(len(times) - 2, 0))
        right = np.minimum(self._left + 1, len(times) - 1)
        gap = np.maximum(times[right] - times[self._left], _TICK)
        self._part = _snapped(np.clip((grid - times[self._left]) / gap, 0, 1))
        self._both = np.concatenate([kernel[:0:-1], kernel])
        self._half_s = (len(kernel) - 1) / rate_hz

    def row(self, frame: int) -> Row:
        """What the output at `frame` is made of."""
        place = (self._times[frame] - self._times[0]) * self._rate
        before = math.floor(place + 1e-3)
        part = max(place - before, 0.0) if place - before > 1e-3 else 0.0
        half, samples = len(self._kernel) - 1, len(self._left)
        weights = np.zeros(2 * half + 2)
        weights[:-1] += (1 - part) * self._both
        weights[1:] += part * self._both
        at = _mirrored(np.arange(before - half, before + half + 2), samples)
        reach = self._half_s + _TICK
        low = int(np.searchsorted(self._times, self._times[frame] - reach))
        high = int(np.searchsorted(self._times, self._times[frame] + reach, side="right")) - 1
        left, right = (np.clip(self._left[at] + step, low, high) - low for step in (0, 1))
        found = np.bincount(left, weights * (1 - self._part[at]), high - low + 1)
        found += np.bincount(right, weights * self._part[at], high - low + 1)
        return Row(low, found.astype(np.float32))

    def response(self, frequency_hz: float) -> float:
        """Part of a sinusoid that passes, in the middle of the clip."""
        return _response(self._kernel, frequency_hz / self._rate)


def _snapped(part: Floats) -> Floats:
    """Time stamps are rounded to ticks: what is less than a thousandth of a frame away is on the frame."""
    return np.where(part < 1e-3, 0.0, np.where(part > 1 - 1e-3, 1.0, part))


def _mirrored(at: NDArray[np.intp], samples: int) -> NDArray[np.intp]:
    """Places beyond the ends put back inside: -1 is 1, samples is samples - 2."""
    if samples == 1:
        return np.zeros_like(at)
    period = 2 * (samples - 1)
    folded = np.abs(at) % period
    return np.where(folded >= samples, period - folded, folded)


class PhaseRows:
    """What follows the heart: a fit of its wave to the frames around, evaluated at the frame itself.

    The model is a + b s + c s^2 + the sum over harmonics h of p_h cos(h phi) + q_h sin(h phi), with phi the measured
    phase of the beat, fitted by least squares with a Hann window over +-2.5 s (complex demodulation with its
    interference removed: Bloomfield 2000, Fourier Analysis of Time Series, chapter 7). A pulse that goes with phi
    passes whole whatever its shape up to the second harmonic; slow light does not pass at all. At the ends of the clip
    the window is as long, but all inside.

    Parameters
    ----------
    times : float64[n]
        Of all frames, s.
    phase : float64[n]
        Of the beat, radians, unwrapped.
    rate_hz : float
        Mean frame rate: what harmonics it carries.
    heart_hz : float
        Mean heart rate.
    """

    def __init__(self, times: Floats, phase: Floats, rate_hz: float, heart_hz: float) -> None:
        self._times, self._phase = times, phase
        self._harmonics = [h for h in (1, 2) if h * heart_hz < _HIGHEST * rate_hz]
        self._heart, self._rate = heart_hz, rate_hz

    def row(self, frame: int) -> Row:
        """What the output at `frame` is made of."""
        times, now = self._times, self._times[frame]
        low = int(np.searchsorted(times, now - FIELD_SECONDS - _TICK))
        high = int(np.searchsorted(times, now + FIELD_SECONDS + _TICK, side="right"))
        s = (times[low:high] - now) / FIELD_SECONDS
        window = np.maximum(np.cos(np.pi / 2 * s) ** 2, 1e-6)
        trend = np.stack([np.ones_like(s), s, s**2])
        angles = [h * (self._phase[low:high] - self._phase[frame]) for h in self._harmonics]
        waves = np.stack([wave for angle in angles for wave in (np.cos(angle), np.sin(angle))])
        basis = np.concatenate([trend, waves])
        # at the frame itself every cosine is 1 and every sine 0
        asked = np.concatenate([np.zeros(len(trend)), np.tile([1.0, 0.0], len(self._harmonics))])
        weighted = basis * window
        weights = np.linalg.lstsq(weighted @ basis.T, asked, rcond=1e-9)[0] @ weighted
        weights -= weights.mean()  # exactly 0 for what does not change
        return Row(low, weights.astype(np.float32))

    def response(self, frequency_hz: float) -> float:
        """1: what goes with the heart passes whole."""
        return 1.0


@dataclass(frozen=True)
class Basis:
    """A filter of the whole clip as a projection on sinusoids: output(t) = synthesis[t] @ (analysis.T @ input).

    Attributes
    ----------
    analysis, synthesis : float32[frames, waves]
    """

    analysis: NDArray[np.float32]
    synthesis: NDArray[np.float32]

    def response(self, frequency_hz: float, times: Floats) -> float:
        """Part of a sinusoid that passes, in the middle of the clip and over both phases."""
        waves = np.stack([f(2 * np.pi * frequency_hz * times) for f in (np.cos, np.sin)], axis=1)
        window = np.hanning(len(times) + 2)[1:-1, None]  # what is left out at the ends is no matter of the gain
        out = self.synthesis @ (self.analysis.T @ waves)
        return float((window * out * waves).sum() / (window * waves * waves).sum())


def ideal_basis(times: Floats, low_hz: float, high_hz: float, released: bool = False) -> Basis:
    """Whole bins of the clip's spectrum (the 'ideal' filter of Wu et al. 2012).

    Parameters
    ----------
    times : float64[n]
        Of all frames, s.
    low_hz, high_hz : float
        Bins from `low_hz` to `high_hz` pass.
    released : bool
        As the released `ideal_bandpassing.m` and its callers: only bins strictly inside the band; positive frequencies
        alone, which halves the output; the last ten frames left out (they pass as they are here, there they are
        dropped). Else a line is taken away first, so that a drift from the first frame to the last is no step in the
        periodic continuation.

    Returns
    -------
    Basis

    Raises
    ------
    ValueError
        If no bin lies in the band.
    """
    n = len(times) - 10 if released else len(times)
    if n < 2:
        raise ValueError("the clip is too short for an ideal filter: at least 12 frames are needed")
    seconds = (times[n - 1] - times[0]) * n / (n - 1)
    bins = np.arange(1, (n + 1) // 2)
    inside = (bins / seconds > low_hz) & (bins / seconds < high_hz)
    if not released:
        inside = (bins / seconds >= low_hz - 1e-9) & (bins / seconds <= high_hz + 1e-9)
    if not inside.any():
        raise ValueError(
            f"no bin of the spectrum of this clip of {seconds:.1f} s lies between {low_hz:g} and {high_hz:g} Hz: bins "
            f"are {1 / seconds:.3g} Hz apart. Widen the band, or use temporal_filter=fir"
        )
    angle = 2 * np.pi * (times[:n, None] - times[0]) / seconds * bins[inside]
    waves = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    analysis, synthesis = np.zeros((len(times), waves.shape[1])), np.zeros((len(times), waves.shape[1]))
    line = np.stack([np.ones(n), np.linspace(-1, 1, n)], axis=1)
    # what the line would leave in the bins is taken out of the analysis: its output for any line is 0
    analysis[:n] = waves - line @ np.linalg.lstsq(line, waves, rcond=None)[0]
    if released:
        analysis[:n] = waves
    synthesis[:n] = waves * ((1 if released else 2) / n)
    return Basis(analysis.astype(np.float32), synthesis.astype(np.float32))
