"""Somebody walks in the first seconds: skin is sought in those before or after."""

from __future__ import annotations

import numpy as np
import pytest

from segmenter.living_skin.calm import LEAST_CALM_S, calm
from segmenter.living_skin.cells import Cells

pytestmark = pytest.mark.unit

RATE, ROWS, COLUMNS = 15.0, 30, 40


def filmed(first: float, last: float, seconds: float = 10.0, light: float = 0.0) -> Cells:
    """Somebody of a third of the width walks from `first` to `last`; the light steps up in the middle."""
    times = np.arange(round(seconds * RATE)) / RATE
    rng = np.random.default_rng(0)
    y = 90 + rng.normal(0, 0.3, (len(times), ROWS, COLUMNS))
    for frame, time in enumerate(times.tolist()):
        left = round(np.interp(time, [first, last], [0, COLUMNS * 2 / 3]))
        y[frame, 8:, left : left + COLUMNS // 3] += 60
    y[times > seconds / 2] += light
    chroma = np.full((len(times), ROWS, COLUMNS), 120, np.float32)
    return Cells(times, y.astype(np.float32), chroma, chroma + 20)


@pytest.mark.parametrize(("first", "last", "start", "end"), [(6.0, 8.0, 0.0, 6.0), (1.0, 3.0, 3.0, 9.9)])
def test_the_longest_part_without_a_walk_is_kept(first: float, last: float, start: float, end: float) -> None:
    cells = filmed(first, last)
    found = calm(cells)
    assert found.times[0] == pytest.approx(start, abs=0.6)
    assert found.times[-1] == pytest.approx(end, abs=0.6)
    kept = slice(*np.searchsorted(cells.times, [found.times[0], found.times[-1] + 1e-6]))
    assert all((getattr(found, plane) == getattr(cells, plane)[kept]).all() for plane in "yuv")


def test_all_is_kept_where_nobody_walks_or_nobody_stands() -> None:
    for cells in (filmed(20, 30), filmed(20, 30, light=40.0), filmed(0, 10), filmed(LEAST_CALM_S - 0.5, 7)):
        assert calm(cells) is cells
    single = filmed(20, 30, seconds=1 / RATE)
    assert calm(single) is single
