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
    SkinCells,
    box_around,
    cell_side,
    cell_sums,
    patch_cells,
    pooled,
    skin_cells,
    union,
    whole_box,
)
from magnifier.maps.lockin import LockIn, SegmentSums, columns, segment_seconds
from magnifier.maps.span import LEAST_SECONDS, map_span
from media.array_blob import pack, unpack
from media.arrays import array_module, to_device, to_host
from media.color import rgb_from_yuv
from media.decode import Frame
from media.masks import FrameMask, MaskReader, Transform
from media.people import label_at
from media.pulse_blob import PersonWaves, Pulse
from media.timeline import frame_times
from mesh.contracts import Plan

Floats = NDArray[np.float64]
Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]  # Y, U, V on the device that sums are made on


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
    before: tuple[list[int], NDArray[np.uint8]] | None = None
    for number, mask in enumerate(masks.frames()):
        labels = [label_at(person.spans, first + number) for person in people]
        if before is not None and before[0] == labels and np.array_equal(before[1], mask.labels):
            continue
        before = labels, mask.labels
        for person, label in zip(people, labels, strict=True):
            if label:
                skin = skin_of(mask.labels, label)
                seen[person.id] = np.maximum(seen[person.id], skin) if person.id in seen else skin
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
        self._counts: NDArray[np.float32] | None = None
        self._share = np.empty(0, np.float32)
        self.rows: list[NDArray[np.float32]] = []

    def add(self, sums: NDArray[np.float32]) -> None:
        y_weight, u_weight, v_weight = self._green
        cells = (y_weight / LUMA_SAMPLES) * sums[1]
        cells += u_weight * sums[2]
        cells += v_weight * sums[3]
        xp = array_module(sums)
        if self._counts is None or not xp.array_equal(self._counts, sums[0]):
            self._counts = sums[0]
            count = pooled(sums[0].reshape(self._shape), self._many)
            # what most of a patch's skin is missing from has no level
            self._share = xp.where(2 * count >= self._full, 1 / xp.maximum(count, 1), np.float32(np.nan))
        green = pooled(cells.reshape(self._shape), self._many) * self._share
        self.rows.append(green + self._offset)


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
    summed = [_Person(plan, p, boxes[p.id], timed[p.id], masks.canonical) for p in people if p.id in boxes]
    times = frame_times(plan)
    for frame, mask in _paired(frames, masks, first):
        seen = [one for one in summed if one.timing.span[0] <= times[frame.index] < one.timing.span[1]]
        if not seen:
            continue
        planes = to_device(frame.y), to_device(frame.u), to_device(frame.v)  # once, however many people are seen
        for one in seen:
            one.add(frame.index, planes, mask)
    return {one.person.id: one.finish() for one in summed if one.found.frames}


class _Person:
    """Adds up one person's skin, frame by frame."""

    def __init__(
        self, plan: Plan, person: PersonWaves, box: CellBox, timed: Timing | None, canonical: tuple[int, int] | None
    ) -> None:
        assert timed is not None
        self.person, self.timing = person, timed
        self.found = PersonSums(box, canonical=canonical is not None)
        self._lock, self._series = LockIn(box), _Series(plan, box)
        self._last = np.empty((4, 0), np.float32)
        self._skin: tuple[NDArray[np.uint8], SkinCells] | None = None  # seldom changes from frame to frame

    def add(self, index: int, planes: Planes, mask: FrameMask) -> None:
        sums = self._sums(planes, mask, label_at(self.person.spans, index))
        if self.found.frames:
            self._lock.add(int(self.timing.segment[index]), self.timing.design[index], sums)
        else:
            self.found.edges[index] = to_host(sums)
            self._lock.start_after(sums)
        self._last = sums
        self.found.frames.append(index)
        self._series.add(sums)

    def finish(self) -> PersonSums:
        self._lock.flush()
        self.found.segments = {name: sums.on_host() for name, sums in self._lock.segments.items()}
        self.found.edges[self.found.frames[-1]] = to_host(self._last)
        self.found.series = to_host(array_module(self._last).stack(self._series.rows))
        return self.found

    def _sums(self, planes: Planes, mask: FrameMask, label: int) -> NDArray[np.float32]:
        """Sums over the cells in one frame; 0 where the frame does not show the person, or not where."""
        box = self.found.box
        transform = frame_instance(mask, label) if label else None
        if not label or (self.found.canonical and transform is None):
            nothing: NDArray[np.float32] = array_module(planes[0]).zeros((4, box.count), np.float32)
            return nothing
        skin = skin_of(mask.labels, label)
        if transform is not None and self.found.canonical:
            return canonical_sums(*planes, to_device(skin), transform, box)
        if self._skin is None or not np.array_equal(self._skin[0], skin):
            self._skin = skin, skin_cells(to_device(skin), box)
        return cell_sums(*planes, self._skin[1])


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


def sums_to_bytes(sums: dict[str, PersonSums]) -> bytes:
    """The blob of a chunk; sums as 32-bit floats, which is what they were added up from."""
    arrays: dict[str, NDArray[np.float32]] = {}
    people = []
    for number, (name, one) in enumerate(sums.items()):
        box = one.box
        for segment, part in one.segments.items():
            arrays[f"{number}.products.{segment}"] = part.products.astype(np.float32, copy=False)
            arrays[f"{number}.moments.{segment}"] = part.moments.astype(np.float32, copy=False)
            arrays[f"{number}.counted.{segment}"] = part.frames.astype(np.float32, copy=False)
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
            segment: SegmentSums(*(arrays[f"{number}.{part}.{segment}"] for part in ("products", "moments", "counted")))
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
        owned: set[int] = set()
        many = patch_cells(box.side)
        for part in self._parts:
            place = part.box.place_in(box)
            for segment, sums in part.segments.items():
                if part.box == box and segment not in total.segments:
                    total.segments[segment] = sums  # the usual case: nothing to add
                else:
                    _add_to(total.segments, owned, segment, sums, part.box, box)
            first, last = min(part.edges), max(part.edges)
            joining = int(self._timing.segment[first])
            seam = LockIn(box)
            if before is not None and before[0] == first - 1:
                seam.start_after(before[1])
            seam.add(joining, self._timing.design[first], _placed(part.edges[first], part.box, box))
            seam.flush()
            _add_to(total.segments, owned, joining, seam.segments[joining], box, box)
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


def _add_to(
    totals: dict[int, SegmentSums], owned: set[int], segment: int, sums: SegmentSums, box: CellBox, whole: CellBox
) -> None:
    """Add a segment's sums over a box to those over the whole; `owned` are the segments that may be written to."""
    total = totals.get(segment)
    if total is None:
        total = totals[segment] = SegmentSums.empty(whole.count)
    elif segment not in owned:  # it is a chunk's
        total = totals[segment] = SegmentSums(*(part.copy() for part in vars(total).values()))
    owned.add(segment)
    rows, columns_ = box.place_in(whole)
    for mine, theirs in zip(vars(total).values(), vars(sums).values(), strict=True):
        mine.reshape(*mine.shape[:-1], *whole.shape)[..., rows, columns_] += theirs.reshape(
            *theirs.shape[:-1], *box.shape
        )
