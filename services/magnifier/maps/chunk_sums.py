"""What the `map` stage makes of one chunk: normal equations of every cell, and series of patches, of each person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from magnifier.maps.canonical import canonical_sums
from magnifier.maps.cells import (
    LUMA_SAMPLES,
    CellBox,
    box_around,
    cell_side,
    cell_sums,
    luma_sums,
    patch_cells,
    pooled,
    union,
    whole_box,
)
from magnifier.maps.lockin import LockIn, SegmentSums, columns, segment_seconds
from magnifier.maps.span import LEAST_SECONDS, map_span
from media.array_blob import pack, unpack
from media.color import rgb_from_yuv
from media.decode import Frame
from media.masks import FrameMask, MaskReader, Transform
from media.people import label_at
from media.pulse_blob import PersonWaves, Pulse
from media.timeline import frame_times
from mesh.contracts import Plan

Floats = NDArray[np.float64]


@dataclass
class PersonSums:
    """Sums of one person over one chunk.

    Attributes
    ----------
    box : CellBox
    segments : dict of int to SegmentSums
        Of all its frames but the first, which nobody can compare with the one before it yet.
    edges : dict of int to float32[4, cells]
        Sums of the chunk's first and last frame in the span, by frame: what neighbours are joined with.
    frames : list of int
        Frames that the series has.
    series : float32[frames, patch rows, patch columns]
        Green of each patch, 0-255; NaN where less than half of it is skin.
    canonical : bool
        Whether cells lie in canonical coordinates of the skin.
    """

    box: CellBox
    segments: dict[int, SegmentSums] = field(default_factory=dict)
    edges: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    frames: list[int] = field(default_factory=list)
    series: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0, 0), np.float32))
    canonical: bool = False


@dataclass(frozen=True)
class Timing:
    """Regressors of a person's frames, the same for every chunk.

    Attributes
    ----------
    span : tuple of float
        Of the maps, s.
    design : float64[frames, COLUMNS]
        For every frame of the plan.
    segment : int64[frames]
    """

    span: tuple[float, float]
    design: Floats
    segment: NDArray[np.int64]


def timing(plan: Plan, pulse: Pulse, person: PersonWaves) -> Timing | None:
    """Regressors of a person; None where the heart rate was refused or the clip is too short for maps."""
    first, stop = map_span(plan, pulse)
    if person.rate_hz is None or not np.isfinite(person.phase).all() or stop - first < LEAST_SECONDS:
        return None
    design, segment = columns(frame_times(plan), person.phase, first, segment_seconds(stop - first, person.rate_hz))
    return Timing((first, stop), design, segment)


def frame_instance(mask: FrameMask, label: int) -> Transform | None:
    """The transform of a label's instance; None where it has none."""
    return next((instance.transform for instance in mask.instances if instance.id == label), None)


def skin_of(labels: NDArray[np.uint8], label: int) -> NDArray[np.uint8]:
    """1 where a sample has `label`, else 0."""
    inside: NDArray[np.uint8] = (labels == label).view(np.uint8)
    return inside


def _boxes(plan: Plan, people: list[PersonWaves], masks: MaskReader, first: int, side: int) -> dict[str, CellBox]:
    """The box that each person's skin needs in this chunk."""
    if masks.canonical is not None:
        return {person.id: whole_box(*masks.canonical, side) for person in people}
    seen: dict[str, NDArray[np.uint8]] = {}
    for number, mask in enumerate(masks.frames()):
        for person in people:
            label = label_at(person.spans, first + number)
            if not label:
                continue
            skin = skin_of(mask.labels, label)
            if person.id in seen:
                np.maximum(seen[person.id], skin, out=seen[person.id])
            else:
                seen[person.id] = skin
    boxes = {name: box_around(skin, side) for name, skin in seen.items()}
    return {name: box for name, box in boxes.items() if box is not None}


def map_cell_side(plan: Plan, canonical: tuple[int, int] | None, wanted: int | None) -> int:
    """Side of the cells of a recording's maps, luma pixels (of the canonical frame where there is one)."""
    width, height = canonical or (plan.recording.width, plan.recording.height)
    return cell_side(width, height, wanted)


