"""From the picture of a thing to its place in the frame: moved, tilted, or turned in depth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phantom.sheet import Head
from phantom.texture import Plane

_LONGITUDES = 2.75  # radians to each side that the texture of a head holds: 90 + 60 degrees and a margin
_MOUTH, _CHIN = 0.5, 0.93  # in half-heights of the head below its middle
_GAP = 0.13  # largest opening of the mouth, in half-heights


@dataclass(frozen=True)
class Pose:
    """Where one thing is in one frame: displacement in luma pixels, angles in radians, mouth 0-1.

    `right` and `down`, even numbers of luma pixels, are how far the thing is carried with its box, on top of x and y.
    """

    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0
    jaw: float = 0.0
    tilt: float = 0.0
    right: int = 0
    down: int = 0


REST = Pose()


def shifted(plane: Plane, pad: int, x: float, y: float, size: tuple[int, int]) -> Plane:
    """`plane` displaced by x, y samples, linearly interpolated, cut to `size` samples from `pad` on."""
    if x == 0 and y == 0:
        return plane[pad : pad + size[0], pad : pad + size[1]]
    row, column = math.floor(pad - y), math.floor(pad - x)
    part_y, part_x = np.float32(pad - y - row), np.float32(pad - x - column)
    rows = plane[row : row + size[0] + 1]
    across = rows[1:] - rows[:-1]
    across *= part_y
    across += rows[:-1]
    result: Plane = across[:, column + 1 : column + 1 + size[1]] - across[:, column : column + size[1]]
    result *= part_x
    result += across[:, column : column + size[1]]
    return result


@dataclass
class Flat:
    """A flat thing on a canvas that reaches `pad` samples over its box on each side.

    Attributes
    ----------
    step : int
        Luma pixels a sample.
    box : tuple of int
        y0, y1, x0, x1 in samples of the plane.
    pad : int
    axis : float
        Column of the box's canvas, in samples, about which the thing tilts.
    """

    step: int
    box: tuple[int, int, int, int]
    pad: int
    axis: float = 0.0

    def warp(self, source: Plane, pose: Pose) -> Plane:
        """Foreshortened by its tilt; source and result are canvases."""
        if pose.tilt == 0:
            return source
        width = source.shape[1]
        place = np.clip(self.axis + (np.arange(width) - self.axis) / math.cos(pose.tilt), 0, width - 1.001)
        left = place.astype(np.intp)
        part = (place - left).astype(np.float32)
        turned: Plane = source.take(left, axis=1)
        right = source.take(left + 1, axis=1)
        right -= turned
        right *= part
        turned += right
        return turned

    def move(self, canvas: Plane, pose: Pose) -> Plane:
        """The canvas where it is now, cut to the box."""
        y0, y1, x0, x1 = self.box
        return shifted(canvas, self.pad, pose.x / self.step, pose.y / self.step, (y1 - y0, x1 - x0))

    def spot(self, pose: Pose, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Where the box is now in a plane of a shape, and the part of the box that lies inside the plane."""
        y0, y1, x0, x1 = self.box
        rows, own_rows = _inside(y0 + pose.down // self.step, y1 - y0, shape[0])
        columns, own_columns = _inside(x0 + pose.right // self.step, x1 - x0, shape[1])
        return (rows, columns), (own_rows, own_columns)


def _inside(start: int, length: int, size: int) -> tuple[slice, slice]:
    low, high = max(start, 0), max(min(start + length, size), 0)
    low = min(low, high)
    return slice(low, high), slice(low - start, high - start)


class Revolved(Flat):
    """A body that is round at each height; its texture has a row per row of the canvas, columns of longitude.

    Under turning the texture slides, and what lies before the axis of turning, such as a chin, swings aside as a
    whole; no depth is rendered but that.
    """

    def __init__(self, flat: Flat, columns: NDArray[np.float64], head: Head) -> None:
        """Lay the longitudes over the canvas of `flat`.

        Parameters
        ----------
        flat : Flat
        columns : float64[l]
            Longitude of each column of the texture, radians, evenly spaced.
        head : Head
        """
        middle, half = head.middle, head.half
        super().__init__(flat.step, flat.box, flat.pad, flat.axis)
        y0, y1, x0, x1 = flat.box
        centre = (flat.step - 1) / 2
        rows = np.arange(y0 - flat.pad, y1 + flat.pad, dtype=np.float64)
        self.rows: NDArray[np.float64] = (rows * flat.step + (centre - middle[1])) / half[1]
        self.across = np.arange(x0 - flat.pad, x1 + flat.pad) * flat.step + centre - middle[0]
        self.wide = np.maximum(half[0] * head.radius(self.rows), 1e-6)
        self.sine = np.clip(self.across[None, :] / self.wide[:, None], -1, 1).astype(np.float32)
        self._per_radian = float(1 / (columns[1] - columns[0]))
        self._base = ((np.arcsin(self.sine) - columns[0]) * self._per_radian).astype(np.float32)
        self._starts = np.arange(len(self.rows), dtype=np.int32)[:, None] * len(columns)
        self._places: tuple[float, NDArray[np.int32], Plane] | None = None
        before = half[0] / flat.step * head.forward(self.rows)
        self._swung = np.flatnonzero(before)  # rows that do not turn on the spot
        self._before = before[self._swung]

    def warp(self, source: Plane, pose: Pose) -> Plane:
        """The texture as it is seen, on the canvas."""
        if pose.jaw > 0:
            source = _spoken(source, self.rows, pose.jaw)
        if self._places is None or self._places[0] != pose.yaw:  # U and V share the places
            place = self._base - np.float32(pose.yaw * self._per_radian)
            left = place.astype(np.int32)
            place -= left
            left += self._starts
            self._places = (pose.yaw, left, place)
        _, left, part = self._places
        flat = source.ravel()
        seen: Plane = flat.take(left)
        right = flat.take(left + 1)
        right -= seen
        right *= part
        seen += right
        return seen

    def move(self, canvas: Plane, pose: Pose) -> Plane:
        """The canvas where it is now, what lies before the axis swung aside, cut to the box."""
        if pose.yaw == 0:
            return super().move(canvas, pose)
        last = canvas.shape[1] - 1
        place = np.arange(last + 1) - (math.sin(pose.yaw) * self._before)[:, None]
        place = np.clip(place, 0, last - 1e-3)  # beyond the canvas as at its edge, which is empty
        left = place.astype(np.intp)
        part = (place - left).astype(np.float32)
        rows = canvas[self._swung]
        swung = canvas.copy()
        seen = np.take_along_axis(rows, left, axis=1)
        swung[self._swung] = seen + (np.take_along_axis(rows, left + 1, axis=1) - seen) * part
        return super().move(swung, pose)


def longitudes(radius: float) -> NDArray[np.float64]:
    """Longitudes of a texture's columns, radians, fine enough for a head of that radius in samples."""
    return np.linspace(-_LONGITUDES, _LONGITUDES, max(int(2 * _LONGITUDES * radius * 1.3) // 2 * 2, 16))


def _spoken(source: Plane, rows: NDArray[np.float64], jaw: float) -> Plane:
    """Rows of the texture moved apart at the line of the mouth, pushed together between it and the chin."""
    gap = _GAP * jaw
    first, last = (int(np.searchsorted(rows, at)) for at in (_MOUTH - gap, _CHIN))
    wanted = np.interp(
        rows[first:last],
        [_MOUTH - gap, _MOUTH - gap * 0.25, _MOUTH + gap * 0.75, _CHIN],
        [_MOUTH - gap, _MOUTH, _MOUTH, _CHIN],
    )
    place = np.interp(wanted, rows, np.arange(len(rows)))
    top = np.minimum(place.astype(np.intp), len(rows) - 2)
    part = (place - top).astype(np.float32)[:, None]
    opened = source.copy()
    opened[first:last] = source[top] * (1 - part) + source[top + 1] * part
    return opened
