"""Faces followed from sample to sample within a second.

A sample is a frame that is looked at, ten a second. Links between faces of two samples depend on these samples and
those between them alone: what is found for a frame does not depend on where a clip was cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from segmenter.face.detector import overlap
from segmenter.face.obstruction import Look

REACH = 3  # a face that one or two samples miss is the same one
REACH_S = 0.5
_SAME = 0.25  # least overlap (IoU) of the boxes of a face in two samples


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
    between : list of list of (float, SampledFace)
        Of each face: where it is in the frames up to the sample after, with their times, where it moved far.
    """

    time: float
    faces: list[SampledFace]
    before: list[tuple[Sample, int] | None] = field(default_factory=list)
    after: list[tuple[Sample, int] | None] = field(default_factory=list)
    between: list[list[tuple[float, SampledFace]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.before = [None] * len(self.faces)
        self.after = [None] * len(self.faces)
        self.between = [[] for _ in self.faces]


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


def chain(sample: Sample, face: int, low: float, high: float, between: bool = False) -> list[tuple[float, SampledFace]]:
    """The same face in all samples from `low` to `high` seconds, in order of time; if asked, between them too."""
    back: list[tuple[float, SampledFace]] = []
    at, to = (sample, face), sample.before[face]
    while to is not None and at[0].time >= low:
        back += reversed(to[0].between[to[1]]) if between else ()
        back.append((to[0].time, to[0].faces[to[1]]))
        at, to = to, to[0].before[to[1]]
    found = [*reversed(back), (sample.time, sample.faces[face])]
    at, to = (sample, face), sample.after[face]
    while to is not None and at[0].time <= high:
        found += at[0].between[at[1]] if between else ()
        found.append((to[0].time, to[0].faces[to[1]]))
        at, to = to, to[0].after[to[1]]
    return [entry for entry in found if low <= entry[0] <= high]