class _Series:
    """Green of patches, frame by frame."""

    def __init__(self, plan: Plan, box: CellBox) -> None:
        matrix, offset = rgb_from_yuv(plan.recording)
        self._green, self._offset = matrix[1].astype(np.float32), np.float32(offset[1])
        self._many = patch_cells(box.side)
        self._shape = box.shape
        self._full = (box.side * self._many) ** 2 // LUMA_SAMPLES
        self.rows: list[NDArray[np.float32]] = []

    def add(self, sums: NDArray[np.float32]) -> None:
        count, y, u, v = (pooled(plane.reshape(self._shape), self._many) for plane in sums)
        y_weight, u_weight, v_weight = self._green
        known = np.maximum(count, 1)
        green = (y_weight / LUMA_SAMPLES * y + u_weight * u + v_weight * v) / known + self._offset
        self.rows.append(np.where(2 * count >= self._full, green, np.float32(np.nan)))


def sum_chunk(
    plan: Plan, pulse: Pulse, index: int, frames: Iterable[Frame], masks: MaskReader, cell: int | None
) -> dict[str, PersonSums]:
    """Sums of one chunk.

    Parameters
    ----------
    plan : Plan
    pulse : Pulse
    index : int
        Of the chunk.
    frames : iterable of Frame
        Of the chunk, in order; those outside the span of the maps are passed over.
    masks : MaskReader
    cell : int or None
        Side of a cell, luma pixels; chosen if None.

    Returns
    -------
    dict of str to PersonSums
        By person; nobody whose rate was refused or who is not seen.
    """
    timed = {person.id: timing(plan, pulse, person) for person in pulse.people}
    people = [person for person in pulse.people if timed[person.id] is not None]
    if not people:
        return {}
    first = plan.chunks[index].first
    side = map_cell_side(plan, masks.canonical, cell)
    boxes = _boxes(plan, people, masks, first, side)
    people = [person for person in people if person.id in boxes]
    found = {person.id: PersonSums(boxes[person.id], canonical=masks.canonical is not None) for person in people}
    locks = {person.id: LockIn(boxes[person.id]) for person in people}
    series = {person.id: _Series(plan, boxes[person.id]) for person in people}
    last: dict[str, tuple[int, NDArray[np.float32]]] = {}
    times = frame_times(plan)
    for frame, mask in _paired(frames, masks, first):
        luma = luma_sums(frame.y)
        for person in people:
            name, here = person.id, timed[person.id]
            assert here is not None
            if not here.span[0] <= times[frame.index] < here.span[1]:
                continue
            sums = _person_cells(luma, frame, mask, label_at(person.spans, frame.index), boxes[name], masks.canonical)
            if name in last:
                locks[name].add(int(here.segment[frame.index]), here.design[frame.index], sums)
            else:
                found[name].edges[frame.index] = sums
                locks[name].start_after(sums)
            last[name] = (frame.index, sums)
            found[name].frames.append(frame.index)
            series[name].add(sums)
    for name, one in found.items():
        if name not in last:
            continue
        locks[name].flush()
        one.segments = locks[name].segments
        one.edges[last[name][0]] = last[name][1]
        one.series = np.stack(series[name].rows)
    return {name: one for name, one in found.items() if name in last}


def _paired(frames: Iterable[Frame], masks: MaskReader, first: int) -> Iterator[tuple[Frame, FrameMask]]:
    """Frames with their masks; frames may start later and end earlier than the chunk."""
    number = first
    given = masks.frames()
    for frame in frames:
        mask = next(given)
        while number < frame.index:
            mask = next(given)
            number += 1
        number += 1
        yield frame, mask


def _person_cells(
    luma: NDArray[np.uint16], frame: Frame, mask: FrameMask, label: int, box: CellBox, canonical: tuple[int, int] | None
) -> NDArray[np.float32]:
    """Sums over a person's cells in one frame; 0 where the frame does not show them, or not where."""
    transform = frame_instance(mask, label) if label else None
    if not label or (canonical is not None and transform is None):
        return np.zeros((4, box.count), np.float32)
    skin = skin_of(mask.labels, label)
    if transform is None or canonical is None:
        return cell_sums(luma, frame.u, frame.v, skin, box)
    return canonical_sums(luma, frame.u, frame.v, skin, transform, box)


