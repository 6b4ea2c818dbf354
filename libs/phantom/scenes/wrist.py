"""A wrist filmed from near: two arteries whose course and depth the seed chooses, and a vein."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phantom.scenes.ellipse import WALL_RGB, grain, wall
from phantom.settings import PhantomSettings
from phantom.sheet import Grid, Part, Sheet, painted
from phantom.skin import skin_rgb
from phantom.texture import bump, soft

# In pixels of a picture 640 wide. Light spreads on its way through tissue: a vessel looks wider the deeper it lies
# (order of a transport length a millimetre, Jacques 2013, Physics in Medicine and Biology 58:R37).
ARTERY_WIDTH = 12.0
_SPREAD = 1.5  # px of a Gaussian a millimetre of depth
_DEPTH_MM = (0.5, 3.0)
_STRONGER = 1.0  # amplitude of the artery over that of the skin, less 1
_EARLIER_S = 0.020
_VEIN_WIDTH, _VEIN_WEAKER, _VEIN_LATER_S = 10.0, 0.35, 0.015
_VELOCITY, _LENGTH_M = 8.0, 0.10  # the pulse travels along the picture at the velocity of the arm's arteries


@dataclass(frozen=True)
class Vessel:
    """A vessel that runs along the wrist.

    Attributes
    ----------
    middle : float
        Where it lies across the wrist, -1 the thumb's side to 1.
    bend, turns, start : float
        It swings by `bend` about the middle, `turns` times along the picture.
    depth_mm : tuple of float
        At the left and at the right.
    """

    middle: float
    bend: float
    turns: float
    start: float
    depth_mm: tuple[float, float]

    def across(self, along: Grid) -> Grid:
        """Where it lies at each place along the wrist (0-1)."""
        course: Grid = self.middle + self.bend * np.sin(2 * np.pi * (self.turns * along + self.start))
        return course


def vessels(settings: PhantomSettings) -> tuple[list[Vessel], Vessel]:
    """Radial and ulnar artery, and the vein, of these settings."""
    rng = np.random.default_rng([settings.seed, 12])

    def one(middle: float) -> Vessel:
        depths = rng.uniform(*_DEPTH_MM, 2)
        return Vessel(
            middle + rng.uniform(-0.06, 0.06), rng.uniform(0.02, 0.06), rng.uniform(0.4, 1.0), rng.uniform(),
            (float(depths[0]), float(depths[1])),
        )  # fmt: skip

    return [one(-0.52), one(0.55)], one(0.05)


def _course(width: int, height: int, x: Grid, y: Grid) -> tuple[Grid, Grid, Grid]:
    """Place along (0-1) and across (-1 to 1) the wrist, and its half width in px."""
    along = x / width
    half = height * (0.33 - 0.05 * np.sin(np.pi * along) + 0.03 * along)
    return along, (y - 0.5 * height) / half, half


def _blurred_step(z: Grid) -> Grid:
    """The normal distribution's integral, by the tanh of Page 1977 (Applied Statistics 26:75); off by 1e-3 at most."""
    step: Grid = 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))
    return step


def profile(settings: PhantomSettings, vessel: Vessel, wide: float, size: tuple[int, int], x: Grid, y: Grid) -> Grid:
    """How much of a vessel is seen at each place: 1 in the middle of a shallow one, 0 far away.

    Parameters
    ----------
    settings : PhantomSettings
    vessel : Vessel
    wide : float
        Its width in px of a picture 640 wide.
    size : tuple of int
        Width and height of the picture.
    x, y : float64[1, w], float64[h, 1]
        Luma pixels.
    """
    width, height = size
    along, across, half = _course(width, height, x, y)
    distance = (across - vessel.across(along)) * half * (640 / width)
    depth = vessel.depth_mm[0] + (vessel.depth_mm[1] - vessel.depth_mm[0]) * along
    sigma = _SPREAD * depth + 0.5
    seen: Grid = _blurred_step((distance + wide / 2) / sigma) - _blurred_step((distance - wide / 2) / sigma)
    return seen


def wrist_parts(settings: PhantomSettings, width: int, height: int, rng: np.random.Generator) -> list[Part]:
    """A wrist across the picture, the hand to the right."""
    arteries, vein = vessels(settings)

    def draw(x: Grid, y: Grid) -> Sheet:
        along, q, half = _course(width, height, x, y)
        cover = soft((np.abs(q) - 1) * half, 1.5)
        fine = grain(settings, rng, cover)
        crease = bump(along - 0.62 - 0.01 * q, 0.004) + 0.8 * bump(along - 0.66 + 0.012 * q**2, 0.004)
        blue = profile(settings, vein, _VEIN_WIDTH, (width, height), x, y)
        shade = (0.62 + 0.38 * np.sqrt(np.maximum(1 - q**2, 0))) * fine * (1 - 0.12 * crease)
        rgb = painted(skin_rgb(settings), shade.astype(np.float32))
        rgb *= 1 - np.array([0.085, 0.035, 0.015], np.float32)[:, None, None] * blue.astype(np.float32)[None]
        artery = np.minimum(sum(profile(settings, a, ARTERY_WIDTH, (width, height), x, y) for a in arteries), 1.0)
        # skin itself is not even: a slope along and across
        strength = (1 + 0.12 * (along - 0.5) + 0.08 * q) * (1 + _STRONGER * artery - _VEIN_WEAKER * blue)
        delay = along * _LENGTH_M / _VELOCITY - _EARLIER_S * artery + _VEIN_LATER_S * blue
        return Sheet(
            rgb, cover, np.ones_like(cover), strength.astype(np.float32), (delay * np.ones_like(q)).astype(np.float32)
        )

    return [wall(settings, rng, WALL_RGB), Part(0, "head", draw)]
