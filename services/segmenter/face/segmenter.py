"""Skin of every face in a clip, from its mesh: without eyes, brows, mouth and hair, steady over the pulse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.decode import Frame
from media.masks import FrameMask
from media.timeline import frame_times
from mesh.contracts import Plan
from mesh.parameters import Parameters
from mesh.support import SKIN_SECONDS, key_support
from segmenter.face import canonical, obstruction
from segmenter.face.between import CLOSE_S, follow
from segmenter.face.models import problem
from segmenter.face.obstruction import Look
from segmenter.face.painter import Painter
from segmenter.face.reader import FaceReader
from segmenter.face.tracks import Sample, forget, link

CANONICAL = canonical.SIZE  # width and height of the frame that the transforms lead into
SAMPLES_HZ = 10.0  # frames a second that are looked at; the mesh of the others lies between
FINER = 3  # times as often a face that moves far is looked at
LOOKS_S = 0.5  # from one look of `sees_face` to the next
_TIE_S = 1e-9  # times are multiples of a tick in floating point: a frame 1 s away lies inside


@dataclass(frozen=True)
class FaceFinding:
    """Whether a clip shows faces that can be measured.

    Attributes
    ----------
    found : bool
        Whether the automatic path should take faces.
    reason : str
        Why, in a sentence for the user.
    faces : int
        Most faces in one of the frames that were looked at.
    fraction : float
        Of the frames that were looked at, the part that shows a face, 0-1. No more are looked at than the answer needs.
    confidence : float
        Median confidence of the best face, 0-1; 0 where there is none.
    """

    found: bool
    reason: str
    faces: int = 0
    fraction: float = 0.0
    confidence: float = 0.0


def available() -> bool:
    """Whether the models and their runtime are installed; `models.problem` says what is not."""
    return problem() is None


def sees_face(plan: Plan, frames: Iterable[Frame]) -> FaceFinding:
    """Look for faces in the first seconds of a clip: in half of the moments or more one must be seen.

    Parameters
    ----------
    plan : Plan
    frames : iterable of Frame
        In order, of the first `mesh.support.SKIN_SECONDS`; two a second are looked at. None is taken any more once
        those that follow could not change the answer: decoding them costs most of the time.

    Returns
    -------
    FaceFinding
        `found` is False, with the reason, where the models are not installed.
    """
    why = problem()
    if why is not None:
        return FaceFinding(False, f"faces were not looked for: {why}")
    reader = FaceReader(plan.recording)
    times = frame_times(plan)
    wanted = _looks(times[times <= SKIN_SECONDS])
    looked = most = 0
    best: list[Look] = []
    for frame in frames:
        if frame.index not in wanted:
            continue
        faces = reader.read(frame)
        looked += 1
        most = max(most, len(faces))
        if faces:
            best.append(max((face.look for face in faces), key=obstruction.confidence))
        if 2 * len(best) >= len(wanted) or 2 * (looked - len(best)) > len(wanted):
            break
    if not best:
        return FaceFinding(False, "no face is seen")
    part = len(best) / looked
    sure = float(np.median([obstruction.confidence(look) for look in best]))
    if part < 0.5:
        return FaceFinding(False, "a face is seen in less than half of the frames", most, part, sure)
    reason = "a face is seen" if most == 1 else f"{most} faces are seen"
    return FaceFinding(True, reason, most, part, sure)


def _looks(times: NDArray[np.float64]) -> set[int]:
    """Indices of the frames that `sees_face` looks at, about two a second."""
    found, due = set(), -np.inf
    for index, time in enumerate(times.tolist()):
        if time >= due:
            found.add(index)
            due = time + LOOKS_S - _TIE_S
    return found


def masks(plan: Plan, frames: Iterable[Frame], first: int, last: int, parameters: Parameters) -> Iterator[FrameMask]:
    """Masks of the frames `first` to `last` (excluded), one instance a face.

    A frame's mask depends on the frames within `mesh.support.key_support` alone, and is the same bits however the clip
    was cut.

    Parameters
    ----------
    plan : Plan
        For times, size, range, matrix and rotation.
    frames : iterable of Frame
        In order, at least those within the support of the span.
    first, last : int
        Indices in the clip.
    parameters : Parameters
        For the support.

    Yields
    ------
    FrameMask
        Labels 1..k for k faces from left to right, each instance with its transform into `CANONICAL` and signs of
        pose, motion and obstruction. Labels carry no identity from frame to frame.

    Raises
    ------
    MissingWeights
        If the models are not installed.
    ValueError
        If a frame that is needed does not come.
    """
    reader = FaceReader(plan.recording)
    times = frame_times(plan)
    reach = key_support(parameters)[0]
    stride = sampling(times) if reach > 0 else 1
    source = iter(frames)
    held: list[Sample] = []
    due = -(-int(np.searchsorted(times, times[first] - reach - _TIE_S)) // stride) * stride
    painter = Painter(plan.recording, reach)
    for index in range(first, last):
        time = float(times[index])
        while due < len(times) and times[due] <= time + reach + _TIE_S:
            *passed, frame = _up_to(source, due, stride)
            sample = Sample(float(times[due]), reader.read(frame))
            link(held, sample)
            if held and times[due] > times[first] - CLOSE_S and held[-1].time < times[last - 1] + CLOSE_S:
                follow(reader, held[-1], sample, [(float(times[each.index]), each) for each in passed])
            held.append(sample)
            due += stride
        while held and held[0].time < time - reach - _TIE_S:
            forget(held.pop(0))
        yield painter.paint(held, time)


def sampling(times: NDArray[np.float64]) -> int:
    """Every how manyth frame is looked at: about ten a second, by the mean rate of the clip."""
    if len(times) < 2:
        return 1
    rate = (len(times) - 1) / float(times[-1] - times[0])
    return max(1, round(rate / SAMPLES_HZ))


def _up_to(source: Iterator[Frame], index: int, stride: int) -> list[Frame]:
    """The frame of an index, and before it some of those since the last one that was so: about thirty a second."""
    step = max(1, round(stride / FINER))
    found: list[Frame] = []
    for frame in source:
        if frame.index == index:
            return [*found, frame]
        if frame.index > index:
            break
        if frame.index > index - stride and (index - frame.index) % step == 0:
            found.append(frame)
    raise ValueError(f"frame {index} is needed for the faces around it and did not come")
