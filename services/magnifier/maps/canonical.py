"""Moving skin: planes of a frame brought into canonical skin coordinates, and maps brought back into a frame."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from magnifier.canonical_frame import bilinear, canonical_samples, inverse, moved
from magnifier.maps.cells import CellBox, Plane8, block_sums, pooled
from media.arrays import array_module
from media.masks import Transform

_ALMOST = 0.1  # of turning or growing: what differs less from a shift is summed before it is read


def canonical_sums(
    y: Plane8, u: Plane8, v: Plane8, skin: Plane8, transform: Transform, box: CellBox
) -> NDArray[np.float32]:
    """`cells.cell_sums` of skin that moves: each place of the skin is counted in the same cell in every frame.

    Planes are weighted with the mask and sampled bilinearly at the places that the canonical samples came from; the
    weights are sampled alike, so that nothing outside the mask enters.

    Parameters
    ----------
    y, u, v : uint8[h, w]
        As for `cells.cell_sums`.
    skin : uint8[h, w]
        1 is skin, 0 is not; at chroma resolution.
    transform : 2 rows of 3 floats
        Luma pixels of the picture to canonical coordinates; can be inverted.
    box : CellBox
        Of the canonical frame.

    Returns
    -------
    float32[4, cells]
    """
    xp = array_module(y)
    y0, y1, x0, x1 = box.samples
    weights = skin.astype(np.float32)
    planes = xp.stack([weights, block_sums(y) * weights, u * weights, v * weights])
    if np.abs(np.asarray(transform)[:, :2] - np.eye(2)).max() < _ALMOST:
        return _summed_and_read(planes, transform, box)
    found = canonical_samples(planes, transform, (y1 - y0, x1 - x0), (y0, x0))
    sums: NDArray[np.float32] = xp.stack([pooled(plane, box.side // 2).ravel() for plane in found])
    return sums


def _summed_and_read(planes: NDArray[np.float32], transform: Transform, box: CellBox) -> NDArray[np.float32]:
    """Sums over squares of the picture as large as a cell, read once for each cell, where its middle came from.

    Of a transform that only shifts this is the sum of what is read at each of the cell's samples. One that turns or
    grows a little moves the corners of a cell by a small part of a sample, and a quarter or less has to be read.
    """
    xp = array_module(planes)
    step = box.side // 2
    sums = xp.pad(planes, ((0, 0), (step, step), (step, step)))
    reach = 1
    while reach < step:
        sums = sums[:, reach:] + sums[:, :-reach]
        sums = sums[:, :, reach:] + sums[:, :, :-reach]
        reach *= 2
    middle = (box.side - 1) / 2
    x = box.side * xp.arange(box.column, box.column + box.columns, dtype=np.float64)[None] + middle
    y = box.side * xp.arange(box.row, box.row + box.rows, dtype=np.float64)[:, None] + middle
    px, py = moved(inverse(transform), x, y)
    # sum r covers the samples r - step to r - 1 of the picture, whose middle is luma pixel 2 r - step - 1/2
    found = bilinear(sums, (py + step + 0.5) / 2, (px + step + 0.5) / 2)
    return found.reshape(len(found), box.count)


def drawn_back(
    values: NDArray[Any], box: CellBox, transform: Transform | None, shape: tuple[int, int], order: Literal[0, 1] = 1
) -> NDArray[np.float32]:
    """A map in the chroma samples of a frame.

    Parameters
    ----------
    values : float[rows, columns]
        One value a cell of `box`; NaN where there is none.
    box : CellBox
    transform : 2 rows of 3 floats, optional
        Of the frame; None where the map's coordinates are the picture's.
    shape : tuple of int
        Height and width of the chroma planes.
    order : int
        1 interpolates, 0 takes the nearest.

    Returns
    -------
    float32[h, w]
        NaN where there is none.
    """
    height, width = shape
    x, y = (2 * np.arange(n, dtype=np.float64) + 0.5 for n in (width, height))
    x, y = x[None], y[:, None]
    if transform is not None:
        x, y = moved(np.asarray(transform, np.float64), x, y)
    # cell c covers luma pixels side c to side (c + 1) - 1
    columns, rows = (x + 0.5) / box.side - 0.5 - box.column, (y + 0.5) / box.side - 0.5 - box.row
    if order == 0:
        columns, rows = np.rint(columns), np.rint(rows)
    known = np.isfinite(values)
    value, weight = bilinear(np.stack([np.where(known, values, 0), known]).astype(np.float32), rows, columns)
    result: NDArray[np.float32] = np.full(shape, np.nan, np.float32)
    np.divide(value, weight, out=result, where=weight >= 0.5)
    return result
