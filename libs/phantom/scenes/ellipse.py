"""The simplest scene: an ellipse of evenly pulsing skin before a bluish wall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phantom.settings import PhantomSettings
from phantom.sheet import Grid, Part, Sheet, painted
from phantom.skin import skin_rgb
from phantom.texture import Plane, texture

WALL_RGB = (104.0, 134.0, 150.0)  # bluish: far from skin in chroma


@dataclass(frozen=True)
class Ellipse:
    """An ellipse with upright axes: centre and semi-axes in luma pixels (pixel centres at whole numbers)."""

    x: float
    y: float
    a: float
    b: float


def skin_ellipse(width: int, height: int) -> Ellipse:
    """Where the skin is before it moves: in the middle, about a quarter of a 4:3 picture."""
    side = min(height, 4 * width / 3)
    return Ellipse((width - 1) / 2, (height - 1) / 2, 0.27 * side, 0.36 * side)


def wall(settings: PhantomSettings, rng: np.random.Generator, rgb: tuple[float, float, float] = WALL_RGB) -> Part:
    """A wall of one colour with a texture; it stays where it is."""

    def draw(x: Grid, y: Grid) -> Sheet:
        shade = 1 + np.float32(1.5 * settings.texture) * texture(rng, y.shape[0], x.shape[1])
        return Sheet.plain(painted(rgb, shade), np.ones_like(shade))

    return Part(None, "nothing", draw)


def grain(settings: PhantomSettings, rng: np.random.Generator, inside: Plane) -> Plane:
    """Texture of skin; its mean over the skin is 1."""
    fine = 1 + np.float32(settings.texture) * texture(rng, *inside.shape)
    fine /= np.float32(np.sum(fine * inside, dtype=np.float64) / max(np.sum(inside, dtype=np.float64), 1.0))
    return fine


def ellipse_parts(settings: PhantomSettings, width: int, height: int, rng: np.random.Generator) -> list[Part]:
    """Wall and ellipse."""
    shape = skin_ellipse(width, height)

    def draw(x: Grid, y: Grid) -> Sheet:
        radius = np.hypot((x - shape.x) / shape.a, (y - shape.y) / shape.b)
        cover = np.clip((1 - radius) * min(shape.a, shape.b) + 0.5, 0, 1).astype(np.float32)
        rgb = painted(skin_rgb(settings), grain(settings, rng, cover))
        return Sheet(rgb, cover, np.ones_like(cover), np.ones_like(cover), np.zeros_like(cover))

    return [wall(settings, rng), Part(0, "head", draw)]
