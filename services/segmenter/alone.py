"""A face while it touches no other: what tells frames in which another one's skin or hair is mixed with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmenter.detections import Detection, colour_difference

MIXED = (0.6, 1.08)  # of the skin that a face has while it touches no other: less or more is not its own alone
OTHER_COLOUR = 0.45  # nor is what differs so from its colour then: hair of the one before it, or its shade


@dataclass(frozen=True)
class Alone:
    """What a face shows while it touches no other.

    Attributes
    ----------
    area : float
        Chroma samples of skin.
    colour : float64[3] or None
        Mean Y, U, V.
    """

    area: float
    colour: NDArray[np.float64] | None

    def towards(self, found: Detection, part: float) -> Alone:
        """Moved on by a part of the way to what was found."""
        colour = found.colour
        if colour is not None and self.colour is not None:
            colour = self.colour + part * (colour - self.colour)
        return Alone(self.area + part * (found.area - self.area), colour)

    def holds(self, found: Detection) -> bool:
        """Whether a face that touches another still shows its own skin alone, and most of it."""
        like = colour_difference(self.colour, found.colour) <= OTHER_COLOUR
        return like and MIXED[0] * self.area <= found.area <= MIXED[1] * self.area
