"""What movement in step with the heart adds to a map, taken out.

Skin that is moved by d shows at each place what lay beside it: its relative level changes by -d times the gradient of
the logarithm of the level (the constraint of optical flow, Horn and Schunck 1981, Artificial Intelligence 17:185). The
head nods with the heart by some hundredths of a pixel, and the edge of a collar rises with the breath: along edges that
looks like a pulse. Neighbours move alike, so the movement is fitted to them together; blood, which does not know on
which side of an edge it flows, is left.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from magnifier.maps.harmonics import Beats
from magnifier.maps.local_wiener import blurred

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

USUAL_PX = 0.1  # movement that is expected before anything is seen


def log_slope(level: Floats, seen: NDArray[np.bool_], side: int, smooth: float) -> Floats:
    """Gradient of the logarithm of the level.

    Parameters
    ----------
    level : float64[rows, columns]
        Of green, black at 0; cells below 1 are no skin.
    seen : bool[rows, columns]
        Cells that are skin.
    side : int
        Of a cell, luma pixels.
    smooth : float
        Standard deviation of the Gaussian that the maps are averaged with, cells.

    Returns
    -------
    float64[2, rows, columns]
        Along x and y, in parts of 1 a luma pixel; 0 where there is no skin.
    """
    known = level >= 1
    logarithm = blurred(np.where(known, np.log(np.maximum(level, 1.0)), 0.0), smooth)
    logarithm /= np.maximum(blurred(known.astype(np.float64), smooth), 1e-3)
    down, right = np.gradient(logarithm) if min(level.shape) > 1 else np.zeros((2, *level.shape))
    slope: Floats = np.stack([right, down]) / side * seen
    return slope


def movement(found: Beats, slope: Floats, weights: Floats, sigma: float, smooth: float) -> Complex:
    """Movement in step with the harmonics of the beat.

    Weighted least squares around every cell, with a hair of ridge for skin without any edge.

    Parameters
    ----------
    found : Beats
        In parts of the level, more blood is positive.
    slope : float64[2, rows, columns]
        As of `log_slope`.
    weights : float64[rows, columns]
        Of the cells; 0 where there is no skin.
    sigma : float
        Of the Gaussian that is the surroundings, cells.
    smooth : float
        Of the Gaussian that cells were averaged with, which makes neighbours alike.

    Returns
    -------
    complex128[2, HARMONICS, rows, columns]
        To the right and down, luma pixels.
    """
    total = np.maximum(blurred(weights, sigma), 1e-9)

    def around(values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(blurred(weights * values, sigma) / total)

    slope = slope - around(slope)
    beats = found.amplitude - around(found.amplitude)
    independent = max((sigma / max(smooth, 0.5)) ** 2, 1.0)
    ridge = around(found.error**2) / (2 * USUAL_PX**2 * independent)
    across, down, both = around(np.stack([slope[0] ** 2, slope[1] ** 2, slope[0] * slope[1]]))
    x, y = (around(one * beats) for one in slope)
    across, down = across + ridge, down + ridge
    determinant = np.maximum(across * down - both**2, 1e-300)
    result: Complex = np.stack([down * x - both * y, across * y - both * x]) / determinant
    return result


def without_movement(found: Beats, slope: Floats, moved: Complex) -> Beats:
    """The beats less what movement adds; their error, which a movement that is not steady makes large, stays.

    Parameters
    ----------
    found : Beats
    slope : float64[2, rows, columns]
    moved : complex128[2, HARMONICS, rows, columns]
    """
    added = (slope[:, None] * moved).sum(axis=0)
    return Beats(found.amplitude - added, found.left_out - added[:, None], found.error)
