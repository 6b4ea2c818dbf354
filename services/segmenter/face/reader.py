"""The faces of a single frame: found, fitted, judged."""

from __future__ import annotations

import numpy as np

from mesh.contracts import Recording
from segmenter.face import appearance, canonical
from segmenter.face.detector import Finder, overlap
from segmenter.face.mesh import Mesh, MeshModel
from segmenter.face.obstruction import Look
from segmenter.face.pose import axes, pose_of, width_of
from segmenter.face.regions import OVAL
from segmenter.face.tracks import SampledFace
from segmenter.frames import Picture

_SAME_FACE = 0.4  # meshes of one frame that share so much (IoU of their boxes) are one face


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
