"""Which frames decide on which: the weights of the chroma key's two averages over time.

The weight of a frame falls linearly to nothing one second away (Bartlett's window). Of a pulse of 0.9 Hz 1 % is left,
of any above 0.7 Hz at most 11 %; a flat average over the same time leaves 9 and 22 %, and blurs motion twice as much.
What moves is decided on its present colour: the same window over three frames, with the weights 1, 2, 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HELD_BYTES = 96 << 20  # most bytes of planes that one window may hold
KEY_RATE_HZ = 30.0  # frames a second that enter an average; more would change nothing but the cost
TICKS = 120  # a second: weights are whole numbers of ticks, so that sums are exact

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class KeyWindows:
    """The weights of all frames of a clip.

    Frame i is decided on the entries `begin[i]` to `end[i]`, each with the weight `reach` - |its tick - `at[i]`|. An
    entry is a frame, or its mirror image before the first or behind the last frame. All bounds exclude their end.

    Attributes
    ----------
    frames, ticks : int64[m]
        The frame that an entry shows, and its time in 1/120 s; in order of time.
    at : int64[n]
        Time of each frame of the clip in the same units.
    begin, end : int64[n]
    low, high : int64[n]
        The first frame that frame i is decided on, and the one after the last.
    weight : int64[n]
        Sum of the weights, at least 1.
    reach : int
    near_begin, near_end, near_weight : int64[n]
        The same for the present colour. Where no frame is that near, the weight is 0.
    near_reach : int
        Twice the usual distance of frames that count, at most `reach`.
    """

    frames: Integers
    ticks: Integers
    at: Integers
    begin: Integers
    end: Integers
    low: Integers
    high: Integers
    weight: Integers
    reach: int
    near_begin: Integers
    near_end: Integers
    near_weight: Integers
    near_reach: int

    @property
    def most(self) -> int:
        """Most entries in one window."""
        return int((self.end - self.begin).max(initial=0))


def key_windows(times: NDArray[np.float64], half_width: float, frame_bytes: int = 0) -> KeyWindows:
    """The windows of +- `half_width` around every frame, reflected at the first and the last frame.

    A frame at time t is mirrored to 2 times[0] - t and 2 times[-1] - t, the first and the last frame themselves
    are not repeated. Of a clip with many frames a second, or very large ones, every k-th frame counts, so that
    at most `HELD_BYTES` are held; k and thus every mask depend on the clip alone.

    Parameters
    ----------
    times : float64[n]
        Of all frames of the clip in seconds, increasing.
    half_width : float
        In seconds; 0 decides every frame on itself.
    frame_bytes : int
        What is held of one frame.

    Returns
    -------
    KeyWindows
    """
    n = len(times)
    if half_width <= 0:  # so far apart that no frame reaches another
        at = 2 * np.arange(n)
        return _windows(at, np.ones(n, np.bool_), 1, 1)
    stride, near = 1, TICKS
    if n > 1:
        rate = (n - 1) / (times[-1] - times[0])
        held = 2 * half_width * rate * frame_bytes
        stride = max(1, math.floor(rate / KEY_RATE_HZ + 0.5), math.ceil(held / HELD_BYTES))
        near = round(2 * TICKS * stride / rate)
    at = np.rint((times - times[0]) * TICKS).astype(np.int64)
    used = np.arange(n) % stride == 0
    reach = max(round(half_width * TICKS), 1)
    near = min(max(near, 1), reach)
    windows = _windows(at, used, reach, near)
    alone = windows.weight == 0
    if alone.any():  # between two gaps, and not a k-th frame: it counts for itself
        windows = _windows(at, used | alone, reach, near)
    return windows


def _span(at: Integers, ticks: Integers, reach: int) -> tuple[Integers, Integers, Integers]:
    """First and last (excluded) entry nearer than `reach` to each frame, and the sum of their weights."""
    begin = np.searchsorted(ticks, at - reach, side="right")
    end = np.searchsorted(ticks, at + reach, side="left")
    middle = np.searchsorted(ticks, at, side="right")
    sums = np.concatenate([[0], np.cumsum(ticks)])
    before = (middle - begin) * (reach - at) + sums[middle] - sums[begin]
    behind = (end - middle) * (reach + at) - sums[end] + sums[middle]
    return begin, end, before + behind


def _windows(at: Integers, used: NDArray[np.bool_], reach: int, near: int) -> KeyWindows:
    n = len(at)
    own = np.flatnonzero(used)
    last = at[-1] if n else 0
    head = own[(own > 0) & (at[own] - at[0] < reach)][::-1] if n else own
    tail = own[(own < n - 1) & (last - at[own] < reach)][::-1]
    frames = np.concatenate([head, own, tail])
    ticks = np.concatenate([2 * at[0] - at[head], at[own], 2 * last - at[tail]]) if n else at
    begin, end, weight = _span(at, ticks, reach)
    # entries fall, rise and fall again: the least and the greatest lie at the ends or where they turn
    turns = (len(head), len(head) + len(own) - 1)
    ends = np.stack([frames[np.minimum(begin, len(frames) - 1)], frames[np.maximum(end - 1, 0)]])
    lows, highs = (
        np.where((begin <= turn) & (turn < end), frames[turn], ends[0]) for turn in turns
    )  # fmt: skip
    low = np.minimum(ends.min(axis=0), lows)
    high = np.maximum(ends.max(axis=0), highs) + 1
    return KeyWindows(
        frames, ticks, at, begin, end, low, high, weight, reach, *_span(at, ticks, near), near
    )  # fmt: skip
