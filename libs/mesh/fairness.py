"""How many tasks of one stage each job may have queued: bounded for all, and short jobs do not wait for long ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

LONG = 4  # a job with more than so many times the chunks of the shortest one is long
LARGE = 12  # chunks, a minute by default: splitting so much holds a slot for seconds


@dataclass(frozen=True)
class Load:
    """How much there is of a job.

    Attributes
    ----------
    chunks : int
        Of its clip; an estimate before it is split.
    split : bool
    """

    chunks: int
    split: bool = True


def widths(loads: Mapping[str, Load], slots: int) -> dict[str, int]:
    """Most tasks of one stage that each job may have queued.

    Jobs share 2 slots' worth of queue, at least two tasks each (one, where there is one slot), so that slots never
    idle. While a job is active that is much shorter than others, the long ones together keep half of the slots busy,
    oldest first, and the others wait: a fair share among six jobs would make the short one take six times as long.

    What is queued cannot be taken back, so the splits of large clips leave one slot free for a short clip that comes
    next: of those only as many are queued as there are slots but one, the oldest of the shorter ones first.

    Parameters
    ----------
    loads : mapping of str to Load
        Active jobs, oldest first.
    slots : int
        Tasks of one stage that can run at once, 0 where that is not known.

    Returns
    -------
    dict of str to int
        0 or more. At least one job has 1 or more.
    """
    slots = max(slots, 1)
    shortest = max(min((load.chunks for load in loads.values()), default=0), 1)
    long = [job for job, load in loads.items() if load.chunks > LONG * shortest]
    share = max(min(2, slots), math.ceil(2 * slots / max(len(loads) - len(long), 1)))
    found = dict.fromkeys(loads, share)
    for rank, job in enumerate(long):
        found[job] = 1 if rank < max(1, slots // 2) else 0
    unsplit = [job for job, load in loads.items() if not load.split and load.chunks > LARGE and found[job]]
    for job in sorted(unsplit, key=lambda job: job in long)[max(1, slots - 1) :]:
        found[job] = 0
    return found
