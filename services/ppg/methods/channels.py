"""One channel or their mean: GREEN and the seed's white mean."""

from __future__ import annotations

from typing import Any

from media.arrays import array_module
from ppg.methods.windows import BandPass, relative


def green(rgb: Any, rate_hz: float, band_pass: BandPass) -> Any:
    """The green channel (Verkruysse, Svaasand and Nelson 2008).

    Parameters
    ----------
    rgb : float64[3, n]
    rate_hz : float
    band_pass : callable
        Filters along the last axis.

    Returns
    -------
    float64[n]
    """
    return -band_pass(relative(rgb)[1])


def white(rgb: Any, rate_hz: float, band_pass: BandPass) -> Any:
    """Mean of the three filtered channels (faceHR, ajsteele 2022), in parts of their mean brightness."""
    xp = array_module(rgb)
    mean = float(rgb.mean())
    wave = -band_pass(rgb).mean(axis=0)
    return wave / mean if mean > 0 else xp.zeros_like(wave)
