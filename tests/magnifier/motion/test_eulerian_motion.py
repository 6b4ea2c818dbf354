"""Eulerian motion magnification: its gains, its filters, and gratings whose movement is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from magnifier.motion import EulerianMotionSettings, make_method, support_s
from magnifier.motion.eulerian_motion import averaging_weight, level_gains
from magnifier.motion.laplacian import FINEST_WAVELENGTH, levels_of

pytestmark = pytest.mark.unit

FIR = EulerianMotionSettings(alpha=10, band_hz=(0.5, 2.0), lambda_c=16)
IIR = EulerianMotionSettings(alpha=10, lambda_c=16, filter="iir", compat=True)
BUTTERWORTH = replace(IIR, filter="butterworth", band_hz=(0.4, 3.0))


@dataclass
class Grey:
    index: int
    time: float
    y: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]


def flicker(frequency: float, seconds: float, chosen: EulerianMotionSettings, wavelength: float = 32.0) -> complex:
    """What a grating gets whose brightness swings: added over shown, at its frequency, in the last three seconds."""
    size = (48, 128)
    pattern = np.broadcast_to(np.cos(2 * np.pi * np.arange(128) / wavelength), size)
    method = make_method(replace(chosen, chrom_attenuation=0), 30.0, size)
    chroma = np.full((24, 64), 128, np.uint8)
    shown, made = [], []
    for k in range(round(seconds * 30)):
        swing = 30 * np.cos(2 * np.pi * frequency * k / 30)
        y = np.rint(128 + swing * pattern).astype(np.uint8)
        shown.append(Grey(k, k / 30, y, chroma, chroma))
        made += method.push(shown[-1])
    made += method.finish()
    half = 2 * (pattern[:, 32:96].ravel() @ pattern[:, 32:96].ravel())
    waves = np.array(
        [[((p.y.astype(float) - 128) * pattern)[:, 32:96].sum() / half for p in both] for both in (shown, made)]
    )[:, -90:]
    carrier = np.exp(-2j * np.pi * frequency * np.arange(90) / 30)
    before, after = waves @ carrier
    return complex((after - before) / before)


@pytest.mark.parametrize("frequency", [1 / 3, 2 / 3, 4 / 3, 8 / 3])
def test_the_released_iir_has_its_known_gain(frequency) -> None:  # type: ignore[no-untyped-def]
    chosen = replace(IIR, alpha=1.0, lambda_c=1.0)
    z = np.exp(-2j * np.pi * frequency / 30)
    wanted = 0.4 / (1 - 0.6 * z) - 0.05 / (1 - 0.95 * z)
    # a pyramid level holds a part of a wave, its neighbours the rest: the whole has alpha
    assert flicker(frequency, 9, chosen) == pytest.approx(wanted, abs=0.08)


@pytest.mark.parametrize(("compat", "low", "high"), [(True, 0.2, 1.5), (False, 0.4, 3.0)])
def test_released_butterworth_cuts_at_half_of_what_is_asked(compat, low, high) -> None:  # type: ignore[no-untyped-def]
    chosen = replace(BUTTERWORTH, alpha=1.0, lambda_c=1.0, compat=compat)
    for frequency in (1 / 3, 1.0, 8 / 3):
        wanted = 0
        for sign, edge in ((1, high), (-1, low)):
            s = 1j * np.tan(np.pi * frequency / 30) / np.tan(np.pi * edge / 30)
            wanted += sign / (1 + s)
        assert flicker(frequency, 9, chosen) == pytest.approx(wanted, abs=0.08)


def test_the_finite_filter_has_its_gain_and_no_phase() -> None:
    found = flicker(1.0, 8, replace(FIR, alpha=1.0, lambda_c=8.0))
    assert found.real == pytest.approx(1, abs=0.15)  # the last seconds include the mirrored end
    assert abs(found.imag) < 0.15
    assert abs(flicker(5.0, 8, replace(FIR, alpha=1.0, lambda_c=8.0))) < 0.06


def test_a_butterworth_low_pass_passes_half_the_power_at_its_edge() -> None:
    b, c = averaging_weight(3.0, 30.0)
    z = np.exp(-2j * np.pi * 3.0 / 30)
    assert abs(b * (1 + z) / (1 - c * z)) == pytest.approx(0.5**0.5)
    assert b * 2 / (1 - c) == pytest.approx(1)


def test_released_gains_can_be_negative() -> None:
    # 24x32 has three levels and a coarse rest of a tenth of 320x240's wavelengths; its known gains are those of
    # alpha 10 and lambda_c 1000
    assert level_gains(replace(IIR, lambda_c=100.0), (24, 32)) == pytest.approx([0, -1.2667, -0.5333], abs=1e-3)


def test_gains_follow_the_bound_and_are_never_negative() -> None:
    gains = level_gains(FIR, (240, 320))
    assert len(gains) == levels_of(240, 320) == 6
    assert gains == sorted(gains)
    assert gains[-1] == 10
    assert gains[0] == pytest.approx(11 * FINEST_WAVELENGTH / 16 - 1)
    assert min(level_gains(replace(FIR, lambda_c=100), (240, 320))) == 0
    assert level_gains(replace(FIR, alpha=-1), (24, 32)) == [-1, -1, -1]


def test_a_grating_moves_eleven_times_as_far() -> None:
    size, wavelength = (96, 120), 40.0
    shifts = 0.05 * np.sin(2 * np.pi * np.arange(170) / 30)
    chroma = np.full((48, 60), 128, np.uint8)
    at = np.arange(120)
    method = make_method(replace(FIR, chrom_attenuation=0), 30.0, size)
    made = []
    for k, shift in enumerate(shifts):
        row = 128 + 60 * np.cos(2 * np.pi * (at - shift) / wavelength)
        draw = np.random.default_rng(k)  # dither, so that steps below a level are not lost
        y = np.floor(np.broadcast_to(row, size) + draw.uniform(0, 1, size)).astype(np.uint8)
        made += method.push(Grey(k, k / 30, y, chroma, chroma))
    made += method.finish()
    carrier = np.exp(-2j * np.pi * at / wavelength)
    phases = np.array([np.angle(carrier @ p.y.mean(axis=0)) for p in made])
    moved = -np.unwrap(phases) * wavelength / (2 * np.pi)
    middle = slice(75, 95)
    ratio = (moved - moved.mean())[middle] @ shifts[middle] / (shifts[middle] @ shifts[middle])
    assert ratio == pytest.approx(11, rel=0.1)  # the coarse rest, which has no gain, holds a little of the wave


@given(start=st.floats(0, 4), length=st.floats(0.2, 1.5), seed=st.integers(0, 9))
@settings(max_examples=5, deadline=None)
def test_no_bit_depends_on_how_the_clip_is_cut(make_texture, magnified, start, length, seed) -> None:  # type: ignore[no-untyped-def]
    frames = make_texture((33, 46), seed).frames(0.3 * np.sin(np.arange(200) / 5), noise=2.0)
    whole = magnified(FIR, frames)
    before, after = support_s(FIR)
    seen = [f for f in frames if start - before - 1e-6 <= f.time <= start + length + after + 1e-6]
    part = magnified(FIR, seen, span=(start, start + length))
    wanted = [g for f, g in zip(frames, whole, strict=True) if start <= f.time < start + length]
    assert [p.index for p in part] == [w.index for w in wanted]
    for found, same in zip(part, wanted, strict=True):
        assert all(np.array_equal(getattr(found, plane), getattr(same, plane)) for plane in "yuv")


@pytest.mark.parametrize("chosen", [IIR, BUTTERWORTH, replace(IIR, compat=False)])
def test_after_their_warm_up_recursive_filters_differ_by_a_level_at_most(texture, magnified, chosen) -> None:  # type: ignore[no-untyped-def]
    frames = texture.frames(0.1 * np.sin(np.arange(240) / 5), noise=1.0)
    whole = magnified(chosen, frames)
    before, after = support_s(chosen)
    assert (before, after) == (5.0, 0.0)
    part = magnified(chosen, [f for f in frames if f.time >= 6.5 - before], span=(6.5, 8.0))
    assert [p.index for p in part] == list(range(195, 240))
    for found, same in zip(part, whole[195:], strict=True):
        assert np.abs(found.y.astype(int) - same.y).max() <= 1


@pytest.mark.parametrize("chosen", [FIR, IIR])
@pytest.mark.parametrize("size", [(5, 9), (67, 33), (48, 81)])
def test_any_size_comes_out_whole_and_a_gain_of_nothing_as_it_was(make_texture, magnified, chosen, size) -> None:  # type: ignore[no-untyped-def]
    frames = make_texture(size).frames(0.2 * np.sin(np.arange(12)), noise=1.0)
    if max(level_gains(chosen, size)) > 0:
        found = magnified(replace(chosen, lambda_c=4.0), frames)
        assert [f.index for f in found] == list(range(12))
        assert all(f.y.shape == size and f.u.shape == frames[0].u.shape for f in found)
    same = magnified(replace(chosen, alpha=0), frames)
    for before, after in zip(frames, same, strict=True):
        assert all(np.array_equal(getattr(before, plane), getattr(after, plane)) for plane in "yuv")


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        (replace(FIR, alpha=-3), "choose -1"),
        (replace(FIR, chrom_attenuation=2), "0 to 1"),
        (replace(FIR, lambda_c=0), "above 0"),
        (replace(FIR, lambda_c=1000), "choose a lambda_c up to that"),
        (replace(FIR, band_hz=(3, 2)), "empty"),
        (replace(FIR, band_hz=(3, 16)), "below 15 Hz"),
        (replace(FIR, compat=True), "choose 'iir' or 'butterworth'"),
        (replace(IIR, r1=0.05, r2=0.4), "0 < r2 < r1"),
        (replace(IIR, lambda_c=1000), "choose a lambda_c"),
    ],
)
def test_what_cannot_work_is_refused_in_words(chosen, text) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=text):
        make_method(chosen, 30.0, (96, 128))
