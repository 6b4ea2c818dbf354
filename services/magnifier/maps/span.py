"""Which part of a clip the maps are made of: all of it, or its surest two minutes."""

from __future__ import annotations

import numpy as np

from media.pulse_blob import Pulse
from media.timeline import frame_times
from mesh.contracts import Plan

MOST_SECONDS = 120.0  # more adds little, and the sums of a long clip would outgrow it
LEAST_SECONDS = 8.0  # less holds too few beats to say how sure a delay is


def map_span(plan: Plan, pulse: Pulse) -> tuple[float, float]:
    """Start and end of the stretch that maps are made of, s.

    Of a clip longer than `MOST_SECONDS` the stretch of that length with the most windows whose heart rate was
    accepted, for all people together; the first of equals.

    Parameters
    ----------
    plan : Plan
    pulse : Pulse
    """
    times = frame_times(plan)
    start, end = float(times[0]), max(plan.chunks[-1].t1, float(times[-1]) + 1e-6)
    if end - start <= MOST_SECONDS:
        return start, end
    sure = sorted(
        point.time_s
        for person in pulse.measurements
        for point in person.heart_rate_over_time
        if point.heart_rate.status == "ok"
    )
    last = end - MOST_SECONDS
    candidates = [start, *(min(max(time - MOST_SECONDS / 2, start), last) for time in sure)]
    counts = np.searchsorted(sure, np.array(candidates) + MOST_SECONDS) - np.searchsorted(sure, candidates)
    best = candidates[int(np.argmax(counts))]
    return best, best + MOST_SECONDS
