"""Variability of the intervals between beats, with what the camera's noise adds taken away.

Definitions of the Task Force of the ESC and NASPE 1996 (Circulation 93:1043). The sums are a few lines each and are
written out here: NeuroKit2 would bring pandas, scikit-learn, matplotlib and PyWavelets with it. A test holds them
against its values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.signal import detrend, welch

Floats = NDArray[np.float64]

LEAST_SECONDS = {"sdnn": 20.0, "rmssd": 20.0, "pnn50": 20.0, "lf": 55.0, "hf": 55.0, "lf_hf": 55.0}
UNITS = {"sdnn": "ms", "rmssd": "ms", "pnn50": "%", "lf": "ms^2", "hf": "ms^2", "lf_hf": ""}
LF_HZ = (0.04, 0.15)
HF_HZ = (0.15, 0.4)
ODD = 0.2  # Malik et al. 1989 (European Heart Journal 10:1060): an interval that differs by more is not normal
MOST_ODD = 0.2  # part of the intervals from which on nothing is said
MOST_JITTER_S = 0.03  # a frame at 30 a second
MOST_JITTER_SHARE = 0.7  # of the variance that is seen

_RESAMPLED_HZ = 4.0
_NEIGHBOURS = 3  # intervals on each side that say what is normal
_Z90 = 1.6449
_SEGMENT_S = 120.0


@dataclass(frozen=True)
class Intervals:
    """Intervals between beats.

    Attributes
    ----------
    time_s : float64[k]
        Of the beat that ends each.
    length_s : float64[k]
    normal : bool[k]
        False at ectopic, missed and extra beats and at beats that look like none.
    jitter_s : float
        Standard deviation of the error of a beat's time.
    """

    time_s: Floats
    length_s: Floats
    normal: NDArray[np.bool_]
    jitter_s: float

    @property
    def seconds(self) -> float:
        """How much time the normal intervals cover."""
        return float(self.length_s[self.normal].sum())

    @property
    def odd(self) -> float:
        """Part of the intervals that is not normal."""
        return float(1 - self.normal.mean()) if len(self.normal) else 1.0


@dataclass(frozen=True)
class Estimate:
    """A value and its 90 % interval, or why there is none."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    confidence: float = 0.0
    refused: str | None = None


def intervals(beats_s: Floats, good: NDArray[np.bool_] | None = None, jitter_s: float = 0.0) -> Intervals:
    """Intervals between beats, and which of them are normal.

    Malik's rule, against the median of the three intervals on either side rather than the one before: that one may be
    odd itself. A premature beat makes two odd intervals, a missed beat one of double length, an extra beat two short
    ones; all of these are left out, none is made up.

    Parameters
    ----------
    beats_s : float64[k]
        Increasing, s.
    good : bool[k], optional
        Beats that look like beats.
    jitter_s : float

    Returns
    -------
    Intervals

    Raises
    ------
    ValueError
        If the times do not increase.
    """
    length = np.diff(beats_s)
    if (length <= 0).any():
        raise ValueError("times of beats must increase")
    normal = np.ones(len(length), bool)
    for index in range(len(length)):
        first = max(index - _NEIGHBOURS, 0)
        around = np.delete(length[first : index + _NEIGHBOURS + 1], index - first)
        if around.size:
            usual = float(np.median(around))
            normal[index] = abs(length[index] - usual) <= ODD * usual
    if good is not None:
        normal &= good[:-1] & good[1:]
    return Intervals(beats_s[1:], length, normal, jitter_s)


def sdnn(found: Intervals) -> float:
    """Standard deviation of the normal intervals (n - 1), s; as seen, with the jitter in it."""
    return float(found.length_s[found.normal].std(ddof=1))


def successive(found: Intervals) -> Floats:
    """Differences of neighbouring intervals that are both normal, s."""
    both = found.normal[:-1] & found.normal[1:]
    return np.diff(found.length_s)[both]


def rmssd(found: Intervals) -> float:
    """Root mean square of successive differences, s; as seen."""
    return float(np.sqrt((successive(found) ** 2).mean()))


def pnn50(found: Intervals) -> float:
    """Part of the successive differences above 50 ms, %."""
    return float(100 * (np.abs(successive(found)) > 0.05).mean())


def spectrum(found: Intervals) -> tuple[Floats, Floats]:
    """Power density of the intervals by Welch's method, resampled to 4 Hz.

    Linear trend taken away; Hann windows of at most 120 s, half overlapping.

    Returns
    -------
    frequency_hz : float64[m]
    density : float64[m]
        s^2/Hz, one-sided.
    """
    at, length = found.time_s[found.normal], found.length_s[found.normal]
    time = np.arange(at[0], at[-1], 1 / _RESAMPLED_HZ)
    # a cubic takes least from HF, but overshoots where intervals are left out; monotone cubics do not
    curve = CubicSpline if found.normal.all() else PchipInterpolator
    wave = detrend(curve(at, length)(time))
    segment = min(len(wave), round(_SEGMENT_S * _RESAMPLED_HZ))
    size = max(1024, 1 << (segment - 1).bit_length())
    frequency, density = welch(wave, _RESAMPLED_HZ, "hann", segment, nfft=size)
    return np.asarray(frequency, np.float64), np.asarray(density, np.float64)


def band_power(frequency: Floats, density: Floats, band_hz: tuple[float, float]) -> float:
    """Integral of the density over a band, s^2."""
    inside = (frequency >= band_hz[0]) & (frequency < band_hz[1])
    return float(np.trapezoid(density[inside], frequency[inside]))


