"""Specks and holes of a mask, removed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Labels = NDArray[np.uint8]

SPECK = 0.001  # of the picture: smaller pieces and smaller holes are removed
_SIDE = 120  # samples of the shorter side for each sample that the vote reaches
_MOST_REACH = 4


def majority(labels: Labels, reach: int) -> Labels:
    """The vote of the (2 reach + 1)^2 samples around each one: smooths edges, removes what is small.

    Parameters
    ----------
    labels : uint8[h, w]
        0 and 1; edges are repeated.
    reach : int
        1-7.
    """
    height, width = labels.shape
    side = 2 * reach + 1
    padded = np.pad(labels, reach, mode="edge")
    down = padded[:height] + padded[1 : 1 + height]
    for k in range(2, side):
        down += padded[k : k + height]
    votes = down[:, :width] + down[:, 1 : 1 + width]
    for k in range(2, side):
        votes += down[:, k : k + width]
    decided: Labels = np.greater(votes, side * side // 2).view(np.uint8)
    return decided


def _flip_small(labels: Labels, value: int, least: int, structure: NDArray[np.int_] | None) -> None:
    """Turn connected pieces of `value` of fewer than `least` samples over."""
    pieces, count = ndimage.label(labels == value, structure)
    if count < 2 and (count == 0 or (labels == value).sum() >= least):
        return
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        part = pieces[box]
        if part.size < least or np.count_nonzero(part == number) < least:
            labels[box][part == number] = 1 - value


def without_specks(labels: Labels) -> Labels:
    """A mask without specks and holes smaller than a thousandth of the picture, its edges smoothed by a vote.

    Larger holes stay: eyes and a mouth are no skin.

    Parameters
    ----------
    labels : uint8[h, w]
        0 and 1.

    Returns
    -------
    uint8[h, w]
        An array of its own.
    """
    height, width = labels.shape
    reach = int(np.clip(round(min(height, width) / _SIDE), 1, _MOST_REACH))
    least = max(4, round(SPECK * height * width))
    cleaned = majority(labels, reach)
    _flip_small(cleaned, 1, least, None)
    _flip_small(cleaned, 0, least, np.ones((3, 3), np.int_))
    return cleaned
