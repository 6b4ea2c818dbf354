"""Skin of a clip by SAM 3: keyframes in cells of absolute time, segmented in batches, carried to every frame.

A frame's mask depends on the frames of its cell alone, so chunks may be cut anywhere; on a device the masks of two
cuts are equal up to the rounding of another batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.masks import FrameMask
from mesh.contracts import Recording
from segmenter.frames import IndexedPicture, Picture
from segmenter.sam3.carry import Chosen, Keyframe, KeyframeChooser, carry
from segmenter.sam3.cells import Cell, cells, covering
from segmenter.sam3.flow import FlowPicture, flow_picture
from segmenter.sam3.instances import compose, without_specks
from segmenter.sam3.model import Segmentation
from segmenter.sam3.settings import Wanted

HELD_BYTES = 256 << 20  # most bytes of whole pictures that wait for a batch to be full


@dataclass(frozen=True)
class Drift:
    """How well the masks around a keyframe agree.

    Attributes
    ----------
    time_s : float
        Of a keyframe that follows another one.
    iou : float
        Intersection over union of the mask that was carried to it and its own, 0-1.
    """

    time_s: float
    iou: float


class Model(Protocol):
    """Finds what a prompt names: `segmenter.sam3.model.Sam3`, or the process that holds it."""

    @property
    def batch(self) -> int: ...

    def segment(
        self,
        pictures: Sequence[Picture],
        recording: Recording,
        prompts: Sequence[str] = ...,
        *,
        score: float = ...,
        instances: int = ...,
    ) -> list[list[Segmentation]]: ...


@dataclass
class _Waiting:
    """A cell that waits for the masks of its keyframes."""

    cell: Cell
    times: NDArray[np.float64]
    pictures: list[FlowPicture]
    chosen: Chosen
    keyframes: list[Keyframe | None] = field(default_factory=list)


class Sam3Segmenter:
    """Finds skin in the frames of a clip by a text prompt.

    Parameters
    ----------
    model : Model
    wanted : Wanted, optional

    Attributes
    ----------
    drift : list of Drift
        Of the last call of `segment`.
    keyframes : int
        How many pictures the last call of `segment` gave to the model.
    """

    def __init__(self, model: Model, wanted: Wanted | None = None) -> None:
        self.model = model
        self.wanted = wanted or Wanted()
        self.drift: list[Drift] = []
        self.keyframes = 0

    def segment(
        self,
        frames: Iterable[IndexedPicture],
        times: NDArray[np.float64],
        recording: Recording,
        first: int = 0,
        last: int | None = None,
    ) -> Iterator[FrameMask]:
        """Masks of the frames `first` to `last` (excluded).

        Parameters
        ----------
        frames : iterable of IndexedPicture
            In order, at least those of `segmenter.sam3.cells.support`; others are passed over.
        times : float64[n]
            Of all frames of the clip in seconds, increasing (`media.timeline.frame_times`).
        recording : Recording
            For range, matrix, size and rotation.
        first, last : int, optional
            Indices in the clip; all of it if not given.

        Yields
        ------
        FrameMask
            One for each frame, in order, at chroma resolution. Labels are those of
            one instance throughout a cell; who is who from cell to cell is for `people` to say.

        Raises
        ------
        ValueError
            If a frame that a cell needs does not come, or planes are not of the recording's size.
        OutOfMemory
            If the device cannot hold one picture.
        BadParameters
            If the prompt is empty or too long.
        """
        stop = len(times) if last is None else last
        wanted = covering(cells(times, self.wanted.cell_seconds), first, stop)
        self.drift, self.keyframes = [], 0
        waiting: list[_Waiting] = []
        pending: list[tuple[_Waiting, int, IndexedPicture]] = []
        shared: Keyframe | None = None  # the mask of the keyframe that closed one cell and opens the next
        closing = -1
        size = (recording.width, recording.height)
        for entry, keys in self._read(frames, times, wanted, recording):
            entry.keyframes = [None] * len(keys)
            opened = closing == entry.cell.first  # by the keyframe that closed the cell before
            closing = entry.cell.closing
            waiting.append(entry)
            pending += [(entry, place, frame) for place, frame in enumerate(keys) if place or not opened]
            held = sum(frame.y.size * 3 // 2 for _, _, frame in pending)
            if len(pending) < self.model.batch and held < HELD_BYTES and entry.cell is not wanted[-1]:
                continue
            self._fill(pending, recording)
            pending = []
            for done in waiting:
                for mask, index in self._masks(done, shared, size):
                    if first <= index < stop:
                        yield mask
                shared = done.keyframes[-1]
            waiting = []

    def _read(
        self, frames: Iterable[IndexedPicture], times: NDArray[np.float64], wanted: Sequence[Cell], recording: Recording
    ) -> Iterator[tuple[_Waiting, list[IndexedPicture]]]:
        """Each cell with the frames that are its keyframes; of the others little pictures are kept."""
        source = iter(frames)
        before: tuple[IndexedPicture, FlowPicture] | None = None  # the last one that came: a cell's closing keyframe
        for cell in wanted:
            chooser = KeyframeChooser(self.wanted.keyframes, self.wanted.cell_seconds)
            pictures: list[FlowPicture] = []
            keys: list[IndexedPicture] = []
            for index in cell.frames:
                if before is None or before[0].index != index:
                    frame = _frame(source, index, recording)
                    before = (frame, flow_picture(frame.y, (frame.u, frame.v)))
                pictures.append(before[1])
                if chooser.add(before[1], float(times[index]), index == cell.closing):
                    keys.append(before[0])
            span = np.asarray(times[cell.first : cell.closing + 1])
            yield _Waiting(cell, span, pictures, chooser.chosen), keys

    def _fill(self, pending: Sequence[tuple[_Waiting, int, IndexedPicture]], recording: Recording) -> None:
        wanted = self.wanted
        found = self.model.segment(
            [frame for _, _, frame in pending],
            recording,
            [wanted.prompt],
            score=wanted.score,
            instances=wanted.instances,
        )
        self.keyframes += len(pending)
        for (entry, place, _), (segmentation,) in zip(pending, found, strict=True):
            entry.keyframes[place] = keyframe_of(segmentation, self.wanted.mask)

    def _masks(
        self, entry: _Waiting, shared: Keyframe | None, size: tuple[int, int]
    ) -> Iterator[tuple[FrameMask, int]]:
        """Masks of a cell's own frames with their indices."""
        if entry.keyframes[0] is None:
            entry.keyframes[0] = shared
        keyframes = [keyframe for keyframe in entry.keyframes if keyframe is not None]
        passed = set(entry.chosen.keyframes[1:])
        for place, carried in enumerate(carry(keyframes, entry.chosen, entry.pictures, entry.times)):
            if place in passed:
                self.drift.append(Drift(float(entry.times[place]), carried.agreement))
            index = entry.cell.first + place
            if index < entry.cell.last:
                yield compose(carried.skin, carried.instances, carried.ids, carried.confidences, size), index