def variability(found: Intervals) -> dict[str, Estimate]:
    """SDNN, RMSSD, pNN50, LF, HF and LF/HF with 90 % intervals.

    Jitter of variance s^2 adds 2 s^2 to the variance of intervals and 6 s^2 to the mean square of their successive
    differences, and to the spectrum of intervals 4 s^2 sin^2(pi f T) times 2 T; all are taken away.

    Parameters
    ----------
    found : Intervals

    Returns
    -------
    dict of str to Estimate
        Keys and units as in `UNITS`.
    """
    why = _refusal(found)
    results: dict[str, Estimate] = {}
    for name, least in LEAST_SECONDS.items():
        if why is None and found.seconds < least:
            results[name] = Estimate(refused=f"not enough beats: {found.seconds:.1f} s of {least:g} s")
        elif why is not None:
            results[name] = Estimate(refused=why)
    if "sdnn" in results:
        return results
    noise = found.jitter_s**2
    length = found.length_s[found.normal]
    steps = successive(found)
    trust = _trust(found)
    results["sdnn"] = _deviation(float(length.var(ddof=1)), 2 * noise, _effective(length - length.mean()), trust)
    results["rmssd"] = _deviation(float((steps**2).mean()), 6 * noise, _effective(steps**2 - (steps**2).mean()), trust)
    results["pnn50"] = _share(float((np.abs(steps) > 0.05).mean()), _effective(steps), trust)
    if results["sdnn"].refused is not None:
        for name in ("pnn50", "lf", "hf", "lf_hf"):
            results[name] = Estimate(refused=results["sdnn"].refused)
    if "lf" not in results:
        results |= _bands(found, noise, trust)
    return results


def _refusal(found: Intervals) -> str | None:
    if len(found.length_s) < 4 or found.normal.sum() < 4 or len(successive(found)) < 3:
        return "not enough beats that follow each other; hold still and record for longer"
    if found.odd > MOST_ODD:
        return (
            f"{100 * found.odd:.0f} % of the intervals between beats are odd; hold still, or the heart beats unevenly"
        )
    if not found.jitter_s <= MOST_JITTER_S:
        return f"the beats' times are uncertain by {1000 * found.jitter_s:.0f} ms; more light or less compression helps"
    return None


def _trust(found: Intervals) -> float:
    seen = float(found.length_s[found.normal].var(ddof=1))
    clean = seen / (seen + 2 * found.jitter_s**2) if seen > 0 else 0.0
    return round(clean * (1 - found.odd), 3)


def _effective(values: Floats) -> float:
    """Independent values in a series: n over the integral of its autocorrelation, up to its first zero."""
    centred = values - values.mean()
    power = float((centred**2).sum())
    total = 1.0
    if power > 0:
        for lag in range(1, len(values) // 3):
            part = float((centred[lag:] * centred[:-lag]).sum()) / power
            if part <= 0.05:
                break
            total += 2 * part
    return max(len(values) / total, 3.0)


def _deviation(seen: float, noise: float, count: float, trust: float) -> Estimate:
    """Root of a variance without the noise's share; in ms.

    The interval is log-normal: a variance of n independent values has the relative error sqrt(2 / n), the noise is
    known to about a third.
    """
    if seen <= 0 or noise > MOST_JITTER_SHARE * seen:
        return Estimate(
            refused="the camera's noise is as large as the variability; more light or less compression helps"
        )
    clean = seen - noise
    spread = math.hypot(math.sqrt(2 / count) * seen, noise / 3) / clean / 2  # of the logarithm of the root
    value = 1000 * math.sqrt(clean)
    return Estimate(value, value * math.exp(-_Z90 * spread), value * math.exp(_Z90 * spread), trust)


def _share(part: float, count: float, trust: float) -> Estimate:
    """A share in % with Wilson's interval (Wilson 1927, JASA 22:209)."""
    z2 = _Z90**2
    middle = (part + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z90 * math.sqrt(part * (1 - part) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    low, high = max(middle - half, 0.0), min(middle + half, 1.0)
    return Estimate(100 * part, 100 * min(low, part), 100 * max(high, part), trust)


def _bands(found: Intervals, noise: float, trust: float) -> dict[str, Estimate]:
    frequency, density = spectrum(found)
    mean = float(found.length_s[found.normal].mean())
    floor = 4 * noise * np.sin(np.pi * frequency * mean) ** 2 * 2 * mean
    spans = {"lf": LF_HZ, "hf": HF_HZ}
    seen = {name: band_power(frequency, density, band) for name, band in spans.items()}
    clean = {name: seen[name] - band_power(frequency, floor, band) for name, band in spans.items()}
    seconds = float(found.time_s[-1] - found.time_s[0])
    results: dict[str, Estimate] = {}
    spread = {}
    for name, band in spans.items():
        if clean[name] <= (1 - MOST_JITTER_SHARE) * seen[name] or seen[name] <= 0:
            results[name] = Estimate(refused="the camera's noise hides the band; more light or less compression helps")
            continue
        # a Hann window of T s resolves 1.5 / T Hz: so many pairs of degrees of freedom are in the band
        cells = max((band[1] - band[0]) * seconds / 1.5, 1.0)
        spread[name] = math.hypot(math.sqrt(1 / cells) * seen[name], (seen[name] - clean[name]) / 3) / clean[name]
        value = 1e6 * clean[name]
        results[name] = Estimate(
            value, value * math.exp(-_Z90 * spread[name]), value * math.exp(_Z90 * spread[name]), trust
        )
    if len(spread) < len(spans):
        missing = next(name for name in spans if name not in spread)
        results["lf_hf"] = Estimate(refused=results[missing].refused)
    else:
        ratio, both = clean["lf"] / clean["hf"], math.hypot(spread["lf"], spread["hf"])
        results["lf_hf"] = Estimate(ratio, ratio * math.exp(-_Z90 * both), ratio * math.exp(_Z90 * both), trust)
    return results
