"""The patches of one piece of skin: do they share a pulse, and which are worth hearing?

Living skin shares it; noise and a moving edge do not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ppg.rate import Spectra, spectrum_size

PATCH_RATE_HZ = 15.0  # enough for 4 Hz; frames are added up in groups down to it
LEAST_SAMPLES = 30  # chroma samples of skin that a patch needs on average
FEWEST = 4  # patches, for an answer
BAND_HZ = (0.7, 4.0)
_DETREND_S = 1.6
_LEAST_FREEDOM = 16.0  # independent values in the band, for a correlation to say anything
_CHANCE = 4.0  # standard errors
_ROUNDS = 3
_MOST_ALIKE = 0.98
_MOST = 10.0  # times the median weight
_NEAR_HZ, _AWAY_HZ = 0.1, 0.3  # of the rate; what lies between is its shoulder


@dataclass(frozen=True)
class Coherence:
    """How far patches agree at a rate.

    Attributes
    ----------
    shared : float
        0-1: the part of their power at the rate that they share; what independent noise reaches is taken off.
    contrast : float
        At least 0: power of their sum at the rate over the strongest away from it and from its double. Noise reaches
        about 1; so does a rate that a codec or a movement brings to all patches alike, but beside others.
    """

    shared: float
    contrast: float


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
) -> Coherence | None:
    """How far patches agree in amplitude and phase at the heart rate.

    Shared is sum |sum_p X_p|^2 / (P sum sum_p |X_p|^2) over windows that overlap by half and over +- 0.1 Hz around the
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
    Coherence or None
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
    place = frequency[band]
    together = apart = at_rate = elsewhere = 0.0
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
        near = np.abs(place - rate) <= _NEAR_HZ
        away = (np.abs(place - rate) > _AWAY_HZ) & (np.abs(place - 2 * rate) > _AWAY_HZ)
        common = np.abs(found.sum(axis=0)) ** 2
        together += float(common[near].sum())
        apart += float((np.abs(found[:, near]) ** 2).sum())
        at_rate += float(common[near].max(initial=0.0))
        elsewhere += float(common[away].max(initial=0.0))
    count = len(waves)
    if apart <= 0:
        return None
    shared = max(0.0, (together / (count * apart) - 1 / count) / (1 - 1 / count))
    return Coherence(shared, at_rate / elsewhere if elsewhere > 0 else 1.0)


