"""Cells averaged with their neighbours as far as these agree, and the loss of a codec made good.

The local Wiener filter of Lee (1980, IEEE Trans. Pattern Analysis and Machine Intelligence 2:165): a cell keeps of its
difference to the mean around it the part that is signal, by the variance around it and the error of the cells. Even
skin becomes smooth, and the edge of a vessel stays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from magnifier.maps.harmonics import Beats, jackknife_error
from magnifier.maps.lockin import COPIED, Equations

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Of x264's clips of phantoms: what is left of an amplitude goes with the share of new samples to this power. Fitted on
# wrists, hands, faces and forearms at CRF 18, where it is 0.24-0.34 by itself.
LOSS_POWER = 0.3
_LEAST_SHARE = 0.05


def news_share(equations: Equations, seen: Bools, sigma: float) -> Floats:
    """Part of the samples around each cell that a codec did not copy from the frame before.

    Parameters
    ----------
    equations : Equations
    seen : bool[rows, columns]
        Cells that are skin.
    sigma : float
        Of the Gaussian that it is averaged with, cells.

    Returns
    -------
    float64[rows, columns]
        0.05-1.
    """
    weight = equations.weight.sum(axis=0).reshape(seen.shape)
    share = (weight / np.maximum(equations.frames.reshape(seen.shape), 1) - COPIED) / (1 - COPIED)
    inside = seen.astype(np.float64)
    mean = blurred(share * inside, sigma) / np.maximum(blurred(inside, sigma), 1e-3)
    result: Floats = np.clip(mean, _LEAST_SHARE, 1)
    return result


def blurred(values: NDArray[Any], sigma: float) -> NDArray[Any]:
    """Each plane averaged with a Gaussian; beyond the edge there is 0.

    Parameters
    ----------
    values : float or complex[..., rows, columns]
    sigma : float
        Cells.
    """
    if np.iscomplexobj(values):
        return np.asarray(blurred(values.real, sigma) + 1j * blurred(values.imag, sigma))
    result = np.empty(values.shape)
    for place in np.ndindex(values.shape[:-2]):
        gaussian_filter(values[place], sigma, output=result[place], mode="constant", truncate=3)
    return result


class LocalWiener:
    """The filter for the cells of one map.

    Parameters
    ----------
    weights : float64[rows, columns]
        Of each cell in the mean around it; 0 where there is no skin.
    sigma : float
        Standard deviation of the Gaussian that is the surroundings, cells.
    """

    def __init__(self, weights: Floats, sigma: float) -> None:
        self._weights, self._sigma = weights, sigma
        self._total = np.maximum(blurred(weights, sigma), 1e-9)

    def mean(self, values: NDArray[Any]) -> NDArray[Any]:
        """The weighted mean around each cell: [..., rows, columns]."""
        return np.asarray(blurred(self._weights * values, self._sigma) / self._total)

    def kept(self, values: NDArray[Any], error: Floats) -> Floats:
        """Part of a cell's difference to the mean around it that is signal.

        Parameters
        ----------
        values : float or complex[..., rows, columns]
        error : float64[..., rows, columns]
            Standard error of the values.

        Returns
        -------
        float64[..., rows, columns]
            0-1.
        """
        variance = self.mean(np.abs(values - self.mean(values)) ** 2)
        noise = self.mean(error**2)
        return np.asarray(np.maximum(variance - noise, 0) / np.maximum(variance, 1e-300))

    def filtered(self, values: NDArray[Any], kept: Floats) -> NDArray[Any]:
        """The mean around each cell and what is kept of the difference to it."""
        mean = self.mean(values)
        return np.asarray(mean + kept * (values - mean))

    def beats(self, found: Beats, kept: Floats) -> Beats:
        """The beats of all cells, filtered with what is kept of each.

        Their error is that of the filtered estimates, and what the filter takes from a difference that is real:
        together the error of a Wiener filter.
        """
        amplitude = self.filtered(found.amplitude, kept)
        left_out = self.filtered(found.left_out, kept[:, None])
        taken = kept * (1 - kept) * self.mean(found.error**2)
        return Beats(amplitude, left_out, np.sqrt(jackknife_error(left_out, axis=1) ** 2 + taken))
