"""Skin that moves: the same place of the skin is summed in the same cell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from magnifier.maps import canonical
from magnifier.maps.canonical import canonical_sums, drawn_back
from magnifier.maps.cells import CellBox, cell_sums, skin_cells, whole_box
from magnifier.maps.gather import shown_frame

pytestmark = pytest.mark.unit


def test_the_identity_sums_what_the_picture_sums(identity: Any) -> None:
    rng = np.random.default_rng(0)
    y, u, v = (rng.integers(0, 256, s, np.uint8) for s in ((64, 96), (32, 48), (32, 48)))
    skin = (rng.uniform(size=(32, 48)) < 0.7).astype(np.uint8)
    box = whole_box(96, 64, 4)
    assert canonical_sums(y, u, v, skin, identity, box) == pytest.approx(
        cell_sums(y, u, v, skin_cells(skin, box)), rel=1e-5, abs=1e-2
    )


def test_a_map_is_drawn_back_where_it_came_from() -> None:
    box = CellBox(4, 0, 0, 16, 16)
    y, x = np.mgrid[:16, :16] * 4 + 1.5
    values = (x + 10 * y).astype(np.float32)  # linear, so interpolation is exact
    transform = ((0.9, 0.1, 5.0), (-0.1, 0.9, 8.0))
    shown = drawn_back(values, box, transform, (32, 32))
    at_y, at_x = np.mgrid[:32, :32] * 2 + 0.5
    there_x, there_y = 0.9 * at_x + 0.1 * at_y + 5, -0.1 * at_x + 0.9 * at_y + 8
    inside = np.isfinite(shown) & (np.minimum(there_x, there_y) > 3) & (np.maximum(there_x, there_y) < 60)
    assert inside.sum() > 500
    assert shown[inside] == pytest.approx((there_x + 10 * there_y)[inside], abs=0.5)


def test_moving_skin_keeps_its_map(clip_of: Any, fields_of: Any) -> None:
    x = np.arange(48) + np.zeros((32, 1))
    clip = clip_of(size=(96, 64), amplitude=np.where(x < 24, 0.004, 0.016), seed=2)
    frames, masks = [], []
    for frame, mask in zip(clip.frames, clip.masks, strict=True):
        # sways by 8 px, slowly
        move = 2 * round(2 * np.sin(2 * np.pi * frame.time / 9))
        frames.append(
            replace(frame, y=np.roll(frame.y, 2 * move, 1), u=np.roll(frame.u, move, 1), v=np.roll(frame.v, move, 1))
        )
        labels = np.roll(mask.labels, move, 1)
        here = replace(mask.instances[0], transform=((1.0, 0.0, -2.0 * move), (0.0, 1.0, 0.0)))
        masks.append(replace(mask, labels=labels, instances=[here]))
    moved = replace(clip, frames=frames, masks=masks, canonical=(96, 64))
    found = fields_of(moved, smooth_px=2.0)
    weak, strong = found.amplitude[12:20, 8:18], found.amplitude[12:20, 30:40]
    assert np.nanmedian(strong) / np.nanmedian(weak) == pytest.approx(4, rel=0.15)
    untold = [replace(m, instances=[replace(m.instances[0], transform=None)]) for m in masks]
    smeared = fields_of(replace(moved, masks=untold, canonical=None), smooth_px=2.0)
    still = fields_of(clip, smooth_px=2.0)
    edge = (slice(12, 20), slice(18, 30))
    honest = np.nanmax(np.abs(found.by_cell.amplitude[edge] - still.by_cell.amplitude[edge]))
    blurred = np.nanmax(np.abs(smeared.by_cell.amplitude[edge] - still.by_cell.amplitude[edge]))
    assert honest < 0.5 * blurred


@pytest.mark.parametrize("side", [2, 4, 8])
def test_sums_that_are_read_are_those_of_what_is_read(side: int, monkeypatch: Any) -> None:
    """Skin that turns and grows a little: summed before it is read, or after, a cell holds the same to a per cent."""
    rng = np.random.default_rng(3)
    y, u, v = (gaussian_filter(rng.uniform(0, 255, s), 2).astype(np.uint8) for s in ((128, 192), (64, 96), (64, 96)))
    skin = np.zeros((64, 96), np.uint8)
    skin[6:58, 6:90] = 1
    box = CellBox(side, 32 // side, 32 // side, 64 // side, 128 // side)
    for transform, wrong in (
        (((1.0, 0.0, 3.3), (0.0, 1.0, -5.2)), 1e-5),
        (((1.02, 0.03, 1.3), (-0.03, 1.02, 2.2)), 0.02),
    ):
        summed = canonical_sums(y, u, v, skin, transform, box)
        with monkeypatch.context() as patched:
            patched.setattr(canonical, "_ALMOST", 0.0)
            each = canonical_sums(y, u, v, skin, transform, box)
        assert each[0].max() == (side / 2) ** 2
        assert summed == pytest.approx(each, rel=wrong, abs=wrong)


def test_maps_are_drawn_over_a_frame_in_which_the_skin_is_placed(clip_of: Any, identity: Any) -> None:
    clip = clip_of(size=(96, 64))
    masks = [
        replace(mask, instances=[replace(i, transform=identity if n >= 5 else None) for i in mask.instances])
        for n, mask in enumerate(clip.masks)
    ]
    _, read = replace(clip, masks=masks, canonical=(96, 64)).chunk(0)
    assert shown_frame(clip.plan, clip.pulse, read)[0] == 5
    _, read = clip.chunk(0)  # skin that is not followed is always where it is
    assert shown_frame(clip.plan, clip.pulse, read)[0] == 0
