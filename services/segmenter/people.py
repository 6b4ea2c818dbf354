"""People: which labels in the masks of a clip are whose skin, from the masks' headers alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from media.masks import MaskReader
from media.people import People, PersonSkin, Span
from segmenter.detections import Detection
from segmenter.tracks import Track, Tracker, join_tracks, spans_of

LEAST_S = 2.0  # seen for less, a piece of skin is none that anything could be measured on …
LEAST_PART = 0.5  # … or for less than this part of a clip that is shorter than twice that
MOST_PEOPLE = 8
AWAY_S = 0.5  # out of sight for longer is said to the user


def one_person(masks: Iterable[MaskReader]) -> People:
    """One person for everything that is labelled 1.

    Parameters
    ----------
    masks : iterable of MaskReader
        Of all chunks, in order; only their headers are read.

    Returns
    -------
    People
        Nobody where no frame has skin.
    """
    area = frames = seen = samples = instances = 0
    confidence = 0.0
    for reader in masks:
        area += int(reader.areas.sum())
        frames += len(reader)
        seen += int((reader.areas > 0).sum())
        samples = reader.shape[0] * reader.shape[1]
        for found in reader.instances:
            instances += len(found)
            confidence += sum(instance.confidence for instance in found)
    if not seen:
        return People([])
    sure = round(confidence / max(instances, 1), 4)
    return People([PersonSkin("1", ((0, frames, 1),), area / (frames * samples), seen, sure)])


def link_people(
    masks: Iterable[MaskReader], times: NDArray[np.float64], cells: NDArray[np.int64] | None = None
) -> People:
    """The people of a clip whose instances carry no identity from frame to frame.

    Parameters
    ----------
    masks : iterable of MaskReader
        Of all chunks, in order; only their headers are read.
    times : float64[n]
        Of all frames in seconds, increasing.
    cells : int64[n], optional
        Number of the cell of each frame: within one, labels are those of the same instances. Labels promise nothing
        where it is not given.

    Returns
    -------
    People
        The one with most skin first. Pieces that were seen too shortly are left out, with a warning; where somebody
        was out of sight, another.
    """
    tracker, samples = Tracker(), 0
    for frame, (found, size) in enumerate(_detections(masks)):
        tracker.add(frame, float(times[frame]), found, -1 if cells is None else int(cells[frame]))
        samples = size
    if not samples:
        return People([])
    chains = sorted(join_tracks(tracker.finish()), key=lambda chain: -_area(chain))
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    length = float(times[-1] - times[0]) + step
    least = min(LEAST_S, LEAST_PART * length)
    stay = [chain for chain in chains if _frames(chain) * step >= least - step / 2]
    warnings = _left_out([_frames(chain) * step for chain in chains if chain not in stay], least)
    if len(stay) > MOST_PEOPLE:
        warnings.append(f"{len(stay)} people or pieces of skin were found; the {MOST_PEOPLE} with most skin were kept")
    people = []
    for number, chain in enumerate(stay[:MOST_PEOPLE], 1):
        frames = _frames(chain)
        fraction, sure = _area(chain) / (len(times) * samples), sum(t.confidence for t in chain) / frames
        spans = spans_of(chain)
        shown = sum(stop - first for first, stop, _ in spans)
        people.append(PersonSkin(str(number), spans, fraction, shown, round(min(sure, 1.0), 4)))
        warnings += _out_of_sight(str(number), spans, times)
        if shown < frames:
            left_out = "1 frame was" if frames - shown == 1 else f"{frames - shown} frames were"
            warnings.append(
                f"person {number}: {left_out} left out, in which another face touches theirs or hides a part of it"
            )
    return People(people, warnings)


def _detections(masks: Iterable[MaskReader]) -> Iterator[tuple[list[Detection], int]]:
    """What is found in each frame, and how many samples it has."""
    for reader in masks:
        size = reader.shape[0] * reader.shape[1]
        filled = reader.canonical if reader.regions else None  # whose parts have names, a face fills it
        for instances in reader.instances:
            yield [Detection.of(instance, filled) for instance in instances], size


def _frames(chain: Sequence[Track]) -> int:
    return sum(track.frames for track in chain)


def _area(chain: Sequence[Track]) -> float:
    return sum(track.area for track in chain)


def _left_out(seconds: Sequence[float], least: float) -> list[str]:
    if not seconds:
        return []
    pieces = "1 piece of skin was" if len(seconds) == 1 else f"{len(seconds)} pieces of skin were"
    return [f"{pieces} left out: seen for {max(seconds):.1f} s at most, less than {least:g} s"]


def _out_of_sight(name: str, spans: Sequence[Span], times: NDArray[np.float64]) -> list[str]:
    """When a person could not be seen, the three longest times; where they came late or left early, that too."""
    edges = [(-1, 0, 0), *spans, (len(times), len(times), 0)]
    gaps = []
    for (_, gone, _), (back, _, _) in pairwise(edges):
        start, end = max(gone, 0), min(back, len(times))
        if start < end and float(times[min(end, len(times) - 1)] - times[start]) > AWAY_S:
            gaps.append((float(times[start]), float(times[min(end, len(times) - 1)])))
    gaps = sorted(sorted(gaps, key=lambda gap: gap[0] - gap[1])[:3])
    if not gaps:
        return []
    said = ", ".join(f"{start:.1f}-{end:.1f} s" for start, end in gaps)
    return [f"person {name} was out of sight: {said}"]
