"""Renders the frames of a synthetic recording, one at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phantom.scene import Layer, Plane, build_scene
from phantom.settings import PhantomSettings
from phantom.light import light
from phantom.motion import displacement
from phantom.wave import TICKS, blood_volume, frame_ticks, heart_phase


@dataclass(frozen=True)
class RenderedFrame:
    """One frame as the camera stores it.

    Attributes
    ----------
    index : int
    time : float
        In seconds, the first frame at 0.
    y : uint8[height, width]
    u, v : uint8[ceil(height / 2), ceil(width / 2)]
        Planes of yuv420p; arrays of their own.
    """

    index: int
    time: float
    y: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]


def render(settings: PhantomSettings) -> Iterator[RenderedFrame]:
    """The frames in order. Memory does not grow with the length.

    Each sample is light x (wall or skin (1 + pulse)) + noise, computed without rounding and rounded once, so that
    a pulse of a fraction of a level survives in the mean over the skin (noise and texture are the dither).

    Parameters
    ----------
    settings : PhantomSettings

    Yields
    ------
    RenderedFrame
    """
    scene = build_scene(settings)
    time_s = frame_ticks(settings) / TICKS
    blood = blood_volume(settings, heart_phase(settings, time_s))
    lights = light(settings, time_s)
    moved = displacement(settings, time_s)
    draw = np.random.default_rng([settings.seed, 5])
    for index, time in enumerate(time_s):
        planes = []
        for number, layer in enumerate(scene.layers):
            step = 1 if number == 0 else 2
            values = _compose(layer, blood[index], moved[index] / step)
            values *= np.float32(lights[index])
            height, width = values.shape
            at_y = int(draw.integers(scene.noise.shape[0] - height + 1))
            at_x = int(draw.integers(scene.noise.shape[1] - width + 1))
            values += scene.noise[at_y : at_y + height, at_x : at_x + width] * layer.sigma
            values += np.float32(layer.offset + 0.5)  # half a level: conversion to integers cuts
            np.clip(values, 0, 255, out=values)
            planes.append(values.astype(np.uint8))
        yield RenderedFrame(index, float(time), planes[0], planes[1], planes[2])


def _compose(layer: Layer, blood: float, moved: NDArray[np.float64]) -> Plane:
    """Skin with its pulse, moved to where it is, over the wall."""
    frame = layer.wall.copy()
    y0, y1, x0, x1 = layer.box
    skin = layer.pulse * np.float32(blood)
    skin += layer.skin
    size = (y1 - y0, x1 - x0)
    place = frame[y0:y1, x0:x1]
    place -= place * _moved(layer.cover, layer.pad, moved, size)
    place += _moved(skin, layer.pad, moved, size)
    return frame


def _moved(plane: Plane, pad: int, moved: NDArray[np.float64], size: tuple[int, int]) -> Plane:
    """`plane` displaced by x, y samples, linearly interpolated, cut to `size` samples from `pad` on."""
    dx, dy = (float(d) for d in moved)
    if dx == 0 and dy == 0:
        return plane[pad : pad + size[0], pad : pad + size[1]]
    row, column = math.floor(pad - dy), math.floor(pad - dx)
    part_y, part_x = np.float32(pad - dy - row), np.float32(pad - dx - column)
    rows = plane[row : row + size[0] + 1]
    across = rows[1:] - rows[:-1]
    across *= part_y
    across += rows[:-1]
    result: Plane = across[:, column + 1 : column + 1 + size[1]] - across[:, column : column + size[1]]
    result *= part_x
    result += across[:, column : column + size[1]]
    return result
