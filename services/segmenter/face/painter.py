"""The mask of a frame: each face's skin where its points lie now, without what is not its skin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.color import chroma_shape
from media.masks import FrameMask, Instance, Transform
from mesh.contracts import Recording
from segmenter.face import canonical, obstruction
from segmenter.face.appearance import at, skin_of
from segmenter.face.mesh import POINTS
from segmenter.face.obstruction import Look
from segmenter.face.pose import axes, motion_of, pose_of
from segmenter.face.regions import outline, skin, window
from segmenter.face.smoothing import NARROW_S, Smoothed, smooth
from segmenter.face.tracks import Sample, SampledFace, chain, present

_TIE_S = 1e-9  # times are multiples of a tick in floating point: a frame 1 s away lies inside
_NEAR_S = 0.25  # at least so much of the reach lies between a frame and the samples that judge of its skin
_SAME_VIEW_DEG = 1.0  # colours of a head that has turned more are not averaged: another side of it is seen
_LOOK_S = 0.25  # half width over which confidence is averaged

Seen = tuple[float, SampledFace]


@dataclass(frozen=True)
class Part:
    """A face in a mask."""

    rows: slice
    columns: slice
    inside: NDArray[np.bool_]
    box: tuple[int, int, int, int]
    confidence: float
    transform: Transform
    signs: dict[str, float]


class Painter:
    """Makes the masks of single frames from the samples around them.

    Parameters
    ----------
    recording : Recording
    reach : float
        Seconds before and after a frame whose samples decide on it.
    """

    def __init__(self, recording: Recording, reach: float) -> None:
        self._shape = chroma_shape(recording)
        self._size = (recording.width, recording.height)
        self._reach = reach
        self._points = np.empty((0, POINTS, 3))
        # of the faces of the samples near the last frame
        self._judged: dict[int, tuple[SampledFace, NDArray[np.bool_]]] = {}

    def paint(self, samples: Sequence[Sample], time: float) -> FrameMask:
        """The mask of a frame at a time, from the samples within reach of it."""
        labels = np.zeros(self._shape, np.uint8)
        found = []
        judged: dict[int, tuple[SampledFace, NDArray[np.bool_]]] = {}
        for sample, number in present(samples, time):
            track = chain(sample, number, time - self._reach - _TIE_S, time + self._reach + _TIE_S)
            close = time - NARROW_S - _TIE_S, time + NARROW_S + _TIE_S
            near = chain(sample, number, *close, between=True)
            fast = len(near) > len(chain(sample, number, *close))
            smoothed = self._smoothed(track, time, near if fast else None)
            shown, skin_now = self._skin(sample, number, near, time)
            if near:
                judged[id(shown)] = shown, skin_now
            around = [face.look for moment, face in track if abs(moment - time) <= _LOOK_S]
            look = obstruction.mean(around or [sample.faces[number].look])
            part = self._part(smoothed, skin_now, look)
            if part is not None:
                found.append(part)
        self._judged = judged
        found.sort(key=lambda part: (part.box[0], part.box[1]))
        instances = []
        # of two faces the larger is the nearer: it is painted last
        for label, part in sorted(enumerate(found, 1), key=lambda entry: int(entry[1].inside.sum())):
            labels[part.rows, part.columns][part.inside] = label
        for label, part in enumerate(found, 1):
            if (labels[part.rows, part.columns] == label).any():
                instances.append(Instance(label, part.box, part.confidence, part.transform, part.signs))
        return FrameMask(labels, instances)

    def _smoothed(self, track: list[Seen], time: float, near: list[Seen] | None) -> Smoothed:
        if len(self._points) < len(track):  # kept: new pages for every frame cost more than the sums
            self._points = np.empty((2 * len(track), POINTS, 3))
        points = np.stack([face.points for _, face in track], out=self._points[: len(track)])
        moments = np.array([moment for moment, _ in track])
        if near is None:
            return smooth(moments, points, time, self._reach)
        close = np.array([moment for moment, _ in near]), np.stack([face.points for _, face in near])
        return smooth(moments, points, time, self._reach, close)

    def _skin(
        self, sample: Sample, number: int, near: list[Seen], time: float
    ) -> tuple[SampledFace, NDArray[np.bool_]]:
        """The face at the moment nearest to a frame that it was seen at, and what of it is skin, by what is around."""
        moment, face = min(near, key=lambda seen: abs(seen[0] - time), default=(sample.time, sample.faces[number]))
        if near and id(face) in self._judged:
            return self._judged[id(face)]
        # the average must lie within reach of the frame
        span = (self._reach - max(abs(moment - time), _NEAR_S) if self._reach > 0 else 0.0) + _TIE_S
        around = chain(sample, number, moment - span, moment + span)
        if near:
            around += chain(sample, number, moment - NARROW_S, moment + NARROW_S, between=True)
        same = {id(other): other for _, other in around if abs(other.look.yaw_deg - face.look.yaw_deg) < _SAME_VIEW_DEG}
        return face, skin_of([other.colors for other in same.values()], face.look.yaw_deg)

    def _part(self, smoothed: Smoothed, judged: NDArray[np.bool_], look: Look) -> Part | None:
        points = smoothed.points
        head = axes(points)
        around = outline(points, head)
        rows, columns = window(around / 2, self._shape)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return None
        pose = pose_of(head)
        try:
            transform = canonical.fit(points, pose.yaw)
        except ValueError:
            return None
        inside = skin(around / 2, points[:, :2] / 2, rows, columns)
        inside &= at(judged, transform, rows, columns)
        down, across = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        if not down.size:
            return None
        box = (
            2 * (columns.start + int(across[0])),
            2 * (rows.start + int(down[0])),
            min(2 * (columns.start + int(across[-1])) + 2, self._size[0]),
            min(2 * (rows.start + int(down[-1])) + 2, self._size[1]),
        )
        motion = motion_of(points, smoothed.velocity, head)
        given = obstruction.signs(look) | {
            "yaw_deg": round(pose.yaw, 2),
            "pitch_deg": round(pose.pitch, 2),
            "roll_deg": round(pose.roll, 2),
            "turn_deg_s": round(motion.turn, 2),
            "speed_widths_s": round(motion.speed, 4),
        }
        (a, b, c), (d, e, f) = transform.tolist()
        rounded = ((round(a, 5), round(b, 5), round(c, 3)), (round(d, 5), round(e, 5), round(f, 3)))
        return Part(rows, columns, inside, box, round(obstruction.confidence(look), 3), rounded, given)
