"""What is known of a recording from elsewhere: contact sensors, monitors, or the settings of a phantom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.contact import rate_from_beats, rate_of_waves

Array = NDArray[np.float64]

SDNN_SECONDS = 20.0  # least length for a standard deviation of intervals
_LEAST_KNOWN = 0.8  # of the samples of a window must be known


@dataclass(frozen=True)
class Series:
    """A quantity over time.

    Attributes
    ----------
    time_s, value : float64[n]
        Seconds from the first frame, increasing; NaN where the quantity is unknown.
    """

    time_s: Array
    value: Array

    def __post_init__(self) -> None:
        if self.time_s.shape != self.value.shape or self.time_s.ndim != 1:
            raise ValueError("a series has one value for each time")

    def between(self, start_s: float, end_s: float) -> Array:
        """Values at start_s <= time < end_s."""
        return self.value[(self.time_s >= start_s) & (self.time_s < end_s)]

    def mean(self, start_s: float, end_s: float) -> float | None:
        """Mean over a window; None where less than 80 % of its samples are known."""
        values = self.between(start_s, end_s)
        known = np.isfinite(values)
        return float(values[known].mean()) if len(values) and known.mean() >= _LEAST_KNOWN else None


@dataclass(frozen=True)
class Reference:
    """The truth of one recording; what is not known is None.

    Attributes
    ----------
    heart_rate, respiration_rate : Series or None
        1/min.
    beats_s : float64[k] or None
        Times of all heart beats.
    breathing : Series or None
        A wave of breathing (belt, air flow, or rendered), any unit.
    pulseless : bool
        There is certainly no pulse: any heart rate would be an error.
    """

    heart_rate: Series | None = None
    respiration_rate: Series | None = None
    beats_s: Array | None = None
    breathing: Series | None = None
    pulseless: bool = False

    def truths(self, start_s: float, end_s: float) -> dict[str, float]:
        """Every quantity that is known of a window.

        Parameters
        ----------
        start_s, end_s : float
            Seconds from the first frame.

        Returns
        -------
        dict of str to float
            `heart_rate` and `respiration_rate` (mean over the window, 1/min), `sdnn` and `rmssd` (ms, windows of
            20 s and more).
        """
        found = {
            "heart_rate": self._heart_rate(start_s, end_s),
            "respiration_rate": self._respiration_rate(start_s, end_s),
            **self._variability(start_s, end_s),
        }
        return {name: value for name, value in found.items() if value is not None}

    def _heart_rate(self, start_s: float, end_s: float) -> float | None:
        if self.pulseless:
            return None
        if self.heart_rate is not None:
            return self.heart_rate.mean(start_s, end_s)
        return None if self.beats_s is None else rate_from_beats(self.beats_s, start_s, end_s)

    def _respiration_rate(self, start_s: float, end_s: float) -> float | None:
        if self.respiration_rate is not None:
            return self.respiration_rate.mean(start_s, end_s)
        if self.breathing is None:
            return None
        inside = (self.breathing.time_s >= start_s) & (self.breathing.time_s < end_s)
        return rate_of_waves(self.breathing.time_s[inside], self.breathing.value[inside])

    def _variability(self, start_s: float, end_s: float) -> dict[str, float | None]:
        if self.beats_s is None or self.pulseless or end_s - start_s < SDNN_SECONDS:
            return {}
        beats = self.beats_s[(self.beats_s >= start_s) & (self.beats_s < end_s)]
        intervals = 1000 * np.diff(beats)
        if len(intervals) < 3:
            return {}
        return {
            "sdnn": float(intervals.std(ddof=1)),
            "rmssd": float(np.sqrt(np.mean(np.diff(intervals) ** 2))),
        }


UNITS = {"heart_rate": "bpm", "respiration_rate": "1/min", "sdnn": "ms", "rmssd": "ms"}
TOLERANCES = {"heart_rate": 5.0, "respiration_rate": 3.0, "sdnn": 20.0, "rmssd": 20.0}
