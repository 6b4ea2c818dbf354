"""The points of a face at a moment from those around it: smoothed without lag, and followed where the head moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmenter.face.pose import width_of

NARROW_S = 0.2  # half width of the window in which a head that moves is followed
_NARROWEST_S = 0.07  # the same where it was looked at in every frame
# A head moves where the narrower and the wider window disagree by so much, in px and in widths of the face; below it
# the wider one counts alone, above three times as much the narrower one.
_MOVED_PX, _MOVED_WIDTHS = 0.2, 0.002


@dataclass(frozen=True)
class Smoothed:
    """The points of a face at a moment.

    Attributes
    ----------
    points, velocity : float64[468, 3]
        px and px a second.
    """

    points: NDArray[np.float64]
    velocity: NDArray[np.float64]


def smooth(
    times: NDArray[np.float64],
    points: NDArray[np.float64],
    time: float,
    half_width: float,
    close: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> Smoothed:
    """Points at a moment from those of the samples around it: a straight line fitted to each coordinate.

    Weights are those of a Hann window, symmetric in time, so nothing lags. A head at rest is smoothed over the
    whole of it, which takes away what the mesh wavers and all that it may follow of the pulse; one that moves
    is followed in a window of +- 0.2 s, and one that moves so fast that it was looked at more often in one of
    +- 0.07 s, as far as that shows another place.

    Parameters
    ----------
    times : float64[n]
        Of the samples, s, at least one, in order.
    points : float64[n, 468, 3]
        px
    time : float
        s
    half_width : float
        s; 0 takes the nearest sample as it is.
    close : (float64[m], float64[m, 468, 3]), optional
        Times and points of all that was looked at around the moment, where that is more than the samples.

    Returns
    -------
    Smoothed
    """
    offset = times - time
    if len(times) == 1 or half_width <= 0:
        nearest = int(np.abs(offset).argmin())
        return Smoothed(points[nearest], np.zeros_like(points[nearest]))
    wide = _line(offset, points, half_width)
    if close is None:
        return _followed(wide, offset, points, NARROW_S)
    near = _followed(wide, close[0] - time, close[1], NARROW_S)
    return Smoothed(_followed(near, close[0] - time, close[1], _NARROWEST_S).points, near.velocity)


def _followed(wide: Smoothed, offset: NDArray[np.float64], points: NDArray[np.float64], half_width: float) -> Smoothed:
    """As far as a narrower window shows another place than a wider one: what that shows."""
    near = _line(offset, points, max(half_width, 1.01 * float(np.abs(offset).min())))
    difference = near.points[:, :2] - wide.points[:, :2]
    moved = float(np.sqrt(np.mean(np.sum(difference**2, axis=1))))
    least = _MOVED_PX + _MOVED_WIDTHS * width_of(wide.points)
    part = min(max((moved - least) / (2 * least), 0.0), 1.0)
    return Smoothed(wide.points + part * (near.points - wide.points), near.velocity if part > 0 else wide.velocity)


def _line(offset: NDArray[np.float64], points: NDArray[np.float64], half_width: float) -> Smoothed:
    reach = np.abs(offset) / (1.02 * half_width)
    first, *_, last = np.flatnonzero(reach < 1).repeat(2)
    inside = slice(first, last + 1)
    x = offset[inside]
    weight = np.cos(np.pi / 2 * reach[inside]) ** 2
    s0, s1, s2 = weight.sum(), (weight * x).sum(), (weight * x * x).sum()
    determinant = s0 * s2 - s1 * s1
    if determinant > 1e-4 * (s0 * half_width) ** 2:
        level, slope = weight * (s2 - s1 * x) / determinant, weight * (s0 * x - s1) / determinant
    else:  # all at about one moment: their mean, and no velocity
        level, slope = weight / s0, np.zeros_like(weight)
    # a sum over the samples, in order: the same bits whatever lies beside it
    found = np.einsum("ws,spc->wpc", np.stack([level, slope]), points[inside])
    return Smoothed(found[0], found[1])
