"""The faces of a single frame: found, fitted, judged."""

from __future__ import annotations

import numpy as np

from mesh.contracts import Recording
from segmenter.face import appearance, canonical
from segmenter.face.detector import Finder, overlap
from segmenter.face.mesh import Mesh, MeshModel, boxed, square_around
from segmenter.face.obstruction import Look
from segmenter.face.pose import axes, pose_of, width_of
from segmenter.face.regions import OVAL
from segmenter.face.tracks import SampledFace
from segmenter.frames import Picture

_SAME_FACE = 0.4  # meshes of one frame that share so much (IoU of their boxes) are one face
_FOLLOWED = 0.5  # what is found between two moments must share so much with where it should be


class FaceReader:
    """Finds the faces of single frames.

    Parameters
    ----------
    recording : Recording
        For size, range, matrix and rotation.

    Raises
    ------
    MissingWeights
        If the models are not installed.
    """

    def __init__(self, recording: Recording) -> None:
        self._size = (recording.width, recording.height)
        self._finder = Finder(recording)
        self._mesh = MeshModel(recording)

    def read(self, frame: Picture) -> list[SampledFace]:
        """The faces of a frame, the surest first."""
        found: list[SampledFace] = []
        for detection in self._finder.find(frame):
            mesh = self._mesh.fit(frame, detection.square)
            if mesh is None:
                continue
            boxes = np.array([other.box for other in found]).reshape(-1, 4)
            if (overlap(boxes, mesh.box[None]) > _SAME_FACE).any():
                continue
            face = self._face(mesh, detection.score)
            if face is not None:
                found.append(face)
        return found

    def follow(self, frame: Picture, before: SampledFace, after: SampledFace, part: float) -> SampledFace | None:
        """A face between two moments at which it was seen, found where a straight line between these leads to.

        Parameters
        ----------
        frame : Picture
        before, after : SampledFace
        part : float
            Of the time from `before` to `after`, 0-1.

        Returns
        -------
        SampledFace or None
            None where there is no face. The detector is not asked: its score lies between those of the two.
        """
        points = before.points + part * (after.points - before.points)
        mesh = self._mesh.fit(frame, square_around(points), passes=1)  # the square wavers no more than the meshes
        if mesh is None or overlap(mesh.box[None], boxed(points)[None])[0, 0] < _FOLLOWED:
            return None
        score = before.look.detection + part * (after.look.detection - before.look.detection)
        return self._face(mesh, score)

    def _face(self, mesh: Mesh, score: float) -> SampledFace | None:
        pose = pose_of(axes(mesh.points))
        try:
            transform = canonical.fit(mesh.points, pose.yaw)
        except ValueError:  # a mesh without extent
            return None
        colors = appearance.colors(mesh, transform)
        seen = appearance.cover_of(colors, pose.yaw)
        oval = mesh.points[list(OVAL), :2]
        look = Look(
            detection=score,
            presence=mesh.presence,
            outside=float(((oval < 0) | (oval > self._size)).any(axis=1).mean()),
            covered=seen.covered,
            covered_below=seen.below,
            width_px=width_of(mesh.points),
            brightness=seen.brightness,
            yaw_deg=pose.yaw,
        )
        return SampledFace(mesh.points, mesh.box, look, colors)
