"""Faces that move far from one sample to the next, looked at in the frames between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from media.decode import Frame
from segmenter.face.pose import width_of
from segmenter.face.reader import FaceReader
from segmenter.face.tracks import Sample, SampledFace

CLOSE_S = 0.5  # no mask depends on frames between two samples that are further away
_FAR = 0.008  # widths of the face: root mean square way of its points from one sample to the next


def follow(reader: FaceReader, before: Sample, after: Sample, frames: Sequence[tuple[float, Frame]]) -> None:
    """Look for the faces that moved far in the frames between two samples.

    Parameters
    ----------
    reader : FaceReader
    before, after : Sample
        One after the other, linked; what is found is written to `before.between`.
    frames : sequence of (float, Frame)
        Times and frames between, in order.
    """
    for number, following in enumerate(before.after):
        if following is None or following[0] is not after:
            continue
        here, there = before.faces[number], after.faces[following[1]]
        if not moved(here, there):
            continue
        for time, frame in frames:
            part = (time - before.time) / (after.time - before.time)
            face = reader.follow(frame, here, there, part)
            if face is not None:
                before.between[number].append((time, face))


def moved(here: SampledFace, there: SampledFace) -> bool:
    """Whether a face moved so far between two samples that a straight line does not tell where it was."""
    way: NDArray[np.float64] = there.points[:, :2] - here.points[:, :2]
    return float(np.sqrt(np.mean(np.sum(way**2, axis=1)))) > _FAR * (width_of(here.points) + width_of(there.points)) / 2
