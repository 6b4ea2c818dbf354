"""The colours of a face and of what lies beside it, in cells: which of it is not skin, and how much is covered.

The cells lie in the canonical frame and reach over its sides, where a turned head shows its ear. Only ratios of chroma
to luma are compared, which shading leaves alone, and only means over more than a second, which hold nothing of the
pulse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segmenter.face import canonical
from segmenter.face.mesh import Mesh

CELL = 4  # canonical px a side
ROWS, COLUMNS = 64, 96
_LEFT = (canonical.SIZE[0] - COLUMNS * CELL) // 2  # of the cells, canonical px
FINE = 2  # parts of a cell's side that the edge of skin is known to
OTHER = 0.3  # a chroma ratio that differs from the face's by more than this part of it is something before the face
# What differs by more is not skin: chroma ratio as a part of the face's, luma as the natural logarithm of what it is
# below the face's. Each is so many median deviations of the face's own skin, within the bounds that stand here.
_SPREADS = 6.0
_FAR, _DEEP = (0.24, 0.34), (0.45, 0.80)
# A cell at the edge shows skin and what lies beyond: it is skin up to half of what that differs by, but no more than
# so many times the bounds above.
_MIXED = 1.5
_MOST = 8.0  # times the bound: whatever differs by more is as different as that
_WHITE = 245  # levels of luma: clipped
_FACING = 0.5  # cosine of the angle to the line of sight: what is turned further away is not judged
_HALF_WIDTH = 87.0  # of the head as a cylinder, canonical px
_BLACK = 16.0
# The oval, eyes, brows and mouth of the canonical face, canonical px: what must be skin lies in it, and outside them.
_OVAL = (128.0, 134.0, 74.0, 87.0)  # x, y, half width, half height
_FEATURES = (
    (89.0, 90.0, 28.0, 21.0), (167.0, 90.0, 28.0, 21.0),  # eyes with brows
    (128.0, 175.0, 35.0, 16.0), (128.0, 150.0, 25.0, 8.0),  # mouth, nostrils
)  # fmt: skip
_MOUTH_HALF = 137.0  # y under which the lower half of the face lies, canonical px


@dataclass(frozen=True)
class Cover:
    """What is before a face, and how bright it is.

    Attributes
    ----------
    covered : float
        Part of the skin that faces the camera and has another colour, 0-1.
    below : float
        The same of the lower half of the face.
    brightness : float
        Median luma of the skin, 0-1 of black to white.
    """

    covered: float
    below: float
    brightness: float


def colors(mesh: Mesh, transform: NDArray[np.float64]) -> NDArray[np.uint8]:
    """What a mesh's square shows in the cells.

    Parameters
    ----------
    mesh : Mesh
    transform : float64[2, 3]
        From luma px to canonical px.

    Returns
    -------
    uint8[3, 64, 96]
        Y, U, V; 0, 128, 128 beyond the square.
    """
    back = canonical.inverse(mesh.square.affine(mesh.planes[0].shape[0]))
    forth = canonical.inverse(transform)
    linear = back[:, :2] @ forth[:, :2]
    (a, b), (c, d) = (CELL * linear).tolist()
    x, y = (back[:, :2] @ forth[:, 2] + back[:, 2] + linear @ [_LEFT, 0.0]).tolist()
    found = np.empty((3, ROWS, COLUMNS), np.uint8)
    for number, (plane, step, nothing) in enumerate(zip(mesh.planes, (1, 2, 2), (0, 128, 128), strict=True)):
        coefficients = (a / step, b / step, x / step, c / step, d / step, y / step)
        # the nearest sample to the middle of each cell
        seen = Image.fromarray(plane).transform(
            (COLUMNS, ROWS), Image.Transform.AFFINE, coefficients, Image.Resampling.NEAREST, fillcolor=nothing
        )
        found[number] = np.asarray(seen)
    return found


def cover_of(shown: NDArray[np.uint8], yaw: float) -> Cover:
    """Judge the colours of a face in one frame.

    Parameters
    ----------
    shown : uint8[3, 64, 96]
        Y, U, V, as `colors` gives them.
    yaw : float
        Of the head, degrees.

    Returns
    -------
    Cover
    """
    # blocks of 2 x 2: noise of single cells would be taken for another colour
    wide = shown.astype(np.uint16)
    tall = wide[:, 0::2] + wide[:, 1::2]
    blocks = list((tall[:, :, 0::2] + tall[:, :, 1::2]) / 4.0)
    facing = _facing(2 * CELL, yaw)
    u, v, depth, own = _compared(blocks, facing)
    # Of skin that shines or lies in the shade white light is added or missing: luma changes, chroma does not, and so
    # their ratio at the same hue. Up to so much is no other colour.
    along, across = u * own.u + v * own.v, u * own.v - v * own.u
    white = np.expm1(depth)
    along -= np.clip(along, np.minimum(white, 0.0), np.maximum(white, 0.0))
    other = (np.hypot(along, across) > OTHER) & (depth > -_DEEP[1])  # what glares has lost its colour
    lower = facing & _below(2 * CELL)
    return Cover(
        covered=float(other[facing].mean()),
        below=float(other[lower].mean()) if lower.any() else 0.0,
        brightness=min(own.level / 219.0, 1.0),
    )


def skin_of(shown: Sequence[NDArray[np.uint8]], yaw: float) -> NDArray[np.bool_]:
    """What is the face's skin, by its mean colours.

    Parameters
    ----------
    shown : sequence of uint8[3, 64, 96]
        Y, U, V of some frames, as `colors` gives them; at least one.
    yaw : float
        Of the head, degrees.

    Returns
    -------
    bool[128, 192]
        Each cell in 2 x 2 parts. False where the canonical face shows hair, glasses, a beard, a mask, a wall, or is
        clipped.
    """
    total = np.zeros(shown[0].shape, np.int32)
    for one in shown:
        total += one
    mean = [plane / float(len(shown)) for plane in total]
    facing = _facing(CELL, yaw)
    u, v, depth, _ = _compared(mean, facing)
    distance = np.sqrt(u * u + v * v)
    # the more evenly coloured and lit a face is, the nearer to its own lies what is already something else
    far, deep = (
        max(low, min(_SPREADS * _median(np.abs(values[facing])), high))
        for values, low, high in ((distance, *_FAR), (depth, *_DEEP))
    )
    other = np.maximum(distance / far, depth / deep)
    other[mean[0] > _WHITE] = _MOST
    beyond = _largest_near(np.minimum(other, _MOST))
    return _finer(other / np.clip(beyond / 2, 1.0, _MIXED))


@dataclass(frozen=True)
class _Own:
    """A face's own colour: the direction of its chroma and its luma."""

    u: float
    v: float
    level: float


