"""How skin moved, and what lies below it: shifts of brightness profiles against their median, to a part of a pixel.

The whole-bin shift is the one of the largest normalised cross-correlation; the rest is a Gauss-Newton step on the
profiles' slopes (Lucas and Kanade 1981, IJCAI 81:674), which sees a hundredth of a bin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ppg.profiles import BINS, SCALE, STRIPS, bin_size, strip_edges
from ppg.traces import PatchGrid

Floats = NDArray[np.float64]

LEAST_LIKENESS = 0.6  # correlation with the reference below which a shift is not known
LEAST_BINS = 10
_LEAST_CONTRAST = 1.0  # levels: a profile without edges shows no motion
_SIDES = 0.05  # part of the skin's samples that may lie outside its box, at each side
_REACH = 0.35  # of a profile: largest shift
_BELOW = 0.15  # of the box's height: left free between skin and body
_ASIDE = 0.5  # of the box's width: the shoulders, at each side
_BLOCK = 4096  # frames at a time


@dataclass(frozen=True)
class Box:
    """Where the skin of one person is, in chroma samples; ends lie outside."""

    top: float
    bottom: float
    left: float
    right: float


def skin_box(counts: Floats, grid: PatchGrid) -> Box | None:
    """The box that holds nine tenths of the skin along each axis.

    Parameters
    ----------
    counts : float64[patches]
        Samples of skin in each patch, mean or sum over time.
    grid : PatchGrid

    Returns
    -------
    Box or None
        None where there is no skin.
    """
    table = np.nan_to_num(np.asarray(counts, np.float64)).reshape(grid.rows, grid.columns)
    if not table.sum() > 0:
        return None
    top, bottom = _middle(table.sum(axis=1), grid.side, grid.shape[0])
    left, right = _middle(table.sum(axis=0), grid.side, grid.shape[1])
    return Box(top, bottom, left, right)


def _middle(weight: Floats, side: int, size: int) -> tuple[float, float]:
    edges = np.minimum(np.arange(len(weight) + 1) * side, size).astype(np.float64)
    part = np.concatenate([[0.0], np.cumsum(weight)]) / weight.sum()
    ends = np.interp([_SIDES, 1 - _SIDES], part, edges)
    return float(ends[0]), float(ends[1])


def displacement(profiles: NDArray[np.uint16], shape: tuple[int, int], box: Box) -> Floats:
    """Displacement of skin against its usual place.

    Parameters
    ----------
    profiles : uint16[n, 2, STRIPS, BINS]
        As of `ppg.profiles.frame_profiles`, of all frames.
    shape : tuple of int
        Height and width of the chroma planes.
    box : Box

    Returns
    -------
    float64[2, n]
        x to the right and y downward, luma pixels; NaN where unknown.

    Raises
    ------
    ValueError
        If the profiles have another shape.
    """
    _check(profiles)
    height, width = shape
    x = _shift(profiles[:, 1], height, width, (box.top, box.bottom), (box.left, box.right))
    y = _shift(profiles[:, 0], width, height, (box.left, box.right), (box.top, box.bottom))
    return np.stack([x, y])


def body_displacement(profiles: NDArray[np.uint16], shape: tuple[int, int], box: Box) -> Floats | None:
    """Vertical displacement of what lies below the skin: the chest below a face.

    Parameters
    ----------
    profiles, shape, box
        As of `displacement`.

    Returns
    -------
    float64[n] or None
        Downward, luma pixels; NaN where unknown. None where too little of the picture lies below.
    """
    _check(profiles)
    height, width = shape
    tall, broad = box.bottom - box.top, box.right - box.left
    top = box.bottom + _BELOW * tall
    if (height - top) / bin_size(height) < LEAST_BINS:
        return None
    across = (max(box.left - _ASIDE * broad, 0.0), min(box.right + _ASIDE * broad, float(width)))
    found = _shift(profiles[:, 0], width, height, across, (top, float(height)))
    return found if np.isfinite(found).any() else None


def _check(profiles: NDArray[np.uint16]) -> None:
    if profiles.ndim != 4 or profiles.shape[1:] != (2, STRIPS, BINS):
        raise ValueError(f"profiles of shape {profiles.shape}, wanted (n, 2, {STRIPS}, {BINS})")


def _shift(profiles: NDArray[np.uint16], wide: int, long: int, across: tuple[float, float],
           along: tuple[float, float]) -> Floats:  # fmt: skip
    """Shift along the profiles in luma pixels, mean of the strips that the span crosses, by how well each fits."""
    step = bin_size(long)
    bins = long // step  # the last, cut bin is left out
    first, last = int(along[0] // step), min(int(-(-along[1] // step)), bins)
    if last - first < LEAST_BINS:  # a small box is seen with what surrounds it
        middle = (first + last) // 2
        first = max(middle - LEAST_BINS // 2, 0)
        last = min(first + LEAST_BINS, bins)
        first = max(last - LEAST_BINS, 0)
    count = len(profiles)
    total, weight = np.zeros(count), np.zeros(count)
    edges = strip_edges(wide)
    for strip in range(STRIPS):
        covered = min(edges[strip + 1], across[1]) - max(edges[strip], across[0])
        if covered <= 0 or edges[strip + 1] == edges[strip] or last - first < LEAST_BINS:
            continue
        part = profiles[:, strip, first:last]
        reference = np.median(part[:: max(count // 512, 1)], axis=0) / SCALE
        if reference.std() < _LEAST_CONTRAST:
            continue
        for start in range(0, count, _BLOCK):
            block = slice(start, min(start + _BLOCK, count))
            found, likeness = _shifts(part[block] / SCALE, reference)
            slope = float(np.abs(np.diff(reference)).mean())
            good = likeness >= LEAST_LIKENESS
            share = np.where(good, covered * slope**2 * likeness**4, 0.0)
            total[block] += share * np.where(good, found, 0.0)
            weight[block] += share
    shift = np.divide(total, weight, out=np.full(count, np.nan), where=weight > 0)
    return np.asarray(shift * (2 * step), np.float64)


def _shifts(parts: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Shifts in bins of each profile against the reference, and their correlation when put back.

    Parameters
    ----------
    parts : float64[n, m]
    reference : float64[m]
    """
    length = len(reference)
    reach = max(int(_REACH * length), 1)
    shifts = np.arange(-reach, reach + 1)
    score = np.stack([_likeness(parts, reference, int(shift)) for shift in shifts])
    # nearby shifts win unless a far one is clearly better
    best = shifts[(score - 0.1 * np.abs(shifts[:, None]) / reach).argmax(axis=0)].astype(np.float64)
    place = np.arange(length)
    shift = best
    for _ in range(4):
        at = place + shift[:, None]
        inside = (at >= 0) & (at <= length - 1)
        moved, slope = _interpolated(parts, np.clip(at, 0, length - 1))
        # brightness and contrast may have changed: the reference is fitted with an offset and a gain
        count = np.maximum(inside.sum(axis=1), 1)

        def centred(values: Floats, inside: NDArray[np.bool_] = inside, count: NDArray[np.int64] = count) -> Floats:
            kept = np.where(inside, values, 0.0)
            return np.asarray(np.where(inside, kept - (kept.sum(axis=1) / count)[:, None], 0.0), np.float64)

        now, want, rise = centred(moved), centred(np.broadcast_to(reference, at.shape)), centred(slope)
        gain = (now * want).sum(axis=1) / np.maximum((want**2).sum(axis=1), 1e-12)
        error = now - gain[:, None] * want
        step = -(error * rise).sum(axis=1) / np.maximum((rise**2).sum(axis=1), 1e-12)
        shift = np.clip(shift + np.clip(step, -0.5, 0.5), best - 1.5, best + 1.5)
    size = np.sqrt((now**2).sum(axis=1) * (want**2).sum(axis=1))
    likeness = np.divide((now * want).sum(axis=1), size, out=np.zeros(len(parts)), where=size > 0)
    return shift, likeness


