"""Breathing rate from what breathing does to the pulse, and from the body's motion where it is in view.

Breathing changes the pulse wave's size, its baseline and its intervals (Karlen et al. 2013, IEEE TBME 60:1946, who
fuse the three and refuse where they disagree), and moves the chest. Here each is a spectrum between 0.1 and 0.5 Hz;
they are added by how clear each is, and a rate is given only where enough of them show it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

Floats = NDArray[np.float64]

BAND_HZ = (0.1, 0.5)
LEAST_SECONDS = 10.0
SAMPLED_HZ = 4.0
LEAST_BEATS = 8

LEAST_CLARITY = 0.5  # where all sources agree
LEAST_CLARITY_OF_SOME = 0.6  # where one does not: white noise passes about one time in seven
_PADDED = 2048
_PEAK_HZ = 0.05  # half the width of a peak, of 30 s and a Hann window
_FEWEST_SOURCES = 2
_RESOLUTION = 0.85  # standard deviation of a rate, times the seconds it was seen for
_NEAR_HZ = 0.04  # 2.4 breaths a minute: two spectra that peak no further apart agree
_Z90 = 1.6449


@dataclass(frozen=True)
class Source:
    """How a source counts: the tilt of its spectrum, and its weight beside how clear it is."""

    tilt: float
    weight: float


# Chosen on subjects 100001 and 100002 of the fingertip recordings (Hoffman et al. 2022, npj Digital Medicine 5:146),
# bench/breathing.py. Baseline and body drift more than the others.
SOURCES = {
    "amplitude": Source(2.0, 1.0),
    "baseline": Source(2.0, 0.5),
    "interval": Source(1.0, 1.0),
    "body": Source(2.0, 1.0),
}


@dataclass(frozen=True)
class Breathing:
    """A breathing rate, or why there is none.

    Attributes
    ----------
    hz, low_hz, high_hz : float
        NaN where refused.
    confidence : float
        0-1.
    refused : str or None
    details : dict of str to float
        Rate of each source for itself in breaths a minute (`<source>_bpm`), `clarity` and `agreement`.
    """

    hz: float = math.nan
    low_hz: float = math.nan
    high_hz: float = math.nan
    confidence: float = 0.0
    refused: str | None = None
    details: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class BreathSpectrum:
    """Spectrum of one source over `frequencies()`.

    Attributes
    ----------
    power : float64[m]
        Evened by a power of the frequency; sums to 1.
    plain : float64[m]
        As it is; sums to 1.
    clarity : float
        Part of `power` around its peak, 0-1.
    peak_hz : float
    """

    power: Floats
    plain: Floats
    clarity: float
    peak_hz: float


def frequencies() -> Floats:
    """The frequencies of all spectra here, Hz."""
    return np.linspace(*BAND_HZ, 201)


def at_beats(time_s: Floats, values: Floats, wanted_s: Floats) -> Floats:
    """Values at beats as a smooth series; single odd values are taken for the median of their neighbours.

    Parameters
    ----------
    time_s, values : float64[k]
        `LEAST_BEATS` or more.
    wanted_s : float64[n]

    Returns
    -------
    float64[n]
        The first and last value are held beyond the ends.
    """
    padded = np.pad(values, 2, mode="edge")
    near = np.median(np.stack([padded[i : i + len(values)] for i in range(5)]), axis=0)
    away = np.abs(values - near)
    usual = 1.4826 * float(np.median(away)) + 1e-12
    kept = np.where(away > 4 * usual, near, values)
    curve = PchipInterpolator(time_s, kept)
    return np.asarray(curve(np.clip(wanted_s, time_s[0], time_s[-1])), np.float64)


def lowered(values: Floats, rate_hz: float, time_s: Floats, wanted_s: Floats) -> Floats:
    """A wave without what is faster than breathing, at the times wanted.

    Parameters
    ----------
    values : float64[n]
        Uniform, `rate_hz` a second, without NaN.
    rate_hz : float
    time_s : float64[n]
    wanted_s : float64[m]

    Returns
    -------
    float64[m]
    """
    # a Gaussian of 0.2 s keeps 82 % at 0.5 Hz and 21 % at 1.4 Hz
    return np.asarray(np.interp(wanted_s, time_s, gaussian_filter1d(values, 0.2 * rate_hz, mode="nearest")), np.float64)


def breath_spectrum(series: Floats, tilt: float) -> BreathSpectrum | None:
    """Spectrum of one source between 0.1 and 0.5 Hz.

    Parameters
    ----------
    series : float64[n]
        At `SAMPLED_HZ`.
    tilt : float
        The power is multiplied by the frequency to this power: drift falls with about its square.

    Returns
    -------
    BreathSpectrum or None
        None where the series does not change.
    """
    ramp = np.linspace(-1, 1, len(series))
    rest = series - np.polynomial.legendre.legval(ramp, np.polynomial.legendre.legfit(ramp, series, 2))
    if not np.ptp(rest) > 1e-9 * (np.abs(series).max() + 1e-300):
        return None
    size = _size(len(rest))
    taper = np.hanning(len(rest) + 2)[1:-1]
    every = np.fft.rfftfreq(size, 1 / SAMPLED_HZ)
    full = np.abs(np.fft.rfft(rest * taper, size)) ** 2
    frequency = frequencies()
    plain = np.interp(frequency, every, full)
    power = plain * frequency**tilt
    power, plain = power / power.sum(), plain / plain.sum()
    top = int(power.argmax())
    return BreathSpectrum(power, plain, _around(frequency, power, float(frequency[top])), float(frequency[top]))


def breathing(sources: Mapping[str, Floats]) -> Breathing:
    """The breathing rate that the sources agree on.

    Parameters
    ----------
    sources : mapping of str to float64[n]
        Series at `SAMPLED_HZ`, all of one length; names are keys of `SOURCES`.

    Returns
    -------
    Breathing

    Raises
    ------
    ValueError
        If a name is not known, or the lengths differ.
    """
    if unknown := sorted(set(sources) - set(SOURCES)):
        raise ValueError(f"no source of breathing is called {unknown[0]}")
    if len({len(series) for series in sources.values()}) > 1:
        raise ValueError("the sources of breathing differ in length")
    seconds = len(next(iter(sources.values()), ())) / SAMPLED_HZ
    if seconds < LEAST_SECONDS:
        return Breathing(refused=f"clip too short: {seconds:.1f} s of {LEAST_SECONDS:g} s")
    spectra = {name: breath_spectrum(series, SOURCES[name].tilt) for name, series in sources.items()}
    found = {name: spectrum for name, spectrum in spectra.items() if spectrum is not None}
    if len(found) < _FEWEST_SOURCES:
        return Breathing(refused="too few beats to see breathing in the pulse; record for longer")
    frequency = frequencies()
    weight = {name: SOURCES[name].weight * one.clarity**2 for name, one in found.items()}
    total = sum(weight.values())
    fused = np.asarray(sum(weight[name] * one.power for name, one in found.items()) / total, np.float64)
    plain = np.asarray(sum(weight[name] * one.plain for name, one in found.items()) / total, np.float64)
    peak = float(frequency[fused.argmax()])
    # the tilt moves a broad peak upward: the top nearby in the plain spectrum is the rate, where there is one
    near = np.flatnonzero(np.abs(frequency - peak) <= 0.5 / seconds)
    top = near[plain[near].argmax()]
    if near[0] < top < near[-1]:
        peak = float(frequency[top])
    clarity = _around(frequency, fused, peak)
    agreeing = {name for name, one in found.items() if abs(one.peak_hz - peak) <= max(_NEAR_HZ, 0.6 / seconds)}
    details = {f"{name}_bpm": 60 * one.peak_hz for name, one in found.items()}
    details |= {"clarity": clarity, "agreement": len(agreeing) / len(found)}
    if len(agreeing) < _FEWEST_SOURCES:
        return Breathing(
            refused="the signs of breathing disagree; hold still and record for 30 s or more", details=details
        )
    if clarity < (LEAST_CLARITY if len(agreeing) == len(found) else LEAST_CLARITY_OF_SOME):
        return Breathing(refused="no clear breathing; hold still and record for 30 s or more", details=details)
    scatter = math.sqrt(
        sum(weight[n] * (found[n].peak_hz - peak) ** 2 for n in agreeing) / sum(weight[n] for n in agreeing)
    )
    half = _Z90 * math.hypot(_RESOLUTION / seconds, scatter)
    trust = round(clarity * (0.5 + 0.5 * len(agreeing) / len(found)), 3)
    return Breathing(peak, max(peak - half, 0.0), peak + half, trust, details=details)


def _size(samples: int) -> int:
    return max(_PADDED, 1 << math.ceil(math.log2(4 * samples)))


def _around(frequency: Floats, power: Floats, peak_hz: float) -> float:
    return float(power[np.abs(frequency - peak_hz) <= _PEAK_HZ].sum())
