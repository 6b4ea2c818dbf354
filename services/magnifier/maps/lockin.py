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

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from magnifier.maps.cells import LUMA_SAMPLES, CellBox

Floats = NDArray[np.float64]

BASELINE, HARMONICS = 3, 2
COLUMNS = BASELINE + 2 * HARMONICS
CHANNELS = 3  # Y, U, V
_UPPER = np.triu_indices(COLUMNS)
PRODUCTS = len(_UPPER[0])
COPIED = 0.1  # weight of a sample that equals the one before it
_LEVEL = np.float32(128)  # taken off before 32-bit sums
_BATCH = 32


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
    products : float64[cells, PRODUCTS]
        Weighted products of regressors, upper triangle by rows.
    moments : float64[cells, CHANNELS, COLUMNS]
        Weighted products of levels (less 128) and regressors.
    """

    products: Floats
    moments: Floats

    @classmethod
    def empty(cls, cells: int) -> SegmentSums:
        """Nothing summed."""
        return cls(np.zeros((cells, PRODUCTS)), np.zeros((cells, CHANNELS, COLUMNS)))


@dataclass
class LockIn:
    """Adds frames to the normal equations of the cells of a box.

    Frames come in order; each is compared with the one before it, to see which samples are mere copies.

    Attributes
    ----------
    box : CellBox
    segments : dict of int to SegmentSums
    """

    box: CellBox
    segments: dict[int, SegmentSums] = field(default_factory=dict)
    _before: NDArray[np.float32] | None = None
    _waiting: list[tuple[int, Floats, NDArray[np.float32], NDArray[np.float32]]] = field(default_factory=list)

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
            As of `cells.cell_sums`. Cells of which less than half is skin do not count.
        """
        full = self.box.side * self.box.side // LUMA_SAMPLES
        weights = np.where(2 * sums[0] >= full, np.float32(1), np.float32(0))
        if self._before is not None:
            copied = (sums[1] == self._before[1]) & (sums[0] == self._before[0])
            weights[copied] *= np.float32(COPIED)
        if self._waiting and (self._waiting[0][0] != segment or len(self._waiting) == _BATCH):
            self.flush()
        self._waiting.append((segment, design, sums, weights))
        self._before = sums

    def flush(self) -> None:
        """Bring the sums up to date."""
        if not self._waiting:
            return
        segment = self._waiting[0][0]
        total = self.segments.setdefault(segment, SegmentSums.empty(self.box.count))
        design = np.stack([row for _, row, _, _ in self._waiting]).astype(np.float32)
        products = design[:, _UPPER[0]] * design[:, _UPPER[1]]
        weights = np.stack([w for _, _, _, w in self._waiting])
        total.products += weights.T @ products
        counts = np.maximum(np.stack([s[0] for _, _, s, _ in self._waiting]), 1)
        for channel in range(CHANNELS):
            levels = np.stack([s[1 + channel] for _, _, s, _ in self._waiting])
            levels /= counts * np.float32(LUMA_SAMPLES) if channel == 0 else counts
            levels -= _LEVEL
            levels *= weights
            total.moments[:, channel] += levels.T @ design
        self._waiting.clear()


@dataclass(frozen=True)
class Equations:
    """Normal equations of the harmonics alone, the baseline taken out: what all maps are made of.

    Attributes
    ----------
    box : CellBox
    matrix : float64[segments, cells, 2 HARMONICS, 2 HARMONICS]
    moments : float64[segments, cells, CHANNELS, 2 HARMONICS]
    level : float64[cells, CHANNELS]
        Mean stored level; NaN where nothing was seen.
    weight : float64[segments, cells]
        Sum of the weights of the frames.
    """

    box: CellBox
    matrix: Floats
    moments: Floats
    level: Floats
    weight: Floats


_LEAST_WEIGHT = 8.0  # frames' worth of news that a segment of a cell needs


def without_baseline(box: CellBox, segments: dict[int, SegmentSums]) -> Equations:
    """Take the quadratic out of every segment (its Schur complement).

    Parameters
    ----------
    box : CellBox
    segments : dict of int to SegmentSums
        Of all chunks, added up.

    Returns
    -------
    Equations
        A segment of a cell that has too few frames is 0 in all of them.
    """
    order = sorted(segments)
    waves = 2 * HARMONICS
    matrix = np.zeros((len(order), box.count, waves, waves))
    moments = np.zeros((len(order), box.count, CHANNELS, waves))
    weight = np.zeros((len(order), box.count))
    level = np.zeros((box.count, CHANNELS))
    for row, name in enumerate(order):
        sums = segments[name]
        level += sums.moments[:, :, 0]
        weight[row] = sums.products[:, 0]
        enough = np.flatnonzero(weight[row] >= _LEAST_WEIGHT)
        if not enough.size:
            continue
        whole = np.empty((len(enough), COLUMNS, COLUMNS))
        whole[:, _UPPER[0], _UPPER[1]] = sums.products[enough]
        whole[:, _UPPER[1], _UPPER[0]] = sums.products[enough]
        right = sums.moments[enough]
        # a hair of ridge: samples may all lie in one half of a segment
        base = whole[:, :BASELINE, :BASELINE] + 1e-6 * weight[row, enough, None, None] * np.eye(BASELINE)
        cross = whole[:, :BASELINE, BASELINE:]
        taken = np.linalg.solve(base, np.concatenate([cross, right[:, :, :BASELINE].swapaxes(1, 2)], axis=2))
        across = cross.swapaxes(1, 2)
        matrix[row, enough] = whole[:, BASELINE:, BASELINE:] - across @ taken[:, :, :waves]
        moments[row, enough] = right[:, :, BASELINE:] - (across @ taken[:, :, waves:]).swapaxes(1, 2)
    total = weight.sum(axis=0)
    seen = np.where(total > 0, total, np.nan)
    return Equations(box, matrix, moments, level / seen[:, None] + float(_LEVEL), weight)