def _compared(
    mean: Sequence[NDArray[np.float64]], facing: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], _Own]:
    """How far each cell's chroma ratios, in parts of the face's, and the logarithm of its luma lie from its own."""
    level = np.maximum(mean[0] - _BLACK, 1.0)
    ratio = [(plane - 128.0) / level for plane in mean[1:]]
    own, usual = [_median(plane[facing]) for plane in ratio], _median(level[facing])
    colorful = max(math.hypot(*own), 1e-3)
    u, v = ((plane - one) / colorful for plane, one in zip(ratio, own, strict=True))
    return u, v, np.log(usual / level), _Own(own[0] / colorful, own[1] / colorful, usual)


def _median(values: NDArray[np.float64]) -> float:
    """Of an even number of values the upper one of the two in the middle."""
    middle = len(values) // 2
    return float(np.partition(values, middle)[middle])


def at(cells: NDArray[np.bool_], transform: NDArray[np.float64], rows: slice, columns: slice) -> NDArray[np.bool_]:
    """Skin, as `skin_of` has it, in a part of the chroma planes.

    Parameters
    ----------
    cells : bool[128, 192]
    transform : float64[2, 3]
        From luma px to canonical px.
    rows, columns : slice
        The part.

    Returns
    -------
    bool[h, w]
        False outside of the cells.
    """
    step = transform * np.array([2.0, 2.0, 1.0])  # from samples to canonical px, and to parts of cells
    step[0, 2] -= _LEFT
    (a, b, c), (d, e, f) = (step * (FINE / CELL)).tolist()
    left, top = columns.start, rows.start
    coefficients = (a, b, c + a * left + b * top, d, e, f + d * left + e * top)
    size = (columns.stop - left, rows.stop - top)
    shown = Image.fromarray(cells.view(np.uint8)).transform(
        size, Image.Transform.AFFINE, coefficients, Image.Resampling.NEAREST, fillcolor=0
    )
    return np.asarray(shown).view(np.bool_)


