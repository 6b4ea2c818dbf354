"""Synthetic recordings of pulsing skin, and of what only looks like it, whose answer is exactly known."""

from phantom.placement import Maps
from phantom.recording import write
from phantom.render import RenderedFrame, ideal_magnified, masks, render
from phantom.settings import NEGATIVES, PhantomSettings
from phantom.truth import PersonTruth, Truth, maps_of, truth_of, write_arrays

__all__ = [
    "NEGATIVES",
    "Maps",
    "PersonTruth",
    "PhantomSettings",
    "RenderedFrame",
    "Truth",
    "ideal_magnified",
    "maps_of",
    "masks",
    "render",
    "truth_of",
    "write",
    "write_arrays",
]
