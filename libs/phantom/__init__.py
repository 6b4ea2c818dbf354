"""Synthetic recordings of pulsing skin whose answer is exactly known."""

from phantom.recording import write
from phantom.render import RenderedFrame, render
from phantom.settings import PhantomSettings
from phantom.truth import Truth, truth_of

__all__ = ["PhantomSettings", "RenderedFrame", "Truth", "render", "truth_of", "write"]
