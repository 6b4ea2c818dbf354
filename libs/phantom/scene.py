"""The still parts of a synthetic recording: wall, skin, its pulse at every pixel, and the noise to draw from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phantom.motion import sway
from phantom.settings import PhantomSettings

Plane = NDArray[np.float32]

# Relative pulse of R, G, B: the blood volume pulse signature of de Haan and van Leest 2014 (Physiological
# Measurement 35:1913), a white-lit RGB camera.
SIGNATURE = (0.33, 0.77, 0.53)
WALL_RGB = (104.0, 134.0, 150.0)  # bluish: far from skin in chroma
_LUMA = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722)}  # ITU-R BT.601, BT.709
_NOISE_MARGIN = 64
_OCTAVES = (4, 11, 29, 97)  # cells of the texture across the larger side


@dataclass(frozen=True)
class Ellipse:
    """An ellipse with upright axes: centre and semi-axes in luma pixels (pixel centres at whole numbers)."""

    x: float
    y: float
    a: float
    b: float


def skin_ellipse(settings: PhantomSettings) -> Ellipse:
    """Where the skin is before it moves: in the middle, about a quarter of a 4:3 picture."""
    side = min(settings.height, 4 * settings.width / 3)
    return Ellipse((settings.width - 1) / 2, (settings.height - 1) / 2, 0.27 * side, 0.36 * side)


def stored_color(settings: PhantomSettings, rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Y above black and U, V about neutral, in stored levels, of R, G, B in 0-255; linear.

    Parameters
    ----------
    settings : PhantomSettings
        Matrix and range.
    rgb : float64[3]

    Returns
    -------
    float64[3]
    """
    red, green, blue = _LUMA[settings.matrix]
    y = float(np.dot((red, green, blue), rgb))
    u, v = (rgb[2] - y) / (2 * (1 - blue)), (rgb[0] - y) / (2 * (1 - red))
    if settings.full_range:
        return np.array([y, u, v])
    return np.array([y * 219 / 255, u * 224 / 255, v * 224 / 255])


def black_level(settings: PhantomSettings) -> float:
    """Stored Y of black."""
    return 0.0 if settings.full_range else 16.0


def pulse_color(settings: PhantomSettings) -> NDArray[np.float64]:
    """Stored Y, U, V that one unit of blood volume adds to the mean skin: it darkens, green most."""
    relative = -settings.amplitude * np.array(SIGNATURE) / SIGNATURE[1]
    return stored_color(settings, relative * np.array(settings.skin_rgb))


@dataclass(frozen=True)
class Layer:
    """One plane of the scene.

    Attributes
    ----------
    wall : float32[h, w]
        The background, without offset.
    box : tuple of int
        y0, y1, x0, x1 of the part of the plane that the skin can reach.
    pad : int
        Samples by which `cover`, `skin` and `pulse` reach over the box on each side.
    cover : float32[bh + 2 pad, bw + 2 pad]
        Part of each sample that skin covers, 0-1.
    skin, pulse : float32, as `cover`
        Colour of the skin, and what one unit of blood volume adds; both times `cover`.
    sigma : float32[h, w]
        Standard deviation of the noise in levels.
    offset : float
        Added to everything last.
    """

    wall: Plane
    box: tuple[int, int, int, int]
    pad: int
    cover: Plane
    skin: Plane
    pulse: Plane
    sigma: Plane
    offset: float


@dataclass(frozen=True)
class Scene:
    """Layers of Y, U and V, and unit noise to take pieces of."""

    layers: tuple[Layer, Layer, Layer]
    noise: Plane


