"""Cells of absolute time: every frame in one, and the same ones however a clip is cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmenter.sam3.cells import cells, covering, support

pytestmark = pytest.mark.unit


@st.composite
def clips(draw):
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    n = draw(st.integers(1, 200))
    gaps = rng.uniform(0.2, 1.8, n) / draw(st.sampled_from([2.0, 7.3, 30.0]))
    gaps[rng.random(n) < 0.02] += 2.5  # frames that are missing
    times = np.cumsum(gaps)
    return times - times[0]


@settings(max_examples=60, deadline=None)
@given(times=clips(), seconds=st.sampled_from([0.1, 0.5, 1.0, 3.3]))
def test_cells_hold_every_frame_once_and_end_where_the_next_begins(times, seconds):
    found = cells(times, seconds)
    assert [index for cell in found for index in range(cell.first, cell.last)] == list(range(len(times)))
    for cell, following in zip(found, [*found[1:], None], strict=True):
        assert cell.last > cell.first
        own = times[cell.first : cell.last]
        assert (own >= cell.number * seconds - 1e-8).all()
        assert (own < (cell.number + 1) * seconds).all()
        joined = following is not None and following.number == cell.number + 1
        assert cell.closing == (following.first if joined else cell.last - 1)


@settings(max_examples=60, deadline=None)
@given(times=clips(), seconds=st.sampled_from([0.5, 1.0]), data=st.data())
def test_support_is_whole_cells_and_small(times, seconds, data):
    first = data.draw(st.integers(0, len(times) - 1))
    last = data.draw(st.integers(first + 1, len(times)))
    need = support(times, seconds, first, last)
    whole = cells(times, seconds)
    mine = covering(whole, first, last)
    assert need.start == mine[0].first <= first
    assert need.stop == mine[-1].closing + 1 >= last
    assert times[first] - times[need.start] < seconds
    assert times[need.stop - 1] - times[last - 1] < 2 * seconds
    # seen from a clip that begins with another cell, the same cells hold the same frames
    assert [cell for cell in whole if cell.first < last and cell.last > first] == mine


def test_a_frame_on_the_boundary_opens_a_cell():
    times = np.arange(10) / 5  # 1.0 s is frame 5, in floating point too
    found = cells(times, 1.0)
    assert [(cell.first, cell.last, cell.closing) for cell in found] == [(0, 5, 5), (5, 10, 9)]
    thirds = np.arange(7) * (1 / 3)
    assert [cell.first for cell in cells(thirds, 1.0)] == [0, 3, 6]


def test_what_is_no_clip_is_refused():
    assert cells(np.array([]), 1.0) == []
    assert len(support(np.array([]), 1.0, 0, 0)) == 0
    with pytest.raises(ValueError, match="more than 0"):
        cells(np.arange(3.0), 0.0)
    with pytest.raises(ValueError, match="do not increase"):
        cells(np.array([0.0, 0.0, 1.0]), 1.0)
