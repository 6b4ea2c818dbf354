"""Colour maps whose steps look equal: what is twice as far apart in value is twice as far apart to the eye.

Sequential ones are matplotlib's (Smith and van der Walt 2015). The diverging one is made here in Oklab (Ottosson 2020):
straight lines from a light middle to two ends of the same lightness, so that neither side looks nearer (Moreland 2009,
Diverging Color Maps for Scientific Visualization).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLOURS = 256
Table = NDArray[np.uint8]

# Oklab: lightness, green-red, blue-yellow
_EARLY, _MIDDLE, _LATE = (0.50, 0.17, 0.09), (0.95, 0.0, 0.0), (0.50, -0.04, -0.16)
_TO_CONES = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
)
_TO_LINEAR = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)  # fmt: skip


def srgb_from_oklab(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """sRGB in 0-1 of colours in Oklab, cut off where the display cannot show them.

    Parameters
    ----------
    lab : float64[..., 3]
    """
    linear = np.clip((lab @ _TO_CONES.T) ** 3 @ _TO_LINEAR.T, 0, 1)
    result: NDArray[np.float64] = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return result


@lru_cache
def colours(name: str) -> Table:
    """A table of colours from low to high: uint8[256, 3].

    Parameters
    ----------
    name : str
        `diverging` (red to blue over white), or the name of one of matplotlib's; `_reversed` after it turns it round.
    """
    if name.endswith("_reversed"):
        return np.ascontiguousarray(colours(name.removesuffix("_reversed"))[::-1])
    if name == "diverging":
        place = np.linspace(-1, 1, COLOURS)[:, None]
        ends = np.where(place < 0, _EARLY, _LATE)
        lab = np.array(_MIDDLE) + np.abs(place) * (ends - np.array(_MIDDLE))
        table = srgb_from_oklab(lab)
    else:
        from matplotlib import colormaps

        table = np.asarray(colormaps[name](np.linspace(0, 1, COLOURS)))[:, :3]
    return np.rint(255 * table).astype(np.uint8)


def painted(values: NDArray[Any], low: float, high: float, name: str) -> NDArray[np.uint8]:
    """Colours of values; those beyond an end take its colour, NaN the lowest.

    Parameters
    ----------
    values : float[...]
    low, high : float
    name : str

    Returns
    -------
    uint8[..., 3]
    """
    place = np.asarray((values - low) * ((COLOURS - 1) / max(high - low, 1e-12)) + 0.5)
    with np.errstate(invalid="ignore"):
        number = np.clip(place, 0, COLOURS - 1).astype(np.uint8)
    number[np.isnan(place)] = 0
    return np.take(colours(name), number, axis=0)
