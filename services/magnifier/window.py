"""Fields of the frames around one: a buffer that slides over the clip, and a filter's output out of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from magnifier.field import SCALE, Samples
from magnifier.temporal import Basis, Row

Levels = NDArray[np.float32]
_SMALL = 1 << 15  # samples a frame up to which they are held as floats
_STRIP = 1 << 13  # samples of larger ones that are converted at a time
_MIDDLE = np.float32(128)  # rows sum to 0, so any level may be taken off: it keeps float32 exact
_BLOCK = 64  # frames of a product


class Window:
    """The last frames of a series of fields.

    Frames are added in order; those before the one that was last asked for are forgotten. A sample that is not skin in
    a frame has its value of the last frame before, in the window, where it is (the first after, where there is none).

    Parameters
    ----------
    channels : slice
        Of Y, U, V: those that are asked for.
    shape : tuple of int
        Rows and columns of a field.
    longest : int
        Most frames of a window.
    """

    def __init__(self, channels: slice, shape: tuple[int, int], longest: int) -> None:
        self._channels, self._cells = channels, shape[0] * shape[1]
        self._count = len(range(*channels.indices(3)))
        self.shape = (self._count, *shape)
        samples = self._count * self._cells
        self._floats = samples <= _SMALL
        capacity = 2 * longest if self._floats else longest + longest // 4 + 1
        self._values = np.empty((capacity, samples), np.float32 if self._floats else np.uint16)
        self._absent = np.zeros((capacity, self._cells), np.bool_)
        self._pattern = np.zeros(capacity, np.int64)  # changes where the absent samples do
        self._first = self._held = 0  # frame in row 0; rows in use
        self._needed = 0  # frames before it are not asked for any more

    def add(self, frame: int, fields: Samples | None) -> None:
        """The next frame: uint16[3, rows, columns], 0 where there is no skin; None where there is none at all."""
        if not self._held:
            self._first = frame
        elif self._held == len(self._values):
            self._make_room()
        row = frame - self._first
        if fields is None:
            self._values[row], absent = 0, np.ones(self._cells, np.bool_)
        else:
            chosen = fields[self._channels].reshape(-1)
            self._values[row] = chosen
            if self._floats:
                self._values[row] *= np.float32(1 / SCALE)
                self._values[row] -= _MIDDLE
            absent = chosen[: self._cells] == 0
        if row and np.array_equal(absent, self._absent[row - 1]):
            self._pattern[row] = self._pattern[row - 1]
        else:
            self._pattern[row] = frame
        self._absent[row] = absent
        self._held = row + 1

    def forget(self, before: int) -> None:
        """Frames before this one are not asked for any more."""
        self._needed = max(self._needed, before)

    def _make_room(self) -> None:
        """Drop what is not asked for any more; a larger buffer where that is nothing (frames far apart in time)."""
        drop = min(max(self._needed - self._first, 0), self._held)
        keep = self._held - drop
        if drop:
            for array in (self._values, self._absent, self._pattern):
                array[:keep] = array[drop : self._held]
            self._first, self._held = self._first + drop, keep
            return
        more = max(keep // 2, 8)
        self._values = np.concatenate([self._values, np.empty((more, self._values.shape[1]), self._values.dtype)])
        self._absent = np.concatenate([self._absent, np.zeros((more, self._cells), np.bool_)])
        self._pattern = np.concatenate([self._pattern, np.zeros(more, np.int64)])

    @property
    def next(self) -> int | None:
        """The frame that is due; None at the beginning."""
        return self._first + self._held if self._held else None

    def filtered(self, row: Row) -> Levels:
        """A filter's output in levels, float32[channels, rows, columns]; 0 where no frame of the window has skin."""
        start = row.first - self._first
        rows = slice(start, start + len(row.weights))
        found = np.empty(self._values.shape[1], np.float32)
        if self._floats:
            np.dot(row.weights, self._values[rows], out=found)
        else:
            for left in range(0, len(found), _STRIP):
                part = slice(left, left + _STRIP)
                np.dot(row.weights, self._values[rows, part].astype(np.float32), out=found[part])
            found *= np.float32(1 / SCALE)
        if self._absent[start].any() or self._pattern[start] != self._pattern[rows.stop - 1]:
            self._complete(rows, row.weights, found)
        return found.reshape(self.shape)

    def _complete(self, rows: slice, weights: NDArray[np.float32], found: Levels) -> None:
        absent = self._absent[rows]
        never = absent[0] if self._pattern[rows.start] == self._pattern[rows.stop - 1] else absent.all(axis=0)
        found.reshape(self._count, -1)[:, never] = 0
        if never is absent[0]:
            return
        cells = np.flatnonzero(absent.any(axis=0) & ~never)
        if not cells.size:
            return
        seen = np.where(absent[:, cells], -1, np.arange(len(absent))[:, None])
        last = np.maximum.accumulate(seen, axis=0)
        first = np.argmax(seen >= 0, axis=0)
        taken = np.where(last < 0, first[None], last)
        for channel in range(self._count):
            values = self._values[rows, cells + channel * self._cells].astype(np.float32)
            if not self._floats:
                values *= np.float32(1 / SCALE)
            filled = np.take_along_axis(values, taken, axis=0)
            found[cells + channel * self._cells] = weights @ filled


class WholeClip:
    """The output of a filter of the whole clip, from sums over all its frames: no field is kept.

    Parameters
    ----------
    basis : Basis
    channels, shape
        As of `Window`.
    """

    def __init__(self, basis: Basis, channels: slice, shape: tuple[int, int]) -> None:
        self._basis, self._channels = basis, channels
        self.shape = (len(range(*channels.indices(3))), *shape)
        samples = int(np.prod(self.shape))
        self._sums = np.zeros((basis.analysis.shape[1], samples), np.float32)
        self._block = np.zeros((_BLOCK, samples), np.float32)
        self._last = np.zeros(samples, np.float32)
        self._seen = np.zeros(samples, np.bool_)
        self._next = 0

    @property
    def next(self) -> int | None:
        """The frame that is due."""
        return self._next

    def add(self, frame: int, fields: Samples | None) -> None:
        """The next frame of the clip, from its first on; a sample without skin keeps the value that it had."""
        if fields is not None:
            chosen = fields[self._channels].reshape(-1).astype(np.float32) * np.float32(1 / SCALE) - _MIDDLE
            absent = np.tile((fields[0] == 0).reshape(-1), self.shape[0])
            self._last = np.where(absent, self._last, chosen)
            new = ~(absent | self._seen)
            if frame and new.any():  # its first value stands for all frames before
                before = self._basis.analysis[:frame].sum(axis=0, dtype=np.float64).astype(np.float32)
                self._sums[:, new] += before[:, None] * chosen[new]
            self._seen |= new
        place = frame % _BLOCK
        self._block[place] = self._last
        self._next = frame + 1
        if place == _BLOCK - 1 or self._next == len(self._basis.analysis):
            begin = frame - place
            self._sums += self._basis.analysis[begin : self._next].T @ self._block[: place + 1]

    def filtered(self, frame: int) -> Levels:
        """The output at a frame, after the last was added; float32[channels, rows, columns]."""
        found: Levels = (self._basis.synthesis[frame] @ self._sums).reshape(self.shape)
        return found
