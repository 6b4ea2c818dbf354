"""The grid of a map: square cells of skin, and sums over them, frame by frame.

Cells are 2, 4, 8, … luma pixels wide, so that sums over them are made by adding neighbours again and again: exact in
integers and a few passes over memory. Cell (0, 0) begins at the origin of the picture, or of canonical skin
coordinates, so that what is summed over different boxes can be added. Planes are summed where they are, on a GPU or
not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.arrays import array_module

MOST_CELLS = 20_000  # of a picture: a cell of 4 px at 640x480
SIDES = (2, 4, 8, 16, 32)
PATCH_PX = 16  # side of a patch: what has a series of its own
LUMA_SAMPLES = 4  # pixels of Y in a chroma sample

Plane8 = NDArray[np.uint8]


@dataclass(frozen=True)
class CellBox:
    """A box of cells.

    Attributes
    ----------
    side : int
        Of a cell, luma pixels.
    row, column : int
        Of its first cell.
    rows, columns : int
    """

    side: int
    row: int
    column: int
    rows: int
    columns: int

    @property
    def count(self) -> int:
        """Number of cells."""
        return self.rows * self.columns

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.columns

    @property
    def samples(self) -> tuple[int, int, int, int]:
        """y0, y1, x0, x1 in chroma samples."""
        step = self.side // 2
        y0, x0 = self.row * step, self.column * step
        return y0, y0 + self.rows * step, x0, x0 + self.columns * step

    def place_in(self, whole: CellBox) -> tuple[slice, slice]:
        """Rows and columns of `whole` that are this box."""
        row, column = self.row - whole.row, self.column - whole.column
        return slice(row, row + self.rows), slice(column, column + self.columns)


def cell_side(width: int, height: int, wanted: int | None = None) -> int:
    """Side of a cell in luma pixels.

    Parameters
    ----------
    width, height : int
        Of the picture (or of the canonical frame), luma pixels.
    wanted : int, optional
        One of `SIDES`; if not given, the smallest with at most `MOST_CELLS` cells in the picture.
    """
    if wanted is not None:
        return wanted
    return next((side for side in SIDES if (width // side) * (height // side) <= MOST_CELLS), SIDES[-1])


def patch_cells(side: int) -> int:
    """Cells along the side of a patch, which is `PATCH_PX` wide or as wide as a cell."""
    return max(PATCH_PX // side, 1)


def box_around(skin: NDArray[Any], side: int) -> CellBox | None:
    """The smallest box of whole patches around what is not 0; None where everything is 0.

    Parameters
    ----------
    skin : [h, w]
        At chroma resolution.
    side : int
        Of a cell, luma pixels.
    """
    rows = np.flatnonzero(skin.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(skin.any(axis=0))
    many = patch_cells(side)
    step = side // 2 * many
    top, left = int(rows[0]) // step, int(columns[0]) // step
    down, right = int(rows[-1]) // step + 1 - top, int(columns[-1]) // step + 1 - left
    return CellBox(side, top * many, left * many, down * many, right * many)


def whole_box(width: int, height: int, side: int) -> CellBox:
    """The box of whole patches that covers a picture, or a canonical frame, of that size in luma pixels."""
    many = patch_cells(side)
    step = side * many
    return CellBox(side, 0, 0, -(-height // step) * many, -(-width // step) * many)


def union(boxes: list[CellBox]) -> CellBox:
    """The smallest box of cells around all of them, which have the same side."""
    row, column = min(b.row for b in boxes), min(b.column for b in boxes)
    rows = max(b.row + b.rows for b in boxes) - row
    columns = max(b.column + b.columns for b in boxes) - column
    return CellBox(boxes[0].side, row, column, rows, columns)


def block_sums(plane: Plane8) -> NDArray[np.uint16]:
    """Sums over 2x2 samples; the last row or column of an odd size counts twice.

    Parameters
    ----------
    plane : uint8[h, w]

    Returns
    -------
    uint16[ceil(h / 2), ceil(w / 2)]
        0-1020.
    """
    xp = array_module(plane)
    if plane.shape[0] % 2 or plane.shape[1] % 2:
        plane = xp.pad(plane, ((0, plane.shape[0] % 2), (0, plane.shape[1] % 2)), mode="edge")
    pairs = xp.ascontiguousarray(plane).view(np.uint16)  # two neighbours in one number: twice as fast as strides
    sums = pairs & np.uint16(255)
    sums += pairs >> np.uint16(8)
    total: NDArray[np.uint16] = sums[0::2] + sums[1::2]
    return total


def pooled(plane: NDArray[Any], step: int) -> NDArray[Any]:
    """Sums over step x step samples.

    Parameters
    ----------
    plane : [step rows, step columns]
        Integers must be wide enough for the sums.
    step : int
        A power of two.

    Returns
    -------
    [rows, columns]
        Of the plane's type.
    """
    while step > 1:
        rows = plane[0::2] + plane[1::2]
        if rows.dtype == np.uint16:
            pairs = rows.view(np.uint32)  # as in `block_sums`
            sums = pairs & np.uint32(0xFFFF)
            sums += pairs >> np.uint32(16)
            plane = sums.astype(np.uint16)
        else:
            plane = rows[:, 0::2] + rows[:, 1::2]
        step //= 2
    return plane


def cut(plane: NDArray[Any], box: CellBox) -> NDArray[Any]:
    """The samples of a box that begins inside the plane; 0 where it reaches beyond (the last cells may).

    Parameters
    ----------
    plane : [h, w]
        At chroma resolution.
    box : CellBox
    """
    y0, y1, x0, x1 = box.samples
    found = plane[y0:y1, x0:x1]
    down, right = y1 - y0 - found.shape[0], x1 - x0 - found.shape[1]
    return _grown(found, down, right)


def _grown(plane: NDArray[Any], down: int, right: int) -> NDArray[Any]:
    grown: NDArray[Any] = array_module(plane).pad(plane, ((0, down), (0, right))) if down or right else plane
    return grown


@dataclass(frozen=True)
class SkinCells:
    """The skin of a frame in a box of cells.

    Attributes
    ----------
    box : CellBox
    inside : uint8[h, w]
        1 where a chroma sample of the box is skin, 0 where it is not.
    counts : float32[cells]
        Samples of skin.
    """

    box: CellBox
    inside: Plane8
    counts: NDArray[np.float32]


def skin_cells(skin: Plane8, box: CellBox) -> SkinCells:
    """The skin of a frame in a box of cells.

    Parameters
    ----------
    skin : uint8[h, w]
        1 is skin, 0 is not.
    box : CellBox
    """
    inside = array_module(skin).ascontiguousarray(cut(skin, box))
    counts = pooled(inside.astype(np.uint16), box.side // 2).astype(np.float32)
    return SkinCells(box, inside, counts.ravel())


def cell_sums(y: Plane8, u: Plane8, v: Plane8, skin: SkinCells) -> NDArray[np.float32]:
    """Counts and sums of one frame over the skin of each cell.

    Parameters
    ----------
    y : uint8[H, W]
    u, v : uint8[ceil(H / 2), ceil(W / 2)]
    skin : SkinCells

    Returns
    -------
    float32[4, cells]
        Chroma samples of skin, sum of Y over their pixels (`LUMA_SAMPLES` each), of U and of V: whole numbers below
        2^24, so exact.
    """
    box, inside = skin.box, skin.inside
    step = box.side // 2
    y0, y1, x0, x1 = box.samples
    luma = block_sums(y[2 * y0 : 2 * y1, 2 * x0 : 2 * x1])
    down, across = inside.shape[0] - luma.shape[0], inside.shape[1] - luma.shape[1]
    luma = _grown(luma, down, across)
    luma *= inside
    wide = np.uint16 if 1020 * step * step <= 0xFFFF else np.uint32
    found: NDArray[np.float32] = array_module(y).empty((4, box.count), np.float32)
    found[0] = skin.counts
    found[1] = pooled(luma.astype(wide, copy=False), step).ravel()
    for row, plane in enumerate((u, v), start=2):
        masked = cut(plane, box) * inside
        found[row] = (pooled(block_sums(masked).astype(wide, copy=False), step // 2) if step > 1 else masked).ravel()
    return found
