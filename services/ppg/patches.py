"""The patches of one piece of skin: do they share a pulse? Living skin does; noise and a moving edge do not."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ppg.rate import Spectra, spectrum_size

PATCH_RATE_HZ = 15.0  # enough for 4 Hz; frames are added up in groups down to it
LEAST_SAMPLES = 30  # chroma samples of skin that a patch needs on average
FEWEST = 4  # patches, for an answer
_DETREND_S = 1.6


def group_length(rate_hz: float) -> int:
    """Frames that are added up, so that patches have at least about `PATCH_RATE_HZ` samples a second."""
    return max(1, math.floor(rate_hz / PATCH_RATE_HZ))


def project(rgb: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """The waves of patches: POS's projection (Wang et al. 2017, eq. 7) over the whole clip.

    Parameters
    ----------
    rgb : float64[..., 3, n]
        Mean colours, 0-255.
    rate_hz : float

    Returns
    -------
    float64[..., n]
        Changes of brightness alone, which a lamp or a shadow makes, cancel.
    """
    length = max(3, round(_DETREND_S * rate_hz) | 1)
    slow = ndimage.uniform_filter1d(rgb, length, axis=-1, mode="mirror")
    normal = rgb / np.maximum(slow, 1.0) - 1.0
    first = normal[..., 1, :] - normal[..., 2, :]
    second = normal[..., 1, :] + normal[..., 2, :] - 2 * normal[..., 0, :]
    spread = second.std(axis=-1, keepdims=True)
    alpha = np.where(spread > 0, first.std(axis=-1, keepdims=True) / np.where(spread > 0, spread, 1.0), 0.0)
    return np.asarray(first + alpha * second)


def coherence(
    waves: NDArray[np.float64], rate_hz: float, spectra: Spectra, rates_hz: NDArray[np.float64]
) -> float | None:
    """How far patches agree in amplitude and phase at the heart rate, 0-1.

    C = sum |sum_p X_p|^2 / (P sum sum_p |X_p|^2) over windows that overlap by half and over +- 0.1 Hz around the
    rate, each patch's spectrum X_p at its own level in the band; less what independent noise reaches, 1/P.

    Parameters
    ----------
    waves : float64[patches, n]
        As of `project`.
    rate_hz : float
        Samples a second of `waves`.
    spectra : Spectra
        The windows of the whole skin's wave, and the band.
    rates_hz : float64[windows]
        The rate in each of them.

    Returns
    -------
    float or None
        None with fewer than four patches: too few to ask.
    """
    if len(waves) < FEWEST:
        return None
    length = min(round(spectra.window_s * rate_hz), waves.shape[-1])
    size = spectrum_size(length)
    frequency = np.fft.rfftfreq(size, 1 / rate_hz)
    band = (frequency >= spectra.frequency_hz[0]) & (frequency <= spectra.frequency_hz[-1])
    taper = np.hanning(length + 2)[1:-1]
    hop = spectra.window_s / 2
    together = apart = 0.0
    last = -math.inf
    for centre, rate in zip(spectra.centre_s, rates_hz, strict=True):
        if centre - last < hop or not math.isfinite(rate):
            continue
        last = centre
        start = min(max(round((centre - spectra.window_s / 2) * rate_hz), 0), waves.shape[-1] - length)
        part = waves[:, start : start + length]
        found = np.fft.rfft((part - part.mean(axis=1, keepdims=True)) * taper, size)[:, band]
        level = np.sqrt((np.abs(found) ** 2).mean(axis=1, keepdims=True))
        found = np.divide(found, level, out=np.zeros_like(found), where=level > 0)
        near = found[:, np.abs(frequency[band] - rate) <= 0.1]
        together += float((np.abs(near.sum(axis=0)) ** 2).sum())
        apart += float((np.abs(near) ** 2).sum())
    count = len(waves)
    if apart <= 0:
        return None
    return max(0.0, (together / (count * apart) - 1 / count) / (1 - 1 / count))
