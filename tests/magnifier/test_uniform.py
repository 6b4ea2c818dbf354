"""Adding a wave to a plane: exact in the mean, saturated, and nothing at gain 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from magnifier.uniform import add_wave, bayer_thresholds

pytestmark = pytest.mark.unit

THRESHOLDS = bayer_thresholds()
planes = hnp.arrays(np.uint8, (16, 16))


def test_every_threshold_occurs_once() -> None:
    assert THRESHOLDS.shape == (16, 16)
    assert np.array_equal(np.sort(THRESHOLDS.ravel()), (np.arange(256) + 0.5) / 256)


@given(plane=planes, weights=hnp.arrays(np.float32, (16, 16), elements=st.floats(0, 1, width=32)))
@settings(max_examples=30, deadline=None)
def test_a_wave_of_nothing_is_the_identity(plane, weights) -> None:  # type: ignore[no-untyped-def]
    for thresholds in (THRESHOLDS, np.float32(0.5)):
        same, added = add_wave(plane, weights, 0.0, thresholds)
        assert np.array_equal(same, plane)
        assert added.clipped == 0


@given(wave=st.floats(-60, 60), level=st.integers(62, 190))
@settings(max_examples=100, deadline=None)
def test_the_mean_over_the_skin_gets_the_wave_to_a_256th_of_a_level(wave: float, level: int) -> None:
    plane = np.full((32, 48), level, np.uint8)
    out, added = add_wave(plane, np.ones((32, 48), np.float32), wave, np.tile(THRESHOLDS, (2, 3)))
    assert out.mean() - level == pytest.approx(wave, abs=1 / 256)
    assert np.ptp(out) <= 1  # no sample is further than a level from the exact sum
    assert added.clipped == 0


@given(wave=st.floats(-40, 40), factor=st.floats(0, 3))
@settings(max_examples=50, deadline=None)
def test_before_rounding_the_gain_is_linear(wave: float, factor: float) -> None:
    plane = np.full((16, 16), 128, np.uint8)
    weights = np.full((16, 16), 0.5, np.float32)
    one = add_wave(plane, weights, wave, THRESHOLDS)[0].mean() - 128
    many = add_wave(plane, weights, factor * wave, THRESHOLDS)[0].mean() - 128
    assert one == pytest.approx(wave / 2, abs=1 / 256)
    assert many == pytest.approx(factor * one, abs=(1 + factor) / 256)


@given(plane=planes, wave=st.floats(-20000, 20000))
@settings(max_examples=100, deadline=None)
def test_sums_saturate_and_never_wrap(plane, wave: float) -> None:  # type: ignore[no-untyped-def]
    out, added = add_wave(plane, np.ones((16, 16), np.float32), wave, THRESHOLDS)
    exact = np.floor(plane + np.float32(wave).astype(np.float64) + THRESHOLDS)
    near = np.abs(out - np.clip(exact, 0, 255))
    # float32 carries sums of large waves to a few thousandths
    assert near.max() <= 1
    assert (near > 0).mean() < 0.1
    clipped = int(((exact < 0) | (exact > 255)).sum())
    assert added.clipped == pytest.approx(clipped, abs=26)
    if wave >= 256:
        assert (out == 255).all()
    if wave <= -256:
        assert (out == 0).all()


def test_what_saturation_took_is_known() -> None:
    plane = np.full((16, 16), 250, np.uint8)
    weights = np.ones((16, 16), np.float32)
    out, added = add_wave(plane, weights, 20.0, THRESHOLDS)
    assert added.clipped == 256
    assert 20.0 + added.lost / weights.sum() == pytest.approx(out.mean() - 250, abs=0.51)
    out, added = add_wave(np.uint8(255) - plane, weights, -20.0, THRESHOLDS)
    assert added.clipped == 256
    assert -20.0 + added.lost / weights.sum() == pytest.approx(out.mean() - 5, abs=0.51)


def test_the_input_is_left_as_it_is() -> None:
    plane = np.full((16, 16), 100, np.uint8)
    plane.flags.writeable = False
    add_wave(plane, np.ones((16, 16), np.float32), 3.3, THRESHOLDS)
    assert (plane == 100).all()
