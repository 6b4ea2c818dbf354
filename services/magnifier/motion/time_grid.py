"""Filters in time with finite support, on frames whose distances may vary.

Frames are averaged into the cells of a uniform, absolute grid (a cell is a weighted mean of the frames within one step
of it, with a triangle as weight), and a filter is a continuous function of time that is read at the cells' distances
from any moment. So a frame of any time gets its filtered value without interpolation, steady and varying frame rates
are one case, and slow bands cost less: the grid is as coarse as the band allows. What a frame gets depends on the cells
within `SUPPORT_S` of it alone, however the clip is cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magnifier.motion.acceleration import HALF_LENGTH_S, acceleration_weight, check_frequency
from media.arrays import array_module

SUPPORT_S = HALF_LENGTH_S
SLOWEST_RATE_HZ = 4.0  # frames a second
_FINEST_STEP_S = 0.1  # a step is no longer where the frame rate allows: what moves far stays in sight of itself
_SNAP = 1e-6  # of a step: times are rounded ticks

Weight = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def step_of(highest_hz: float, rate_hz: float) -> float:
    """Length of a step in seconds: whole frames, at least four steps a period and ten a second where frames allow."""
    return max(math.floor(rate_hz / max(4 * highest_hz, 1 / _FINEST_STEP_S)), 1) / rate_hz


@dataclass(frozen=True)
class TimeFilter:
    """A filter whose value at a moment is a weighted sum of cells, the weights adding up to 0.

    Attributes
    ----------
    step_s : float
        From one cell to the next.
    rate_hz : float
        Frames a second.
    weight : function
        Weight of a cell by its distance from the moment, float64[n] s to float64[n].
    """

    step_s: float
    rate_hz: float
    weight: Weight

    @property
    def reach_s(self) -> float:
        """Cells within so many seconds have a weight; the frames that make them, and the cells next to them, lie within
        `SUPPORT_S`."""
        return SUPPORT_S - 2 * self.step_s

    def window(self, time_s: float) -> tuple[int, int]:
        """First and last cell within reach of a moment."""
        middle, reach = time_s / self.step_s, self.reach_s / self.step_s
        return math.ceil(middle - reach - _SNAP), math.floor(middle + reach + _SNAP)

    def weights(self, time_s: float) -> tuple[int, NDArray[np.float64]]:
        """Weights of the cells about a moment.

        Returns
        -------
        first : int
            Cell of the first weight.
        weights : float64[n]
            Their sum is 0, and so is their first moment about the moment: a level and a slope give nothing.
        """
        first, last = self.window(time_s)
        away = np.arange(first, last + 1, dtype=np.float64) * self.step_s - time_s
        weights = self.weight(away)
        inside = np.maximum(1 - (away / (self.reach_s + self.step_s)) ** 2, 0)  # a parabola takes up what rounding left
        basis = np.stack([inside, inside * away / self.reach_s])
        moments = np.stack([np.ones_like(away), away / self.reach_s])
        weights = weights - np.linalg.solve(moments @ basis.T, moments @ weights) @ basis
        return first, weights

    def mirrored(self, time_s: float, first: int, last: int) -> tuple[int, NDArray[np.float64]]:
        """As `weights`, where there are only the cells from `first` to `last`: beyond them they are mirrored.

        The first and the last cell are not repeated.
        """
        start, weights = self.weights(time_s)
        stop = start + len(weights) - 1
        if first <= start and stop <= last:
            return start, weights
        period = 2 * (last - first)
        place = (np.arange(start, stop + 1) - first) % period if period else np.zeros(len(weights), np.int64)
        place = np.minimum(place, period - place) + first
        begin = int(place.min())
        return begin, np.bincount(place - begin, weights).astype(np.float64)

    def response(self, frequency_hz: ArrayLike) -> NDArray[np.float64]:
        """Gain of the filter, with the averaging into cells, for waves of given frequencies; its phase is 0."""
        frequency = np.atleast_1d(np.asarray(frequency_hz, np.float64))
        found = np.zeros(frequency.shape)
        offsets = np.arange(self._frames) / self._frames * self.step_s
        for offset in offsets:
            first, weights = self.weights(offset)
            away = (first + np.arange(len(weights))) * self.step_s - offset
            found += np.cos(2 * np.pi * frequency[:, None] * away) @ weights
        return found / len(offsets) * self.averaging(frequency)

    def averaging(self, frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Gain of the averaging of frames into cells."""
        n = np.arange(1 - self._frames, self._frames)
        triangle = (self._frames - np.abs(n)) / self._frames**2
        return np.asarray(np.cos(2 * np.pi * np.asarray(frequency_hz)[:, None] * n / self.rate_hz) @ triangle)

    @property
    def _frames(self) -> int:
        return max(round(self.step_s * self.rate_hz), 1)


