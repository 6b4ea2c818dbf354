"""The mean rate over a stretch of time with its interval: a wave whose rate wanders is fitted to the samples.

The top of a spectral peak is the rate in the middle of a tapered window; what is asked for is the mean over all of it,
and a heart's rate wanders by several bpm within ten seconds. So a phase is fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KNOT_S = 2.0
WANDER = 0.035  # of the rate: standard deviation of its change over one knot's distance, before the data
SHORT_S = 15.0
PIECE_S = 30.0
ALIKE_HZ = 0.05  # readings that differ by less are of one rate
LEAST_TRUST = 0.5
_OFFSETS = (-0.02, 0.0, 0.02)  # of the rate, and its change to either end
_SLOPES = (-0.08, 0.0, 0.08)
_ROUNDS = 8
_HARMONICS = 2
_LEAST_SAMPLES = 16
_CORRELATED_S = 0.125  # noise of a band 4 Hz wide is independent at this distance (1 / (2 * 4 Hz))


@dataclass(frozen=True)
class MeanRate:
    """A mean rate and how well it is known.

    Attributes
    ----------
    hz : float
        Mean over the samples.
    deviation_hz : float
        Standard deviation under the model: white noise within the band, a rate that walks at random.
    fit : float
        Part of the wave's power that the fitted wave explains, 0-1.
    rate_hz : float64[n]
        At each sample.
    """

    hz: float
    deviation_hz: float
    fit: float
    rate_hz: Floats


def shares(rate_hz: Floats, deviation_hz: Floats, trust: Floats) -> Floats:
    """How much each reading counts in the common one: those that agree with the most trusted, the surer the more.

    Parameters
    ----------
    rate_hz, deviation_hz, trust : float64[k]
        Of each reading, the most trusted first; `trust` is the probability that it is right.

    Returns
    -------
    float64[k]
        Summing to 1. By the inverse fourth power of the deviation: errors of methods that see the same skin are
        alike, so that a clearly better one counts nearly alone (measured on synthetic recordings against the square).
    """
    agrees = (np.abs(rate_hz - rate_hz[0]) < ALIKE_HZ) & (trust > LEAST_TRUST)
    agrees[0] = True
    weight = np.where(agrees, np.maximum(trust, 1e-9) / np.maximum(deviation_hz, 1e-6) ** 4, 0.0)
    return np.asarray(weight / weight.sum())


def best_mean_rate(
    wave: Floats, sampling_hz: float, start_hz: Floats, band_pass: Callable[[Floats], Floats] | None = None
) -> MeanRate:
    """`mean_rate` from several first guesses, the best fit of them; of a long wave, piece by piece.

    A short wave has local best fits: its guesses are the given one and constant, rising and falling rates around its
    mean. In a longer one the guess follows such changes itself. Pieces bound the work and the memory: both grow with
    the square of a piece's length.

    Parameters
    ----------
    wave, sampling_hz, start_hz, band_pass
        As of `mean_rate`.
    """
    pieces = max(round(len(wave) / sampling_hz / PIECE_S), 1)
    if pieces > 1:
        edges = np.linspace(0, len(wave), pieces + 1).astype(np.int64)
        spans = [slice(first, last) for first, last in pairwise(edges.tolist())]
        # inner ends have no mirror behind them: the filter would invent one
        found = [mean_rate(wave[span], sampling_hz, start_hz[span]) for span in spans]
        share = np.diff(edges) / len(wave)
        return MeanRate(
            hz=float(sum(part * one.hz for part, one in zip(share, found, strict=True))),
            deviation_hz=float(
                np.sqrt(sum((part * one.deviation_hz) ** 2 for part, one in zip(share, found, strict=True)))
            ),
            fit=float(sum(part * one.fit for part, one in zip(share, found, strict=True))),
            rate_hz=np.concatenate([one.rate_hz for one in found]),
        )
    if len(wave) > SHORT_S * sampling_hz:
        return mean_rate(wave, sampling_hz, start_hz, band_pass)
    ramp = np.linspace(-1, 1, len(wave))
    guesses = [start_hz, *(start_hz.mean() * (1 + off + slope * ramp) for off in _OFFSETS for slope in _SLOPES)]
    best = max((mean_rate(wave, sampling_hz, guess) for guess in guesses), key=lambda found: found.fit)
    return best if band_pass is None else mean_rate(wave, sampling_hz, best.rate_hz, band_pass)


def mean_rate(
    wave: Floats, sampling_hz: float, start_hz: Floats, band_pass: Callable[[Floats], Floats] | None = None
) -> MeanRate:
    """Fit x(t) = sum_h a_h cos(h phi) + b_h sin(h phi), phi' = 2 pi f(t), with f linear between knots 2 s apart.

    Maximum a posteriori by Gauss and Newton: noise is white within the band, f is a random walk over its knots with
    steps of 3.5 % of the rate. Amplitudes are solved for in each round and varied with the knots (variable projection,
    Golub and Pereyra 1973). The covariance of the knots then gives that of their mean.

    Parameters
    ----------
    wave : float64[n]
        Filtered to the pulse's band.
    sampling_hz : float
    start_hz : float64[n]
        A first guess of the rate at each sample, right within about half a cycle over the length.
    band_pass : callable, optional
        The filter that the wave went through, along the last axis: what is fitted goes through it too, so that what
        it does at the wave's ends is no error.

    Returns
    -------
    MeanRate
        The guess itself, with no fit, where the wave is empty.

    Raises
    ------
    ValueError
        If the two differ in length or the guess is not finite.
    """
    if wave.shape != start_hz.shape or not np.isfinite(start_hz).all():
        raise ValueError(f"a wave of {wave.shape} needs a finite rate at each sample, not {start_hz.shape}")
    count = len(wave)
    power = float((wave**2).mean()) if count else 0.0
    if count < _LEAST_SAMPLES or not power > 0:
        return MeanRate(float(start_hz.mean()) if count else 0.0, np.inf, 0.0, start_hz)
    time = (np.arange(count) - (count - 1) / 2) / sampling_hz
    knots = max(round(count / sampling_hz / KNOT_S) + 1, 3)
    place = np.linspace(time[0], time[-1], knots)
    hats = np.stack([np.interp(time, place, row) for row in np.eye(knots)], axis=1)  # [n, knots]
    turned = np.cumsum(hats, axis=0) / sampling_hz
    turned -= turned.mean(axis=0)
    value = np.interp(place, time, start_hz)
    centre = float(value.mean())
    steps = np.diff(np.eye(knots), axis=0)
    prior = steps.T @ steps / (WANDER * centre) ** 2 + 1e-6 * np.eye(knots)
    harmonics = [h for h in range(1, _HARMONICS + 1) if h * centre < 0.45 * sampling_hz]
    thin = min(1.0, 1 / (_CORRELATED_S * sampling_hz))  # samples are not all independent
    information, fit = prior, 0.0
    for _ in range(_ROUNDS):
        phase = 2 * np.pi * (turned @ value)
        basis = _through(band_pass, np.concatenate([[np.cos(h * phase), np.sin(h * phase)] for h in harmonics])).T
        amplitude = np.linalg.lstsq(basis, wave, rcond=None)[0]
        rest = wave - basis @ amplitude
        fit = 1 - float((rest**2).mean()) / power
        noise = max(float((rest**2).mean()), 1e-6 * power)
        slope = np.zeros(count)
        for k, h in enumerate(harmonics):
            a, b = amplitude[2 * k], amplitude[2 * k + 1]
            slope += h * (b * np.cos(h * phase) - a * np.sin(h * phase))
        jacobian = _through(band_pass, 2 * np.pi * (slope[:, None] * turned).T).T
        jacobian -= basis @ np.linalg.lstsq(basis, jacobian, rcond=None)[0]
        information = thin * (jacobian.T @ jacobian) / noise + prior
        step = np.linalg.solve(information, thin * (jacobian.T @ rest) / noise - prior @ value)
        value = value + np.clip(step, -0.1 * centre, 0.1 * centre)
        value = np.clip(value, 0.6 * centre, 1.6 * centre)
        if np.abs(step).max() < 1e-4:
            break
    mean = hats.mean(axis=0)
    variance = float(mean @ np.linalg.solve(information, mean))
    return MeanRate(float(mean @ value), float(np.sqrt(variance)), min(max(fit, 0.0), 1.0), hats @ value)


def _through(band_pass: Callable[[Floats], Floats] | None, rows: Floats) -> Floats:
    return rows if band_pass is None else np.asarray(band_pass(rows), np.float64)
