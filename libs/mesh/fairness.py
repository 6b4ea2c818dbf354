"""How many tasks of one stage each job may have queued: bounded for all, and short jobs do not wait for long ones."""

from __future__ import annotations

import math
from collections.abc import Mapping

LONG = 4  # a job with more than so many times the chunks of the shortest one is long


def widths(chunks: Mapping[str, int], slots: int) -> dict[str, int]:
    """Most tasks of one stage that each job may have queued.

    Jobs share 2 slots' worth of queue, at least two tasks each (one, where there is one slot), so that slots never
    idle. While a job is active that is much shorter than others, the long ones together keep half of the slots busy,
    oldest first, and the others wait: a fair share among six jobs would make the short one take six times as long.

    Parameters
    ----------
    chunks : mapping of str to int
        Active jobs, oldest first, and their chunks; 0 where the clip is not split yet.
    slots : int
        Tasks of one stage that can run at once, 0 where that is not known.

    Returns
    -------
    dict of str to int
        0 or more. At least one job has 1 or more.
    """
    slots = max(slots, 1)
    shortest = max(min(chunks.values(), default=0), 1)
    long = [job for job, count in chunks.items() if count > LONG * shortest]
    share = max(min(2, slots), math.ceil(2 * slots / max(len(chunks) - len(long), 1)))
    found = dict.fromkeys(chunks, share)
    for rank, job in enumerate(long):
        found[job] = 1 if rank < max(1, slots // 2) else 0
    return found
