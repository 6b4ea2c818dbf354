"""The colours of a face in the cells of the canonical face: which of it is not skin, and how much is covered.

Only ratios of chroma to luma are compared, which shading leaves alone, and only means over more than a second,
which hold nothing of the pulse.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True)
class Skin:
    """What of a face is its skin.

    Attributes
    ----------
    cells : bool[64, 64]
        False where the canonical face shows hair, glasses, a beard, a mask, or is clipped.
    covered : float
        Part of the skin that faces the camera and has another colour, 0-1.
    covered_below : float
        The same of the lower half of the face.
    brightness : float
        Median luma of the skin, 0-1 of black to white.
    """

    cells: NDArray[np.bool_]
    covered: float
    covered_below: float
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
    place = canonical.apply(np.column_stack([linear, offset]), _centres())
    found = np.clip(place, 0, side - 1).astype(np.intp)
    return mesh.colors[found[..., 1], found[..., 0]]


def skin_of(total: NDArray[np.int64], count: int, yaw: float) -> Skin:
    """Judge the mean colours of a face.

    Parameters
    ----------
    total : int[64, 64, 3]
        Sum of Y, U, V over some samples.
    count : int
        How many.
    yaw : float
        Of the head, degrees.

    Returns
    -------
    Skin
    """
    mean = total / float(count)
    facing = _must_be_skin() & (np.cos(_across() + np.deg2rad(yaw)) > _FACING)
    if not facing.any():
        facing = _must_be_skin()
    level = np.maximum(mean[..., 0] - _BLACK, 1.0)
    ratio = (mean[..., 1:] - 128.0) / level[..., None]
    reference, usual = np.median(ratio[facing], axis=0), float(np.median(level[facing]))
    colorful = max(float(np.sqrt((reference**2).sum())), 1e-3)
    distance = np.sqrt(((ratio - reference) ** 2).sum(axis=-1)) / colorful
    depth = np.log(usual / level)
    # the more evenly coloured and lit a face is, the nearer to its own lies what is already something else
    far, deep = (
        max(low, min(_SPREADS * float(np.median(np.abs(values[facing]))), high))
        for values, low, high in ((distance, *_FAR), (depth, *_DEEP))
    )
    other = (distance > far) | (depth > deep) | (mean[..., 0] > _WHITE)
    covered = _averaged(distance) > OTHER
    lower = facing & _below()
    return Skin(
        cells=~_majority(other),
        covered=float(covered[facing].mean()),
        covered_below=float(covered[lower].mean()) if lower.any() else 0.0,
        brightness=min(usual / 219.0, 1.0),
    )


def at(skin: Skin, transform: NDArray[np.float64], rows: slice, columns: slice) -> NDArray[np.bool_]:
    """`skin.cells` in a part of the chroma planes.

    Parameters
    ----------
    skin : Skin
    transform : float64[2, 3]
        From luma px to canonical px.
    rows, columns : slice
        The part.

    Returns
    -------
    bool[h, w]
    """
    x = 2.0 * np.arange(columns.start, columns.stop) + 1  # centres of the samples in luma px
    y = 2.0 * np.arange(rows.start, rows.stop) + 1
    (a, b, c), (d, e, f) = (transform / CELL).tolist()
    column = np.clip((a * x + c + 1)[None, :] + (b * y)[:, None], 0, CELLS + 1).astype(np.intp)
    row = np.clip((d * x + f + 1)[None, :] + (e * y)[:, None], 0, CELLS + 1).astype(np.intp)
    found: NDArray[np.bool_] = np.pad(skin.cells, 1)[row, column]  # outside the canonical face nothing is its skin
    return found


def _averaged(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over blocks of 2 x 2 cells: noise of single ones would be taken for another colour."""
    half = CELLS // 2
    blocks: NDArray[np.float64] = values.reshape(half, 2, half, 2).mean(axis=(1, 3))
    return np.repeat(np.repeat(blocks, 2, axis=0), 2, axis=1)


def _majority(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells with five or more of the nine around them: specks and pinholes are gone."""
    padded = np.pad(cells.astype(np.uint8), 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] >= 5)


@lru_cache(maxsize=1)
def _centres() -> NDArray[np.float64]:
    middle = (np.arange(CELLS) + 0.5) * CELL
    x, y = np.meshgrid(middle, middle)
    return np.stack([x, y], axis=-1)


@lru_cache(maxsize=1)
def _must_be_skin() -> NDArray[np.bool_]:
    def inside(x: float, y: float, a: float, b: float) -> NDArray[np.bool_]:
        place = _centres()
        return np.asarray(((place[..., 0] - x) / a) ** 2 + ((place[..., 1] - y) / b) ** 2 < 1)

    found: NDArray[np.bool_] = inside(*_OVAL) & ~np.any([inside(*feature) for feature in _FEATURES], axis=0)
    return found


@lru_cache(maxsize=1)
def _across() -> NDArray[np.float64]:
    return np.asarray(np.arcsin(np.clip((_centres()[..., 0] - canonical.SIZE[0] / 2) / _HALF_WIDTH, -1, 1)))


@lru_cache(maxsize=1)
def _below() -> NDArray[np.bool_]:
    return np.asarray(_centres()[..., 1] > 137)