def sums_to_bytes(sums: dict[str, PersonSums]) -> bytes:
    """The blob of a chunk; sums as 32-bit floats, which is what they were added up from."""
    arrays: dict[str, NDArray[np.float32]] = {}
    people = []
    for number, (name, one) in enumerate(sums.items()):
        box = one.box
        for segment, part in one.segments.items():
            arrays[f"{number}.products.{segment}"] = part.products.astype(np.float32)
            arrays[f"{number}.moments.{segment}"] = part.moments.astype(np.float32)
        for frame, edge in one.edges.items():
            arrays[f"{number}.edge.{frame}"] = edge
        arrays[f"{number}.series"] = one.series
        people.append(
            {
                "id": name,
                "box": [box.side, box.row, box.column, box.rows, box.columns],
                "segments": list(one.segments),
                "edges": list(one.edges),
                "frames": one.frames,
                "canonical": one.canonical,
            }
        )
    return pack(arrays, {"people": people})


def sums_from_bytes(data: bytes) -> dict[str, PersonSums]:
    """What `sums_to_bytes` wrote.

    Raises
    ------
    ValueError
        If `data` is no such blob.
    """
    arrays, header = unpack(data)
    found = {}
    for number, entry in enumerate(header["people"]):
        segments = {
            segment: SegmentSums(
                arrays[f"{number}.products.{segment}"].astype(np.float64),
                arrays[f"{number}.moments.{segment}"].astype(np.float64),
            )
            for segment in entry["segments"]
        }
        edges = {frame: arrays[f"{number}.edge.{frame}"] for frame in entry["edges"]}
        found[entry["id"]] = PersonSums(
            CellBox(*entry["box"]), segments, edges, entry["frames"], arrays[f"{number}.series"], entry["canonical"]
        )
    return found


class Gathered:
    """Sums of all chunks of one person, added up in order of time.

    Parameters
    ----------
    timing : Timing
    """

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._parts: list[PersonSums] = []

    def add(self, part: PersonSums) -> None:
        """The next chunk that shows the person."""
        self._parts.append(part)

    def total(self) -> PersonSums | None:
        """All of it in one box; None where no chunk showed the person."""
        if not self._parts:
            return None
        box = union([part.box for part in self._parts])
        total = PersonSums(box, canonical=self._parts[0].canonical)
        before: tuple[int, NDArray[np.float32]] | None = None
        series = []
        many = patch_cells(box.side)
        for part in self._parts:
            place = part.box.place_in(box)
            for segment, sums in part.segments.items():
                _add_to(total.segments.setdefault(segment, SegmentSums.empty(box.count)), sums, part.box, box)
            first, last = min(part.edges), max(part.edges)
            seam = LockIn(box, total.segments)
            if before is not None and before[0] == first - 1:
                seam.start_after(before[1])
            seam.add(
                int(self._timing.segment[first]), self._timing.design[first], _placed(part.edges[first], part.box, box)
            )
            seam.flush()
            before = (last, _placed(part.edges[last], part.box, box))
            total.frames += part.frames
            whole = np.full((len(part.frames), box.rows // many, box.columns // many), np.nan, np.float32)
            whole[:, place[0].start // many : place[0].stop // many, place[1].start // many : place[1].stop // many] = (
                part.series
            )
            series.append(whole)
        total.series = np.concatenate(series)
        return total


def _placed(sums: NDArray[np.float32], box: CellBox, whole: CellBox) -> NDArray[np.float32]:
    result = np.zeros((4, *whole.shape), np.float32)
    rows, columns_ = box.place_in(whole)
    result[:, rows, columns_] = sums.reshape(4, *box.shape)
    return result.reshape(4, whole.count)


def _add_to(total: SegmentSums, sums: SegmentSums, box: CellBox, whole: CellBox) -> None:
    rows, columns_ = box.place_in(whole)
    for mine, theirs in ((total.products, sums.products), (total.moments, sums.moments)):
        mine.reshape(*whole.shape, *mine.shape[1:])[rows, columns_] += theirs.reshape(*box.shape, *theirs.shape[1:])
