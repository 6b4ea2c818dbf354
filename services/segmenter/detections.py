"""Detections: what the header of a frame's mask says of each instance in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.masks import Instance, Transform
from segmenter.appearance import AREA, COLOUR

_COLOUR_LEVELS = np.array([24.0, 10.0, 10.0])  # differences in Y, U, V that count as much as no overlap
_FILLS = 0.73  # of the side of the canonical frame: root of a face's width times height there


Edges = tuple[float, float, float, float]


@dataclass
class Place:
    """Where something is in a frame: middle and size in luma pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def size(self) -> float:
        """Root of the area."""
        return math.sqrt(max(self.width * self.height, 1.0))

    @property
    def order(self) -> tuple[float, float, float, float]:
        """To put places in an order that labels have no part in."""
        return self.x, self.y, self.width, self.height

    @property
    def edges(self) -> Edges:
        """Left, right, top and bottom."""
        across, along = self.width / 2, self.height / 2
        return self.x - across, self.x + across, self.y - along, self.y + along

    def overlap(self, other: Place) -> float:
        """Area that both cover."""
        across = min(self.x + self.width / 2, other.x + other.width / 2) - max(
            self.x - self.width / 2, other.x - other.width / 2
        )
        along = min(self.y + self.height / 2, other.y + other.height / 2) - max(
            self.y - self.height / 2, other.y - other.height / 2
        )
        return max(across, 0.0) * max(along, 0.0)


@dataclass
class Detection:
    """An instance of one frame.

    Attributes
    ----------
    label : int
    place : Place
    confidence : float
    area : float
        Chroma samples of skin.
    colour : float64[3] or None
        Mean Y, U, V.
    framed : bool
        Whether its place is that of the canonical frame which it fills: then it is one face, never two.
    """

    label: int
    place: Place
    confidence: float
    area: float
    colour: NDArray[np.float64] | None
    framed: bool = False

    @classmethod
    def of(cls, instance: Instance, canonical: tuple[int, int] | None = None) -> Detection:
        """What an instance's header says.

        Parameters
        ----------
        instance : Instance
        canonical : tuple of int, optional
            Width and height of the canonical frame that the instance fills, as a face does. Its place is then that of
            the frame: the box of its skin holds a neighbour's as well, where two touch, and not what is hidden.
        """
        x0, y0, x1, y1 = instance.box
        place = Place((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)
        framed = None
        if canonical is not None and instance.transform is not None:
            framed = _of_frame(instance.transform, canonical)
            place = framed or place
        levels = [instance.signs.get(name) for name in COLOUR]
        colour = None if any(level is None for level in levels) else np.array(levels, np.float64)
        area = instance.signs.get(AREA, place.width * place.height / 4)
        return cls(instance.id, place, instance.confidence, area, colour, framed is not None)


def _of_frame(transform: Transform, canonical: tuple[int, int]) -> Place | None:
    """Where what fills a canonical frame lies in the picture; None where the transform has no inverse."""
    (a, b, c), (d, e, f) = transform
    determinant = a * e - b * d
    if determinant == 0:
        return None
    x, y = canonical[0] / 2 - c, canonical[1] / 2 - f
    side = _FILLS * math.sqrt(canonical[0] * canonical[1] / abs(determinant))
    return Place((e * x - b * y) / determinant, (a * y - d * x) / determinant, side, side)


def colour_difference(first: NDArray[np.float64] | None, second: NDArray[np.float64] | None) -> float:
    """How unlike two colours are: 0 the same, 1 clearly another, at most 1.5; 0 where one is not known."""
    if first is None or second is None:
        return 0.0
    return min(float(np.sqrt((((first - second) / _COLOUR_LEVELS) ** 2).sum())), 1.5)