def _likeness(parts: Floats, reference: Floats, shift: int) -> Floats:
    """Correlation of the overlap when each part is moved back by whole bins."""
    length = len(reference)
    low, high = max(-shift, 0), min(length - shift, length)
    one, other = parts[:, low + shift : high + shift], reference[low:high]
    one, other = one - one.mean(axis=1, keepdims=True), other - other.mean()
    size = np.sqrt((one**2).sum(axis=1) * (other**2).sum())
    return np.asarray(np.divide(one @ other, size, out=np.zeros(len(parts)), where=size > 0), np.float64)


def _interpolated(parts: Floats, at: Floats) -> tuple[Floats, Floats]:
    """Values and slopes between bins by Catmull-Rom's cubic, which keeps the slope steady across bins."""
    length = parts.shape[1]
    left = np.clip(np.floor(at).astype(np.int64), 0, length - 2)
    t = at - left
    points = [np.take_along_axis(parts, np.clip(left + k, 0, length - 1), axis=1) for k in (-1, 0, 1, 2)]
    p0, p1, p2, p3 = points
    a, b, c = -0.5 * p0 + 1.5 * p1 - 1.5 * p2 + 0.5 * p3, p0 - 2.5 * p1 + 2 * p2 - 0.5 * p3, 0.5 * (p2 - p0)
    return ((a * t + b) * t + c) * t + p1, (3 * a * t + 2 * b) * t + c
