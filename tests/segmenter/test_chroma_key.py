"""The chroma key: what it averages, that cutting changes nothing, and that the mask ignores the pulse."""

import math
import tracemalloc
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.color import rgb_from_yuv
from mesh.contracts import Recording
from segmenter.chroma_key import MOVED, Exposure, Key, exposure_of, segment
from segmenter.key_windows import HELD_BYTES, TICKS, key_windows

pytestmark = pytest.mark.unit


def frames_of(u, v, y=None):
    height, width = u[0].shape
    y = np.full((len(u), 2 * height, 2 * width), 120, np.uint8) if y is None else y
    return [SimpleNamespace(index=i, y=y[i], u=u[i], v=v[i]) for i in range(len(u))]


def distance_to_key(u, v, key):
    return ((u - key.u) * key.scale_u) ** 2 + ((v - key.v) * key.scale_v) ** 2


def averaged_directly(times, u, v, i, reach=TICKS):
    """U, V of frame i by the definition: a triangle of weights, mirror images at both ends."""
    ticks = np.rint((times - times[0]) * TICKS)
    total_u, total_v, weight = np.zeros(u[0].shape), np.zeros(u[0].shape), 0
    last = len(times) - 1
    for j, tick in enumerate(ticks):
        images = [tick]
        images += [2 * ticks[0] - tick] if j > 0 else []
        images += [2 * ticks[-1] - tick] if j < last else []
        for image in images:
            part = max(reach - abs(image - ticks[i]), 0)
            total_u, total_v, weight = total_u + part * u[j], total_v + part * v[j], weight + part
    return total_u / weight, total_v / weight, weight


def decided_directly(times, u, v, key, i):
    """The mask of frame i by the definition: by the average, by the present colour where that lies far from it."""
    mean_u, mean_v, weight = averaged_directly(times, u, v, i)
    distance = distance_to_key(mean_u, mean_v, key)
    if len(times) > 1:
        spacing = TICKS * (times[-1] - times[0]) / (len(times) - 1)
        now_u, now_v, _ = averaged_directly(times, u, v, i, min(round(2 * spacing), TICKS))
        apart = ((now_u - mean_u) * key.scale_u) ** 2 + ((now_v - mean_v) * key.scale_v) ** 2
        distance = np.where(apart > MOVED**2, distance_to_key(now_u, now_v, key), distance)
    return distance < key.similarity, weight


KEY = Key(120.3, 130.7, 0.99, 1.4, 400.0)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 90),
    rate=st.sampled_from([7.3, 12.5, 25.0, 29.97, 30.0, 44.0]),
    variable=st.booleans(),
    gap=st.sampled_from([0.0, 0.6, 1.7, 2.5]),
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(1, 89), max_size=4),
)
def test_masks_are_those_of_the_definition_and_of_any_cut(n, rate, variable, gap, seed, cuts):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.2, 1.8, n)) / rate if variable else np.arange(n) / rate
    times = times - times[0]
    times[n // 2 :] += gap  # frames that never came
    u, v = rng.integers(60, 190, (2, n, 3, 5)).astype(np.uint8)
    frames = frames_of(u, v)
    windows = key_windows(times, 1.0, 45)
    whole = list(segment(frames, windows, 0, n, KEY))
    if len(np.unique(windows.frames)) == n:
        for i in range(n):
            expected, weight = decided_directly(times, u, v, KEY, i)
            assert windows.weight[i] == weight
            np.testing.assert_array_equal(whole[i], expected)
    edges = sorted({0, n, *(c for c in cuts if c < n)})
    parts = []
    for first, last in pairwise(edges):
        reached = frames[windows.low[first] : windows.high[last - 1]]
        parts += segment(reached, windows, first, last, KEY)
    for one, other in zip(parts, whole, strict=True):
        np.testing.assert_array_equal(one, other)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(1, 59))
