"""How likely a heart rate is right: a logistic regression on signs of a pulse and their products."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def terms(signs: Floats, products: bool = True) -> Floats:
    """Standardised signs and, where asked for, all their products, squares among them.

    Parameters
    ----------
    signs : float64[..., k]
        Standardised.
    products : bool, optional

    Returns
    -------
    float64[..., k + k (k + 1) / 2], or float64[..., k] without products
    """
    if not products:
        return signs
    first, second = np.triu_indices(signs.shape[-1])
    return np.concatenate([signs, signs[..., first] * signs[..., second]], axis=-1)


@dataclass(frozen=True)
class Gate:
    """A fitted model; `bench/calibrate.py` makes it.

    Attributes
    ----------
    signs : tuple of str
        Of `ppg.candidates.FEATURES`.
    lowest, highest, centre, scale : tuple of float
        One a sign: what was seen in the fit, and what standardises it.
    weights : tuple of float
        One a term (`terms`).
    intercept : float
    least_probability : float
        Below it nothing is given.
    interval : tuple of float
        Half of the 90 % interval in Hz: constant, per Hz of the fit's deviation, per unit of doubt, per Hz of the rate.
    products : bool
        Whether products of signs count. They say more about what is like the recordings of the fit, and nothing good
        about what is not.
    """

    signs: tuple[str, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float
    least_probability: float
    interval: tuple[float, float, float, float]
    products: bool = True

    def probability(self, signs: Mapping[str, float]) -> float:
        """That a candidate is right to 3 bpm, 0-1.

        Parameters
        ----------
        signs : mapping of str to float
            At least the gate's own. Each counts within the limits that were seen when the model was fitted: it is
            not extrapolated.

        Raises
        ------
        KeyError
            If one is missing.
        """
        values = np.array([signs[name] for name in self.signs])
        return float(self.probabilities(values)) if np.isfinite(values).all() else 0.0

    def probabilities(self, values: Floats) -> Floats:
        """The same of many candidates.

        Parameters
        ----------
        values : float64[..., signs]
            Finite, in the order of `signs`.

        Returns
        -------
        float64[...]
        """
        standard = (np.clip(values, self.lowest, self.highest) - np.array(self.centre)) / np.array(self.scale)
        # summed in a fixed order, not by BLAS
        score = self.intercept + (np.array(self.weights) * terms(standard, self.products)).sum(axis=-1)
        return np.asarray(1 / (1 + np.exp(-np.clip(score, -50.0, 50.0))))

    def half_width(self, deviation_hz: float, trust: float, rate_hz: float) -> float:
        """Half of the 90 % interval, Hz.

        A line in what the fit of the phase says of itself, in the doubt that is left in the candidate and in the
        rate; a quantile regression (Koenker and Bassett 1978).

        Parameters
        ----------
        deviation_hz : float
            `ppg.interval.MeanRate.deviation_hz`.
        trust : float
            `probability`.
        rate_hz : float
            The rate itself.
        """
        constant, own, doubt, relative = self.interval
        deviation = min(deviation_hz, 0.5 * rate_hz)
        return max(constant + own * deviation + doubt * (1 - trust) + relative * rate_hz, LEAST_HALF_WIDTH_HZ)


LEAST_HALF_WIDTH_HZ = 0.004  # a quarter of a bpm: what methods do to a wave's ends is not in the fit
