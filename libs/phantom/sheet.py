"""Pictures of single things, before they are filmed: colour, where skin lives, how strong and when it pulses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from phantom.texture import Plane

Grid = NDArray[np.float64]


@dataclass
class Sheet:
    """What one thing looks like, at luma resolution.

    Attributes
    ----------
    rgb : float32[3, h, w]
        Colour, 0-255, without light.
    cover : float32[h, w]
        Part of each sample that the thing covers, 0-1.
    skin : float32[h, w]
        Living skin, 0-1; 0 on hair, eyes, cloth, walls.
    strength : float32[h, w]
        Amplitude of the pulse relative to the mean over the person's skin.
    delay : float32[h, w]
        When the pulse arrives, s; only differences count.
    """

    rgb: Plane
    cover: Plane
    skin: Plane
    strength: Plane
    delay: Plane

    @classmethod
    def plain(cls, rgb: Plane, cover: Plane) -> Sheet:
        """A thing without blood."""
        nothing = np.zeros_like(cover)
        return cls(rgb, cover, nothing, nothing, nothing)


@dataclass(frozen=True)
class Head:
    """Outline of a body that is round at each height: centre, half width and height in luma pixels.

    Attributes
    ----------
    middle, half : tuple of float
    radius, forward : callable
        Of each height, -1 (top) to 1, as parts of the half width: the radius there, and how far before the axis of
        turning its middle lies.
    """

    middle: tuple[float, float]
    half: tuple[float, float]
    radius: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    forward: Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Part:
    """One thing in the scene; later ones hide earlier ones.

    Attributes
    ----------
    person : int or None
        Whose blood is in it.
    follows : str
        Which displacement of `motion.Poses` it takes.
    draw : callable
        x [1, w], y [h, 1] in luma pixels of the picture -> Sheet. Of a head: longitudes [1, l] in radians and
        heights [h, 1], -1 (top) to 1 (chin).
    head : Head, optional
        Given where the thing turns in depth.
    """

    person: int | None
    follows: Literal["head", "body", "paper", "nothing"]
    draw: Callable[[Grid, Grid], Sheet]
    head: Head | None = None


def painted(rgb: tuple[float, float, float] | NDArray[np.float64], shade: Plane) -> Plane:
    """One colour under a shade; float32[3, h, w]."""
    color: Plane = np.asarray(rgb, np.float32)[:, None, None] * shade[None]
    return color


def over(below: Plane, above: tuple[float, float, float] | NDArray[np.float64], part: Plane) -> Plane:
    """A colour laid over a picture where `part` is 1."""
    mixed: Plane = below + (np.asarray(above, np.float32)[:, None, None] - below) * part[None]
    return mixed