def weights(
    waves: NDArray[np.float64],
    rate_hz: float,
    counts: NDArray[np.float64] | None = None,
    levels: NDArray[np.float64] | None = None,
    band_hz: tuple[float, float] = BAND_HZ,
) -> NDArray[np.float64]:
    """How much of each patch belongs in a common trace: much of those that follow what the others share.

    Maximum-ratio combining (Brennan 1959): a patch x_p = a_p s + n_p is weighted by a_p / var(n_p). The common wave s
    of patch p is the weighted mean of the *other* patches, so that its own noise does not speak for it; a_p and
    var(n_p) follow from its correlation with s over the whole band, drawn towards the mean of all patches as far as
    chance explains how they differ (empirical Bayes; James and Stein 1961). Unless the mean correlation is four
    standard errors above what independent noise gives (from twice the bandwidth times the duration), nothing is known
    about the patches and the weights are `counts`, the plain mean of the skin: then noise stays exactly what it was,
    and no pulse is made of it by choosing. The choice looks at no heart rate and at no peak.

    Parameters
    ----------
    waves : float64[patches, n]
        As of `project`, without NaN.
    rate_hz : float
        Samples a second of `waves`.
    counts : float64[patches], optional
        Samples of skin in each patch; alike if not given.
    levels : float64[patches], optional
        Brightness of each patch (green's mean, say), since weights are for colours and `waves` are relative; alike if
        not given.
    band_hz : tuple of float
        Lowest and highest frequency that is looked at.

    Returns
    -------
    float64[patches]
        At least 0, summing to 1; empty without patches.

    Raises
    ------
    ValueError
        If there is not one count and one level, neither negative, for each patch.
    """
    total = len(waves)
    sizes = np.ones(total) if counts is None else np.asarray(counts, np.float64)
    bright = np.ones(total) if levels is None else np.asarray(levels, np.float64)
    for given in (sizes, bright):
        if given.shape != (total,) or not (given >= 0).all():
            raise ValueError(f"counts and levels must be {total} numbers that are not negative")
    if not total:
        return np.zeros(0)
    plain = sizes / sizes.sum() if sizes.sum() > 0 else np.full(total, 1 / total)
    high_hz = min(band_hz[1], 0.45 * rate_hz)
    freedom = 2 * (high_hz - band_hz[0]) * waves.shape[-1] / rate_hz
    if total < FEWEST or freedom < _LEAST_FREEDOM:
        return plain
    inner = _in_band(waves, rate_hz, (band_hz[0], high_hz))
    power = (inner**2).mean(axis=1)
    usable = (power > 0) & (bright > 0)
    if usable.sum() < FEWEST:
        return plain
    power = np.where(usable, power, 1.0)
    # every patch at its own level at first, so that one that moves wildly does not lead
    current = np.where(usable, plain / np.sqrt(power), 0.0)
    chance = _CHANCE * math.sqrt(2 / (int(usable.sum()) * freedom))
    for _ in range(_ROUNDS):
        others = (current[:, None] * inner).sum(axis=0) - current[:, None] * inner
        scale = np.sqrt((others**2).mean(axis=1) * power)
        alike = np.divide((inner * others).mean(axis=1), scale, out=np.zeros(total), where=usable & (scale > 0))
        middle = float(alike[usable].mean())
        if middle <= chance:
            return plain
        # towards the mean of all, as far as their scatter is what chance alone makes
        scatter = float(alike[usable].var())
        trust = max(scatter - 1 / freedom, 0.0) / scatter if scatter > 0 else 0.0
        share = np.clip(middle + trust * (alike - middle), 0.0, _MOST_ALIKE)
        # a / var(n) = correlation / (level (1 - correlation^2)), but for the scale of s
        current = np.where(usable, share / (np.sqrt(power) * (1 - share**2)), 0.0)
        current = np.minimum(current, _MOST * np.median(current[current > 0]))
    found = np.divide(current, bright, out=np.zeros(total), where=usable)
    return np.asarray(found / found.sum())


def combined(rgb: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """One colour trace of all patches: the weighted mean of their colours; of `counts`, the plain mean of the skin.

    A patch that is hidden for a while leaves no step: the others take its place at their relative changes.

    Parameters
    ----------
    rgb : float64[patches, 3, n]
        Mean colours, 0-255; NaN where a patch is not seen.
    weight : float64[patches]
        At least 0, as of `weights`.

    Returns
    -------
    float64[3, n]
        NaN where no patch that counts is seen.

    Raises
    ------
    ValueError
        If there is not one weight for each patch.
    """
    if weight.shape != (len(rgb),):
        raise ValueError(f"{len(rgb)} patches need as many weights, not {weight.shape}")
    seen = np.isfinite(rgb)
    number = seen.sum(axis=-1, keepdims=True)
    mean = np.where(seen, rgb, 0.0).sum(axis=-1, keepdims=True) / np.maximum(number, 1)
    relative = np.where(seen & (mean > 0), rgb / np.where(mean > 0, mean, 1.0), 0.0)
    share = np.where(seen, weight[:, None, None] * mean, 0.0)
    shares = share.sum(axis=0)
    level = (weight[:, None] * mean[..., 0]).sum(axis=0) / max(float(weight.sum()), np.finfo(float).tiny)
    summed = (share * relative).sum(axis=0)
    found = np.divide(summed, shares, out=np.full_like(summed, np.nan), where=shares > 0)
    return np.asarray(found * level[:, None])


def _in_band(waves: NDArray[np.float64], rate_hz: float, band_hz: tuple[float, float]) -> NDArray[np.float64]:
    """Waves without what lies outside the band, Hann-tapered against the jump from their end to their start."""
    samples = waves.shape[-1]
    taper = np.hanning(samples + 2)[1:-1]
    spectra = np.fft.rfft((waves - waves.mean(axis=-1, keepdims=True)) * taper, axis=-1)
    frequency = np.fft.rfftfreq(samples, 1 / rate_hz)
    spectra[:, (frequency < band_hz[0]) | (frequency > band_hz[1])] = 0.0
    return np.asarray(np.fft.irfft(spectra, samples, axis=-1))
