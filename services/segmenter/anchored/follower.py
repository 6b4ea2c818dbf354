"""Follows skin through the frames of a chunk: each instance of each mask gets its transform to the anchor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from media.masks import FrameMask, Transform
from segmenter.anchored.anchor import Anchor
from segmenter.anchored.pictures import factor, reduced, small_picture
from segmenter.anchored.registration import Registration, register
from segmenter.face.canonical import inverse
from segmenter.frames import IndexedPicture

_PLACES = 64  # of each piece that are looked up in the mask
_ON_SKIN = 0.5  # part of them that must lie on one instance
_DECIMALS = (7, 7, 4)  # of a row of a transform: 1e-4 of a pixel anywhere in the picture

F = TypeVar("F", bound=IndexedPicture)


@dataclass(frozen=True)
class _Found:
    """A piece of the anchor in a frame.

    Attributes
    ----------
    places : intp[2, n]
        Rows and columns of some of its places, chroma samples; may lie outside.
    transform : Transform
        From the frame to the anchor, luma pixels.
    likeness : float
    """

    places: NDArray[np.intp]
    transform: Transform
    likeness: float


class Follower:
    """Registers frames on their way to a segmenter that looks ahead, for the masks that come later.

    Every frame is registered by itself, so that its transform does not depend on how a clip is cut.

    Parameters
    ----------
    anchor : Anchor
    size : tuple of int
        Width and height of the luma plane.
    """

    def __init__(self, anchor: Anchor, size: tuple[int, int]) -> None:
        self._side = factor(*size)
        self._templates = anchor.templates()
        self._least = anchor.likeness
        self._places = [_some(anchor.pieces == number + 1) for number in range(len(self._templates))]
        self._found: dict[int, list[_Found]] = {}
        self._reading: Iterator[IndexedPicture] = iter(())

    def frames(self, source: Iterable[F], first: int, last: int) -> Iterator[F]:
        """The same frames; `first` to `last` (excluded) are registered."""
        reading = self._registered(source, first, last)
        self._reading = reading
        return reading

    def _registered(self, source: Iterable[F], first: int, last: int) -> Iterator[F]:
        for frame in source:
            if first <= frame.index < last:
                self._found[frame.index] = self._pieces(frame)
            yield frame

    def _pieces(self, frame: IndexedPicture) -> list[_Found]:
        small = small_picture(reduced(frame.y, self._side))
        found = []
        for template, least, places in zip(self._templates, self._least, self._places, strict=True):
            registration = register(template, small)
            if registration is not None and registration.likeness >= least:
                found.append(self._placed(registration, places))
        return sorted(found, key=lambda one: -one.likeness)

    def _placed(self, registration: Registration, places: NDArray[np.float64]) -> _Found:
        matrix, side = registration.matrix, self._side
        x, y = side * (matrix @ places + 0.5) // 2  # the middle of a sample, in chroma samples from the corner
        return _Found(np.stack([y, x]).astype(np.intp), to_anchor(matrix, side), registration.likeness)

    def masks(self, source: Iterable[FrameMask], first: int) -> Iterator[FrameMask]:
        """The same masks, their instances with transforms; the first is that of frame `first`.

        An instance on which no piece of the anchor was found has none.
        """
        for index, mask in enumerate(source, first):
            while index not in self._found:
                next(self._reading)
            transforms: dict[int, Transform] = {}
            for one in self._found.pop(index):
                label = _label_under(mask.labels, one.places)
                if label:
                    transforms.setdefault(label, one.transform)
            instances = [replace(each, transform=transforms.get(each.id)) for each in mask.instances]
            yield FrameMask(mask.labels, instances)


def to_anchor(matrix: NDArray[np.float64], side: int) -> Transform:
    """The way back, in luma pixels.

    Parameters
    ----------
    matrix : float64[2, 3]
        From the anchor to the frame, samples of `side` luma pixels.
    side : int

    Returns
    -------
    Transform
        From the frame to the anchor; pixel centres lie at whole numbers.
    """
    corner = (side - 1) / 2  # the middle of the first sample
    linear = matrix[:, :2]
    offset = side * matrix[:, 2] + corner - linear.sum(axis=1) * corner
    rows = inverse(np.concatenate([linear, offset[:, None]], axis=1)).tolist()
    (a, b, x), (c, d, y) = ([round(v, n) for v, n in zip(row, _DECIMALS, strict=True)] for row in rows)
    return ((a, b, x), (c, d, y))


def _some(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Some places of a piece: x, y, 1."""
    rows, columns = np.nonzero(inside)
    chosen = np.linspace(0, len(rows) - 1, min(_PLACES, len(rows))).astype(np.intp)
    return np.stack([columns[chosen], rows[chosen], np.ones(len(chosen))]).astype(np.float64)


def _label_under(labels: NDArray[np.uint8], places: NDArray[np.intp]) -> int:
    """The instance on which most of the places lie that are inside the picture; 0 where that is none."""
    rows, columns = places
    inside = (rows >= 0) & (rows < labels.shape[0]) & (columns >= 0) & (columns < labels.shape[1])
    if not inside.any():
        return 0
    counts = np.bincount(labels[rows[inside], columns[inside]])
    label = int(np.argmax(counts[1:])) + 1 if len(counts) > 1 else 0
    return label if label and counts[label] >= _ON_SKIN * inside.sum() else 0
