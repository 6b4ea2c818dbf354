"""Lock-in: amplitude and phase of the pulse in every cell, by least squares against the phase of the heart beat.

A cell's mean level is fitted by a quadratic in time and the first two harmonics of the beat,

    y(t) = c0 + c1 s + c2 s^2 + sum over h = 1, 2 of (a_h cos(h phi) + b_h sin(h phi)),

over segments of some seconds, each with a quadratic of its own, so that light and motion that drift have no way into
the harmonics. Normal equations add up: over frames, over chunks, over cells, over segments. What a fit is asked at the
end (a smoother map, a patch, all but one segment) is a sum of the same numbers. The idea of a lock-in at every pixel is
Kamshilin's (2011, Biomedical Optics Express 2:996); that of taking the baseline out first Frisch, Waugh and Lovell's
(1933, 1963).

A codec copies blocks that hardly change from the frame before. Such a sample repeats old news, late; it counts with
little weight. On x264 clips that halves the error of delays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magnifier.maps.cells import LUMA_SAMPLES, CellBox
from magnifier.maps.elimination import eliminate, triangle
from media.arrays import array_module, to_device, to_host

Floats = NDArray[np.float64]

BASELINE, HARMONICS = 3, 2
COLUMNS = BASELINE + 2 * HARMONICS
CHANNELS = 3  # Y, U, V
_UPPER = np.triu_indices(COLUMNS)
PRODUCTS = len(_UPPER[0])
WAVES = 2 * HARMONICS
PAIRS = WAVES * (WAVES + 1) // 2  # of waves: upper triangle
COPIED = 0.1  # weight of a sample that equals the one before it
_LEVEL = np.float32(128)  # taken off before 32-bit sums
_BATCH = 48  # frames a matrix product
_BLOCK = 2048  # cells whose normal equations stay in the cache


def segment_seconds(duration_s: float, rate_hz: float) -> float:
    """Length of a segment: a tenth of the time, but two and a half beats and not more than 5 s where that is less.

    Parameters
    ----------
    duration_s : float
    rate_hz : float
        Heart rate, 1/s.
    """
    return max(min(duration_s / 10, 5.0), 2.5 / rate_hz)


def columns(time_s: Floats, phase: Floats, origin_s: float, segment_s: float) -> tuple[Floats, NDArray[np.int64]]:
    """Regressors of frames, and the segment that each belongs to.

    Parameters
    ----------
    time_s : float64[n]
    phase : float64[n]
        Of the beat, radians.
    origin_s : float
        Where segment 0 begins.
    segment_s : float

    Returns
    -------
    design : float64[n, COLUMNS]
        1, s, s^2 with s from -1 to 1 over a segment, then cos and sin of each harmonic.
    segment : int64[n]
    """
    turns = (time_s - origin_s) / segment_s
    # a frame exactly on a border belongs to what it begins, whatever the rounding of its time
    segment = np.floor(turns + 1e-9).astype(np.int64)
    place = 2 * (turns - segment) - 1
    waves = [wave(h * phase) for h in range(1, HARMONICS + 1) for wave in (np.cos, np.sin)]
    return np.stack([np.ones_like(place), place, place**2, *waves], axis=1), segment


@dataclass
class SegmentSums:
    """Normal equations of one segment.

    Attributes
    ----------
    products : float[PRODUCTS, cells]
        Weighted products of regressors, upper triangle by rows.
    moments : float[CHANNELS, COLUMNS, cells]
        Weighted products of levels (less 128) and regressors.
    frames : float[cells]
        How many frames each cell was skin in.
    """

    products: NDArray[Any]
    moments: NDArray[Any]
    frames: NDArray[Any]

    @classmethod
    def empty(cls, cells: int) -> SegmentSums:
        """Nothing summed."""
        return cls(np.zeros((PRODUCTS, cells)), np.zeros((CHANNELS, COLUMNS, cells)), np.zeros(cells))

    def plus(self, other: SegmentSums) -> SegmentSums:
        """Both together, in double precision."""
        xp = array_module(self.products)
        parts = zip(vars(self).values(), vars(other).values(), strict=True)
        return SegmentSums(*(xp.add(mine, theirs, dtype=np.float64) for mine, theirs in parts))

    def on_device(self) -> SegmentSums:
        """The sums where this process computes."""
        return SegmentSums(*(to_device(part) for part in vars(self).values()))

    def on_host(self) -> SegmentSums:
        """The sums as NumPy's."""
        return SegmentSums(*(to_host(part) for part in vars(self).values()))


