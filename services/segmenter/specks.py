"""Specks and holes of a mask, removed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Labels = NDArray[np.uint8]

SPECK = 0.001  # of the picture: smaller pieces and smaller holes are removed
_SIDE = 120  # samples of the shorter side for each sample that the vote reaches
_MOST_REACH = 4
_BLOCK = 4  # samples: pieces are looked for in blocks


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


def _flip_small(labels: Labels, ones: Labels, value: int, least: int) -> None:
    """Turn pieces of `value` of fewer than `least` samples over.

    Pieces are connected blocks that hold any of it, which is much faster than connected samples: what lies within a
    block of something larger belongs to it.

    Parameters
    ----------
    labels : uint8[h, w]
        Changed.
    ones : uint8[ceil(h / 4), ceil(w / 4)]
        How many 1 each block has.
    value : int
    least : int
    """
    counts = ones if value else np.outer(*(_sizes(length) for length in labels.shape)) - ones
    pieces, count = ndimage.label(counts)
    areas = np.bincount(pieces.ravel(), weights=counts.ravel(), minlength=count + 1)
    small = areas < least
    small[0] = False
    if small.any():
        for row, column in (_BLOCK * np.argwhere(small[pieces])).tolist():
            labels[row : row + _BLOCK, column : column + _BLOCK] = 1 - value


def _sizes(length: int) -> Labels:
    """Sides of the blocks along an axis."""
    return np.minimum(length - np.arange(0, length, _BLOCK), _BLOCK).astype(np.uint8)


def _blocks(labels: Labels) -> Labels:
    """How many 1 there are in each square block of 4 x 4, those at the far edges may be smaller."""
    height, width = labels.shape
    if height % _BLOCK or width % _BLOCK:
        labels = np.pad(labels, ((0, -height % _BLOCK), (0, -width % _BLOCK)))
    four = np.ascontiguousarray(labels).view(np.uint32)  # four samples in a row, a byte each
    sums = four[0::_BLOCK] + four[1::_BLOCK] + four[2::_BLOCK] + four[3::_BLOCK]
    found: Labels = ((sums * np.uint32(0x01010101)) >> np.uint32(24)).astype(np.uint8)
    return found


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
    least = round(SPECK * height * width)
    cleaned = majority(labels, reach)
    _flip_small(cleaned, _blocks(cleaned), 1, least)
    _flip_small(cleaned, _blocks(cleaned), 0, least)
    return cleaned
