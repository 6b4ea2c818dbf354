"""From R, G and B to one pulse wave: GREEN, ICA, CHROM, POS, LGI, PBV, OMIT and the seed's white mean.

All take the mean colour of skin, float64[3, n] in 0-255 without NaN at a constant rate, and give a wave in parts of
the skin's brightness in which blood goes up: more blood absorbs more light, so methods that follow the light are
turned round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ppg.methods.channels import green, white
from ppg.methods.chrom import chrom
from ppg.methods.ica import ica
from ppg.methods.pbv import pbv
from ppg.methods.pos import pos
from ppg.methods.projections import lgi, omit
from ppg.methods.windows import WINDOW_S, BandPass, relative, window_length

__all__ = [
    "METHODS",
    "WINDOW_S",
    "BandPass",
    "chrom",
    "green",
    "ica",
    "lgi",
    "omit",
    "pbv",
    "pos",
    "relative",
    "white",
    "window_length",
]

METHODS: dict[str, Callable[[Any, float, BandPass], Any]] = {
    "pos": pos,
    "chrom": chrom,
    "green": green,
    "lgi": lgi,
    "omit": omit,
    "pbv": pbv,
    "ica": ica,
    "white": white,
}