def _texture(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Smooth random texture of mean about 0 and standard deviation about 1: interpolated grids of three sizes."""
    total = np.zeros((height, width), np.float32)
    for cells in _OCTAVES:
        step = max(height, width) / cells
        rows, columns = math.ceil(height / step) + 2, math.ceil(width / step) + 2
        grid = rng.standard_normal((rows, columns)).astype(np.float32)
        total += _interpolate(_interpolate(grid, height, step).T, width, step).T
    total *= np.float32(1 / math.sqrt(len(_OCTAVES) * (2 / 3) ** 2))  # linear interpolation keeps 2/3 of variance
    return total


def _interpolate(grid: Plane, size: int, step: float) -> Plane:
    place = np.arange(size) / step
    below = place.astype(np.intp)
    part = (place - below).astype(np.float32)[:, None]
    mixed: Plane = grid[below] * (1 - part) + grid[below + 1] * part
    return mixed


def _cover(ellipse: Ellipse, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Plane:
    """Coverage with an edge one sample wide; `rows` and `columns` in luma pixels."""
    radius = np.hypot((columns[None, :] - ellipse.x) / ellipse.a, (rows[:, None] - ellipse.y) / ellipse.b)
    edge = float(rows[1] - rows[0]) if len(rows) > 1 else 1.0
    covered: Plane = np.clip((1 - radius) * min(ellipse.a, ellipse.b) / edge + 0.5, 0, 1).astype(np.float32)
    return covered


def build_scene(settings: PhantomSettings) -> Scene:
    """Everything that does not change from frame to frame; memory is a few times that of one frame in float32."""
    rng = np.random.default_rng([settings.seed, 4])
    height, width = settings.height, settings.width
    wall_texture = 1 + 1.5 * np.float32(settings.texture) * _texture(rng, height, width)
    ellipse = skin_ellipse(settings)
    reach = math.ceil(sway(settings)) + 2
    # the texture of the skin moves with it: a canvas larger than the picture, so that edges can come in
    canvas = 2 * (reach + 2)
    skin_texture = 1 + np.float32(settings.texture) * _texture(rng, height + 2 * canvas, width + 2 * canvas)
    inside = _cover(ellipse, _pixels(-canvas, height + canvas), _pixels(-canvas, width + canvas))
    skin_texture /= np.float32(np.sum(skin_texture * inside, dtype=np.float64) / np.sum(inside, dtype=np.float64))
    wall, skin = stored_color(settings, np.array(WALL_RGB)), stored_color(settings, np.array(settings.skin_rgb))
    pulse = pulse_color(settings)
    layers = []
    for plane in range(3):
        step = 1 if plane == 0 else 2
        centre = (step - 1) / 2  # of a chroma sample, in luma pixels
        size_y, size_x = -(-height // step), -(-width // step)
        pad = reach // step + 2
        y0, y1 = _span(ellipse.y, ellipse.b, reach, step, size_y)
        x0, x1 = _span(ellipse.x, ellipse.a, reach, step, size_x)
        rows = _pixels(y0 - pad, y1 + pad) * step + centre
        columns = _pixels(x0 - pad, x1 + pad) * step + centre
        cover = _cover(ellipse, rows, columns)
        at_y = np.clip((rows + canvas).astype(np.intp), 0, skin_texture.shape[0] - 1)
        at_x = np.clip((columns + canvas).astype(np.intp), 0, skin_texture.shape[1] - 1)
        textured = cover * skin_texture[at_y][:, at_x]
        layers.append(
            Layer(
                wall=np.float32(wall[plane]) * wall_texture[::step, ::step],
                box=(y0, y1, x0, x1),
                pad=pad,
                cover=cover,
                skin=np.float32(skin[plane]) * textured,
                pulse=np.float32(pulse[plane]) * textured,
                sigma=_sigma(settings, wall_texture[::step, ::step], cover, (y0, y1, x0, x1), pad, plane),
                offset=black_level(settings) if plane == 0 else 128.0,
            )
        )
    noise = rng.standard_normal((height + _NOISE_MARGIN, width + _NOISE_MARGIN), dtype=np.float32)
    return Scene((layers[0], layers[1], layers[2]), noise)


def _pixels(first: int, stop: int) -> NDArray[np.float64]:
    return np.arange(first, stop).astype(np.float64)


def _span(centre: float, radius: float, reach: int, step: int, size: int) -> tuple[int, int]:
    low, high = math.floor((centre - radius - reach) / step) - 1, math.ceil((centre + radius + reach) / step) + 2
    return max(low, 0), min(high, size)


def _sigma(
    settings: PhantomSettings, wall_texture: Plane, cover: Plane, box: tuple[int, int, int, int], pad: int, plane: int
) -> Plane:
    """Read and photon noise where the skin rests; chroma, a mean of four pixels, has half of it."""
    level = wall_texture * np.float32(np.mean(WALL_RGB))
    y0, y1, x0, x1 = box
    here = cover[pad : pad + y1 - y0, pad : pad + x1 - x0]
    level[y0:y1, x0:x1] += here * (np.float32(np.mean(settings.skin_rgb)) - level[y0:y1, x0:x1])
    sigma: Plane = np.sqrt(settings.read_noise**2 + settings.shot_noise**2 * np.maximum(level, 0) / 255)
    return (sigma if plane == 0 else sigma / 2).astype(np.float32)