def test_with_exposure_and_cleaning_a_cut_changes_nothing_either(seed, cut):
    rng = np.random.default_rng(seed)
    # a patch of skin that leaves the picture, in noise
    u, v = rng.integers(117, 124, (2, 60, 24, 20)).astype(np.uint8)
    for i in range(60):
        u[i, :, max(15 - i // 3, 0) :] += 30
    y = rng.integers(100, 180, (60, 48, 40)).astype(np.uint8)
    frames, windows = frames_of(u, v, y), key_windows(np.arange(60) / 24, 1.0, 3 * 480)
    key = Key(120.0, 120.0, 1.0, 1.4, 40.0, Exposure(120.0, 160.0, 0.5), clean=True)
    whole = list(segment(frames, windows, 0, 60, key))
    assert 0 < np.mean(whole) < 1
    parts = []
    for first, last in ((0, cut), (cut, 60)):
        parts += segment(frames[windows.low[first] : windows.high[last - 1]], windows, first, last, key)
    np.testing.assert_array_equal(parts, whole)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 400), rate=st.sampled_from([5.0, 24.0, 30.0, 240.0]), seed=st.integers(0, 1000))
def test_windows_reach_no_further_than_they_say(n, rate, seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.1, 1.9, n)) / rate
    windows = key_windows(times, 1.0, 0)
    for i in range(n):
        reached = windows.frames[windows.begin[i] : windows.end[i]]
        assert (windows.low[i], windows.high[i]) == (reached.min(), reached.max() + 1)
        assert np.abs(times[reached] - times[i]).max() <= 1.0 + 1e-9
        near = np.arange(windows.near_begin[i], windows.near_end[i])
        assert ((windows.begin[i] <= near) & (near < windows.end[i])).all()
        part = windows.near_reach - np.abs(windows.ticks[near] - windows.at[i])
        assert (part > 0).all()
        assert part.sum() == windows.near_weight[i]
    assert (windows.weight > 0).all()
    assert (np.diff(windows.low) >= 0).all()


def test_the_window_of_one_frame_is_the_seeds_key():
    rng = np.random.default_rng(0)
    u, v = rng.integers(60, 190, (2, 20, 4, 4)).astype(np.uint8)
    windows = key_windows(np.arange(20) / 30, 0.0)
    for i, mask in enumerate(segment(frames_of(u, v), windows, 0, 20, KEY)):
        np.testing.assert_array_equal(mask, distance_to_key(u[i], v[i], KEY) < KEY.similarity)


@pytest.mark.parametrize(("rate", "frame_bytes"), [(30, 3 * 1920 * 1080), (240, 3 * 640 * 360), (1000, 3 * 320 * 240)])
def test_memory_is_bounded_for_large_and_fast_clips(rate, frame_bytes):
    windows = key_windows(np.arange(4 * rate) / rate, 1.0, frame_bytes)
    held = max(len(np.unique(windows.frames[a:b])) for a, b in zip(windows.begin, windows.end, strict=True))
    assert held * frame_bytes <= HELD_BYTES * 1.1
    assert (windows.end - windows.begin).min() >= 10


def test_a_frame_between_two_gaps_counts_for_itself():
    times = np.concatenate([np.arange(120) / 60, [9.0, 9.016, 20.0]])
    windows = key_windows(times, 1.0, 0)
    assert windows.weight.min() >= 1
    rng = np.random.default_rng(0)
    u, v = rng.integers(60, 190, (2, len(times), 2, 2)).astype(np.uint8)
    assert len(list(segment(frames_of(u, v), windows, 0, len(times), KEY))) == len(times)


def test_many_frames_in_a_window_do_not_overflow():
    times = np.concatenate([np.arange(700) / 1000, 0.7 + np.arange(1, 60)])  # slow on average: no frame is left out
    windows = key_windows(times, 1.0, 8)
    assert len(np.unique(windows.frames)) == len(times)
    assert windows.most > 257
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


