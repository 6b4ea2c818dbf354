"""The mean rate over a stretch of time with its interval: a wave whose rate wanders is fitted to the samples.

The top of a spectral peak is the rate in the middle of a tapered window; what is asked for is the mean over all of it,
and a heart's rate wanders by several bpm within ten seconds. So a phase is fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
_MOST_VALUES = 1 << 22  # of derivatives at once: 32 MiB, whatever the length of the wave
_SPANNED = 1e-12  # of a row's length: what is left of one that lies in the span of others
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
    """`best_mean_rates` of one wave."""
    return best_mean_rates(wave[None], sampling_hz, start_hz[None], band_pass)[0]


def best_mean_rates(
    waves: Floats, sampling_hz: float, start_hz: Floats, band_pass: Callable[[Floats], Floats] | None = None
) -> list[MeanRate]:
    """`mean_rates` from several first guesses, the best fit of them; of long waves, piece by piece.

    A short wave has local best fits: its guesses are the given one and constant, rising and falling rates around its
    mean. In a longer one the guess follows such changes itself. Pieces bound the work and the memory: both grow with
    the square of a piece's length.

    Parameters
    ----------
    waves, sampling_hz, start_hz, band_pass
        As of `mean_rates`.
    """
    total, count = waves.shape
    pieces = max(round(count / sampling_hz / PIECE_S), 1)
    if pieces > 1:
        edges = np.linspace(0, count, pieces + 1).astype(np.int64)
        # inner ends have no mirror behind them: the filter would invent one
        found = [
            mean_rates(waves[:, first:last], sampling_hz, start_hz[:, first:last])
            for first, last in pairwise(edges.tolist())
        ]
        share = np.diff(edges) / count
        return [_joined([piece[row] for piece in found], share) for row in range(total)]
    if count > SHORT_S * sampling_hz:
        return mean_rates(waves, sampling_hz, start_hz, band_pass)
    ramp = np.linspace(-1, 1, count)
    middle = start_hz.mean(axis=1)
    guesses = [start_hz, *(middle[:, None] * (1 + off + slope * ramp) for off in _OFFSETS for slope in _SLOPES)]
    fitted = mean_rates(
        np.repeat(waves, len(guesses), axis=0), sampling_hz, np.stack(guesses, axis=1).reshape(-1, count)
    )
    each = [fitted[row * len(guesses) : (row + 1) * len(guesses)] for row in range(total)]
    best = [max(one, key=lambda found: found.fit) for one in each]
    if band_pass is None:
        return best
    return mean_rates(waves, sampling_hz, np.stack([one.rate_hz for one in best]), band_pass)


def _joined(found: Sequence[MeanRate], share: Floats) -> MeanRate:
    """One mean rate of the pieces of a wave, each with its share of the samples."""
    return MeanRate(
        hz=float(sum(part * one.hz for part, one in zip(share, found, strict=True))),
        deviation_hz=float(
            np.sqrt(sum((part * one.deviation_hz) ** 2 for part, one in zip(share, found, strict=True)))
        ),
        fit=float(sum(part * one.fit for part, one in zip(share, found, strict=True))),
        rate_hz=np.concatenate([one.rate_hz for one in found]),
    )


def mean_rate(
    wave: Floats, sampling_hz: float, start_hz: Floats, band_pass: Callable[[Floats], Floats] | None = None
) -> MeanRate:
    """`mean_rates` of one wave."""
    return mean_rates(wave[None], sampling_hz, start_hz[None], band_pass)[0]


def mean_rates(
    waves: Floats, sampling_hz: float, start_hz: Floats, band_pass: Callable[[Floats], Floats] | None = None
) -> list[MeanRate]:
    """Fit x(t) = sum_h a_h cos(h phi) + b_h sin(h phi), phi' = 2 pi f(t), with f linear between knots 2 s apart.

    Maximum a posteriori by Gauss and Newton: noise is white within the band, f is a random walk over its knots with
    steps of 3.5 % of the rate. Amplitudes are solved for in each round and varied with the knots (variable projection,
    Golub and Pereyra 1973). The covariance of the knots then gives that of their mean. Each wave is fitted for itself;
    together they cost little more than one.

    Parameters
    ----------
    waves : float64[m, n]
        Filtered to the pulse's band.
    sampling_hz : float
    start_hz : float64[m, n]
        A first guess of the rate at each sample, right within about half a cycle over the length.
    band_pass : callable, optional
        The filter that the waves went through, along the last axis: what is fitted goes through it too, so that what
        it does at the waves' ends is no error.

    Returns
    -------
    list of MeanRate
        Of each wave; the guess itself, with no fit, where it is empty.

    Raises
    ------
    ValueError
        If the two differ in shape or a guess is not finite.
    """
    if waves.shape != start_hz.shape or not np.isfinite(start_hz).all():
        raise ValueError(f"a wave of {waves.shape[1:]} needs a finite rate at each sample, not {start_hz.shape[1:]}")
    count = waves.shape[1]
    found = [MeanRate(float(row.mean()) if count else 0.0, np.inf, 0.0, row) for row in start_hz]
    if count < _LEAST_SAMPLES:
        return found
    knots = _Knots.over(count, sampling_hz)
    value = np.stack([knots.at(row) for row in start_hz])
    # a harmonic that the samples cannot show is no part of the model: waves with as many are fitted together
    highest = np.minimum(np.floor(0.45 * sampling_hz / value.mean(axis=1)), _HARMONICS)
    usable = (waves**2).mean(axis=1) > 0
    most = max(_MOST_VALUES // knots.turned.size, 1)
    for harmonics in range(1, _HARMONICS + 1):
        rows = np.flatnonzero(usable & (np.maximum(highest, 1) == harmonics))
        for first in range(0, len(rows), most):
            part = rows[first : first + most]
            for row, one in zip(part, _fit(waves[part], value[part], knots, harmonics, band_pass), strict=True):
                found[row] = one
    return found


@dataclass(frozen=True)
class _Knots:
    """A piecewise linear function of time by its values at k knots.

    Attributes
    ----------
    time_s, place_s : float64[n], float64[k]
        Of the samples and of the knots, about their middle.
    hats : float64[k, n]
        What each knot adds to each sample.
    turned : float64[k, n]
        Their integrals, s, of mean 0.
    sampling_hz : float
    """

    time_s: Floats
    place_s: Floats
    hats: Floats
    turned: Floats
    sampling_hz: float

    @classmethod
    def over(cls, count: int, sampling_hz: float) -> _Knots:
        time = np.asarray((np.arange(count) - (count - 1) / 2) / sampling_hz, np.float64)
        number = max(round(count / sampling_hz / KNOT_S) + 1, 3)
        place = np.linspace(time[0], time[-1], number)
        hats = np.stack([np.interp(time, place, row) for row in np.eye(number)])
        turned = np.cumsum(hats, axis=1) / sampling_hz
        return cls(time, place, hats, turned - turned.mean(axis=1, keepdims=True), sampling_hz)

    def at(self, values: Floats) -> Floats:
        """What a function float64[n] is at the knots."""
        return np.interp(self.place_s, self.time_s, values)


def _fit(
    waves: Floats, value: Floats, knots: _Knots, harmonics: int, band_pass: Callable[[Floats], Floats] | None
) -> list[MeanRate]:
    """`mean_rates` of waves float64[m, n] that are not empty, from rates at the knots float64[m, k]."""
    total, number = value.shape
    power = (waves**2).mean(axis=1)
    centre = value.mean(axis=1)
    steps = np.diff(np.eye(number), axis=0)
    prior = steps.T @ steps / (WANDER * centre[:, None, None]) ** 2 + 1e-6 * np.eye(number)
    thin = min(1.0, 1 / (_CORRELATED_S * knots.sampling_hz))  # samples are not all independent
    information, fit = prior.copy(), np.zeros(total)
    going = np.arange(total)  # those that still change
    for _ in range(_ROUNDS):
        phase = 2 * np.pi * (value[going] @ knots.turned)
        waving = _harmonics(phase, harmonics)
        basis, triangle = _orthonormal(_through(band_pass, waving))
        rest, share = waves[going], np.zeros((len(basis), len(going)))
        for k, one in enumerate(basis):
            share[k] = _dot(one, rest)
            rest = rest - share[k][:, None] * one
        amplitude = _solved(triangle, share)
        left = _dot(rest, rest) / waves.shape[1]
        fit[going] = 1 - left / power[going]
        noise = np.maximum(left, 1e-6 * power[going])[:, None, None]
        slope = np.zeros(phase.shape)
        for k in range(harmonics):
            a, b = amplitude[2 * k][:, None], amplitude[2 * k + 1][:, None]
            slope += 2 * np.pi * (k + 1) * (b * waving[2 * k] - a * waving[2 * k + 1])
        jacobian = _through(band_pass, slope[:, None] * knots.turned)  # [m, k, n]
        # what amplitudes can follow tells nothing of the rate
        followed = jacobian @ np.moveaxis(basis, 0, 2)
        own = jacobian @ jacobian.swapaxes(1, 2) - followed @ followed.swapaxes(1, 2)
        now = thin * own / noise + prior[going]
        pull = thin * (jacobian @ rest[..., None]) / noise - prior[going] @ value[going, :, None]
        step = np.linalg.solve(now, pull)[..., 0]
        information[going] = now
        limit = centre[going, None]
        value[going] = np.clip(value[going] + np.clip(step, -0.1 * limit, 0.1 * limit), 0.6 * limit, 1.6 * limit)
        going = going[~(np.abs(step).max(axis=1) < 1e-4)]
        if not len(going):
            break
    mean = knots.hats.mean(axis=1)
    variance = np.linalg.solve(information, np.broadcast_to(mean[:, None], (total, number, 1)))[..., 0] @ mean
    return [
        MeanRate(float(mean @ at), float(np.sqrt(sure)), min(max(float(well), 0.0), 1.0), at @ knots.hats)
        for at, sure, well in zip(value, variance, fit, strict=True)
    ]


def _dot(first: Floats, second: Floats) -> Floats:
    return np.asarray(np.einsum("mn,mn->m", first, second))


def _harmonics(phase: Floats, harmonics: int) -> Floats:
    """cos, sin of the phase float64[m, n], then of its double and so on, float64[2 harmonics, m, n]."""
    found = np.empty((2 * harmonics, *phase.shape))
    for h in range(harmonics):
        np.cos((h + 1) * phase, out=found[2 * h])
        np.sin((h + 1) * phase, out=found[2 * h + 1])
    return found


def _orthonormal(rows: Floats) -> tuple[Floats, Floats]:
    """Gram and Schmidt, modified (Bjorck 1967): rows float64[r, m, n] as R^T Q for each of m.

    Returns
    -------
    basis : float64[r, m, n]
        Q, orthonormal along r; zeros for a row that the others span.
    triangle : float64[r, r, m]
        R, upper.
    """
    basis, triangle = np.array(rows), np.zeros((len(rows), *rows.shape[:2]))
    for k in range(len(rows)):
        size = np.sqrt(_dot(basis[k], basis[k]))
        size = np.where(size > _SPANNED * np.sqrt(_dot(rows[k], rows[k])), size, 0.0)
        triangle[k, k] = size
        basis[k] *= np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)[:, None]
        for later in range(k + 1, len(rows)):
            triangle[k, later] = _dot(basis[k], basis[later])
            basis[later] -= triangle[k, later][:, None] * basis[k]
    return basis, triangle


def _solved(triangle: Floats, share: Floats) -> Floats:
    """x of R x = share float64[r, m] by back substitution; 0 where R has none."""
    found = np.zeros_like(share)
    for k in reversed(range(len(share))):
        above = share[k] - (triangle[k, k + 1 :] * found[k + 1 :]).sum(axis=0)
        found[k] = np.divide(above, triangle[k, k], out=np.zeros_like(above), where=triangle[k, k] > 0)
    return found


def _through(band_pass: Callable[[Floats], Floats] | None, rows: Floats) -> Floats:
    return rows if band_pass is None else np.asarray(band_pass(rows), np.float64)
