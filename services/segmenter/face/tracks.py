"""Faces followed from sample to sample within a second, and their points smoothed without lag.

A sample is a frame that is looked at, ten a second. Links between faces of two samples depend on these samples and
those between them alone, and smoothing reaches over a fixed span on both sides: what is found for a frame does not
depend on where a clip was cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from segmenter.face.detector import overlap
from segmenter.face.obstruction import Look
from segmenter.face.pose import width_of

REACH = 3  # a face that one or two samples miss is the same one
REACH_S = 0.5
_SAME = 0.25  # least overlap (IoU) of the boxes of a face in two samples
_NARROW_S = 0.2  # half width of the window in which a fast head is followed
# A head moves where the narrow and the wide window disagree by so much, in px and in widths of the face; below it the
# wide one counts alone, above three times as much the narrow one.
_MOVED_PX, _MOVED_WIDTHS = 0.3, 0.004


@dataclass(frozen=True)
class SampledFace:
    """A face of a sample.

    Attributes
    ----------
    points : float64[468, 3]
        Of its mesh.
    box : float64[4]
        Around the points.
    look : Look
        How well it is seen.
    colors : uint8[3, rows, columns]
        Y, U, V in the cells of `appearance`.
    """

    points: NDArray[np.float64]
    box: NDArray[np.float64]
    look: Look
    colors: NDArray[np.uint8]


@dataclass
class Sample:
    """A frame that was looked at.

    Attributes
    ----------
    time : float
        s
    faces : list of SampledFace
    before, after : list of (Sample, int) or None
        Of each face: the sample and the place in its `faces` of the same face, the nearest one that has it.
    """

    time: float
    faces: list[SampledFace]
    before: list[tuple[Sample, int] | None] = field(default_factory=list)
    after: list[tuple[Sample, int] | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.before = [None] * len(self.faces)
        self.after = [None] * len(self.faces)


def link(earlier: Sequence[Sample], sample: Sample) -> None:
    """Link the faces of a sample to those of the samples before it.

    Parameters
    ----------
    earlier : sequence of Sample
        In order of time, linked among themselves.
    sample : Sample
        The next one; it and those that its faces are linked to are changed.
    """
    for other in reversed(earlier[-REACH:]):
        if sample.time - other.time > REACH_S:
            return
        mine = [i for i, found in enumerate(sample.before) if found is None]
        theirs = [k for k, found in enumerate(other.after) if found is None]  # not seen in a sample between
        if not mine or not theirs:
            continue
        shared = overlap(np.stack([sample.faces[i].box for i in mine]), np.stack([other.faces[k].box for k in theirs]))
        for i, k in _pairs(shared):
            sample.before[mine[i]] = (other, theirs[k])
            other.after[theirs[k]] = (sample, mine[i])


def _pairs(shared: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Best pairs first, each face once."""
    found = []
    shared = shared.copy()
    while shared.size:
        i, k = np.unravel_index(int(shared.argmax()), shared.shape)
        if shared[i, k] < _SAME:
            break
        found.append((int(i), int(k)))
        shared[i, :] = shared[:, k] = 0
    return found


def forget(sample: Sample) -> None:
    """Cut a sample that is out of reach off those that follow, so that it can be freed."""
    for following in sample.after:
        if following is not None:
            following[0].before[following[1]] = None


def present(samples: Sequence[Sample], time: float) -> list[tuple[Sample, int]]:
    """The faces that a frame shows.

    A face is there at its samples and between two that are linked. Before its first and after its last sample it is
    there up to the middle of the way to the next one.

    Parameters
    ----------
    samples : sequence of Sample
        In order of time.
    time : float
        Of the frame, s.

    Returns
    -------
    list of (Sample, int)
        Of each face the nearest sample that has it, and its place in that one.
    """
    before = [sample for sample in samples if sample.time <= time]
    after = samples[len(before) :]
    since = time - before[-1].time if before else np.inf
    until = after[0].time - time if after else np.inf
    found = []
    for sample in before:
        for number, following in enumerate(sample.after):
            if sample.time == time:
                found.append((sample, number))
            elif following is None:
                if sample is before[-1] and since <= min(until, REACH_S):
                    found.append((sample, number))
            elif following[0].time > time:
                nearer = time - sample.time <= following[0].time - time
                found.append((sample, number) if nearer else following)
    if after and since > 0 and until < min(since, REACH_S):
        found += [(after[0], number) for number, preceding in enumerate(after[0].before) if preceding is None]
    return found


def chain(sample: Sample, face: int, low: float, high: float) -> list[tuple[float, SampledFace]]:
    """The same face in all samples from `low` to `high` seconds, in order of time."""
    back: list[tuple[float, SampledFace]] = []
    at = sample.before[face]
    while at is not None and at[0].time >= low:
        back.append((at[0].time, at[0].faces[at[1]]))
        at = at[0].before[at[1]]
    found = [*reversed(back), (sample.time, sample.faces[face])]
    at = sample.after[face]
    while at is not None and at[0].time <= high:
        found.append((at[0].time, at[0].faces[at[1]]))
        at = at[0].after[at[1]]
    return [entry for entry in found if low <= entry[0] <= high]


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


def smooth(times: NDArray[np.float64], points: NDArray[np.float64], time: float, half_width: float) -> Smoothed:
    """Points at a moment from those of the samples around it: a straight line fitted to each coordinate.

    Weights are those of a Hann window, symmetric in time, so nothing lags. A head at rest is smoothed over the
    whole of it, which takes away what the mesh wavers and all that it may follow of the pulse; one that moves
    is followed in a window of +- 0.2 s.

    Parameters
    ----------
    times : float64[n]
        s, at least one, in order.
    points : float64[n, 468, 3]
        px
    time : float
        s
    half_width : float
        s; 0 takes the nearest sample as it is.

    Returns
    -------
    Smoothed
    """
    offset = times - time
    if len(times) == 1 or half_width <= 0:
        nearest = int(np.abs(offset).argmin())
        return Smoothed(points[nearest], np.zeros_like(points[nearest]))
    wide = _line(offset, points, half_width)
    near = _line(offset, points, max(_NARROW_S, 1.01 * float(np.abs(offset).min())))
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
