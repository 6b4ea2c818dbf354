"""The colour and the size of each instance, noted beside its box: what tells people apart where boxes cannot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from media.masks import FrameMask
from segmenter.frames import IndexedPicture

COLOUR = ("skin_y_levels", "skin_u_levels", "skin_v_levels")  # names of the signs
AREA = "skin_samples"  # at chroma resolution
_STEP = 4  # every so many chroma samples along each side are looked at


F = TypeVar("F", bound=IndexedPicture)


class ColourNotes:
    """Notes the colours of frames on their way to a segmenter that looks ahead, for the masks that come later.

    Holds every 16th sample of the frames between the two.
    """

    def __init__(self) -> None:
        self._held: dict[int, NDArray[np.float32]] = {}
        self._reading: Iterator[IndexedPicture] = iter(())

    def frames(self, source: Iterable[F], first: int) -> Iterator[F]:
        """The same frames; those from index `first` on are noted."""
        reading = self._noted(source, first)
        self._reading = reading
        return reading

    def _noted(self, source: Iterable[F], first: int) -> Iterator[F]:
        for frame in source:
            if frame.index >= first:
                u, v = frame.u[::_STEP, ::_STEP], frame.v[::_STEP, ::_STEP]
                y = frame.y[:: 2 * _STEP, :: 2 * _STEP][: u.shape[0], : u.shape[1]]
                self._held[frame.index] = np.stack([y, u, v]).astype(np.float32)
            yield frame

    def masks(self, source: Iterable[FrameMask], first: int) -> Iterator[FrameMask]:
        """The same masks, their instances with the signs `COLOUR` and `AREA`; the first is that of frame `first`.

        A segmenter that looks at some frames only may give a mask before it took its frame: it is taken here.
        """
        for index, mask in enumerate(source, first):
            while index not in self._held:
                next(self._reading)
            colours = self._held.pop(index)
            labels = mask.labels[::_STEP, ::_STEP]
            alone = len(mask.instances) == 1
            instances = []
            for instance in mask.instances:
                inside = labels == instance.id
                area = np.count_nonzero(mask.labels if alone else mask.labels == instance.id)
                signs = instance.signs | {AREA: float(area)}
                if inside.any():
                    means = colours[:, inside].mean(axis=1)
                    signs |= {name: round(float(mean), 1) for name, mean in zip(COLOUR, means, strict=True)}
                instances.append(replace(instance, signs=signs))
            yield FrameMask(mask.labels, instances)
