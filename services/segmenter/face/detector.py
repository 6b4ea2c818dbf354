"""Where faces are: BlazeFace (Bazarevsky et al. 2019, arXiv 1907.05047), short range, then full range.

The short-range model looks at 128 x 128 and sees faces from about an eighth of the picture's longer side on; the
full-range one looks at 192 x 192, sees them from a fifteenth on, and is asked only where the first sees nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mesh.contracts import Recording
from segmenter.face.crop import Converter, Region, Square, upright
from segmenter.face.models import Model
from segmenter.frames import Picture

SCORE = 0.5  # a box of less is no face
OVERLAP = 0.3  # boxes that share so much (IoU) are the same face
AROUND = 1.5  # side of the square that the mesh looks at, over the longer side of the box
MOST = 16  # faces of one frame
LARGE_PX = 960  # a picture whose longer side has so many is looked at in parts too: a face so far away is large enough
_SMALL, _CLOSE = 0.22, 3.3  # a smaller part of the picture is looked at again, in a square so much larger than the face


@dataclass(frozen=True)
class Detection:
    """A face that a detector saw.

    Attributes
    ----------
    score : float
        0-1, of the detector.
    square : Square
        Around the whole face, upright as its eyes are.
    box : float64[4]
        x0, y0, x1, y1 in luma px of the stored picture.
    """

    score: float
    square: Square
    box: NDArray[np.float64]


def anchors(grids: tuple[tuple[int, int], ...]) -> NDArray[np.float64]:
    """Where the boxes of a detector are measured from.

    Parameters
    ----------
    grids : tuple of (cells a side, anchors a cell)

    Returns
    -------
    float64[n, 2]
        x, y of the middles of the cells, 0-1, row by row.
    """
    found = []
    for cells, each in grids:
        middle = (np.arange(cells) + 0.5) / cells
        x, y = np.meshgrid(middle, middle)
        found.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), each, axis=0))
    return np.concatenate(found)


class Detector:
    """One of the two models, with its anchors."""

    def __init__(self, model: Model, grids: tuple[tuple[int, int], ...], recording: Recording) -> None:
        self._model = model
        self._anchors = anchors(grids)
        self._convert = Converter(recording, -1.0, 1.0)
        self._rotation = recording.rotation
        self._shown = (0, 0)
        self._picture = np.empty((0, 0, 3), np.float32)

    @classmethod
    def short_range(cls, recording: Recording) -> Detector:
        """For faces near the camera."""
        return cls(Model("short_range"), ((16, 2), (8, 6)), recording)

    @classmethod
    def full_range(cls, recording: Recording) -> Detector:
        """For faces some metres away."""
        return cls(Model("full_range"), ((48, 1),), recording)

    def find(self, frame: Picture, region: Region | None = None) -> list[Detection]:
        """Faces of a frame, or of a region of it, the surest first."""
        side = self._model.side
        planes, affine = upright(frame, self._rotation, side, region or whole(frame))
        height, width = planes[0].shape
        top, left = (side - height) // 2, (side - width) // 2
        if self._shown != (height, width):  # the margin stays black
            self._shown = (height, width)
            self._picture = np.full((side, side, 3), -1.0, np.float32)
        picture = self._picture
        picture[top : top + height, left : left + width] = self._convert(planes[0], planes[1], planes[2])
        # the margin is whole pixels, so the middle may lie half a pixel aside
        aside = np.array([left + width / 2 - side / 2, top + height / 2 - side / 2]) / side
        regressed, logits = self._model(picture)
        score = 1 / (1 + np.exp(-np.clip(logits[:, 0].astype(np.float64), -80, 80)))
        wanted = np.flatnonzero(score >= SCORE)
        if not wanted.size:
            return []
        values = regressed[wanted].astype(np.float64).reshape(len(wanted), -1, 2) / side
        half = values[:, 1:2] / 2
        middle = values[:, 0:1] + self._anchors[wanted, None]
        # opposite corners and the six key points of each box, as points of the square
        points = np.concatenate([middle - half, middle + half, values[:, 2:] + self._anchors[wanted, None]], axis=1)
        merged = merge(score[wanted], points)
        return [_detection(sure, (found - aside) @ affine[:, :2].T + affine[:, 2]) for sure, found in merged[:MOST]]


class Finder:
    """Both models, asked in turn: near faces, far faces, and in a large picture faces that are still further away."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._near = Detector.short_range(recording)

    @cached_property
    def _far(self) -> Detector:
        """Made when it is needed: most clips never ask for it, and it takes as long to load as some frames."""
        return Detector.full_range(self._recording)

    def find(self, frame: Picture) -> list[Detection]:
        """Faces of a frame, the surest first; each score is that of the face seen large."""
        found = self._near.find(frame) or self._far.find(frame)
        height, width = frame.y.shape
        if not found and max(height, width) >= LARGE_PX:
            found = [face for tile in tiles(width, height) for face in self._far.find(frame, tile)]
        return [self._closer(frame, face) for face in found]

    def _closer(self, frame: Picture, face: Detection) -> Detection:
        """The same face in a view of its own, where it is small in the picture: from afar every face is unsure."""
        height, width = frame.y.shape
        x0, y0, x1, y1 = face.box.tolist()
        size = max(x1 - x0, y1 - y0)
        if size >= _SMALL * max(height, width):
            return face
        x, y, half = (x0 + x1) / 2, (y0 + y1) / 2, _CLOSE * size / 2
        region = (max(x - half, 0.0), max(y - half, 0.0), min(x + half, float(width)), min(y + half, float(height)))
        if min(region[2] - region[0], region[3] - region[1]) < 2:
            return face
        again = self._near.find(frame, region)
        same = [other for other in again if overlap(other.box[None], face.box[None])[0, 0] > OVERLAP]
        return same[0] if same else face


