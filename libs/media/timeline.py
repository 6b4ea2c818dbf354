"""Time of every frame: from the presentation time stamps of the file, never from a nominal frame rate."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mesh.contracts import Chunk, Grid, Plan

JITTER = 0.1  # frame distances that differ by more than this part make a variable rate


def seconds(pts: Sequence[int] | NDArray[np.int64], time_base: tuple[int, int], scale: float) -> NDArray[np.float64]:
    """Seconds since the first time stamp.

    Parameters
    ----------
    pts : int64[n]
        Presentation time stamps in ticks, increasing.
    time_base : (int, int)
        Seconds per tick as a fraction.
    scale : float
        Seconds of real time per second of file time.

    Returns
    -------
    float64[n]
        The first is 0. Each is rounded once from whole ticks, so equal stamps give equal times everywhere.
    """
    ticks = np.asarray(pts, np.int64)
    if ticks.size == 0:
        return np.zeros(0)
    times: NDArray[np.float64] = (ticks - ticks[0]).astype(np.float64) * time_base[0] / time_base[1] * scale
    return times


def frame_times(plan: Plan) -> NDArray[np.float64]:
    """Time of every frame of the plan.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    float64[n]
        Seconds of real time; the first frame is at 0.
    """
    return seconds(plan.pts, plan.time_base, plan.time_scale)


def chunk_of(plan: Plan, frame: int) -> Chunk:
    """The chunk that owns a frame.

    Raises
    ------
    IndexError
        If the plan has no such frame.
    """
    for chunk in plan.chunks:
        if chunk.first <= frame < chunk.first + chunk.frames:
            return chunk
    raise IndexError(f"no chunk owns frame {frame} of {len(plan.pts)}")


def frame_range(times: NDArray[np.float64], t0: float | None, t1: float | None) -> tuple[int, int]:
    """Indices of the frames with t0 <= time < t1.

    Returns
    -------
    first, stop : int
        Half open. None stands for the start and the end of the clip.
    """
    first = 0 if t0 is None else int(np.searchsorted(times, t0, side="left"))
    stop = len(times) if t1 is None else int(np.searchsorted(times, t1, side="left"))
    return first, max(stop, first)


def mean_rate(times: NDArray[np.float64]) -> float:
    """Mean frame rate in 1/s, from the first to the last frame; `times` are at least two."""
    return float((len(times) - 1) / (times[-1] - times[0]))


def is_variable(pts: NDArray[np.int64]) -> bool:
    """Whether frame distances differ from their median by more than a tenth.

    One tick is forgiven: containers with millisecond ticks round 16.67 ms to 16 and 17.
    """
    steps = np.diff(pts)
    if steps.size == 0:
        return False
    middle = float(np.median(steps))
    return bool(np.any(np.abs(steps - middle) > max(JITTER * middle, 1.0)))


def last_duration(pts: NDArray[np.int64]) -> int:
    """How long the last frame is shown, in ticks: as long as the median frame, at least one tick."""
    return max(round(float(np.median(np.diff(pts)))), 1) if len(pts) > 1 else 1


def uniform_grid(times: NDArray[np.float64]) -> Grid:
    """The uniform grid of a recording: its mean frame rate, from its first to its last frame.

    The samples of a recording of constant rate fall on its frames. The rate is not rounded: 29.97 for
    30000/1001 would be 2 ms off after half an hour.
    """
    return Grid(origin_s=0.0, rate_hz=mean_rate(times), samples=len(times))


def fraction(value: Fraction) -> tuple[int, int]:
    """Numerator and denominator."""
    return value.numerator, value.denominator
