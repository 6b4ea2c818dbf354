"""Detections of people who move, with the truth of who is who: what the tests of linking share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from media.masks import FrameMask, Instance, MaskReader, MaskWriter, read_masks
from media.people import People, label_at
from segmenter.appearance import AREA, COLOUR

SHAPE = (240, 320)  # chroma samples: a picture of 640x480
FPS = 30.0


@dataclass(frozen=True)
class Walker:
    """Somebody whose face is `size` wide and whose middle is `at(t)`, in luma pixels."""

    at: Callable[[float], tuple[float, float]]
    size: float = 100.0
    colour: tuple[float, float, float] = (150.0, 110.0, 150.0)
    seen: Callable[[float], bool] = lambda t: True

    def box(self, time: float) -> tuple[int, int, int, int]:
        x, y = self.at(time)
        half, high = self.size / 2, self.size * 0.65
        return round(x - half), round(y - high), round(x + half), round(y + high)


@dataclass(frozen=True)
class Filmed:
    """Frames of instances; `truth[i]` says for each label of frame i whose it is."""

    times: np.ndarray
    frames: list[list[Instance]]
    truth: list[dict[int, int]]


def film(
    walkers: Sequence[Walker],
    seconds: float,
    *,
    seed: int = 0,
    jitter: float = 1.0,
    with_colour: bool = True,
    merge: Callable[[float], bool] = lambda t: False,
) -> Filmed:
    """What a segmenter says that knows nobody: labels are shuffled in every frame.

    While `merge(t)` all of them are one detection, as one colour makes of faces that touch.
    """
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * FPS)) / FPS
    frames, truth = [], []
    for time in times.tolist():
        there = [number for number, walker in enumerate(walkers) if walker.seen(time)]
        boxes = {n: np.array(walkers[n].box(time)) + rng.normal(0, jitter, 4).round().astype(int) for n in there}
        groups = [there] if merge(time) and there else [[number] for number in there]
        labels = (rng.permutation(len(groups)) + 1).tolist()
        instances, owners = [], {}
        for label, group in zip(labels, groups, strict=True):
            x0, y0 = np.min([boxes[n][:2] for n in group], axis=0)
            x1, y1 = np.max([boxes[n][2:] for n in group], axis=0)
            colour = np.mean([walkers[n].colour for n in group], axis=0) + rng.normal(0, 0.5, 3)
            signs = {AREA: float((x1 - x0) * (y1 - y0) / 5)}
            if with_colour:
                signs |= dict(zip(COLOUR, colour.tolist(), strict=True))
            instances.append(Instance(label, (int(x0), int(y0), int(x1), int(y1)), 0.9, None, signs))
            if len(group) == 1:
                owners[label] = group[0]
        frames.append(sorted(instances, key=lambda instance: instance.id))
        truth.append(owners)
    return Filmed(times, frames, truth)


def blobs(frames: Sequence[Sequence[Instance]], cuts: Sequence[int] = ()) -> list[MaskReader]:
    """The masks of chunks that end before the frames `cuts`; labels are not drawn, only headers count."""
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(frames)}), len(frames)]
    nothing = np.zeros(SHAPE, np.uint8)
    found = []
    for first, last in pairwise(edges):
        writer = MaskWriter(SHAPE)
        for instances in frames[first:last]:
            writer.add(FrameMask(nothing, list(instances)))
        found.append(read_masks(writer.finish()))
    return found


def owners(people: People, filmed: Filmed) -> list[dict[int, int]]:
    """For each person, how many frames of whose skin were taken for theirs; -1 for a detection of several."""
    counts: list[dict[int, int]] = []
    for person in people.people:
        count: dict[int, int] = {}
        for frame, truth in enumerate(filmed.truth):
            label = label_at(person.spans, frame)
            if label:
                who = truth.get(label, -1)
                count[who] = count.get(who, 0) + 1
        counts.append(count)
    return counts