def band_pass(band_hz: tuple[float, float], rate_hz: float, step_s: float | None = None) -> TimeFilter:
    """A windowed-sinc band-pass (Hann), zero phase, with a largest gain of 1.

    What averaging frames into cells takes from the upper edge is given back by three weights (a little of the cells one
    step away is taken off). +-2.5 s resolve about 0.35 Hz: the edges of a band that is narrower than that, or lies
    below it, are softer than asked for (`TimeFilter.response` tells how soft).

    Parameters
    ----------
    band_hz : (float, float)
        Edges in Hz, where the gain is about 1/2.
    rate_hz : float
        Frames a second.
    step_s : float, optional
        Of the grid; as `step_of` if not given.

    Raises
    ------
    ValueError
        As `check_band`.
    """
    check_band(band_hz, rate_hz)
    low, high = band_hz
    step = step_of(high, rate_hz) if step_s is None else step_s
    half = SUPPORT_S - 3 * step
    middle = math.sqrt(low * high)
    plain = TimeFilter(step, rate_hz, lambda away: away)
    at_middle, at_high = plain.averaging(np.array([middle, high]))
    gains = 2 * (1 - np.cos(2 * np.pi * np.array([middle, high]) * step))
    lift = (at_middle - at_high) / (at_high * gains[1] - at_middle * gains[0])

    def sinc(away: NDArray[np.float64]) -> NDArray[np.float64]:
        ideal = 2 * high * np.sinc(2 * high * away) - 2 * low * np.sinc(2 * low * away)
        window = 0.5 + 0.5 * np.cos(np.pi * np.clip(away / half, -1, 1))
        found: NDArray[np.float64] = ideal * window * step
        return found

    def weight(away: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (1 + 2 * lift) * sinc(away) - lift * (sinc(away - step) + sinc(away + step))
        return found

    return _calibrated(TimeFilter(step, rate_hz, weight), np.linspace(low, high, 65))


def acceleration(frequency_hz: float, rate_hz: float) -> TimeFilter:
    """The second derivative of a Gaussian, with a gain of 1 at `frequency_hz`; see `acceleration.acceleration_weight`.

    Raises
    ------
    ValueError
        As `check_frequency`.
    """
    check_frequency(frequency_hz, rate_hz)
    step = step_of(2 * frequency_hz, rate_hz)
    return _calibrated(
        TimeFilter(step, rate_hz, lambda away: acceleration_weight(away, frequency_hz) * step),
        np.array([frequency_hz]),
    )


def holding_still(others: TimeFilter, alpha: float) -> TimeFilter:
    """What magnifies the band of `others` by 1 + alpha and takes away all that differs from the mean of +-2.5 s.

    Parameters
    ----------
    others : TimeFilter
        With a step of one frame.
    alpha : float
    """
    half = others.reach_s

    def weight(away: NDArray[np.float64]) -> NDArray[np.float64]:
        here = np.maximum(1 - np.abs(away) / others.step_s, 0)
        mean = 1 + np.cos(np.pi * np.clip(away / half, -1, 1))
        found: NDArray[np.float64] = (1 + alpha) * others.weight(away) - here + mean / mean.sum()
        return found

    return TimeFilter(others.step_s, others.rate_hz, weight)


def check_band(band_hz: tuple[float, float], rate_hz: float) -> None:
    """Refuse a band that holds no frequency, or none that the frame rate carries.

    Raises
    ------
    ValueError
    """
    low, high = band_hz
    if rate_hz < SLOWEST_RATE_HZ:
        raise ValueError(f"{rate_hz:g} frames a second are too few to filter: {SLOWEST_RATE_HZ:g} is the least")
    if not 0 < low < high:
        raise ValueError(f"the band {low:g}-{high:g} Hz is empty: its lower edge must be above 0 and below the upper")
    if high >= rate_hz / 2:
        raise ValueError(
            f"the band {low:g}-{high:g} Hz ends above half of the frame rate: at {rate_hz:g} frames a second choose an "
            f"upper edge below {rate_hz / 2:g} Hz"
        )


def _calibrated(found: TimeFilter, frequency_hz: NDArray[np.float64]) -> TimeFilter:
    """The same filter with a largest gain of 1 over the frequencies."""
    gain = float(found.response(frequency_hz).max())
    return TimeFilter(found.step_s, found.rate_hz, lambda away: found.weight(away) / gain)


class Cell(NamedTuple):
    """A weighted mean of the frames within a step of a place on the grid.

    Attributes
    ----------
    number : int
        Its place, in steps from time 0.
    place : float
        Mean place of the frames in it: its number where they are spread evenly.
    mean : float32 array
    """

    number: int
    place: float
    mean: Any


class Cells:
    """Averages frames into the cells of a grid, in order of time.

    Parameters
    ----------
    step_s : float
    """

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._open: dict[int, tuple[Any, float, float]] = {}  # sums of weighted values, of weights, of weighted places
        self._first: int | None = None
        self._place = 0.0
        self._values: Any = None

    @property
    def time_s(self) -> float:
        """Time of the last frame."""
        return self._place * self._step_s

    def push(self, time_s: float, values: Any) -> list[Cell]:
        """Add a frame.

        Parameters
        ----------
        time_s : float
        values : float32 or uint8 array

        Returns
        -------
        list of Cell
            Those that no later frame reaches, in order. A cell that no frame reached is left out.
        """
        place = time_s / self._step_s
        if abs(place - round(place)) < _SNAP:
            place = float(round(place))
        before = math.floor(place)
        done = self._close(before)
        # mirrored there, the first frame and the last stand in their cells once, their neighbours twice
        weight = 0.5 if self._values is None and place == before else before + 1 - place
        self._first = before if self._first is None else self._first
        self._place, self._values = place, values
        self._add(before, weight, place)
        self._add(before + 1, place - before, place)
        return done

    def finish(self) -> list[Cell]:
        """The cells that are still open, there being no more frames; the last is the one nearest to the last frame."""
        last = round(self._place)
        for number in [n for n in self._open if n > last]:
            del self._open[number]
        if self._place == last and last in self._open and self._open[last][1] > 1:
            self._add(last, -0.5, self._place)
        done = self._close(math.inf)
        return [cell._replace(place=float(last)) if cell.number == last else cell for cell in done]

    def _add(self, number: int, weight: float, place: float) -> None:
        if not weight:
            return
        part = array_module(self._values).multiply(self._values, np.float32(weight), dtype=np.float32)
        if number in self._open:
            total, weights, places = self._open[number]
            part += total
            self._open[number] = part, weights + weight, places + weight * (place - number)
        else:
            self._open[number] = part, weight, weight * (place - number)

    def _close(self, before: float) -> list[Cell]:
        done = []
        for number in sorted(n for n in self._open if n < before):
            total, weights, places = self._open.pop(number)
            off = 0.0 if number == self._first or abs(places) < _SNAP else places / weights
            done.append(Cell(number, number + off, total * np.float32(1 / weights)))
        return done
