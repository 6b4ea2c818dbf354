"""The part of the first seconds in which nobody walks: a pulse is sought in skin that stays where it is."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from segmenter.living_skin.cells import Cells

LEAST_CALM_S = 4.0  # a shorter part shows no pulse: then all is looked at
# Somebody walks, or the camera moves, where so much of the picture changes by so many levels of Y within that time. A
# head that turns by 30 degrees/s or sways by 30 px of 640 changes 0.03-0.08, one that crosses at 60 px/s 0.1-0.2.
MOVED, _LEVELS, _WITHIN_S = 0.12, 10.0, 1 / 3


def calm(cells: Cells) -> Cells:
    """The longest part of a clip in which nobody walks; all of it where nobody does, or where it is too short.

    Parameters
    ----------
    cells : Cells
        Of the first seconds.

    Returns
    -------
    Cells
        The same or fewer frames, one after the other.
    """
    still = np.flatnonzero(~_moving(cells))
    if len(still) in (0, len(cells.times)):
        return cells
    runs = [[frame for _, frame in run] for _, run in groupby(enumerate(still.tolist()), lambda at: at[1] - at[0])]
    longest = max(runs, key=len)
    first, last = longest[0], longest[-1]
    if cells.times[last] - cells.times[first] < LEAST_CALM_S:
        return cells
    span = slice(first, last + 1)
    return Cells(cells.times[span], cells.y[span], cells.u[span], cells.v[span])


def _moving(cells: Cells) -> NDArray[np.bool_]:
    """Frames that lie between two of which much of the picture differs; light that changes everywhere is no motion."""
    moving = np.zeros(len(cells.times), bool)
    later = np.searchsorted(cells.times, cells.times + _WITHIN_S)
    for frame in np.flatnonzero(later < len(cells.times)).tolist():
        change = cells.y[later[frame]] - cells.y[frame]
        if (np.abs(change - np.median(change)) > _LEVELS).mean() > MOVED:
            moving[frame : later[frame] + 1] = True
    return moving
