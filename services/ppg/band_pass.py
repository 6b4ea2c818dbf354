"""The band-pass and the detrending that the parameters ask for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesh.parameters import Parameters
from ppg.detrend import regularization_of, smoothness_priors
from ppg.filters import Filter, butterworth, fir, moving_averages, moving_averages_s


def make_filter(parameters: Parameters, rate_hz: float) -> Filter:
    """The band-pass that the parameters ask for.

    Raises
    ------
    ValueError
        If its band does not fit the sampling rate.
    """
    if parameters.filter == "moving_average":
        if parameters.n_bg_s is None and parameters.n_smooth_s is None:
            return moving_averages(parameters.n_bg_ma, parameters.n_smooth_ma, rate_hz)
        background = parameters.n_bg_ma / rate_hz if parameters.n_bg_s is None else parameters.n_bg_s
        smooth = parameters.n_smooth_ma / rate_hz if parameters.n_smooth_s is None else parameters.n_smooth_s
        return moving_averages_s(background, smooth, rate_hz)
    make = fir if parameters.filter == "fir" else butterworth
    return make(parameters.band_low_hz, parameters.band_high_hz, rate_hz)


def detrended(parameters: Parameters, rgb: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """Colours float64[..., n] without their slow trend where the parameters ask for it; each keeps its mean."""
    if parameters.detrend == "none":
        return rgb
    cut_off = min(parameters.detrend_hz, 0.4 * rate_hz)
    return np.asarray(smoothness_priors(rgb, regularization_of(cut_off, rate_hz)) + rgb.mean(axis=-1, keepdims=True))
