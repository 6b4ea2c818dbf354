"""The 468 points of a face: MediaPipe's face mesh (Kartynnik et al. 2019, arXiv 1907.06724)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesh.contracts import Recording
from segmenter.face.crop import Converter, Square, turned
from segmenter.face.models import Model
from segmenter.frames import Picture

POINTS = 468
PRESENCE = 0.5  # below it there is no face in the square
PASSES = 2  # the second looks where the first found the face: what the detector wavers hardly matters then
_AROUND = 1.5  # side of the second square over the longer side of the points: as the model was trained
_EYES = (33, 263)  # outer corners


@dataclass(frozen=True)
class Mesh:
    """A face of one frame.

    Attributes
    ----------
    points : float64[468, 3]
        x, y in luma px of the stored picture; z in px, away from the camera, 0 at the middle of the head.
    presence : float
        How sure the model is of a face, 0-1.
    square : Square
        Where it looked.
    planes : list of uint8[side, side] and twice uint8[side / 2, side / 2]
        Y, U, V of what it saw there.
    """

    points: NDArray[np.float64]
    presence: float
    square: Square
    planes: list[NDArray[np.uint8]]

    @property
    def box(self) -> NDArray[np.float64]:
        """float64[4]: x0, y0, x1, y1 of the points."""
        return boxed(self.points)


class MeshModel:
    """Fits meshes to the faces of a recording."""

    def __init__(self, recording: Recording) -> None:
        self._model = Model("mesh")
        self._convert = Converter(recording, 0.0, 1.0)

    def fit(self, frame: Picture, square: Square, passes: int = PASSES) -> Mesh | None:
        """The mesh of the face in a square, looked at so many times; None where there is no face in it."""
        for _ in range(passes):
            planes = turned(frame, square, self._model.side)
            values, logit = self._model(self._convert(planes[0], planes[1], planes[2]))
            presence = float(1 / (1 + np.exp(-np.clip(float(logit.ravel()[0]), -80.0, 80.0))))
            if presence < PRESENCE:
                return None
            found = values.reshape(POINTS, 3).astype(np.float64)
            affine = square.affine(self._model.side)
            points = np.empty_like(found)
            points[:, 0] = affine[0, 0] * found[:, 0] + affine[0, 1] * found[:, 1] + affine[0, 2]
            points[:, 1] = affine[1, 0] * found[:, 0] + affine[1, 1] * found[:, 1] + affine[1, 2]
            points[:, 2] = found[:, 2] * (square.side / self._model.side)
            seen = Mesh(points, presence, square, planes)
            square = square_around(points)
        return seen


def boxed(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[4]: x0, y0, x1, y1 of points, float64[n, 2 or more]."""
    return np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)])


def square_around(points: NDArray[np.float64]) -> Square:
    """The square that the model wants to see of a face whose points are known."""
    across = points[_EYES[1], :2] - points[_EYES[0], :2]
    angle = float(np.arctan2(across[1], across[0]))
    cosine, sine = np.cos(angle), np.sin(angle)
    along = points[:, 0] * cosine + points[:, 1] * sine
    down = points[:, 1] * cosine - points[:, 0] * sine
    x, y = (along.max() + along.min()) / 2, (down.max() + down.min()) / 2
    side = _AROUND * max(float(np.ptp(along)), float(np.ptp(down)))
    return Square(float(x * cosine - y * sine), float(x * sine + y * cosine), side, angle)
