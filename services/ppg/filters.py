"""Zero-phase band-passes of traces: Butterworth, FIR and the seed's moving averages, all as symmetric kernels.

A filter is its impulse response, which `scipy.ndimage.correlate1d` applies with the signal mirrored at its ends
(the first and last sample are not repeated). It sums in a fixed order, so that the same signal always gives the same
bits, and its response at any frequency is known exactly, which the calibrated gain needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from media.arrays import array_module, ndimage_module

BUTTERWORTH_ORDER = 2
FIR_HALF_LENGTH_S = 2.5
FLOOR = 1e-3  # -60 dB: an impulse response ends where it stays below
_HIGHEST = 0.45  # of the sampling rate: an upper edge beyond it is lowered to it


@dataclass(frozen=True)
class Filter:
    """A symmetric finite impulse response.

    Attributes
    ----------
    kernel : float64[2 n + 1]
        Symmetric about its middle.
    rate_hz : float
        Samples a second.
    centre_hz : float
        A frequency in the middle of the pass band.
    """

    kernel: NDArray[np.float64]
    rate_hz: float
    centre_hz: float

    def __call__(self, signal: Any) -> Any:
        """Filter along the last axis; the result has the shape of `signal`, float64."""
        xp, ndimage = array_module(signal), ndimage_module(signal)
        signal = xp.asarray(signal, dtype=xp.float64)
        return ndimage.correlate1d(signal, xp.asarray(self.kernel), axis=-1, mode="mirror")

    def gain_at(self, frequency_hz: ArrayLike) -> NDArray[np.float64]:
        """Response at frequencies in Hz: real, since the phase is zero; about 1 in the pass band."""
        half = len(self.kernel) // 2
        angle = 2 * np.pi * np.asarray(frequency_hz, np.float64)[..., None] / self.rate_hz * np.arange(1, half + 1)
        response: NDArray[np.float64] = self.kernel[half] + 2 * (np.cos(angle) * self.kernel[half + 1 :]).sum(axis=-1)
        return response


def usable_band(low_hz: float, high_hz: float, rate_hz: float) -> tuple[float, float]:
    """The band as far as the sampling rate carries it.

    Raises
    ------
    ValueError
        If nothing is left of it.
    """
    high = min(high_hz, _HIGHEST * rate_hz)
    if low_hz >= high:
        raise ValueError(f"at {rate_hz:g} samples a second there is no band from {low_hz:g} Hz upwards")
    return low_hz, high


def butterworth(low_hz: float, high_hz: float, rate_hz: float, order: int = BUTTERWORTH_ORDER) -> Filter:
    """A Butterworth band-pass run forwards and backwards.

    Forwards and backwards give |H(f)|^2 = 1 / (1 + ((w^2 - w0^2) / (B w))^(2 order)) with zero phase, where w is the
    frequency warped by the bilinear transform, w0 the geometric mean of the edges and B their distance (Oppenheim
    and Schafer, Discrete-Time Signal Processing, section 7.3). Its impulse response is cut at -60 dB.

    Parameters
    ----------
    low_hz, high_hz : float
        Edges, where the response of both passes is 1/2.
    rate_hz : float
    order : int

    Raises
    ------
    ValueError
        If the edges do not fit the sampling rate.
    """
    low_hz, high_hz = usable_band(low_hz, high_hz, rate_hz)
    low, high = (math.tan(math.pi * edge / rate_hz) for edge in (low_hz, high_hz))
    size = 1 << math.ceil(math.log2(max(64.0, 64 * rate_hz / low_hz)))  # long enough for the response to die out
    frequency = np.arange(1, size // 2)  # response 0 at 0 and at half the rate
    warped = np.tan(np.pi * frequency / size)
    power = np.zeros(size // 2 + 1)
    power[1:-1] = 1 / (1 + ((warped**2 - low * high) / ((high - low) * warped)) ** (2 * order))
    response = np.fft.irfft(power)[: size // 2]
    half = int(np.flatnonzero(np.abs(response) >= FLOOR * np.abs(response).max())[-1])
    return Filter(_without_mean(_mirrored(response[: half + 1])), rate_hz, math.sqrt(low_hz * high_hz))


def fir(low_hz: float, high_hz: float, rate_hz: float, half_length_s: float = FIR_HALF_LENGTH_S) -> Filter:
    """A windowed-sinc band-pass (Hamming), scaled to 1 in the middle of the band.

    Parameters
    ----------
    low_hz, high_hz : float
        Edges, where the response is about 1/2.
    rate_hz : float
    half_length_s : float
        Seconds on each side.

    Raises
    ------
    ValueError
        If the edges do not fit the sampling rate.
    """
    low_hz, high_hz = usable_band(low_hz, high_hz, rate_hz)
    half = max(1, round(half_length_s * rate_hz))
    n = np.arange(half + 1)
    ideal = 2 * high_hz / rate_hz * np.sinc(2 * high_hz / rate_hz * n)
    ideal -= 2 * low_hz / rate_hz * np.sinc(2 * low_hz / rate_hz * n)
    window = 0.54 + 0.46 * np.cos(np.pi * n / half)
    found = Filter(_without_mean(_mirrored(ideal * window)), rate_hz, math.sqrt(low_hz * high_hz))
    return Filter(found.kernel / float(found.gain_at(found.centre_hz)), rate_hz, found.centre_hz)


def moving_averages(n_bg: int, n_smooth: int, rate_hz: float) -> Filter:
    """The cascade of faceHR (ajsteele, 2022): take away one moving average, then smooth with another.

    Here in a form with correct ends and zero phase: a window of an even number of samples is centred by giving its
    two outermost samples half a weight.

    Parameters
    ----------
    n_bg, n_smooth : int
        Windows in samples.
    rate_hz : float
    """
    return _cascade(_centred(n_bg), _centred(n_smooth), rate_hz)


def moving_averages_s(n_bg_s: float, n_smooth_s: float, rate_hz: float) -> Filter:
    """The same cascade with its windows in seconds, so that it is the same filter at any frame rate.

    A window of w seconds holds w * rate samples, of which the two outermost have the weight of the part that falls
    within it: a length that is no whole number of frames is not rounded.

    Parameters
    ----------
    n_bg_s, n_smooth_s : float
        Windows in seconds; one shorter than a frame leaves the signal as it is.
    rate_hz : float

    Raises
    ------
    ValueError
        If the window that is taken away is no longer than a frame: nothing would be left.
    """
    if n_bg_s * rate_hz <= 1:
        raise ValueError(f"a moving average of {n_bg_s:g} s holds no more than one frame at {rate_hz:g} a second")
    return _cascade(_centred(n_bg_s * rate_hz), _centred(max(n_smooth_s * rate_hz, 1.0)), rate_hz)


def zero_padded_moving_averages(signal: NDArray[np.float64], n_bg: int, n_smooth: int) -> NDArray[np.float64]:
    """The same cascade exactly as faceHR has it: zeros beyond the ends, even windows half a sample late.

    The first and last half window of the result are transients of the size of the signal's mean.

    Parameters
    ----------
    signal : float64[n]
    n_bg, n_smooth : int
        Windows in samples.

    Returns
    -------
    float64[n]
    """
    return _same(signal - _same(signal, n_bg), n_smooth)


def _cascade(background: NDArray[np.float64], smooth: NDArray[np.float64], rate_hz: float) -> Filter:
    high_pass = -background
    high_pass[len(high_pass) // 2] += 1
    kernel = np.convolve(high_pass, smooth)
    found = Filter(kernel, rate_hz, 0.0)
    frequency = np.linspace(0.0, rate_hz / 2, 1025)
    return Filter(kernel, rate_hz, float(frequency[np.abs(found.gain_at(frequency)).argmax()]))


def _same(signal: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    full = np.asarray(np.convolve(signal, np.full(n, 1 / n)), np.float64)
    start = (n - 1) // 2  # mode 'same', also where the window is the longer one
    return full[start : start + len(signal)]


def _centred(n: float) -> NDArray[np.float64]:
    """A window of `n` samples about its middle; what is over an odd number is shared by two samples at its ends."""
    half = math.ceil((n - 1) / 2)
    kernel = np.full(2 * half + 1, 1 / n)
    if half:
        kernel[[0, -1]] *= (n - (2 * half - 1)) / 2
    return kernel


def _mirrored(half: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.concatenate([half[:0:-1], half]))


def _without_mean(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Takes the little that a cut response leaves at 0 Hz away with a taper, so that no brightness passes."""
    taper = np.hanning(len(kernel) + 2)[1:-1]
    return np.asarray(kernel - taper * (kernel.sum() / taper.sum()))
