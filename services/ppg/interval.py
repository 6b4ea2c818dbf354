"""The mean rate over a stretch of time with its interval: a wave whose rate wanders is fitted to the samples.

The top of a spectral peak is the rate in the middle of a tapered window; what is asked for is the mean over all of it,
and a heart's rate wanders by several bpm within ten seconds. So a phase is fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KNOT_S = 2.0
WANDER = 0.035  # of the rate: standard deviation of its change over one knot's distance, before the data
SHORT_S = 15.0
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


def best_mean_rate(wave: Floats, sampling_hz: float, start_hz: Floats) -> MeanRate:
    """`mean_rate` from several first guesses; the best fit of them.

    A short wave has local best fits: its guesses are the given one and constant, rising and falling rates around its
    mean. In a longer one the guess follows such changes itself.

    Parameters
    ----------
    wave, sampling_hz, start_hz
        As of `mean_rate`.
    """
    guesses = [start_hz]
    if len(wave) <= SHORT_S * sampling_hz:
        ramp = np.linspace(-1, 1, len(wave))
        guesses += [start_hz.mean() * (1 + off + slope * ramp) for off in _OFFSETS for slope in _SLOPES]
    return max((mean_rate(wave, sampling_hz, guess) for guess in guesses), key=lambda found: found.fit)


def mean_rate(wave: Floats, sampling_hz: float, start_hz: Floats) -> MeanRate:
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
        basis = np.concatenate([[np.cos(h * phase), np.sin(h * phase)] for h in harmonics]).T
        amplitude = np.linalg.lstsq(basis, wave, rcond=None)[0]
        rest = wave - basis @ amplitude
        fit = 1 - float((rest**2).mean()) / power
        noise = max(float((rest**2).mean()), 1e-6 * power)
        slope = np.zeros(count)
        for k, h in enumerate(harmonics):
            a, b = amplitude[2 * k], amplitude[2 * k + 1]
            slope += h * (b * np.cos(h * phase) - a * np.sin(h * phase))
        jacobian = 2 * np.pi * slope[:, None] * turned
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
