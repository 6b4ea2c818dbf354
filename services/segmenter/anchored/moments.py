"""The first seconds as small pictures, kept on their way to the search for a colour: an anchor is chosen among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from media.color import opencv_from_stored
from mesh.contracts import Recording
from segmenter.anchored.anchor import Anchor, find_anchor, looked_at
from segmenter.anchored.pictures import Plane, factor, reduced
from segmenter.frames import TimedPicture
from segmenter.living_skin.cells import Cells
from segmenter.pieces import find_pieces

_AROUND = 2  # pictures of cells before and after a moment that its colours are a mean of

F = TypeVar("F", bound=TimedPicture)


class Moments:
    """Keeps what an anchor is chosen from: at most `anchor.PICTURES` small pictures.

    Parameters
    ----------
    recording : Recording
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._size = (recording.width, recording.height)
        self._pictures: dict[float, Plane] = {}

    def frames(self, source: Iterable[F], wanted: range) -> Iterator[F]:
        """The same frames; some of those whose index is in `wanted` are kept."""
        chosen = {wanted[number] for number in looked_at(len(wanted))}
        for frame in source:
            if frame.index in chosen:
                self._pictures[frame.time] = reduced(frame.y, factor(*self._size))
            yield frame

    def anchor(self, cells: Cells, chroma: tuple[float, float], similarity: float, *, cut: bool) -> Anchor | None:
        """The anchor of the clip; None where its skin rests or cannot be followed.

        Parameters
        ----------
        cells : Cells
            Of the same frames; pictures before the first and after the last of them are passed over.
        chroma : tuple of float
            The colour of skin, U, V in OpenCV's units.
        similarity : float
            Squared distance up to which a sample is skin.
        cut : bool
            Whether the pieces of the skin are followed by themselves.
        """
        times = [time for time in self._pictures if cells.times[0] <= time <= cells.times[-1]]
        pictures = [self._pictures[time] for time in times]
        if not pictures:
            return None
        shape = pictures[0].shape

        def pieces_at(number: int) -> NDArray[np.int32]:
            at = int(np.searchsorted(cells.times, times[number]))
            around = slice(max(at - _AROUND, 0), at + _AROUND + 1)
            colours = np.stack([cells.u[around].mean(axis=0), cells.v[around].mean(axis=0)], axis=-1)
            apart = opencv_from_stored(self._recording, colours) - np.array(chroma)
            skin = ndimage.median_filter((apart**2).sum(axis=-1) < similarity, 3)
            return _enlarged(find_pieces(skin).cores if cut else skin.astype(np.int32), shape)

        return find_anchor(pictures, pieces_at, self._size)


def _enlarged(pieces: NDArray[np.int32], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """The nearest cell for each sample of a small picture."""
    rows, columns = (
        np.minimum((np.arange(n) + 0.5) * cells / n, cells - 1).astype(np.intp)
        for n, cells in zip(shape, pieces.shape, strict=True)
    )
    return pieces[np.ix_(rows, columns)]
