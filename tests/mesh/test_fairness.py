"""Shares of the queue."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.fairness import LONG, widths

pytestmark = pytest.mark.unit

JOBS = st.dictionaries(st.text(min_size=1, max_size=3), st.integers(0, 400), min_size=1, max_size=12)


@given(chunks=JOBS, slots=st.integers(0, 32))
@settings(max_examples=200, deadline=None)
def test_slots_are_filled_and_the_queue_is_bounded(chunks: dict[str, int], slots: int) -> None:
    found = widths(chunks, slots)
    assert found.keys() == chunks.keys()
    shortest = min(chunks, key=lambda job: chunks[job])
    assert found[shortest] >= 1
    assert sum(found.values()) >= slots
    assert sum(found.values()) <= 3 * max(slots, 1) + 3 * len(chunks)


@given(chunks=JOBS, slots=st.integers(1, 32))
@settings(max_examples=200, deadline=None)
def test_long_jobs_leave_room_for_short_ones_and_go_on(chunks: dict[str, int], slots: int) -> None:
    found = widths(chunks, slots)
    shortest = max(min(chunks.values()), 1)
    long = [found[job] for job, count in chunks.items() if count > LONG * shortest]
    assert sum(long) <= max(1, slots // 2)
    if long:
        assert long[0] == 1, "the oldest long job goes on"


def test_equal_jobs_share_alike() -> None:
    assert widths({"a": 10, "b": 10, "c": 10}, 4) == {"a": 3, "b": 3, "c": 3}
    assert widths({"a": 120}, 2) == {"a": 4}
    assert widths({"a": 120, "b": 120, "c": 120, "d": 0}, 2) == {"a": 1, "b": 0, "c": 0, "d": 4}
