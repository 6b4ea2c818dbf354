"""Heads that turn: chin and nose to the same side, and what is seen from the front as it always was."""

from __future__ import annotations

import numpy as np
import pytest

from phantom import PhantomSettings
from phantom.geometry import Flat, Pose, Revolved, longitudes
from phantom.render import masks
from phantom.scenes.face import _forward, _profile
from phantom.sheet import Head
from phantom.truth import truth_of

pytestmark = pytest.mark.unit


def head(forward: bool = True) -> Revolved:
    flat = Flat(1, (0, 120, 0, 100), 2)
    shape = Head((49.5, 59.5), (40.0, 54.0), _profile, _forward if forward else np.zeros_like)
    return Revolved(flat, longitudes(40.0), shape)


def test_a_chin_turns_with_the_nose() -> None:
    known = PhantomSettings(scene="face", motion="rotation30", seconds=2.0, fps=10.0, width=320, height=240, seed=0)
    half = 0.215 * known.height / 2  # half width of the head in samples of chroma
    aside, sine = [], []
    for skin, yaw in zip(masks(known, heads=True), truth_of(known).yaw_deg, strict=True):
        rows = np.flatnonzero(skin.any(axis=1))
        chin = np.flatnonzero(skin[rows[-1] - 3])
        aside.append((chin.mean() - (skin.shape[1] - 1) / 2) / half)
        sine.append(np.sin(np.deg2rad(yaw)))
    assert np.ptp(sine) > 0.4
    slope = float(np.polyfit(sine, aside, 1)[0])
    assert 0.4 < slope < 0.95  # as far before the axis as the front of a face, less the width of the chin


@pytest.mark.parametrize("yaw", [-0.8, -0.3, 0.3, 0.8])
def test_turning_moves_rows_by_what_lies_before_the_axis_and_no_others(yaw: float) -> None:
    swings, fixed = head(), head(forward=False)
    canvas = np.random.default_rng(0).uniform(0, 1, (124, 104)).astype(np.float32)
    pose = Pose(yaw=yaw)
    turned, still = swings.move(canvas, pose), fixed.move(canvas, pose)
    upper = swings.rows[2:-2] <= 0
    assert np.array_equal(turned[upper], still[upper])
    ramp = np.broadcast_to(np.arange(104, dtype=np.float32), (124, 104))
    shift = fixed.move(ramp, pose) - swings.move(ramp, pose)
    expected = 40.0 * np.sin(yaw) * _forward(swings.rows[2:-2])
    assert shift[:, 40:60] == pytest.approx(np.repeat(expected[:, None], 20, axis=1), abs=1e-3)


def test_a_head_that_looks_ahead_is_where_it_was() -> None:
    canvas = np.random.default_rng(0).uniform(0, 1, (124, 104)).astype(np.float32)
    assert np.array_equal(head().move(canvas, Pose(x=1.5)), head(forward=False).move(canvas, Pose(x=1.5)))