def keyframe_of(found: Segmentation, mask: str = "semantic") -> Keyframe:
    """Clean masks of one prompt: specks and small holes are gone.

    Parameters
    ----------
    found : Segmentation
    mask : str
        "semantic": skin is the prompt's one mask; "instances": the union of the instances.

    Returns
    -------
    Keyframe
        Where skin was found but no instance, all of it is one, whose score is its mean probability.
    """
    instances = np.stack([_clean(one) for one in found.instances]) if len(found.instances) else found.instances
    if mask == "instances":
        skin = instances.max(axis=0) if len(instances) else np.zeros_like(found.skin)
    else:
        skin = _clean(found.skin)
    scores = found.scores
    inside = skin > 0.5
    if not len(instances) and inside.any():
        instances, scores = skin[None], np.array([float(skin[inside].mean())])
    return Keyframe(skin, instances, scores)


def _clean(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities that are moved just over a half, or under it, where small pieces and holes are."""
    mask = probability > 0.5
    clean = without_specks(mask)
    if clean is mask:
        return probability
    probability = probability.copy()
    probability[clean & ~mask] = 0.75
    probability[mask & ~clean] = 0.25
    return probability


def _frame(source: Iterator[IndexedPicture], index: int, recording: Recording) -> IndexedPicture:
    for frame in source:
        if frame.index == index:
            if frame.y.shape != (recording.height, recording.width):
                raise ValueError(f"frame {index} is {frame.y.shape}, the recording {recording.height, recording.width}")
            return frame
        if frame.index > index:
            break
    raise ValueError(f"frame {index} is needed for a cell and did not come")
