"""Cells of absolute time: which keyframes a frame's mask is made from, whatever the chunks.

Cell k holds the frames of [k s, (k + 1) s) of the clip's own time. It opens with its first frame and is closed by
the first frame of cell k + 1, which is the keyframe that opens that one; by its own last frame where cell k + 1 has
none, at the end of the clip or before a gap. A mask depends on the frames of its cell and on the closing keyframe
alone: chunks may be cut anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TIE_S = 1e-9  # times are multiples of a tick in floating point


@dataclass(frozen=True)
class Cell:
    """Frames that share keyframes.

    Attributes
    ----------
    number : int
        It starts at `number` times the length of a cell.
    first, last : int
        Its frames, `last` excluded; never empty.
    closing : int
        The keyframe that closes it: `last`, or `last - 1` at the end of the clip and before a gap.
    """

    number: int
    first: int
    last: int
    closing: int

    @property
    def frames(self) -> range:
        """All frames that its masks depend on, the closing keyframe among them."""
        return range(self.first, self.closing + 1)


def cell_numbers(times: NDArray[np.float64], seconds: float) -> NDArray[np.int64]:
    """The cell of each frame: int64[n]."""
    return np.floor((np.asarray(times, np.float64) + _TIE_S) / seconds).astype(np.int64)


def cells(times: NDArray[np.float64], seconds: float) -> list[Cell]:
    """The cells of a clip that hold any frame, in order.

    Parameters
    ----------
    times : float64[n]
        Of all frames of the clip in seconds, increasing.
    seconds : float
        Length of a cell, > 0.

    Returns
    -------
    list of Cell

    Raises
    ------
    ValueError
        If the length is not positive, or times do not increase.
    """
    if seconds <= 0:
        raise ValueError(f"cells of {seconds} s: wanted more than 0")
    if len(times) == 0:
        return []
    if (np.diff(times) <= 0).any():
        raise ValueError("frame times do not increase")
    numbers = cell_numbers(times, seconds)
    firsts = np.flatnonzero(np.concatenate([[True], np.diff(numbers) > 0]))
    lasts = np.append(firsts[1:], len(times))
    following = np.append(numbers[lasts[:-1]], -1)  # number of the cell that comes next
    return [
        Cell(int(number), int(first), int(last), int(last if after == number + 1 else last - 1))
        for number, first, last, after in zip(numbers[firsts], firsts, lasts, following, strict=True)
    ]


def covering(found: list[Cell], first: int, last: int) -> list[Cell]:
    """The cells that hold any of the frames `first` to `last` (excluded)."""
    return [cell for cell in found if cell.first < last and cell.last > first]


def support(times: NDArray[np.float64], seconds: float, first: int, last: int) -> range:
    """Frames that the masks of the frames `first` to `last` (excluded) depend on.

    All of them lie less than `seconds` before the first one and less than twice `seconds` behind the last one.

    Raises
    ------
    ValueError
        As `cells`.
    """
    mine = covering(cells(times, seconds), first, last)
    return range(mine[0].first, mine[-1].closing + 1) if mine else range(first, first)
