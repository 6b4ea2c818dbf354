"""What a filter in time holds: the frames that wait for what comes after them, and how the field changed since."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from magnifier.motion.protocol import Frame
from magnifier.motion.time_grid import Cell, Cells, TimeFilter
from media.arrays import array_module


class Ready(NamedTuple):
    """A frame that has seen all it needs.

    Attributes
    ----------
    frame : Frame
    weights : float32[h, w] or None
        Where it may change, as it was given.
    nearest : int
        The cell whose place is nearest to it.
    first : int
        Number of a difference between two cells that follow each other; 0 is that of the first two.
    steps : float32[n]
        What the filter weighs the differences from `first` on with; see `Differences`.
    """

    frame: Frame
    weights: Any
    nearest: int
    first: int
    steps: NDArray[np.float32]


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
        self._places: deque[float] = deque()  # of cells
        self._gone = 0  # cells that are not held any more
        self._first: int | None = None
        self._last = 0
        self._finished = False

    def push(self, frame: Frame, weights: Any, values: Any) -> list[Cell]:
        """Add a frame and what it has for the cells; the cells that are complete by it."""
        if self._span is None or self._span[0] <= frame.time < self._span[1]:
            self._frames.append((frame, weights))
        return self._seen(self._cells.push(frame.time, values))

    def finish(self) -> list[Cell]:
        """The cells that are left; from now on the last one ends the clip."""
        self._finished = True
        return self._seen(self._cells.finish())

    def ready(self) -> list[Ready]:
        """Frames that have all their cells, in order; each is given once."""
        found: list[Ready] = []
        while self._frames and self._first is not None:
            frame, weights = self._frames[0]
            last = self._last
            if not self._finished:
                last = self._filter.window(frame.time)[1]
                if last >= self._last:  # the cell after it tells how the field changes until it
                    break
            self._frames.popleft()
            nearest = min(max(round(frame.time / self._filter.step_s), self._first), self._last)
            found.append(Ready(frame, weights, nearest, *self._steps(frame.time, self._first, last)))
        return found

    def oldest(self) -> int:
        """The first difference that a frame can still need; those before it are forgotten here as well."""
        # mirrored at the end, the last frames need no older ones than their own
        due = self._frames[0][0].time if self._frames else self._last * self._filter.step_s
        first = self._filter.window(due)[0]
        while len(self._places) > 1 and self._places[1] <= first:
            self._places.popleft()
            self._gone += 1
        return self._gone

    @property
    def first_cell(self) -> int:
        """The first cell that can be the nearest one of a frame."""
        return round((self._frames[0][0].time if self._frames else self._cells.time_s) / self._filter.step_s)

    def _steps(self, time_s: float, first: int, last: int) -> tuple[int, NDArray[np.float32]]:
        """Weights of the differences: the mean of W (see `Differences`) over the time that each took."""
        start, weights = self._filter.mirrored(time_s, first, last)
        knots = start + np.arange(len(weights), dtype=np.float64)
        sums = np.cumsum(weights[:0:-1])[::-1]  # W between the first cell and the second, and so on
        integral = np.concatenate([[0.0], np.cumsum(sums)])
        places = np.array(self._places)
        begin = max(int(np.searchsorted(places, knots[0], side="right")) - 1, 0)
        end = int(np.searchsorted(places, knots[-1], side="left")) + 1
        places = places[begin:end]
        steps = np.diff(np.interp(places, knots, integral)) / np.diff(places)
        return self._gone + begin, steps.astype(np.float32)

    def _seen(self, cells: list[Cell]) -> list[Cell]:
        for cell in cells:
            self._first = cell.number if self._first is None else self._first
            self._last = cell.number
            self._places.append(cell.place)
        return cells


class Differences:
    """How a field changed from cell to cell.

    The weights w of a filter add up to 0, so sum(w_g x_g) = sum(W_j (x_j - x_(j-1))) with W_j = w_j + w_(j+1) + ...:
    nothing but differences is needed, and for phase a difference is what can be measured. No reference frame is needed,
    against which far movements would wrap. Between cells the field is taken for straight: where their frames are not
    spread evenly, or there are none, a difference counts with the mean of W over the time that it took.
    """

    def __init__(self) -> None:
        self._held: deque[Any] = deque()
        self._gone = 0

    def add(self, difference: Any) -> None:
        """The next difference, float32."""
        self._held.append(difference)

    def forget_before(self, number: int) -> None:
        """Let go of those before a number."""
        while self._held and self._gone < number:
            self._held.popleft()
            self._gone += 1

    def filtered(self, first: int, steps: NDArray[np.float32]) -> Any:
        """The filtered field; None where there was no difference in time. Sums in order, so every cut gives its bits.

        Parameters
        ----------
        first : int
            Number of a difference.
        steps : float32[n]
            Weights from there on.
        """
        total: Any = None
        part: Any = None
        begin = first - self._gone
        for step, difference in zip(steps, islice(self._held, begin, begin + len(steps)), strict=True):
            xp = array_module(difference)
            if total is None:
                total = xp.multiply(difference, step)
                part = xp.empty_like(total)
            else:
                xp.multiply(difference, step, out=part)
                total += part
        return total