def whole(frame: Picture) -> Region:
    """All of a picture."""
    height, width = frame.y.shape
    return (0.0, 0.0, float(width), float(height))


def tiles(width: int, height: int) -> list[Region]:
    """Squares that cover a picture and overlap by a third or more, each half as large as its longer side."""
    side = min(max(width, height) / 2, float(width), float(height))
    found = []
    for top in _starts(height, side):
        found += [(left, top, left + side, top + side) for left in _starts(width, side)]
    return found


def _starts(length: float, side: float) -> list[float]:
    count = int(np.ceil((length - side) / (2 * side / 3))) + 1
    return [float(start) for start in np.linspace(0.0, length - side, count)]


def merge(score: NDArray[np.float64], points: NDArray[np.float64]) -> list[tuple[float, NDArray[np.float64]]]:
    """Boxes of the same face become one, their mean weighted by score, which is steadier than the best of them.

    Parameters
    ----------
    score : float64[n]
    points : float64[n, k, 2]
        The first two are opposite corners of a box.

    Returns
    -------
    list of (float, float64[k, 2])
        Highest score and mean points of each face, the surest first.
    """
    left = np.argsort(-score, kind="stable")
    found = []
    while left.size:
        same = overlap(points[left, :2].reshape(-1, 4), points[left[0], :2].reshape(1, 4))[:, 0] > OVERLAP
        same[0] = True
        group = left[same]
        mean = (score[group, None, None] * points[group]).sum(axis=0) / score[group].sum()
        found.append((float(score[group[0]]), mean))
        left = left[~same]
    return found


def overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of boxes.

    Parameters
    ----------
    a, b : float64[n, 4], float64[m, 4]
        x0, y0, x1, y1.

    Returns
    -------
    float64[n, m]
    """
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.prod(np.maximum(high - low, 0), axis=-1)
    area_a, area_b = (np.prod(np.maximum(each[:, 2:] - each[:, :2], 0), axis=-1) for each in (a, b))
    either = area_a[:, None] + area_b[None] - both
    return np.asarray(both / np.maximum(either, 1e-12))


def _detection(score: float, points: NDArray[np.float64]) -> Detection:
    corners = points[:2]
    size = np.abs(corners[1] - corners[0])
    middle = corners.mean(axis=0)
    across = points[3] - points[2]  # from the eye on the left of the picture to the one on the right
    square = Square(
        float(middle[0]), float(middle[1]), AROUND * float(size.max()), float(np.arctan2(across[1], across[0]))
    )
    return Detection(score, square, np.concatenate([corners.min(axis=0), corners.max(axis=0)]))