class LockIn:
    """Adds frames to the normal equations of the cells of a box.

    Frames come in order; each is compared with the one before it, to see which samples are mere copies. They are
    collected in the order that a matrix product wants, some tens at a time, where the sums of the first frame are, on a
    GPU or not.

    Parameters
    ----------
    box : CellBox
    segments : dict of int to SegmentSums, optional
        What is added to.
    """

    def __init__(self, box: CellBox, segments: dict[int, SegmentSums] | None = None) -> None:
        self.box = box
        self.segments: dict[int, SegmentSums] = {} if segments is None else segments
        self._before: NDArray[np.float32] | None = None
        self._weights: Any = None  # float32[_BATCH, cells]; made with the first frame, like the next two
        self._levels: Any = None  # float32[CHANNELS, _BATCH, cells]
        self._frames: Any = None  # float32[cells]
        self._design = np.empty((_BATCH, COLUMNS), np.float32)
        self._waiting, self._segment = 0, 0
        # of the counts of skin that came last: they seldom change
        self._counts: NDArray[np.float32] | None = None
        self._counted = self._share = self._grey = self._luma_grey = np.empty(0, np.float32)

    def start_after(self, sums: NDArray[np.float32]) -> None:
        """Name the frame before the first, whose samples may be repeated."""
        self._before = sums

    def add(self, segment: int, design: Floats, sums: NDArray[np.float32]) -> None:
        """One frame.

        Parameters
        ----------
        segment : int
        design : float64[COLUMNS]
            Its row of `columns`.
        sums : float32[4, cells]
            As of `cells.cell_sums`; not to be changed afterwards. Cells of which less than half is skin do not count.
        """
        if self._waiting and (self._segment != segment or self._waiting == _BATCH):
            self.flush()
        xp, counts = array_module(sums), sums[0]
        if self._weights is None:
            self._weights = xp.empty((_BATCH, self.box.count), np.float32)
            self._levels = xp.empty((CHANNELS, _BATCH, self.box.count), np.float32)
            self._frames = xp.zeros(self.box.count, np.float32)
        same = self._counts is not None and bool(xp.array_equal(counts, self._counts))
        if not same:
            full = self.box.side * self.box.side // LUMA_SAMPLES
            self._counts = counts
            self._counted = (2 * counts >= full).astype(np.float32)
            self._share = 1 / xp.maximum(counts, 1)
            self._grey = _LEVEL * counts
            self._luma_grey = LUMA_SAMPLES * self._grey
        row = self._waiting
        weights = self._weights[row]
        if self._before is None:
            weights[:] = self._counted
        else:
            # in all three channels: noise alone repeats one of them now and then
            copied = sums[1] == self._before[1]
            copied &= sums[2] == self._before[2]
            copied &= sums[3] == self._before[3]
            if not same:
                copied &= counts == self._before[0]
            xp.multiply(copied, np.float32(COPIED - 1), out=weights, dtype=np.float32)
            weights += np.float32(1)
            weights *= self._counted
        self._frames += self._counted
        share = weights * self._share
        xp.subtract(sums[1], self._luma_grey, out=self._levels[0, row])
        xp.subtract(sums[2:], self._grey, out=self._levels[1:, row])
        self._levels[:, row] *= share
        self._design[row] = design
        self._segment, self._waiting, self._before = segment, row + 1, sums

    def flush(self) -> None:
        """Bring the sums up to date."""
        if not self._waiting:
            return
        xp = array_module(self._weights)
        design = self._design[: self._waiting]
        products = xp.asarray((design[:, _UPPER[0]] * design[:, _UPPER[1]]).T) @ self._weights[: self._waiting]
        regressors = xp.asarray(design.T)
        moments = xp.empty((CHANNELS, COLUMNS, self.box.count), np.float32)
        for channel in range(CHANNELS):
            xp.matmul(regressors, self._levels[channel, : self._waiting], out=moments[channel])
        moments[0] /= LUMA_SAMPLES
        summed = SegmentSums(products, moments, self._frames.copy())
        before = self.segments.get(self._segment)
        self.segments[self._segment] = summed if before is None else before.plus(summed)
        self._frames[:] = 0
        self._waiting = 0


@dataclass(frozen=True)
class Equations:
    """Normal equations of the harmonics alone, the baseline taken out: what all maps are made of.

    `matrix` and `moments` lie where the sums were, on a GPU or not; all else is small, and NumPy's.

    Attributes
    ----------
    box : CellBox
    matrix : float64[segments, PAIRS, cells]
        Upper triangles by rows.
    moments : float64[segments, CHANNELS, WAVES, cells]
    level : float64[CHANNELS, cells]
        Mean stored level; NaN where nothing was seen.
    weight : float64[segments, cells]
        Sum of the weights of the frames.
    frames : float64[cells]
        In how many frames each cell was skin.
    """

    box: CellBox
    matrix: Floats
    moments: Floats
    level: Floats
    weight: Floats
    frames: Floats


_LEAST_WEIGHT = 8.0  # frames' worth of news that a segment of a cell needs


def without_baseline(box: CellBox, segments: dict[int, SegmentSums]) -> Equations:
    """Take the quadratic out of every segment (its Schur complement).

    Parameters
    ----------
    box : CellBox
    segments : dict of int to SegmentSums
        Of all chunks, added up; all on one device.

    Returns
    -------
    Equations
        A segment of a cell that has too few frames is 0 in all of them.
    """
    order = sorted(segments)
    xp = array_module(segments[order[0]].products if order else None)
    block = _BLOCK if xp is np else max(box.count, 1)  # a GPU wants few kernels, not a cache that is not outgrown
    matrix = xp.empty((len(order), PAIRS, box.count))
    moments = xp.empty((len(order), CHANNELS, WAVES, box.count))
    weight = np.empty((len(order), box.count))
    level = np.zeros((CHANNELS, box.count))
    frames = np.zeros(box.count)
    diagonal = triangle(COLUMNS).diagonal()[:BASELINE]
    for row, name in enumerate(order):
        sums = segments[name]
        weight[row] = to_host(sums.products[0])
        level += to_host(sums.moments[:, 0])
        frames += to_host(sums.frames)
        for start in range(0, box.count, block):
            here = slice(start, start + block)
            products = sums.products[:, here].astype(np.float64)
            right = sums.moments[:, :, here].swapaxes(0, 1).astype(np.float64)
            enough = products[0] >= _LEAST_WEIGHT
            # a hair of ridge: samples may all lie in one half of a segment
            products[diagonal] += xp.where(enough, 1e-6 * products[0], 1.0)
            eliminate(products, right, BASELINE)
            matrix[row, :, here] = products[-PAIRS:] * enough
            moments[row, :, :, here] = right[BASELINE:].swapaxes(0, 1) * enough
    total = weight.sum(axis=0)
    seen = np.where(total > 0, total, np.nan)
    return Equations(box, matrix, moments, level / seen + float(_LEVEL), weight, frames)
