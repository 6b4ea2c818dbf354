"""Adds a field that was filtered and scaled to the planes of a frame, on the skin that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magnifier.canonical_frame import bilinear
from magnifier.field import COVERED, FieldMaker, warped
from magnifier.grid import FieldGrid
from magnifier.record import CHANNELS, Record
from magnifier.render import skin_of
from magnifier.soft_edge import bounding_box, edge_radius, soft_weights, upsampled
from magnifier.uniform import Plane, add_levels, bayer_thresholds
from media.masks import FrameMask, Transform
from media.planes import Planes, chroma_size
from mesh.contracts import Recording

Levels = NDArray[np.float32]
_LEAST = np.float32(1e-3)  # of the interpolated weights: with less there is no field to take from


@dataclass(frozen=True)
class _Place:
    """Where a source's field goes in a frame.

    Attributes
    ----------
    chroma, luma : (slice, slice)
        The box around the skin.
    cover : float32[rows, columns] or None
        Weights of the field's samples: how far each is skin. None where all count alike.
    coarse, fine : (float32[h, w], float32[h, w]) or None
        At the box's chroma and luma samples: what the interpolated field is multiplied with (the weight of the skin
        over the interpolated cover), and the weight of the skin. None where that is 1.
    """

    chroma: tuple[slice, slice]
    luma: tuple[slice, slice]
    cover: Levels | None = None
    coarse: tuple[Levels, Levels] | None = None
    fine: tuple[Levels, Levels] | None = None


class FieldLayer:
    """Adds fields to frames; the last mask's weights are kept, because masks seldom change.

    Parameters
    ----------
    recording : Recording
    maker : FieldMaker
        Of the fields; its grids are used.
    record : Record
        Where what was done is noted.
    """

    def __init__(self, recording: Recording, maker: FieldMaker, record: Record) -> None:
        self._maker, self._record = maker, record
        height, width = recording.height, recording.width
        across, down = chroma_size(width, height)
        self._shapes = ((height, width), (down, across))
        self._radius = edge_radius((down, across))
        tile = bayer_thresholds()
        repeat = (-(-height // tile.shape[0]), -(-width // tile.shape[1]))
        self._thresholds = np.tile(tile, repeat)[:height, :width]
        self._labels: NDArray[np.uint8] | None = None
        self._places: dict[int | None, _Place | None] = {}

    def look(self, mask: FrameMask) -> None:
        """The mask of the frame that comes next."""
        if self._labels is None or not np.array_equal(self._labels, mask.labels):
            self._labels, self._places = mask.labels, {}

    def add(
        self,
        planes: Planes,
        levels: Levels,
        channels: slice,
        label: int | None,
        transform: Transform | None,
        measured: tuple[float, float, float],
    ) -> Planes:
        """The planes of the frame that was looked at, with a field added.

        Parameters
        ----------
        planes : tuple of uint8[h, w]
            Left as they are.
        levels : float32[channels, rows, columns]
            What to add, on the field's grid.
        channels : slice
            Of Y, U, V: those of `levels`.
        label : int or None
            Of the skin; None is the whole picture.
        transform : Transform or None
            To the canonical frame that the field lies in.
        measured : tuple of float
            The measured pulse of Y, U, V in levels, for the record.
        """
        assert self._labels is not None
        if not levels.any():
            return planes
        for name, field in zip(CHANNELS[channels], levels, strict=True):  # interpolation makes nothing larger
            record = self._record.channels[name]
            record.largest = max(record.largest, float(np.abs(field).max()))
        if transform is not None:
            return self._add_followed(planes, levels, channels, label, transform, measured)
        if label not in self._places:
            self._places[label] = self._place(self._labels, label)
        place = self._places[label]
        if place is None:
            return planes
        grid = self._maker.grid
        if place.cover is not None:
            levels = levels * place.cover
        result = list(planes)
        wanted = range(*channels.indices(3))
        if 0 in wanted:
            self._put(result, 0, place, _luma(grid, levels[0], place.luma), measured)
        chroma = grid.expand(levels[-2:], *place.chroma, luma=False)
        for channel in (1, 2):
            self._put(result, channel, place, chroma[channel - 1], measured)
        return result[0], result[1], result[2]

    def _place(self, labels: NDArray[np.uint8], label: int | None) -> _Place | None:
        (height, width), (down, across) = self._shapes
        if label is None:
            return _Place((slice(0, down), slice(0, across)), (slice(0, height), slice(0, width)))
        skin = skin_of(labels, label)
        box = bounding_box(skin, self._radius)
        if box is None:
            return None
        chroma, luma = _boxes(box)
        weights = soft_weights(skin[chroma], self._radius)
        cover = self._maker.coverage(labels)[1]
        cover = np.where(cover >= COVERED, cover, np.float32(0))
        grid = self._maker.grid
        fine_weights = upsampled(weights, _extent(luma, (height, width)))
        coarse = _over(weights, grid.expand(cover[None], *chroma, luma=False)[0])
        fine = _over(fine_weights, _luma(grid, cover, luma))
        return _Place(chroma, luma, cover, (coarse, weights), (fine, fine_weights))

    def _add_followed(
        self,
        planes: Planes,
        levels: Levels,
        channels: slice,
        label: int | None,
        transform: Transform,
        measured: tuple[float, float, float],
    ) -> Planes:
        """The field is read in the canonical frame at the place of every chroma sample of the skin."""
        grid = self._maker.canonical
        assert grid is not None
        assert label is not None
        assert self._labels is not None
        skin = skin_of(self._labels, label)
        box = bounding_box(skin, self._radius)
        if box is None:
            return planes
        chroma, luma = _boxes(box)
        cover = warped(skin[None].astype(np.float32), transform, grid)[0]
        cover = np.where(cover >= COVERED, cover, np.float32(0))
        y, x = (2 * np.arange(part.start, part.stop) + 0.5 for part in chroma)
        matrix = np.asarray(transform, np.float64)
        at_x = matrix[0, 0] * x + matrix[0, 1] * y[:, None] + matrix[0, 2]
        at_y = matrix[1, 0] * x + matrix[1, 1] * y[:, None] + matrix[1, 2]
        rows = ((at_y - 0.5) / 2 - grid.rows.origin) / grid.rows.step
        columns = ((at_x - 0.5) / 2 - grid.columns.origin) / grid.columns.step
        every = np.concatenate([levels * cover, cover[None]])
        # skin at the rim of the canonical frame takes the value of the rim
        height, width = grid.shape
        read = bilinear(every, np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1))
        weights = soft_weights(skin[chroma], self._radius)
        factor = _over(weights, read[-1])
        fine_weights = upsampled(weights, _extent(luma, self._shapes[0]))
        place = _Place(chroma, luma, None, (factor, weights), (upsampled(factor, fine_weights.shape), fine_weights))
        result = list(planes)
        if 0 in range(*channels.indices(3)):
            self._put(result, 0, place, upsampled(read[0], fine_weights.shape), measured)
        for channel in (1, 2):
            self._put(result, channel, place, read[channel - 3 - 1], measured)
        return result[0], result[1], result[2]

    def _put(
        self, result: list[Plane], channel: int, place: _Place, levels: Levels, measured: tuple[float, float, float]
    ) -> None:
        box, factors = (place.luma, place.fine) if channel == 0 else (place.chroma, place.coarse)
        before = result[channel]
        total = 0.0
        if factors is not None:
            levels = levels * factors[0]
            total = float(levels.sum(dtype=np.float64))
        part, added = add_levels(before[box], levels, self._thresholds[box])
        whole = part.shape == before.shape
        plane = part if whole else before.copy()
        if not whole:
            plane[box] = part
        result[channel] = plane
        record = self._record.channels[CHANNELS[channel]]
        record.clipped += added.clipped
        if factors is None:
            record.samples += part.size
            return
        record.samples += int(np.count_nonzero(factors[1]))
        reached = float(factors[1].sum(dtype=np.float64, where=factors[0] > 0))
        mean = (total + added.lost) / max(reached, 1e-9)
        record.dot += measured[channel] * mean
        record.power += measured[channel] ** 2


def _boxes(box: tuple[int, int, int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    y0, y1, x0, x1 = box
    return (slice(y0, y1), slice(x0, x1)), (slice(2 * y0, 2 * y1), slice(2 * x0, 2 * x1))


def _extent(box: tuple[slice, slice], shape: tuple[int, int]) -> tuple[int, int]:
    """Size of a box of a luma plane; an odd plane ends before it does."""
    rows, columns = (min(part.stop, length) - part.start for part, length in zip(box, shape, strict=True))
    return rows, columns


def _over(weights: Levels, cover: Levels) -> Levels:
    """Weights over cover; 0 where nothing is covered."""
    found: Levels = np.where(cover > _LEAST, weights / np.maximum(cover, _LEAST), np.float32(0))
    return found


def _luma(grid: FieldGrid, field: Levels, box: tuple[slice, slice]) -> Levels:
    """One channel of a field at luma samples."""
    if grid.finest:
        rows, columns = (slice(part.start // 2, (part.stop + 1) // 2) for part in box)
        return upsampled(field[rows, columns], _extent(box, (grid.rows.fine.shape[0], grid.columns.fine.shape[0])))
    found: Levels = grid.expand(field[None], *box, luma=True)[0]
    return found
