"""Pictures made ready for registration: small, without their local mean, on three levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

SIDE = 160  # most samples of the longer side on the finest level
LEVELS = 3
LOCAL = 3  # samples to each side over which the local mean is taken
LEAST_SIDE = 12  # samples of the shorter side on the coarsest level
_MEAN = ImageFilter.BoxBlur(LOCAL)

Plane = NDArray[np.uint8]
Levels = NDArray[np.float32]


@dataclass(frozen=True)
class Small:
    """A picture for registration.

    Attributes
    ----------
    levels : list of float32[h, w]
        Brightness less its local mean, finest first, each half as fine as the one before.
    """

    levels: list[Levels]


def factor(width: int, height: int) -> int:
    """Luma pixels along the side of a sample of the finest level."""
    return max(1, -(-max(width, height) // SIDE))


def reduced(luma: Plane, side: int) -> Plane:
    """Means over square blocks of a picture, rounded to whole levels.

    Parameters
    ----------
    luma : uint8[height, width]
    side : int
        Of a block; blocks that reach beyond the edge are means of what is there.

    Returns
    -------
    uint8[ceil(height / side), ceil(width / side)]
    """
    found: Plane = np.asarray(Image.fromarray(luma).reduce(side))
    return found


def small_picture(luma: Plane) -> Small:
    """A reduced picture on all levels, each without its local mean.

    What changes slowly over the skin (light from the side, the shading of a limb, a pulse that is stronger at one end)
    would otherwise pull at the registration.

    Parameters
    ----------
    luma : uint8[h, w]
        As of `reduced`.
    """
    picture = Image.fromarray(luma)
    levels: list[Levels] = []
    for number in range(LEVELS):
        if number:
            if min(picture.size) < 2 * LEAST_SIDE:
                break
            picture = picture.reduce(2)
        level = np.array(picture, np.float32)
        level -= np.asarray(picture.filter(_MEAN))
        levels.append(level)
    return Small(levels)
