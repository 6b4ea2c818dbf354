"""Cells of absolute time: which keyframes a frame's mask is made from, whatever the chunks.

Cell k holds the frames of [k s, (k + 1) s) of the clip's own time. It opens with its first frame and is closed by
the first frame of the next cell that has any (by the clip's last frame, at the end), which is the keyframe that opens
that one. A mask depends on the frames of its cell and on the closing keyframe alone: chunks may be cut anywhere.
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
        The keyframe behind its frames: `last`, or `last - 1` at the end of the clip.
    """

    number: int
    first: int
    last: int
    closing: int

    @property
    def frames(self) -> range:
        """All frames that its masks depend on, the closing keyframe among them."""
        return range(self.first, self.closing + 1)


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
    numbers = np.floor((np.asarray(times, np.float64) + _TIE_S) / seconds).astype(np.int64)
    firsts = np.flatnonzero(np.concatenate([[True], np.diff(numbers) > 0]))
    lasts = np.append(firsts[1:], len(times))
    end = len(times) - 1
    return [
        Cell(int(numbers[first]), int(first), int(last), min(int(last), end))
        for first, last in zip(firsts, lasts, strict=True)
    ]


def covering(found: list[Cell], first: int, last: int) -> list[Cell]:
    """The cells that hold any of the frames `first` to `last` (excluded)."""
    return [cell for cell in found if cell.first < last and cell.last > first]


def support(times: NDArray[np.float64], seconds: float, first: int, last: int) -> range:
    """Frames that the masks of the frames `first` to `last` (excluded) depend on.

    At most one cell before and one cell and a frame behind, where frames come at least once a cell.

    Raises
    ------
    ValueError
        As `cells`.
    """
    mine = covering(cells(times, seconds), first, last)
    return range(mine[0].first, mine[-1].closing + 1) if mine else range(first, first)