def _largest_near(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest of the 5 x 5 values around each one."""
    for axis in (0, 1):
        count = values.shape[axis]
        wide = _edged(values, 2, axis).swapaxes(0, axis)
        largest = np.maximum(wide[:count], wide[1 : 1 + count])
        for k in (2, 3, 4):
            np.maximum(largest, wide[k : k + count], out=largest)
        values = largest.swapaxes(0, axis)
    return values


def _edged(values: NDArray[Any], count: int, axis: int) -> NDArray[Any]:
    """With the first and the last of an axis repeated so many times."""
    ends = [values.take([end], axis=axis) for end in (0, -1)]
    return np.concatenate([ends[0]] * count + [values] + [ends[1]] * count, axis=axis)


def _finer(other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where a quantity of cells is under 1, in 2 x 2 parts of each: it is interpolated, and specks are gone."""
    skin = other < 1
    votes = _edged(_edged(skin.view(np.uint8), 1, 0), 1, 1)
    rows = votes[:-2] + votes[1:-1] + votes[2:]
    # cells with five or more of the nine around them
    kept = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] >= 5
    level = 1 - np.minimum(other, 2.0)
    level[kept != skin] *= -1
    level = _edged(_edged(level, 1, 0), 1, 1)
    # the middles of the parts lie a quarter of a cell aside
    tall = np.empty((FINE * ROWS, COLUMNS + 2))
    tall[0::2], tall[1::2] = 3 * level[1:-1] + level[:-2], 3 * level[1:-1] + level[2:]
    found = np.empty((FINE * ROWS, FINE * COLUMNS), np.bool_)
    found[:, 0::2], found[:, 1::2] = 3 * tall[:, 1:-1] + tall[:, :-2] > 0, 3 * tall[:, 1:-1] + tall[:, 2:] > 0
    return found


def _facing(cell: int, yaw: float) -> NDArray[np.bool_]:
    """Where there must be skin that looks towards the camera; all that must be skin, where none does."""
    found: NDArray[np.bool_] = _must_be_skin(cell) & (np.cos(_longitudes(cell) + np.deg2rad(yaw)) > _FACING)
    return found if found.any() else _must_be_skin(cell)


def _middles(cell: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """float64[1, w] and [h, 1]: middles of the cells of such a side, canonical px."""
    x, y = (np.arange(count * CELL // cell, dtype=np.float64) + 0.5 for count in (COLUMNS, ROWS))
    return _LEFT + cell * x[None, :], cell * y[:, None]


@lru_cache(maxsize=4)
def _longitudes(cell: int) -> NDArray[np.float64]:
    """float64[1, w]: of a head that is a cylinder, radians."""
    x, _ = _middles(cell)
    return np.asarray(np.arcsin(np.clip((x - canonical.SIZE[0] / 2) / _HALF_WIDTH, -1, 1)))


@lru_cache(maxsize=4)
def _must_be_skin(cell: int) -> NDArray[np.bool_]:
    at_x, at_y = _middles(cell)

    def inside(x: float, y: float, a: float, b: float) -> NDArray[np.bool_]:
        return np.asarray(((at_x - x) / a) ** 2 + ((at_y - y) / b) ** 2 < 1)

    found: NDArray[np.bool_] = inside(*_OVAL) & ~np.any([inside(*feature) for feature in _FEATURES], axis=0)
    return found


@lru_cache(maxsize=4)
def _below(cell: int) -> NDArray[np.bool_]:
    return np.asarray(_middles(cell)[1] > _MOUTH_HALF)
