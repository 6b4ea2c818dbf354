"""Moving skin: planes of a frame brought into canonical skin coordinates, and maps brought back into a frame."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from magnifier.maps.cells import CellBox, Plane8, block_sums, pooled
from media.masks import Transform

Floats = NDArray[np.float64]


def square(transform: Transform) -> Floats:
    """A transform as a 3 x 3 matrix."""
    return np.vstack([np.array(transform, np.float64), [0.0, 0.0, 1.0]])


def sample_transform(transform: Transform, step: int = 1) -> Floats:
    """The transform between places counted in samples of `2 step` luma pixels.

    Sample i covers luma pixels 2 step i to 2 step (i + 1) - 1, so its middle lies at 2 step i + step - 1/2.

    Parameters
    ----------
    transform : 2 rows of 3 floats
        Luma pixels (x, y) of the picture to canonical coordinates.
    step : int
        1 for chroma samples.

    Returns
    -------
    float64[3, 3]
        Takes (x, y, 1) in samples of the picture to samples of the canonical frame.
    """
    scale, offset = 2.0 * step, step - 0.5
    there = np.array([[scale, 0, offset], [0, scale, offset], [0, 0, 1.0]])
    result: Floats = np.linalg.inv(there) @ square(transform) @ there
    return result


def _pull(
    plane: NDArray[np.float32], back: NDArray[Any], first: tuple[int, int], shape: tuple[int, int], order: Literal[0, 1]
) -> NDArray[np.float32]:
    """Sample `plane` where `back` (x, y, 1 of the output to the input) says, for a box of the output."""
    swap = back[[1, 0, 2]][:, [1, 0, 2]]  # to row, column
    offset = swap[:2, :2] @ np.array(first, np.float64) + swap[:2, 2]
    found: NDArray[np.float32] = affine_transform(
        plane, swap[:2, :2], offset, output_shape=shape, order=order, mode="constant", cval=0.0
    )
    return found


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
    back = np.linalg.inv(sample_transform(transform))
    y0, y1, x0, x1 = box.samples
    weights = skin.astype(np.float32)
    found = np.empty((4, box.count), np.float32)
    for row, plane in enumerate((weights, block_sums(y) * weights, u * weights, v * weights)):
        here = _pull(plane, back, (y0, x0), (y1 - y0, x1 - x0), 1)
        found[row] = pooled(here, box.side // 2).ravel()
    return found


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
    step = box.side // 2
    identity: Transform = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    there = sample_transform(transform or identity)
    # from chroma samples of the canonical frame to cells of the box
    to_cells = np.array(
        [
            [1 / step, 0, (0.5 - step / 2) / step - box.column],
            [0, 1 / step, (0.5 - step / 2) / step - box.row],
            [0, 0, 1.0],
        ]
    )
    back = to_cells @ there
    known = np.isfinite(values)
    padded = [np.pad(p.astype(np.float32), 1) for p in (np.where(known, values, 0), known)]
    back[:2, 2] += 1
    value, weight = (_pull(p, back, (0, 0), shape, order) for p in padded)
    result: NDArray[np.float32] = np.full(shape, np.nan, np.float32)
    np.divide(value, weight, out=result, where=weight >= 0.5)
    return result
