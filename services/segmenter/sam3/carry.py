"""Masks of keyframes carried to the frames between them by dense optical flow, and how far they drift on the way.

Every frame's flow is measured against the keyframe itself, started from that of the frame beside it, so errors do not
add up from frame to frame. A frame's mask blends that of the keyframe before it and that of the one behind it by
nearness in time. Where both say something else the two disagree, which is measured without any truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from segmenter.sam3.flow import Array, FlowPicture, Sampler, dense_flow, resized
from segmenter.sam3.instances import mask_iou, match

MOVED = 0.05  # of the longer side: what moved farther than this wants a keyframe
CHANGED = 0.10  # of the picture: where flow explains less than this part, something came or went
_AREA = 9  # samples, side of the area whose mean displacement counts
_NOISE = 4.0  # standard deviations of noise: smaller differences say nothing


@dataclass(frozen=True)
class Keyframe:
    """Masks of a keyframe, at chroma resolution.

    Attributes
    ----------
    skin : float32[h, w]
        Probability, 0-1.
    instances : float32[k, h, w]
        Probability of each instance.
    scores : float64[k]
        0-1.
    """

    skin: Array
    instances: Array
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class Chosen:
    """Keyframes among the pictures of a cell.

    Attributes
    ----------
    keyframes : list of int
        Positions, increasing; the first and the last picture always are.
    forward : list of (float32[2, h, w] or None)
        Flow of each picture to the keyframe before it; None for the first.
    """

    keyframes: list[int]
    forward: list[Array | None]


class KeyframeChooser:
    """Chooses keyframes while the pictures of a cell come in: only theirs need to be kept in full.

    The first and the last picture are keyframes, and more where the scene moves between them.

    Parameters
    ----------
    most : int
        Keyframes without the last one.
    seconds : float
        Length of the cell: keyframes are at least `seconds / most` apart, except the last one.

    Attributes
    ----------
    chosen : Chosen
        Up to the picture that came last.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self.chosen = Chosen([], [])
        self._most, self._gap = most, seconds / most - 1e-9
        self._source: tuple[FlowPicture, float] | None = None
        self._flow: Array | None = None

    def add(self, picture: FlowPicture, time: float, is_last: bool) -> bool:
        """Take the next picture of the cell.

        Parameters
        ----------
        picture : FlowPicture
        time : float
            In seconds.
        is_last : bool
            Whether it closes the cell.

        Returns
        -------
        bool
            Whether it is a keyframe.
        """
        keys, forward = self.chosen.keyframes, self.chosen.forward
        if self._source is None:
            forward.append(None)
            is_key = True
        else:
            source, since = self._source
            self._flow = dense_flow(source, picture, self._flow)
            forward.append(self._flow)
            allowed = len(keys) < self._most and time - since >= self._gap
            is_key = is_last or (
                allowed and (moved(self._flow) > MOVED or changed(source, picture, self._flow) > CHANGED)
            )
        if is_key:
            keys.append(len(forward) - 1)
            self._source, self._flow = (picture, time), None
        return is_key


def moved(flow: Array) -> float:
    """Largest mean displacement of an area, as part of the longer side.

    Parameters
    ----------
    flow : float32[2, h, w]
    """
    length = ndimage.uniform_filter(np.hypot(flow[0], flow[1]), _AREA, mode="nearest")
    return float(length.max() / max(flow.shape[1], flow.shape[2]))


def changed(source: FlowPicture, target: FlowPicture, flow: Array) -> float:
    """Part of the target picture that the moved source does not explain: covered, uncovered, another scene.

    Parameters
    ----------
    source, target : FlowPicture
    flow : float32[2, h, w]
        As `dense_flow` gives it.

    Returns
    -------
    float
        0-1: samples around which the difference has more than half the power of the picture's brightness.
    """
    drawn = Sampler.of(flow)(source.levels[0][0])
    seen = target.levels[0][0]
    left = ndimage.uniform_filter((seen - drawn) ** 2, _AREA, mode="nearest")
    own = ndimage.uniform_filter(np.maximum(seen**2, drawn**2), _AREA, mode="nearest")
    return float(np.mean(left > 0.5 * own + _NOISE**2))


@dataclass(frozen=True)
class Carried:
    """The masks of one frame.

    Attributes
    ----------
    skin : bool[h, w]
    instances : float32[k, h, w]
        Probabilities; those of `skin` where there is one instance only.
    ids : list of int
        Of each instance, 1-255, the same for all frames of the cell.
    confidences : list of float
        0-1: scores of the two keyframes, blended.
    agreement : float
        Intersection over union of the masks that the two keyframes say, 0-1; 1 on a keyframe, except on the one that
        ends the cell, where it says how far the mask before had drifted.
    """

    skin: NDArray[np.bool_]
    instances: Array
    ids: list[int]
    confidences: list[float]
    agreement: float


