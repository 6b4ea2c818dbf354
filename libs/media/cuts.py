"""Where a clip is cut into chunks. Pure: from the times of frames and of the keyframes among them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

SNAP = 0.35  # part of a chunk by which a cut may move to a keyframe
SHORTEST = 1 / 3  # part of a chunk below which the last one is joined to the one before it
LEAD = 2.0  # most seconds of leading frames, in chunks: to decode them again costs less than to code all of it anew


@dataclass(frozen=True)
class Span:
    """A chunk before it is written: frames [first, stop) in presentation order, packets [begin, end) as coded."""

    first: int
    stop: int
    begin: int
    end: int


def boundaries(times: NDArray[np.float64], chunk_seconds: float, preferred: NDArray[np.int64]) -> list[int]:
    """First frames of all chunks.

    A cut is due at every multiple of `chunk_seconds`; it moves to the nearest preferred frame within 0.35 of
    a chunk, else it is the first frame at or after its time. A gap in time makes no empty chunk.

    Parameters
    ----------
    times : float64[n]
        Seconds, increasing, from 0.
    chunk_seconds : float
    preferred : int64[m]
        Indices of frames at which a cut costs nothing: keyframes. Increasing.

    Returns
    -------
    list of int
        Increasing, from 0. Chunks cover all frames.
    """
    cuts = [0]
    last = float(times[-1]) if len(times) else 0.0
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    count = int(last // chunk_seconds)
    due = np.arange(1, count + 1) * chunk_seconds
    at = times[preferred]
    for moment in due:
        place = int(np.searchsorted(at, moment))
        near = [p for p in (place - 1, place) if 0 <= p < len(at) and abs(at[p] - moment) <= SNAP * chunk_seconds]
        if near:
            cut = int(preferred[min(near, key=lambda p: abs(float(at[p]) - moment))])
        else:
            cut = int(np.searchsorted(times, moment - step / 1000))  # a time that is a rounding below is meant
        if cuts[-1] < cut < len(times):
            cuts.append(cut)
    if len(cuts) > 1 and last + step - times[cuts[-1]] < SHORTEST * chunk_seconds:
        cuts.pop()
    return cuts


def spans(
    pts: NDArray[np.int64],
    owns: NDArray[np.bool_],
    entries: NDArray[np.bool_],
    seconds_per_tick: float,
    chunk_seconds: float,
) -> list[Span] | None:
    """Cut coded packets into chunks that decode alone.

    A chunk carries its packets from the last entry that is shown at or before its first frame up to the last one
    that one of its frames is in: with an open GOP that is beyond the next keyframe.

    Parameters
    ----------
    pts : int64[p]
        Of the packets in decoding order, ticks.
    owns : bool[p]
        Whether the packet holds a frame of the clip.
    entries : bool[p]
        Whether decoding can start at the packet.
    seconds_per_tick : float
    chunk_seconds : float

    Returns
    -------
    list of Span or None
        None where keyframes are so far apart that a chunk's leading frames would be longer than two chunks.
    """
    coded = np.flatnonzero(owns)
    order = coded[np.argsort(pts[coded], kind="stable")]  # packets of the frames in presentation order
    shown = pts[order]
    times = (shown - shown[0]) * seconds_per_tick
    gates = np.flatnonzero(entries)
    gate_pts = pts[gates]  # increasing, as an entry is shown after everything coded before it
    at = np.searchsorted(shown, gate_pts)
    at = at[at < len(shown)]
    found: list[Span] = []
    cuts = [*boundaries(times, chunk_seconds, np.unique(at)), len(order)]
    for first, stop in pairwise(cuts):
        place = int(np.searchsorted(gate_pts, shown[first], side="right")) - 1
        begin = int(gates[max(place, 0)])
        lead = float(shown[first] - pts[begin]) * seconds_per_tick
        if first and lead > LEAD * chunk_seconds * (1 + 1e-9):
            return None
        found.append(Span(first, stop, begin, int(order[first:stop].max()) + 1))
    return found
