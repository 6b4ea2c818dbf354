"""What a filter in time holds: the frames that wait for what comes after them, and how the field changed since."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from magnifier.arrays import array_module
from magnifier.motion.protocol import Frame
from magnifier.motion.time_grid import Cells, TimeFilter


class Ready(NamedTuple):
    """A frame that has seen all it needs.

    Attributes
    ----------
    frame : Frame
    weights : float32[h, w] or None
        Where it may change, as it was given.
    first : int
        A cell.
    filter : float64[n]
        Weights of the filter for the cells from `first` on.
    """

    frame: Frame
    weights: Any
    first: int
    filter: NDArray[np.float64]


class Waiting:
    """Frames in order of time, and the cells that they make.

    Parameters
    ----------
    time_filter : TimeFilter
    span : (float, float), optional
        Frames with span[0] <= time < span[1] come back; all of them without a span.
    """

    def __init__(self, time_filter: TimeFilter, span: tuple[float, float] | None) -> None:
        self._filter = time_filter
        self._span = span
        self._cells = Cells(time_filter.step_s)
        self._frames: deque[tuple[Frame, Any]] = deque()
        self._first: int | None = None
        self._last = 0
        self._finished = False

    def push(self, frame: Frame, weights: Any, values: Any) -> list[tuple[int, Any]]:
        """Add a frame and what it has for the cells; the cells that are complete by it."""
        if self._span is None or self._span[0] <= frame.time < self._span[1]:
            self._frames.append((frame, weights))
        return self._seen(self._cells.push(frame.time, values))

    def finish(self) -> list[tuple[int, Any]]:
        """The cells that are left; from now on the last one ends the clip."""
        self._finished = True
        return self._seen(self._cells.finish())

    def ready(self) -> list[Ready]:
        """Frames that have all their cells, in order; each is given once."""
        found: list[Ready] = []
        while self._frames and self._first is not None:
            frame, weights = self._frames[0]
            needed = self._filter.window(frame.time)[1]
            if needed > self._last and not self._finished:
                break
            self._frames.popleft()
            last = self._last if self._finished else needed
            found.append(Ready(frame, weights, *self._filter.mirrored(frame.time, self._first, last)))
        return found

    def oldest(self) -> int:
        """The first cell that a frame can still need. Mirrored at the end, the last frames need no older ones."""
        return self._filter.window(self._frames[0][0].time if self._frames else self._last * self._filter.step_s)[0]

    def _seen(self, cells: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
        for cell, _ in cells:
            self._first = cell if self._first is None else self._first
            self._last = cell
        return cells


class Increments:
    """How a field changed from cell to cell.

    The weights w of a filter add up to 0, so sum(w_g x_g) = sum(W_j (x_j - x_(j-1))) with W_j = w_j + w_(j+1) + ...:
    nothing but differences is needed, and for phase a difference is what can be measured. No reference frame is needed,
    against which far movements would wrap.
    """

    def __init__(self) -> None:
        self._held: dict[int, Any] = {}
        self._last = 0

    def start(self, cell: int) -> None:
        """The first cell, from which on changes are known."""
        self._last = cell

    def add(self, cell: int, increment: Any) -> None:
        """Change since the cell before; cells that no frame reached in between share it evenly."""
        missing = cell - self._last
        part = increment if missing == 1 else increment * np.float32(1 / missing)
        for number in range(self._last + 1, cell + 1):
            self._held[number] = part
        self._last = cell

    def forget_before(self, cell: int) -> None:
        """Let go of what lies before a cell."""
        for number in [n for n in self._held if n <= cell]:
            del self._held[number]

    def filtered(self, first: int, weights: NDArray[np.float64]) -> Any:
        """The filtered field; cells without an increment did not change.

        Parameters
        ----------
        first : int
            Cell of the first weight.
        weights : float64[n]

        Returns
        -------
        float32 array or None
            None if nothing has changed yet.
        """
        steps = np.cumsum(weights[::-1])[::-1]
        total: Any = None
        part: Any = None
        for cell, step in enumerate(steps, start=first):
            increment = self._held.get(cell)
            if increment is None or cell == first:
                continue
            xp = array_module(increment)
            if total is None:
                total = xp.multiply(increment, np.float32(step))
                part = xp.empty_like(total)
            else:
                xp.multiply(increment, np.float32(step), out=part)
                total += part
        return total
