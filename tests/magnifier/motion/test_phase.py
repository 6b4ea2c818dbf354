"""Phase-based magnification of textures whose movement is known, against what they would look like moved further."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magnifier.motion import AccelerationSettings, PhaseSettings, make_method, support_s
from magnifier.motion.phase import PhaseMotion

pytestmark = pytest.mark.unit

BAND = (0.5, 2.0)


# small enough to be quick; the defaults have more bands
QUICK: Any = {"alpha": 10, "band_hz": BAND, "orientations": 4, "levels": 4, "smoothing": 1}


def sway(seconds: float, pixels: float, frequency: float = 1.0) -> np.ndarray:
    return pixels * np.sin(2 * np.pi * frequency * np.arange(round(seconds * 30)) / 30)


def same(a, b) -> bool:  # type: ignore[no-untyped-def]
    return all(np.array_equal(getattr(a, plane), getattr(b, plane)) for plane in "yuv")


@pytest.mark.parametrize(
    ("chosen", "allowed"),
    [
        (PhaseSettings(alpha=10, band_hz=BAND), 0.3),
        (PhaseSettings(**QUICK | {"bands_per_octave": 2}), 0.3),
        (PhaseSettings(**QUICK | {"smoothing": 0}), 0.4),
        (AccelerationSettings(alpha=10, frequency_hz=1.0, orientations=4), 0.3),
    ],
)
def test_a_small_movement_becomes_the_large_one(texture, magnified, error, chosen, allowed) -> None:  # type: ignore[no-untyped-def]
    movement = sway(6, 0.1)
    frames = texture.frames(movement, noise=1.0)
    ideal = texture.frames(11 * movement, noise=1.0)
    found = magnified(chosen, frames)
    assert [each.index for each in found] == list(range(len(frames)))
    middle = range(80, 100)
    nothing = np.mean([error(frames[k], ideal[k]) for k in middle])
    assert np.mean([error(found[k], ideal[k]) for k in middle]) < allowed * nothing
    chroma = [np.abs(found[k].u.astype(float) - ideal[k].u).mean() for k in middle]
    still = [np.abs(frames[k].u.astype(float) - ideal[k].u).mean() for k in middle]
    assert np.mean(chroma) < 0.65 * np.mean(still)  # of another texture than luma


def test_luma_alone_leaves_the_colours(texture, magnified) -> None:  # type: ignore[no-untyped-def]
    frames = texture.frames(sway(3, 0.2))
    found = magnified(PhaseSettings(**QUICK | {"chroma": False}), frames)
    assert all(np.array_equal(f.u, g.u) and np.array_equal(f.v, g.v) for f, g in zip(frames, found, strict=True))
    assert not np.array_equal(found[40].y, frames[40].y)


def test_minus_one_holds_the_band_still_and_the_rest_moves_on(texture, magnified, error) -> None:  # type: ignore[no-untyped-def]
    swaying, drifting = sway(6, 0.5), 0.4 * np.arange(180) / 30
    found = magnified(PhaseSettings(**QUICK | {"alpha": -1}), texture.frames(swaying + drifting))
    ideal = texture.frames(drifting)
    before = texture.frames(swaying + drifting)
    for k in range(80, 100):
        assert error(found[k], ideal[k]) < max(0.35 * error(before[k], ideal[k]), 0.7)


def test_steady_movement_is_left_and_acceleration_on_it_magnified(texture, magnified, error) -> None:  # type: ignore[no-untyped-def]
    drifting, trembling = 0.4 * np.arange(180) / 30, sway(6, 0.08)
    chosen = AccelerationSettings(alpha=10, frequency_hz=1.0, orientations=4)
    steady = texture.frames(drifting)
    found = magnified(chosen, steady)
    assert max(error(found[k], steady[k]) for k in range(80, 100)) < 1.0
    found = magnified(chosen, texture.frames(drifting + trembling))
    ideal = texture.frames(drifting + 11 * trembling)
    before = texture.frames(drifting + trembling)
    middle = range(80, 100)
    assert sum(error(found[k], ideal[k]) for k in middle) < 0.4 * sum(error(before[k], ideal[k]) for k in middle)


def test_others_can_be_held_still(texture, magnified, error) -> None:  # type: ignore[no-untyped-def]
    wanted, other = sway(6, 0.1), sway(6, 0.4, 4.0)
    frames = texture.frames(wanted + other)
    ideal = texture.frames(6 * wanted)
    plain = magnified(PhaseSettings(**QUICK | {"alpha": 5}), frames)
    held = magnified(PhaseSettings(**QUICK | {"alpha": 5, "attenuate_others": True}), frames)
    middle = range(85, 95)
    assert sum(error(held[k], ideal[k]) for k in middle) < 0.5 * sum(error(plain[k], ideal[k]) for k in middle)


@given(
    start=st.floats(0, 5),
    length=st.floats(0.2, 2),
    uneven=st.booleans(),
    chosen=st.sampled_from(
        [
            PhaseSettings(alpha=10, band_hz=(0.7, 2.0)),
            PhaseSettings(alpha=10, band_hz=(0.5, 4.0), attenuate_others=True),
            AccelerationSettings(alpha=10, frequency_hz=1.0),
        ]
    ),
)
@settings(max_examples=4, deadline=None)
def test_no_bit_depends_on_how_the_clip_is_cut(make_texture, magnified, start, length, uneven, chosen) -> None:  # type: ignore[no-untyped-def]
    times = np.arange(220) / 30
    if uneven:
        times[1:] += np.random.default_rng(3).uniform(-0.01, 0.01, 219)
    frames = make_texture((33, 46)).frames(0.3 * np.sin(2 * np.pi * times), times, noise=2.0)
    whole = magnified(chosen, frames)
    before, after = support_s(chosen)
    seen = [f for f in frames if start - before - 1e-6 <= f.time <= start + length + after + 1e-6]
    part = magnified(chosen, seen, span=(start, start + length), threads=2)
    wanted = [g for f, g in zip(frames, whole, strict=True) if start <= f.time < start + length]
    assert [p.index for p in part] == [w.index for w in wanted]
    assert all(same(p, w) for p, w in zip(part, wanted, strict=True))


@pytest.mark.parametrize("size", [(33, 47), (64, 48), (5, 16), (91, 67)])
@pytest.mark.parametrize("count", [1, 20])
def test_any_size_and_length_comes_out_whole(make_texture, magnified, size, count) -> None:  # type: ignore[no-untyped-def]
    frames = make_texture(size).frames(sway(count / 30, 0.2), noise=1.0)
    found = magnified(PhaseSettings(alpha=5, band_hz=BAND), frames)
    assert [each.index for each in found] == list(range(count))
    for before, after in zip(frames, found, strict=True):
        assert all(getattr(before, p).shape == getattr(after, p).shape for p in "yuv")
        assert after.y.dtype == np.uint8


def test_a_gain_of_nothing_is_the_identity_bit_for_bit(texture, magnified) -> None:  # type: ignore[no-untyped-def]
    frames = texture.frames(sway(2, 0.3), noise=2.0)
    found = magnified(PhaseSettings(**QUICK | {"alpha": 0}), frames)
    assert all(same(f, g) for f, g in zip(frames, found, strict=True))


def test_weights_say_where_it_may_change(texture, magnified) -> None:  # type: ignore[no-untyped-def]
    frames = texture.frames(sway(2, 0.3), noise=2.0)
    weights = np.zeros(texture.small, np.float32)
    weights[10:30, 20:40] = 1
    chosen = PhaseSettings(**QUICK)
    everywhere = magnified(chosen, frames)
    inside = magnified(chosen, frames, weights=weights)
    for before, all_, some in zip(frames, everywhere, inside, strict=True):
        changed = np.zeros(texture.size, bool)
        changed[20:60, 40:80] = True
        assert np.array_equal(some.y[changed], all_.y[changed])
        assert np.array_equal(some.y[~changed], before.y[~changed])
        assert np.array_equal(some.u[weights == 0], before.u[weights == 0])


def test_the_ends_have_no_transients(texture, magnified, error) -> None:  # type: ignore[no-untyped-def]
    movement = 0.1 * np.cos(2 * np.pi * np.arange(180) / 30)
    frames, ideal = texture.frames(movement), texture.frames(11 * movement)
    found = magnified(PhaseSettings(**QUICK), frames)
    nothing = max(error(f, i) for f, i in zip(frames, ideal, strict=True))
    assert max(error(f, i) for f, i in zip(found, ideal, strict=True)) < 0.4 * nothing
    still = texture.frames(np.zeros(40), noise=1.0)
    quiet = magnified(PhaseSettings(**QUICK), still)
    ends = [error(quiet[k], still[k]) for k in (0, 1, 38, 39)]
    assert max(ends) < 2 * max(error(quiet[k], still[k]) for k in range(15, 25))


def test_how_far_waves_were_asked_to_go_is_counted(texture) -> None:  # type: ignore[no-untyped-def]
    frames = texture.frames(sway(2, 0.3))
    beyond = []
    for alpha in (1.0, 100.0):
        method = make_method(PhaseSettings(**QUICK | {"alpha": alpha}), 30.0, texture.size)
        assert isinstance(method, PhaseMotion)
        for frame in frames:
            method.push(frame)
        method.finish()
        beyond.append(method.reach.beyond / method.reach.energy)
    assert beyond[0] < 0.01
    assert beyond[1] > 0.3


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        (PhaseSettings(alpha=-2), "choose -1"),
        (PhaseSettings(levels=9), "too deep for 128x96: choose 1 to 5"),
        (PhaseSettings(levels=0), "at least one"),
        (PhaseSettings(band_hz=(1, 20)), "below 15 Hz"),
        (PhaseSettings(band_hz=(2, 1)), "is empty"),
        (PhaseSettings(orientations=1), "2 to 16"),
        (PhaseSettings(bands_per_octave=3), "1 or 2 bands"),
        (PhaseSettings(smoothing=0.5), "1 to 5"),
        (AccelerationSettings(frequency_hz=9), "up to 7.5 Hz"),
    ],
)
def test_what_cannot_work_is_refused_in_words(chosen, text) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=text):
        make_method(chosen, 30.0, (96, 128))


def test_a_picture_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="4 px"):
        make_method(PhaseSettings(), 30.0, (3, 128))
