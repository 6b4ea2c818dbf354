"""Instances of one prompt in a picture: duplicates dropped, matched between pictures, made labels."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from media.masks import FrameMask, Instance

DUPLICATE_IOU = 0.5  # two instances that share more are one
SAME_IOU = 0.3  # least overlap with which an instance is followed from one keyframe to the next
SPECK = 2e-4  # part of the picture: smaller pieces and holes are noise (16 of 288 x 288, as in SAM 3's tracker)


def mask_iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Intersection over union of every mask with every other.

    Parameters
    ----------
    first : bool[m, h, w]
    second : bool[n, h, w]

    Returns
    -------
    float64[m, n]
        0 where both are empty.
    """
    samples = math.prod(first.shape[1:])
    a = first.reshape(len(first), samples).astype(np.float32)
    b = second.reshape(len(second), samples).astype(np.float32)
    shared = (a @ b.T).astype(np.float64)
    union = a.sum(axis=1, dtype=np.float64)[:, None] + b.sum(axis=1, dtype=np.float64)[None] - shared
    return np.where(union > 0, shared / np.maximum(union, 1.0), 0.0)


def without_duplicates(
    masks: NDArray[np.bool_], scores: NDArray[np.float64], iou: float = DUPLICATE_IOU
) -> NDArray[np.intp]:
    """Non-maximum suppression: the masks that share at most `iou` with one of a higher score.

    Parameters
    ----------
    masks : bool[k, h, w]
    scores : float64[k]
    iou : float

    Returns
    -------
    intp[m]
        Indices of those that stay, highest score first; empty masks never do.
    """
    overlap = mask_iou(masks, masks)
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable").tolist():
        if masks[index].any() and all(overlap[index, other] <= iou for other in kept):
            kept.append(index)
    return np.array(kept, np.intp)


def match(first: NDArray[np.bool_], second: NDArray[np.bool_], least: float = SAME_IOU) -> list[tuple[int, int]]:
    """Pairs of instances that are the same one, best overlap first, each used once.

    Parameters
    ----------
    first : bool[m, h, w]
    second : bool[n, h, w]
        Of another picture, carried to the same place.
    least : float
        Intersection over union below which two are not the same.

    Returns
    -------
    list of tuple of int
        Indices in `first` and `second`.
    """
    overlap = mask_iou(first, second)
    pairs: list[tuple[int, int]] = []
    while overlap.size and overlap.max() >= least:
        i, j = (int(part) for part in np.unravel_index(int(overlap.argmax()), overlap.shape))
        pairs.append((i, j))
        overlap[i], overlap[:, j] = -1.0, -1.0
    return pairs


def without_specks(mask: NDArray[np.bool_], part: float = SPECK) -> NDArray[np.bool_]:
    """A mask without the pieces and the holes that cover less than `part` of the picture."""
    least = part * mask.size
    if least <= 1 or not mask.any():
        return mask
    for inside in (True, False):
        pieces, count = ndimage.label(mask if inside else ~mask)
        small = np.bincount(pieces.ravel(), minlength=count + 1) < least
        small[0] = False
        if small.any():
            mask = mask ^ small[pieces]
    return mask


def compose(
    skin: NDArray[np.bool_],
    instances: NDArray[np.float32],
    ids: list[int],
    confidences: list[float],
    size: tuple[int, int],
) -> FrameMask:
    """The labels of a frame: each sample of skin belongs to the likeliest instance, or to the nearest one.

    Parameters
    ----------
    skin : bool[h, w]
        At chroma resolution.
    instances : float32[k, h, w]
        Probability of each instance, 0-1.
    ids : list of int
        Label of each instance, 1-255.
    confidences : list of float
        0-1.
    size : tuple of int
        Width and height of the luma plane, which boxes are kept inside.

    Returns
    -------
    FrameMask
        Instances without a sample are left out; skin without any instance is one
        with the label 1 and confidence 0.
    """
    labels = np.zeros(skin.shape, np.uint8)
    if not skin.any():
        return FrameMask(labels)
    if len(instances) == 0:
        labels[skin] = 1
        return FrameMask(labels, _boxed(labels, {1: 0.0}, size))
    names = np.array(ids, np.uint8)
    best = names[instances.argmax(axis=0)] if len(instances) > 1 else np.full(skin.shape, names[0])
    own = instances.max(axis=0) > 0.5
    if len(instances) > 1 and (skin & ~own).any() and own.any():
        nearest = ndimage.distance_transform_edt(~own, return_distances=False, return_indices=True)
        best = best[tuple(nearest)]
    labels[skin] = best[skin]
    return FrameMask(labels, _boxed(labels, dict(zip(ids, confidences, strict=True)), size))


def _boxed(labels: NDArray[np.uint8], confidences: dict[int, float], size: tuple[int, int]) -> list[Instance]:
    found = []
    areas: Iterable[tuple[slice, ...] | None] = ndimage.find_objects(labels)
    for label, area in enumerate(areas, 1):
        if area is None:
            continue
        rows, columns = area
        box = (
            2 * int(columns.start),
            2 * int(rows.start),
            min(2 * int(columns.stop), size[0]),
            min(2 * int(rows.stop), size[1]),
        )
        found.append(Instance(label, box, round(float(confidences[label]), 4)))
    return found