def carry(
    keyframes: Sequence[Keyframe],
    chosen: Chosen,
    pictures: Sequence[FlowPicture],
    times: NDArray[np.float64],
) -> Iterator[Carried]:
    """Masks of all pictures of a cell.

    Parameters
    ----------
    keyframes : sequence of Keyframe
        At the positions of `chosen.keyframes`.
    chosen : Chosen
    pictures : sequence of FlowPicture
        The same that the chooser saw.
    times : float64[n]
        In seconds.

    Yields
    ------
    Carried
        One for each picture, in order, the one that closes the cell last.

    Raises
    ------
    ValueError
        If there are not as many keyframes as were chosen.
    """
    keys = chosen.keyframes
    if len(keyframes) != len(keys):
        raise ValueError(f"{len(keyframes)} keyframes, {len(keys)} were chosen")
    shape = (keyframes[0].skin.shape[0], keyframes[0].skin.shape[1])
    numbers = _first_ids(keyframes[0])
    used = set(numbers)
    agreement = 1.0
    for pair, (start, stop) in enumerate(pairwise(keys)):
        before, after = keyframes[pair], keyframes[pair + 1]
        ahead = chosen.forward[stop]
        assert ahead is not None
        sampler = Sampler.of(resized(ahead, shape))
        numbers_after = _next_ids(before, after, numbers, sampler, used)
        used |= set(numbers_after)
        yield _on(before, numbers, agreement)
        backward = _backward(pictures, start, stop)
        for position in range(start + 1, stop):
            flow = chosen.forward[position]
            assert flow is not None
            weight = float((times[position] - times[start]) / (times[stop] - times[start]))
            samplers = (Sampler.of(resized(flow, shape)), Sampler.of(resized(backward[position - start - 1], shape)))
            yield _between(before, after, numbers, numbers_after, samplers, weight)
        agreement = _iou(sampler(before.skin) > 0.5, after.skin > 0.5)
        numbers = numbers_after
    yield _on(keyframes[-1], numbers, agreement)


def _backward(pictures: Sequence[FlowPicture], start: int, stop: int) -> list[Array]:
    """Flow of the pictures between two keyframes to the later one."""
    flow: Array | None = None
    found: list[Array] = []
    for position in range(stop - 1, start, -1):
        flow = dense_flow(pictures[stop], pictures[position], flow)
        found.append(flow)
    return found[::-1]


def _first_ids(keyframe: Keyframe) -> list[int]:
    """Labels of the instances of a cell's first keyframe: 1 is the largest."""
    areas = (keyframe.instances > 0.5).sum(axis=(1, 2))
    numbers = [0] * len(areas)
    for label, index in enumerate(np.argsort(-areas, kind="stable").tolist(), 1):
        numbers[index] = label
    return numbers


def _next_ids(before: Keyframe, after: Keyframe, numbers: list[int], sampler: Sampler, used: set[int]) -> list[int]:
    """Labels of the later keyframe's instances: those of the earlier one's that they overlap, or new ones."""
    found = [0] * len(after.instances)
    if len(before.instances) and len(after.instances):
        drawn = np.stack([sampler(instance) > 0.5 for instance in before.instances])
        for i, j in match(drawn, after.instances > 0.5):
            found[j] = numbers[i]
    known = {*numbers, *found}
    fresh = [label for label in range(1, 256) if label not in used]
    free = iter(fresh + sorted(used - known))  # 255 labels in one cell: those of instances that are gone come again
    return [label or next(free) for label in found]


def _on(keyframe: Keyframe, numbers: list[int], agreement: float) -> Carried:
    scores = [float(score) for score in keyframe.scores]
    return Carried(keyframe.skin > 0.5, keyframe.instances, numbers, scores, agreement)


def _between(
    before: Keyframe,
    after: Keyframe,
    numbers: list[int],
    numbers_after: list[int],
    samplers: tuple[Sampler, Sampler],
    weight: float,
) -> Carried:
    first, second = samplers[0](before.skin), samplers[1](after.skin)
    skin = first + (second - first) * np.float32(weight)
    ids = sorted({*numbers, *numbers_after})
    confidences, maps = [], []
    for label in ids:
        confidence, total = 0.0, np.zeros_like(skin)
        sides = ((before, numbers, samplers[0], 1 - weight), (after, numbers_after, samplers[1], weight))
        for keyframe, labels, sampler, part in sides:
            if label in labels:
                index = labels.index(label)
                confidence += part * float(keyframe.scores[index])
                if len(ids) > 1:
                    total += np.float32(part) * sampler(keyframe.instances[index])
        confidences.append(confidence)
        maps.append(total)
    instances = skin[None] if len(ids) == 1 else np.stack(maps) if maps else np.zeros((0, *skin.shape), np.float32)
    return Carried(skin > 0.5, instances, ids, confidences, _iou(first > 0.5, second > 0.5))


def _iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """1 where both are empty: they agree."""
    if not first.any() and not second.any():
        return 1.0
    return float(mask_iou(first[None], second[None])[0, 0])
