"""The colours of a face in the cells of the canonical face: which of it is not skin, and how much is covered.

Only ratios of chroma to luma are compared, which shading leaves alone, and only means over more than a second,
which hold nothing of the pulse.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segmenter.face import canonical
from segmenter.face.mesh import Mesh

CELLS = 64  # a side of the canonical face
CELL = canonical.SIZE[0] // CELLS  # canonical px a side
OTHER = 0.3  # a chroma ratio that differs from the face's by more than this part of it is something before the face
# What differs by more is not skin: chroma ratio as a part of the face's, luma as the natural logarithm of what it is
# below the face's. Each is so many median deviations of the face's own skin, within the bounds that stand here.
_SPREADS = 6.0
_FAR, _DEEP = (0.24, 0.34), (0.45, 0.80)
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
    """What a mesh's square shows in the cells of the canonical face.

    Parameters
    ----------
    mesh : Mesh
    transform : float64[2, 3]
        From luma px to canonical px.

    Returns
    -------
    uint8[64, 64, 3]
        Y, U, V.
    """
    side = mesh.colors.shape[0]
    back = canonical.inverse(mesh.square.affine(side))
    forth = canonical.inverse(transform)
    linear = back[:, :2] @ forth[:, :2]
    offset = back[:, :2] @ forth[:, 2] + back[:, 2]
    place = canonical.apply(np.column_stack([linear, offset]), _centres(CELLS))
    found = np.clip(place, 0, side - 1).astype(np.intp)
    return mesh.colors[found[..., 1], found[..., 0]]


def cover_of(shown: NDArray[np.uint8], yaw: float) -> Cover:
    """Judge the colours of a face in one frame.

    Parameters
    ----------
    shown : uint8[64, 64, 3]
        Y, U, V, as `colors` gives them.
    yaw : float
        Of the head, degrees.

    Returns
    -------
    Cover
    """
    half = CELLS // 2  # blocks of 2 x 2: noise of single cells would be taken for another colour
    blocks = shown.reshape(half, 2, half, 2, 3).sum(axis=(1, 3), dtype=np.int64) / 4.0
    facing = _facing(half, yaw)
    distance, depth, usual = _compared(blocks, facing)
    other = (distance > OTHER) & (depth > -_DEEP[1])  # what shines has lost its colour, and nothing covers it
    lower = facing & _below(half)
    return Cover(
        covered=float(other[facing].mean()),
        below=float(other[lower].mean()) if lower.any() else 0.0,
        brightness=min(usual / 219.0, 1.0),
    )


def skin_of(total: NDArray[np.int64], count: int, yaw: float) -> NDArray[np.bool_]:
    """Which cells are the face's skin, by its mean colours.

    Parameters
    ----------
    total : int64[64, 64, 3]
        Sum of Y, U, V over some frames.
    count : int
        How many.
    yaw : float
        Of the head, degrees.

    Returns
    -------
    bool[64, 64]
        False where the canonical face shows hair, glasses, a beard, a mask, a wall, or is clipped.
    """
    mean = total / float(count)
    facing = _facing(CELLS, yaw)
    distance, depth, _ = _compared(mean, facing)
    # the more evenly coloured and lit a face is, the nearer to its own lies what is already something else
    far, deep = (
        max(low, min(_SPREADS * float(np.median(np.abs(values[facing]))), high))
        for values, low, high in ((distance, *_FAR), (depth, *_DEEP))
    )
    return ~_majority((distance > far) | (depth > deep) | (mean[..., 0] > _WHITE))


def _compared(
    mean: NDArray[np.float64], facing: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """How far each cell's chroma ratio and the logarithm of its luma lie from the face's own; the face's luma."""
    level = np.maximum(mean[..., 0] - _BLACK, 1.0)
    ratio = (mean[..., 1:] - 128.0) / level[..., None]
    reference, usual = np.median(ratio[facing], axis=0), float(np.median(level[facing]))
    colorful = max(float(np.sqrt((reference**2).sum())), 1e-3)
    distance = np.sqrt(((ratio - reference) ** 2).sum(axis=-1)) / colorful
    return distance, np.log(usual / level), usual


def at(cells: NDArray[np.bool_], transform: NDArray[np.float64], rows: slice, columns: slice) -> NDArray[np.bool_]:
    """Cells of the canonical face in a part of the chroma planes.

    Parameters
    ----------
    cells : bool[64, 64]
    transform : float64[2, 3]
        From luma px to canonical px.
    rows, columns : slice
        The part.

    Returns
    -------
    bool[h, w]
    """
    step = transform * np.array([2.0, 2.0, 1.0]) / CELL  # from samples to cells
    (a, b, c), (d, e, f) = step.tolist()
    left, top = columns.start, rows.start
    coefficients = (a, b, c + a * left + b * top, d, e, f + d * left + e * top)
    size = (columns.stop - left, rows.stop - top)
    # outside the canonical face nothing is its skin
    shown = Image.fromarray(cells.view(np.uint8)).transform(
        size, Image.Transform.AFFINE, coefficients, Image.Resampling.NEAREST, fillcolor=0
    )
    return np.asarray(np.asarray(shown) != 0)


def _majority(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells with five or more of the nine around them: specks and pinholes are gone."""
    padded = np.pad(cells.astype(np.uint8), 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] >= 5)


def _facing(cells: int, yaw: float) -> NDArray[np.bool_]:
    """Where there must be skin that looks towards the camera; all that must be skin, where none does."""
    across = np.arcsin(np.clip((_centres(cells)[..., 0] - canonical.SIZE[0] / 2) / _HALF_WIDTH, -1, 1))
    found: NDArray[np.bool_] = _must_be_skin(cells) & (np.cos(across + np.deg2rad(yaw)) > _FACING)
    return found if found.any() else _must_be_skin(cells)


@lru_cache(maxsize=4)
def _centres(cells: int) -> NDArray[np.float64]:
    middle = (np.arange(cells) + 0.5) * (canonical.SIZE[0] / cells)
    x, y = np.meshgrid(middle, middle)
    return np.stack([x, y], axis=-1)


@lru_cache(maxsize=4)
def _must_be_skin(cells: int) -> NDArray[np.bool_]:
    def inside(x: float, y: float, a: float, b: float) -> NDArray[np.bool_]:
        place = _centres(cells)
        return np.asarray(((place[..., 0] - x) / a) ** 2 + ((place[..., 1] - y) / b) ** 2 < 1)

    found: NDArray[np.bool_] = inside(*_OVAL) & ~np.any([inside(*feature) for feature in _FEATURES], axis=0)
    return found


@lru_cache(maxsize=4)
def _below(cells: int) -> NDArray[np.bool_]:
    return np.asarray(_centres(cells)[..., 1] > _MOUTH_HALF)
