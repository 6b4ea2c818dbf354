"""The chroma key: what it averages, that cutting changes nothing, and that the mask ignores the pulse."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmenter.chroma_key import HELD_BYTES, Key, key_windows, segment

pytestmark = pytest.mark.unit


def frames_of(u, v):
    return [SimpleNamespace(index=i, u=u[i], v=v[i]) for i in range(len(u))]


def decided_directly(times, u, v, key, i, half_width=1.0):
    """The mask of frame i by the definition, in floating point."""
    total_u, total_v, count = np.zeros(u[0].shape), np.zeros(u[0].shape), 0
    last = len(times) - 1
    for j, time in enumerate(times):
        images = [time]
        images += [2 * times[0] - time] if j > 0 else []
        images += [2 * times[-1] - time] if j < last else []
        for image in images:
            if abs(image - times[i]) <= half_width + 1e-9:
                total_u, total_v, count = total_u + u[j], total_v + v[j], count + 1
    distance = ((total_u / count - key.u) * key.scale_u) ** 2 + ((total_v / count - key.v) * key.scale_v) ** 2
    return distance < key.similarity, count


KEY = Key(120.3, 130.7, 0.99, 1.4, 400.0)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 90),
    rate=st.sampled_from([7.3, 12.5, 25.0, 30.0, 44.0]),
    variable=st.booleans(),
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(1, 89), max_size=4),
)
def test_masks_are_those_of_the_definition_and_of_any_cut(n, rate, variable, seed, cuts):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.2, 1.8, n)) / rate if variable else np.arange(n) / rate
    times = times - times[0]
    u, v = rng.integers(60, 190, (2, n, 3, 5)).astype(np.uint8)
    frames = frames_of(u, v)
    windows = key_windows(times, 1.0, 30)
    whole = list(segment(frames, windows, 0, n, KEY))
    if windows.used.all():
        for i in range(n):
            expected, count = decided_directly(times, u, v, KEY, i)
            assert windows.count[i] == count
            np.testing.assert_array_equal(whole[i], expected)
    edges = sorted({0, n, *(c for c in cuts if c < n)})
    parts = []
    for first, last in pairwise(edges):
        reached = frames[windows.low[first] : windows.high[last - 1]]
        parts += segment(reached, windows, first, last, KEY)
    for one, other in zip(parts, whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_window_of_one_frame_is_the_seeds_key():
    rng = np.random.default_rng(0)
    u, v = rng.integers(60, 190, (2, 20, 4, 4)).astype(np.uint8)
    windows = key_windows(np.arange(20) / 30, 0.0)
    for i, mask in enumerate(segment(frames_of(u, v), windows, 0, 20, KEY)):
        distance = ((u[i] - KEY.u) * KEY.scale_u) ** 2 + ((v[i] - KEY.v) * KEY.scale_v) ** 2
        np.testing.assert_array_equal(mask, distance < KEY.similarity)


@pytest.mark.parametrize(("rate", "plane_bytes"), [(30, 2 * 1920 * 1080), (240, 2 * 640 * 360), (1000, 2 * 320 * 240)])
def test_memory_is_bounded_for_large_and_fast_clips(rate, plane_bytes):
    windows = key_windows(np.arange(4 * rate) / rate, 1.0, plane_bytes)
    held = max(int(windows.used[a:b].sum()) for a, b in zip(windows.low, windows.high, strict=True))
    assert held * plane_bytes <= HELD_BYTES * 1.1
    assert windows.count.min() >= 10


def test_a_frame_between_two_gaps_counts_for_itself():
    times = np.concatenate([np.arange(120) / 60, [9.0, 9.016, 20.0]])
    windows = key_windows(times, 1.0, 0)
    assert windows.count.min() >= 1
    rng = np.random.default_rng(0)
    u, v = rng.integers(60, 190, (2, len(times), 2, 2)).astype(np.uint8)
    assert len(list(segment(frames_of(u, v), windows, 0, len(times), KEY))) == len(times)


def test_many_frames_in_a_window_do_not_overflow():
    times = np.concatenate([np.arange(700) / 1000, 0.7 + np.arange(1, 60)])  # slow on average: no frame is left out
    windows = key_windows(times, 1.0, 8)
    assert windows.used.all()
    assert windows.count.max() > 257
    bright = np.full((len(times), 2, 2), 250, np.uint8)
    key = Key(250.0, 250.0, 1.0, 1.0, 1.0)
    assert all(mask.all() for mask in segment(frames_of(bright, bright), windows, 0, len(times), key))


def test_a_frame_that_does_not_come_is_an_error():
    u = np.full((40, 2, 2), 120, np.uint8)
    frames = frames_of(u, u)
    windows = key_windows(np.arange(40) / 30, 1.0)
    for gap in (frames[:20], frames[:10] + frames[11:]):
        with pytest.raises(ValueError, match="did not come"):
            list(segment(gap, windows, 0, 40, KEY))


@pytest.mark.parametrize("beat", [0.72, 0.88, 1.23, 2.4])
def test_the_steady_mask_ignores_the_pulse_and_the_per_frame_mask_does_not(beat):
    """Skin whose chroma spreads over the key's edge, with a pulse that carries samples across it.

    The pulse is that of skin of 196, 144, 120 whose green changes by 0.8 %: 0.17 levels of V. Worst are the
    frequencies at which the +- 1 s average has its side lobes, 0.72 and 1.23 Hz.
    """
    rng = np.random.default_rng(1)
    n, rate = 300, 30.0
    key = Key(110.0, 150.0, 0.99, 1.4, 100.0)
    skin = rng.standard_normal((2, 120, 100)) * 3  # of all samples, a few in a hundred lie near the edge
    wave = np.sin(2 * np.pi * beat * np.arange(n) / rate)
    u, v = np.empty((2, n, 120, 100), np.uint8)
    for i in range(n):
        noise = 0.8 * rng.standard_normal(skin.shape)  # dithers what is below a level, as in a camera
        u[i] = np.rint(110 - 0.11 * wave[i] + skin[0] + noise[0])
        v[i] = np.rint(153 + 0.17 * wave[i] + skin[1] + noise[1])
    whole = int(int(n / rate * beat) / beat * rate)
    carrier = np.exp(-2j * np.pi * beat * np.arange(whole) / rate)
    modulation = {}
    for name, half_width in (("steady", 1.0), ("per_frame", 0.0)):
        windows = key_windows(np.arange(n) / rate, half_width)
        area = np.array([mask.sum() for mask in segment(frames_of(u, v), windows, 0, n, key)], float)[:whole]
        modulation[name] = 2 * abs(((area - area.mean()) * carrier).mean()) / area.mean()
    assert modulation["steady"] < 0.003
    assert modulation["per_frame"] > 0.007
    assert modulation["per_frame"] > 3 * modulation["steady"]