@pytest.mark.parametrize("full_range", [False, True])
def test_what_is_too_dark_or_too_bright_is_left_out(full_range):
    facts = Recording(
        width=12, height=2, duration_s=1.0, frames=30, fps=30.0, variable_rate=False, codec="h264", container="mp4",
        pixel_format="yuv420p", matrix=6, full_range=full_range,
    )  # fmt: skip
    matrix, offset = rgb_from_yuv(facts)
    # of one chroma: well lit, nearly black, red clips though luma does not, well lit, dark but lit, all clip
    grey = np.array([130.0, 0, 214, 100, 20, 235])
    rgb = grey[:, None] + np.array([40.0, 10, -10]) * [1]
    rgb[1] = [24.0, 12, 8]
    stored = np.linalg.solve(matrix, (rgb - offset).T).T
    y, u, v = np.rint(np.clip(stored, 0, 255)).astype(np.uint8).T
    luma = np.repeat(np.repeat(y[None], 2, axis=0), 2, axis=1)
    frames = frames_of(np.repeat(u[None, None], 30, 0), np.repeat(v[None, None], 30, 0), np.repeat(luma[None], 30, 0))
    key = Key(float(u[0]), float(v[0]), 1.0, 1.0, 1e5, exposure_of(facts))
    windows = key_windows(np.arange(30) / 30, 1.0)
    for mask in segment(frames, windows, 0, 30, key):
        np.testing.assert_array_equal(mask[0], [1, 0, 0, 1, 1, 0])


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("beat", [0.72, 0.88, 1.23, 2.4])
def test_the_steady_mask_ignores_the_pulse_and_the_per_frame_mask_does_not(beat, clean):
    """Skin whose chroma spreads over the key's edge, with a pulse that carries samples across it.

    The pulse is that of skin of 196, 144, 120 whose green changes by 0.8 %: 0.17 levels of V. Worst are the
    lowest frequency and those at which the window has its side lobes.
    """
    rng = np.random.default_rng(1)
    n, rate = 300, 30.0
    key = Key(110.0, 150.0, 0.99, 1.4, 100.0, clean=clean)
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
    assert modulation["steady"] < 0.002
    assert modulation["per_frame"] > 5 * modulation["steady"] or clean


def test_one_picture_alone_is_decided_on_itself():
    rng = np.random.default_rng(0)
    u, v = rng.integers(60, 190, (2, 1, 4, 4)).astype(np.uint8)
    (mask,) = segment(frames_of(u, v), key_windows(np.zeros(1), 1.0), 0, 1, KEY)
    np.testing.assert_array_equal(mask, distance_to_key(u[0], v[0], KEY) < KEY.similarity)


@settings(max_examples=25, deadline=None)
@given(
    rate=st.sampled_from([8.0, 24.0, 29.97, 30.0, 44.0]),
    beat=st.floats(0.7, 3.5),
    pulse=st.floats(0.0, 1.2),
    noise=st.integers(0, 1),
    seed=st.integers(0, 10_000),
)
def test_at_rest_the_average_alone_decides(rate, beat, pulse, noise, seed):
    """A pulse of several times the strength that skin has, and noise of a level, stay below what moves."""
    rng = np.random.default_rng(seed)
    n = 60
    wave = np.sin(2 * np.pi * beat * np.arange(n) / rate)[:, None, None]
    u, v = (
        np.rint(rng.uniform(100, 140, (4, 6)) + sign * pulse * wave + rng.integers(-noise, noise + 1, (n, 4, 6)))
        for sign in (-0.65, 1.0)
    )
    key = Key(120.3, 120.7, 0.99, 1.2, 150.0)
    times = np.arange(n) / rate
    frames = frames_of(u.astype(np.uint8), v.astype(np.uint8))
    for i, mask in enumerate(segment(frames, key_windows(times, 1.0, 45), 0, n, key)):
        mean_u, mean_v, _ = averaged_directly(times, u, v, i)
        np.testing.assert_array_equal(mask, distance_to_key(mean_u, mean_v, key) < key.similarity)


