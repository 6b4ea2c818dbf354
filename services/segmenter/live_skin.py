"""Skin of a stream that goes on: decided rarely, kept still between, and changed without a step in its colours.

A mask that is decided anew with each piece of a stream would change once a second, which is in the band of the pulse.
So it is looked at every two seconds, and kept while it still fits. Where another one takes its place, its colours go on
from those of the old one: by what factor is seen on a frame that both are laid over.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.color import opencv_chroma_scale, rgb_from_yuv
from media.fragments import StreamedFrame
from mesh.contracts import Recording
from mesh.parameters import Parameters
from segmenter.chroma_key import Key, exposure_of, segment
from segmenter.face import models
from segmenter.face.painter import Painter
from segmenter.face.reader import FaceReader
from segmenter.face.tracks import Sample
from segmenter.key_windows import key_windows
from segmenter.preview import Picture, key_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

GRID = 4  # patches across and down the skin
LOOK_S = 2.0  # from one look at the skin to the next
ALIKE = 0.6  # intersection over union of masks that show the same skin
LEAST = 16  # chroma samples of skin in a patch
_MOST_FACTOR = 2.0  # between the colours of two masks: beyond it they are not of the same skin


@dataclass(frozen=True)
class Skin:
    """What is taken for skin, from one piece of a stream to the next.

    Attributes
    ----------
    mask : bool[h, w]
        At chroma resolution.
    looked_s : float
        When it was last looked at.
    factors : float64[16, 3]
        What its patches' colours are multiplied by, so that they go on from those of an earlier mask.
    seen : bool
        Whether there was skin at the last look.
    """

    mask: Bools
    looked_s: float
    factors: Floats
    seen: bool = True

    def to_text(self) -> str:
        """For the next request."""
        height, width = self.mask.shape
        head = np.array([height, width, self.looked_s, self.seen, *self.factors.ravel()], "<f8").tobytes()
        return base64.b64encode(zlib.compress(head + np.packbits(self.mask).tobytes())).decode()

    @classmethod
    def from_text(cls, text: str, shape: tuple[int, int]) -> Skin | None:
        """What `to_text` wrote; None where that was of pictures of another size.

        Raises
        ------
        ValueError
            If it is no such text.
        """
        count = 4 + 3 * GRID * GRID
        try:
            data = zlib.decompress(base64.b64decode(text, validate=True))
            values = np.frombuffer(data[: 8 * count], "<f8")
            bits = np.frombuffer(data[8 * count :], np.uint8)
            if len(values) != count or not np.isfinite(values).all():
                raise ValueError("cut short")
            height, width = int(values[0]), int(values[1])
            if (height, width) != shape:
                return None
            if len(bits) != -(-height * width // 8):
                raise ValueError("cut short")
        except zlib.error as error:
            raise ValueError("not compressed") from error
        mask = np.unpackbits(bits, count=height * width).reshape(height, width).astype(np.bool_)
        return cls(mask, float(values[2]), values[4:].reshape(-1, 3).copy(), bool(values[3]))


def find_skin(
    frame: StreamedFrame, recording: Recording, point: tuple[float, float] | None = None
) -> tuple[Bools | None, str | None]:
    """The skin of one frame: the largest face where one is seen, else what has the colour of skin.

    Parameters
    ----------
    frame : StreamedFrame
    recording : Recording
        Its size, range and matrix.
    point : tuple of float, optional
        A spot of skin, px of the frame as it is shown: then what has its colour.

    Returns
    -------
    mask : bool[h, w] or None
        At chroma resolution.
    reason : str or None
        Why there is none.

    Raises
    ------
    BadParameters
        If the point lies outside the picture.
    """
    if point is None and models.problem() is None:
        faces = FaceReader(recording).read(frame)
        if faces:
            labels = Painter(recording, 0.0).paint([Sample(frame.time, faces)], frame.time).labels
            sizes = np.bincount(labels.ravel())
            if len(sizes) > 1:
                return np.asarray(labels == 1 + sizes[1:].argmax(), np.bool_), None
    picture = Picture(frame.y, frame.u, frame.v)
    reference = key_of(picture, recording, Parameters(skin_point=point))
    if reference.stored is None:
        return None, reference.reason
    scale = opencv_chroma_scale(recording)
    key = Key(*reference.stored, *scale, reference.similarity, exposure_of(recording), clean=True)
    mask = next(segment([picture], key_windows(np.zeros(1), 1.0), 0, 1, key)).astype(np.bool_)
    return (mask, None) if mask.any() else (None, "nothing has the colour of skin")


class _Cells:
    """Means over the samples of each cell: a gather and a sum of runs, several times as fast as counting by weights."""

    def __init__(self, inside: Bools, cell: NDArray[np.intp]) -> None:
        order = np.argsort(cell[inside], kind="stable")
        self._places = np.flatnonzero(inside)[order]
        self.count = np.bincount(cell[inside], minlength=GRID * GRID)
        self._filled = np.flatnonzero(self.count)
        self._starts = (np.cumsum(self.count) - self.count)[self._filled]

    def means(self, plane: NDArray[np.uint8]) -> Floats:
        """float64[16]; 0 for a cell without samples."""
        found = np.zeros(GRID * GRID)
        if self._filled.size:
            sums = np.add.reduceat(plane.ravel().take(self._places), self._starts, dtype=np.int64)
            found[self._filled] = sums / self.count[self._filled]
        return found


class Patches:
    """The means of a grid over the box around a mask.

    Parameters
    ----------
    mask : bool[h, w]
        At chroma resolution.
    recording : Recording
    """

    def __init__(self, mask: Bools, recording: Recording) -> None:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        self._rows = slice(int(rows[0]), int(rows[-1]) + 1) if rows.size else slice(0, 0)
        self._columns = slice(int(columns[0]), int(columns[-1]) + 1) if columns.size else slice(0, 0)
        inside = mask[self._rows, self._columns]
        height, width = inside.shape
        down = np.arange(height) * GRID // max(height, 1)
        across = np.arange(width) * GRID // max(width, 1)
        cell = down[:, None] * GRID + across
        self._chroma = _Cells(inside, cell)
        # a sample of chroma stands for four of luma; fewer at an odd edge
        self._lit = slice(2 * self._rows.start, min(2 * self._rows.stop, recording.height))
        self._wide = slice(2 * self._columns.start, min(2 * self._columns.stop, recording.width))
        size = self._lit.stop - self._lit.start, self._wide.stop - self._wide.start
        fine, cells = (np.repeat(np.repeat(one, 2, 0), 2, 1)[: size[0], : size[1]] for one in (inside, cell))
        self._luma = _Cells(fine, cells)
        self._matrix, self._offset = rgb_from_yuv(recording)

    def colours(self, frame: StreamedFrame) -> Floats:
        """Mean R, G, B of each patch, 0-255, float64[16, 3]; NaN where there is too little skin."""
        luma = self._luma.means(frame.y[self._lit, self._wide])
        u, v = (self._chroma.means(plane[self._rows, self._columns]) for plane in (frame.u, frame.v))
        means = np.stack([luma, u, v], axis=1)
        rgb = np.clip(means @ self._matrix.T + self._offset, 0.0, 255.0)
        rgb[self._chroma.count < LEAST] = np.nan
        return np.asarray(rgb)


def overlap(first: Bools, second: Bools) -> float:
    """Intersection over union, 0-1; 0 where both are empty."""
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 0.0


def go_on(skin: Skin, mask: Bools, frame: StreamedFrame, recording: Recording) -> Skin:
    """Another mask in the place of one, its colours those of the old one at a frame that both are laid over."""
    before = Patches(skin.mask, recording).colours(frame) * skin.factors
    after = Patches(mask, recording).colours(frame)
    known = np.isfinite(before) & np.isfinite(after) & (after > 0)
    factors = np.where(known, before / np.where(known, after, 1.0), 1.0)
    return Skin(mask, frame.time, np.clip(factors, 1 / _MOST_FACTOR, _MOST_FACTOR))
