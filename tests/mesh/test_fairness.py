"""Shares of the queue."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.fairness import LARGE, LONG, Load, widths

pytestmark = pytest.mark.unit

LOADS = st.dictionaries(
    st.text(min_size=1, max_size=3), st.builds(Load, st.integers(0, 400), st.booleans()), min_size=1, max_size=12
)


@given(loads=LOADS, slots=st.integers(0, 32))
@settings(max_examples=300, deadline=None)
def test_slots_are_filled_and_the_queue_is_bounded(loads: dict[str, Load], slots: int) -> None:
    found = widths(loads, slots)
    assert found.keys() == loads.keys()
    assert max(found.values()) >= 1
    assert sum(found.values()) <= 3 * max(slots, 1) + 3 * len(loads)
    if all(load.split for load in loads.values()):
        shortest = min(loads, key=lambda job: loads[job].chunks)
        assert found[shortest] >= 1
        assert sum(found.values()) >= slots


@given(loads=LOADS, slots=st.integers(1, 32))
@settings(max_examples=300, deadline=None)
def test_long_jobs_leave_room_for_short_ones(loads: dict[str, Load], slots: int) -> None:
    found = widths(loads, slots)
    shortest = max(min(load.chunks for load in loads.values()), 1)
    long = [job for job, load in loads.items() if load.chunks > LONG * shortest]
    assert sum(found[job] for job in long) <= max(1, slots // 2)
    if long and loads[long[0]].split:
        assert found[long[0]] == 1, "the oldest long job goes on"


@given(loads=LOADS, slots=st.integers(2, 32))
@settings(max_examples=300, deadline=None)
def test_splits_of_large_clips_leave_a_slot_free(loads: dict[str, Load], slots: int) -> None:
    found = widths(loads, slots)
    large = [job for job, load in loads.items() if not load.split and load.chunks > LARGE]
    assert sum(found[job] > 0 for job in large) < slots


@given(loads=LOADS, slots=st.integers(1, 32))
@settings(max_examples=300, deadline=None)
def test_every_job_ends(loads: dict[str, Load], slots: int) -> None:
    """Whoever may queue something gets one step further each round; nobody waits for ever."""
    left = dict(loads)
    for _ in range(2 * len(loads) + sum(load.chunks for load in loads.values())):
        for job, width in widths(left, slots).items():
            if width:
                load = left[job]
                left[job] = Load(load.chunks, True) if not load.split else Load(load.chunks - width, True)
                if load.split and left[job].chunks <= 0:
                    del left[job]
        if not left:
            return
    raise AssertionError(left)


def test_equal_jobs_share_alike() -> None:
    assert widths({"a": Load(10), "b": Load(10), "c": Load(10)}, 4) == {"a": 3, "b": 3, "c": 3}
    assert widths({"a": Load(120)}, 2) == {"a": 4}
    short = Load(1, split=False)
    assert widths({"a": Load(120), "b": Load(120), "c": Load(120), "d": short}, 2) == {"a": 1, "b": 0, "c": 0, "d": 4}


def test_a_short_clip_is_split_beside_long_ones() -> None:
    waiting = Load(120, split=False)
    alone = widths({"a": waiting, "b": waiting, "c": waiting}, 2)
    assert alone == {"a": 2, "b": 0, "c": 0}
    assert widths({"a": waiting, "b": waiting, "c": waiting, "d": Load(2, split=False)}, 2) == {
        "a": 1, "b": 0, "c": 0, "d": 4,
    }  # fmt: skip