def swaying_hand(pulse, seed=0, n=150, rate=30.0):
    """A round patch of skin that sways by a fifth of the picture, with a wall 20 levels away, and where it is."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) / rate
    rows, columns = np.mgrid[:60, :80]
    places = np.stack([np.hypot(rows - 30, columns - 40 - 12 * np.sin(2 * np.pi * 0.4 * s)) < 20 for s in t])
    beat = pulse * np.sin(2 * np.pi * 1.2 * t)[:, None, None]
    noise = 0.7 * rng.standard_normal((2, *places.shape))
    u = np.where(places, 110 - 0.65 * beat, 124) + noise[0]
    v = np.where(places, 150 + beat, 136) + noise[1]
    return np.rint(u).astype(np.uint8), np.rint(v).astype(np.uint8), places, t


@pytest.mark.parametrize("clean", [False, True])
def test_the_edge_of_what_moves_is_followed_and_the_pulse_is_not(clean):
    key = Key(110.0, 150.0, 0.99, 1.4, 130.0, clean=clean)
    areas = []
    for pulse in (0.0, 0.4):
        u, v, places, t = swaying_hand(pulse)
        found = np.array(list(segment(frames_of(u, v), key_windows(t, 1.0), 0, len(t), key)), bool)
        overlap = (found & places).sum(axis=(1, 2)) / (found | places).sum(axis=(1, 2))
        assert overlap.min() > 0.93  # by the average alone down to 0.60
        assert overlap.mean() > 0.99
        areas.append(found.sum(axis=(1, 2)) / places.sum(axis=(1, 2)).mean())
    carrier = np.exp(-2j * np.pi * 1.2 * t)  # five seconds hold six beats
    assert 2 * abs(((areas[1] - areas[0]) * carrier).mean()) < 0.003


def test_what_passes_in_the_dark_is_left_out_while_it_is_dark():
    """Brightness, too, says that something has moved: a black sleeve that comes over skin.

    Its chroma is near enough, and half a second passes until its average is as dark.
    """
    n = 90
    u, v = np.full((2, n, 6, 8), 120, np.uint8)
    y = np.full((n, 12, 16), 120, np.uint8)
    u[45:], v[45:], y[45:] = 128, 128, 8
    key = Key(120.0, 120.0, 1.0, 1.0, 200.0, Exposure(20.0, 250.0, 1.4))
    masks = [mask.all() for mask in segment(frames_of(u, v, y), key_windows(np.arange(n) / 30, 1.0), 0, n, key)]
    assert masks[:44] == [True] * 44
    assert masks[46:58] == [False] * 12
    assert sum(masks[46:]) <= 2


@settings(max_examples=8, deadline=None)
@given(rate=st.sampled_from([24.0, 30.0, 120.0]), stride=st.integers(2, 5), seed=st.integers(0, 1000))
def test_frames_that_do_not_count_are_followed_too(rate, stride, seed):
    """Of large clips few frames are held; those between them are decided on them, and cutting changes nothing."""
    n = 3 * round(rate)
    windows = key_windows(np.arange(n) / rate, 1.0, round(stride * HELD_BYTES / (2 * rate)))
    assert len(np.unique(windows.frames)) <= math.ceil(n / min(stride, 4 * rate / 30))
    rng = np.random.default_rng(seed)
    u, v = rng.integers(116, 125, (2, n, 4, 30)).astype(np.uint8)
    places = np.arange(30) < 30 * np.arange(n)[:, None] / n  # it comes in from the left
    u[~np.repeat(places[:, None], 4, axis=1)] += 30
    frames, key = frames_of(u, v), Key(120.0, 120.0, 1.0, 1.0, 225.0)
    whole = np.array(list(segment(frames, windows, 0, n, key)), bool)
    wrong = whole ^ places[:, None]
    assert wrong.sum(axis=(1, 2)).max() <= 4 * 3  # of 120; by the average alone up to 16
    cut = int(rng.integers(1, n))
    parts = []
    for first, last in ((0, cut), (cut, n)):
        parts += segment(frames[windows.low[first] : windows.high[last - 1]], windows, first, last, key)
    np.testing.assert_array_equal(parts, whole)


def test_little_is_held_of_a_large_clip(monkeypatch):
    shape, n = (100, 100), 150
    plane, luma = np.full(shape, 120, np.uint8), np.zeros((200, 200), np.uint8)
    peaks = []
    for most in (HELD_BYTES, 300_000):
        monkeypatch.setattr("segmenter.key_windows.HELD_BYTES", most)
        windows = key_windows(np.arange(n) / 30, 1.0, 2 * shape[0] * shape[1])
        frames = (SimpleNamespace(index=i, y=luma, u=plane, v=plane) for i in range(n))
        tracemalloc.start()
        try:
            assert sum(1 for _ in segment(frames, windows, 0, n, KEY)) == n
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[0] - peaks[1] > 0.95 * (60 * 20_000 - 300_000)
