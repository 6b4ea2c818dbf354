"""Signals: their form, parts of them, and their way through a file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.signals import Signals

pytestmark = pytest.mark.unit


def made(count=40, patches=3, seed=0) -> Signals:
    rng = np.random.default_rng(seed)
    time = np.cumsum(rng.uniform(0.02, 0.05, count))
    return Signals(
        time_s=time,
        rgb=rng.uniform(0, 255, (3, count)),
        background=None if seed % 2 else rng.uniform(0, 255, (3, count)),
        patch_time_s=time[::2],
        patches=rng.uniform(0, 255, (patches, 3, len(time[::2]))),
        patch_counts=rng.uniform(30, 900, patches),
        bits_per_pixel=0.1,
        codec="h264",
        displacement=rng.standard_normal((2, count)),
        width=64,
    )


@settings(max_examples=25, deadline=None)
@given(count=st.integers(2, 60), patches=st.integers(0, 4), seed=st.integers(0, 9))
def test_a_file_gives_back_what_it_was_given(count, patches, seed):
    one = made(count, patches, seed)
    data = one.to_bytes()
    other = Signals.from_bytes(data)
    assert other.to_bytes() == data
    assert np.array_equal(one.rgb, other.rgb)
    assert (other.background is None) == (one.background is None)
    assert (other.codec, other.width, other.height, other.clipped) == ("h264", 64, None, None)


@settings(max_examples=25, deadline=None)
@given(cut=st.floats(0.2, 1.0))
def test_parts_hold_everything_once(cut):
    whole = made(60)
    cut = min(max(cut, whole.time_s[0] + 0.01), whole.time_s[-1])
    first, second = whole.between(0, cut), whole.between(cut, 100)
    assert np.array_equal(np.concatenate([first.time_s, second.time_s]), whole.time_s)
    assert np.array_equal(np.concatenate([first.displacement, second.displacement], axis=1), whole.displacement)
    assert first.patches.shape[2] + second.patches.shape[2] == whole.patches.shape[2]


@pytest.mark.parametrize(
    "changes",
    [
        {"time_s": np.zeros(0), "rgb": np.zeros((3, 0))},
        {"time_s": np.array([0.0, 1.0]), "rgb": np.zeros((3, 3))},
        {"time_s": np.array([1.0, 1.0]), "rgb": np.zeros((3, 2))},
        {"time_s": np.array([0.0, 1.0]), "rgb": np.zeros((3, 2)), "patches": np.zeros((2, 3, 5))},
    ],
)
def test_what_does_not_belong_together_is_refused(changes):
    with pytest.raises(ValueError, match=r"belong|increase|fit"):
        Signals(**changes)


def test_files_of_something_else_are_refused():
    with pytest.raises(ValueError, match=r".+"):
        Signals.from_bytes(b"nothing of ours")


def test_duration_counts_the_last_frame():
    even = Signals(time_s=np.arange(30) / 30, rgb=np.ones((3, 30)))
    assert (even.duration_s, even.fps) == (pytest.approx(1.0), pytest.approx(30.0))
