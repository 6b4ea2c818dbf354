"""Traces: sums of Y, U and V over skin, frame by frame, for a grid of patches.

Work is done on the decoded planes at chroma resolution; Y is summed over the 2x2 pixels of each chroma sample.
All sums are integers, so that no order of adding and no way of cutting the clip changes a bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.arrays import array_module

AUTO_PATCHES = 64
MOST_PATCHES = 256
LUMA_SAMPLES = 4  # pixels of Y in a chroma sample


@dataclass(frozen=True)
class PatchGrid:
    """Square patches that cover the picture; those at the right and lower edge may be cut.

    Attributes
    ----------
    shape : tuple of int
        Height and width of the chroma planes.
    side : int
        Of a patch, in chroma samples.
    """

    shape: tuple[int, int]
    side: int

    @property
    def rows(self) -> int:
        """Patches from top to bottom."""
        return math.ceil(self.shape[0] / self.side)

    @property
    def columns(self) -> int:
        """Patches from left to right."""
        return math.ceil(self.shape[1] / self.side)

    @property
    def count(self) -> int:
        """Number of patches; patch `row * columns + column`."""
        return self.rows * self.columns


def patch_grid(shape: tuple[int, int], patch_size: int | None = None) -> PatchGrid:
    """The grid of patches of a picture.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the chroma planes.
    patch_size : int, optional
        Side in luma pixels, rounded up to an even number; enlarged until there are at most `MOST_PATCHES`. If not
        given, the smallest multiple of 8 pixels that gives at most `AUTO_PATCHES`.
    """
    side, step, most = (4, 4, AUTO_PATCHES) if patch_size is None else ((patch_size + 1) // 2, 1, MOST_PATCHES)
    while PatchGrid(shape, side).count > most:
        side += step
    return PatchGrid(shape, side)


def luma_sums(y: Any, shape: tuple[int, int]) -> Any:
    """Y summed over the 2x2 pixels of each chroma sample.

    Parameters
    ----------
    y : uint8[H, W]
    shape : tuple of int
        Height and width of the chroma planes, ceil(H / 2) and ceil(W / 2). The last row or column of an odd size
        counts twice.

    Returns
    -------
    uint16[h, w]
        0-1020.
    """
    xp = array_module(y)
    if y.shape != (2 * shape[0], 2 * shape[1]):
        y = xp.pad(y, ((0, 2 * shape[0] - y.shape[0]), (0, 2 * shape[1] - y.shape[1])), mode="edge")
    pairs = xp.ascontiguousarray(y).view(xp.uint16)  # two neighbours in one number: twice as fast as strides
    sums = pairs & xp.uint16(255)
    sums += pairs >> xp.uint16(8)
    return sums[0::2] + sums[1::2]


def _patch_sums(plane: Any, grid: PatchGrid, largest: int) -> Any:
    xp = array_module(plane)
    rows = np.arange(0, grid.shape[0], grid.side)
    columns = np.arange(0, grid.shape[1], grid.side)
    narrow = xp.uint16 if largest * grid.side <= 0xFFFF else xp.uint32
    # band by band: five times as fast as `reduceat` along the first axis
    bands = xp.stack([plane[row : row + grid.side].sum(axis=0, dtype=narrow) for row in rows.tolist()])
    return xp.add.reduceat(bands, columns, axis=1, dtype=xp.uint32).ravel()


def frame_sums(y: Any, u: Any, v: Any, mask: Any, grid: PatchGrid, luma: Any = None) -> Any:
    """Counts and sums of one frame over the skin of each patch.

    Parameters
    ----------
    y : uint8[H, W]
    u, v : uint8[h, w]
    mask : uint8[h, w]
        1 is skin, 0 is not.
    grid : PatchGrid
    luma : uint16[h, w], optional
        `luma_sums` of y, where it is at hand.

    Returns
    -------
    uint32[4, patches]
        Chroma samples of skin, sum of Y over their pixels (`LUMA_SAMPLES` each), of U and of V.
    """
    xp = array_module(u)
    planes = (
        (mask, 1),
        ((luma_sums(y, grid.shape) if luma is None else luma) * mask, 255 * LUMA_SAMPLES),
        (u * mask, 255),
        (v * mask, 255),
    )
    return xp.stack([_patch_sums(plane, grid, largest) for plane, largest in planes])


def frame_total(luma: Any, u: Any, v: Any) -> NDArray[np.int64]:
    """Count and sums as of `frame_sums`, over the whole frame.

    Parameters
    ----------
    luma : uint16[h, w]
        As of `luma_sums`.
    u, v : uint8[h, w]

    Returns
    -------
    int64[4]
    """
    sums = [int(plane.sum(dtype=np.int64)) for plane in (luma, u, v)]
    return np.array([luma.size, *sums], np.int64)


def clipped(luma: Any, u: Any, v: Any, full_range: bool) -> Any:
    """Where a chroma sample lies at a limit of its range: U or V, or Y in all of its pixels.

    Parameters
    ----------
    luma : uint16[h, w]
        As of `luma_sums`.
    u, v : uint8[h, w]
    full_range : bool
        Y, U and V use 0-255, not 16-235 and 16-240.

    Returns
    -------
    bool[h, w]
    """
    xp = array_module(u)
    least, most, most_chroma = (0, 255, 255) if full_range else (16, 235, 240)

    def outside(plane: Any, low: int, high: int) -> Any:
        # unsigned numbers wrap round: one comparison sees both ends
        return plane - plane.dtype.type((low + 1) % (int(xp.iinfo(plane.dtype).max) + 1)) >= high - low - 1

    chroma = outside(u, least, most_chroma)
    chroma |= outside(v, least, most_chroma)
    chroma |= outside(luma, LUMA_SAMPLES * least, LUMA_SAMPLES * most)
    return chroma


def means(sums: NDArray[Any]) -> NDArray[np.float64]:
    """Mean stored Y, U, V from counts and sums.

    Parameters
    ----------
    sums : integer[..., 4, n]
        As of `frame_sums`.

    Returns
    -------
    float64[..., 3, n]
        NaN where nothing was counted.
    """
    count = sums[..., 0:1, :].astype(np.float64)
    count[count == 0] = np.nan
    weight = np.array([LUMA_SAMPLES, 1, 1], np.float64)[:, None]
    found: NDArray[np.float64] = sums[..., 1:, :] / (count * weight)
    return found
