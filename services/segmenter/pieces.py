"""Pieces of skin: what a colour alone found, cut where two pieces lie clearly apart.

Two faces of one colour must not be averaged into one pulse. Fingers, a watch or a strand of hair cut one person's skin
as well, so pieces nearer than `GAP` are one, and a piece counts only where it is not small beside the largest.
Whether a clip is cut at all is decided once, on the first seconds; a frame is then cut by itself, so that its pieces
are the same however the clip is chunked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from media.masks import FrameMask, Instance

GAP = 0.05  # of the longer side: pieces nearer than this are one
LEAST_PICTURE, LEAST_LARGEST = (
    0.004,
    0.15,
)  # of the picture and of the largest piece: smaller ones belong to the nearest
MOST = 8
APART = 0.8  # part of the moments in which there must be two pieces
_GRID = 96  # places along the longer side on which pieces are found


@dataclass(frozen=True)
class Pieces:
    """Pieces of skin.

    Attributes
    ----------
    all : int32[h, w]
        0 where there is no skin; elsewhere the piece, 1 to `count`, by their middles from left to right.
    cores : int32[h, w]
        The same without the specks that belong to the nearest piece.
    count : int
        At most `MOST`.
    """

    all: NDArray[np.int32]
    cores: NDArray[np.int32]
    count: int


def find_pieces(skin: NDArray[np.bool_]) -> Pieces:
    """Pieces of skin that lie clearly apart.

    Parameters
    ----------
    skin : bool[h, w]
        Few places: a mask reduced to `_GRID` along its longer side, or less.
    """
    joined, count = ndimage.label(_grown(skin))
    areas = np.bincount(joined[skin], minlength=count + 1)
    areas[0] = 0
    least = max(LEAST_PICTURE * skin.size, LEAST_LARGEST * float(areas.max(initial=0)), 1.0)
    large = np.flatnonzero(areas >= least)
    large = large[np.argsort(-areas[large], kind="stable")][:MOST]
    if large.size == 0:  # specks alone are one piece
        one = skin.astype(np.int32)
        return Pieces(one, one, int(skin.any()))
    middles = np.array(ndimage.center_of_mass(skin, joined, large)).reshape(-1, 2)
    names = np.zeros(count + 1, np.int32)
    names[large[np.lexsort((middles[:, 0], middles[:, 1]))]] = np.arange(1, large.size + 1)
    found = names[joined]
    if (names[1:] == 0).any():  # small pieces belong to the nearest large one
        rows, columns = ndimage.distance_transform_edt(found == 0, return_distances=False, return_indices=True)
        found = found[rows, columns]
    return Pieces(np.where(skin, found, 0), np.where(skin, names[joined], 0), int(large.size))


def _grown(skin: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Skin grown by half of `GAP` to all sides: what touches then is one piece."""
    reach = max(round(GAP * max(skin.shape) / 2), 1)
    grown: NDArray[np.bool_] = ndimage.maximum_filter(skin, size=2 * reach + 1, mode="constant", cval=False)
    return grown


def are_apart(moments: Iterable[NDArray[np.bool_]]) -> bool:
    """Whether a clip shows two pieces of skin or more, clearly apart, most of the time.

    Parameters
    ----------
    moments : iterable of bool[h, w]
        Skin at some moments of the clip, as for `find_pieces`.

    Returns
    -------
    bool
        In `APART` of the moments that show skin at all.
    """
    counts = [find_pieces(skin).count for skin in moments if skin.any()]
    return bool(counts) and sum(count > 1 for count in counts) >= APART * len(counts)


def cut_into_pieces(labels: NDArray[np.uint8], size: tuple[int, int]) -> FrameMask:
    """The mask of a frame with one instance for each piece of skin.

    Parameters
    ----------
    labels : uint8[h, w]
        0 and 1, at chroma resolution.
    size : tuple of int
        Width and height of the luma plane, which boxes are kept inside.

    Returns
    -------
    FrameMask
        Labels 1..k; they say nothing about another frame's.
    """
    height, width = labels.shape
    step = max(math.ceil(max(height, width) / _GRID), 1)
    rows, columns = -(-height // step), -(-width // step)
    padded = labels
    if (rows * step, columns * step) != labels.shape:
        padded = np.zeros((rows * step, columns * step), np.uint8)
        padded[:height, :width] = labels
    places = padded.reshape(rows, step, columns * step).max(axis=1).reshape(rows, columns, step).max(axis=2) > 0
    pieces = find_pieces(places)
    if pieces.count > 1:
        spread = np.repeat(np.repeat(pieces.all.astype(np.uint8), step, axis=0), step, axis=1)
        labels = labels * spread[:height, :width]
    instances = []
    cores: list[tuple[slice, ...] | None] = list(ndimage.find_objects(pieces.cores))
    for label, core in enumerate(cores, 1):
        if core is None:
            continue
        rows_of, columns_of = (slice(side.start * step, side.stop * step) for side in core)
        box = _box(labels[rows_of, columns_of] == label, rows_of.start, columns_of.start, size)
        if box is not None:
            instances.append(Instance(label, box))
    return FrameMask(labels, instances)


def _box(inside: NDArray[np.bool_], row: int, column: int, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """x0, y0, x1, y1 in luma pixels of what is inside an area that starts at a row and a column."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        return None
    x0, y0 = 2 * (column + int(columns[0])), 2 * (row + int(rows[0]))
    x1, y1 = 2 * (column + int(columns[-1]) + 1), 2 * (row + int(rows[-1]) + 1)
    return x0, y0, min(x1, size[0]), min(y1, size[1])
