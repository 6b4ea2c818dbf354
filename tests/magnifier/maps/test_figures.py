"""The pictures of the maps: colours that step evenly, ticks, scale, and what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from magnifier.maps.cells import CellBox
from magnifier.maps.colormaps import colours, painted
from magnifier.maps.drawing import FILES, draw_maps, figures
from magnifier.maps.figure import nice_ticks
from magnifier.maps.person_maps import PersonMaps, RecordingMaps
from mesh.contracts import Recording, VesselCandidate

pytestmark = pytest.mark.unit

_TO_CONES = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                      [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
_TO_LAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
                    [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip


def oklab(table: np.ndarray) -> np.ndarray:
    rgb = table / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T


def test_both_sides_of_the_diverging_map_step_evenly_and_alike() -> None:
    lab = oklab(colours("diverging").astype(float))
    steps = np.linalg.norm(np.diff(lab[::8], axis=0), axis=1)
    assert steps.max() / steps.min() < 1.25
    assert lab[:, 0] == pytest.approx(lab[::-1, 0], abs=0.02)  # as light on one side as on the other
    assert np.diff(lab[:128, 0]).min() > -0.01
    assert np.array_equal(colours("diverging_reversed"), colours("diverging")[::-1])


def test_values_beyond_the_ends_take_the_colour_of_the_end() -> None:
    found = painted(np.array([-9.0, 0.0, 1.0, 9.0, np.nan]), 0.0, 1.0, "viridis")
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[2], found[3])
    assert np.array_equal(found[4], found[1])


@settings(max_examples=50, deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_ticks_are_few_round_and_inside(low: float, span: float) -> None:
    ticks = nice_ticks(low, low + span)
    assert 2 <= len(ticks) <= 14
    assert ticks == sorted(ticks)
    assert ticks[0] >= low - 1e-6 * span
    assert ticks[-1] <= low + span * (1 + 1e-6)


def recording(**facts: Any) -> Recording:
    return Recording(
        **{
            "duration_s": 10, "frames": 300, "width": 96, "height": 64, "fps": 30, "variable_rate": False,
            "codec": "h264", "container": "mp4", "pixel_format": "yuv420p",
        } | facts
    )  # fmt: skip


def some_maps(points: list[tuple[float, float]]) -> RecordingMaps:
    shape = (16, 24)
    y, x = np.mgrid[:16, :24].astype(np.float32)
    maps: dict[str, Any] = {
        "amplitude": 0.2 + 0.01 * x, "amplitude_rgb": np.stack([x] * 3), "amplitude_error": 0.01 + 0 * x,
        "delay": x - 12, "delay_error": 1 + 0 * x, "quality": 15 + 0 * x, "rate": np.full((4, 6), 71.5, np.float32),
        "vessel_score": np.where(y == 8, 9, 0).astype(np.float32), "vessels": np.zeros(shape, np.uint8),
        "skin": np.ones(shape, bool),
    }  # fmt: skip
    maps["delay"][:4] = np.nan
    candidate = VesselCandidate(
        kind="artery-like", points=points, length_px=90, width_px=12, score=8.7, confidence=0.9, amplitude_ratio=1.6,
        earlier_ms=11,
    )  # fmt: skip
    person = PersonMaps("1", box=CellBox(4, 0, 0, *shape), rate_hz=1.19, maps=maps, candidates=[candidate])
    return RecordingMaps(0, (0.0, 10.0), [person])


def planes() -> Any:
    return np.full((64, 96), 130, np.uint8), np.full((32, 48), 118, np.uint8), np.full((32, 48), 145, np.uint8)


def test_every_map_is_drawn_with_its_colours(tmp_path: Path) -> None:
    maps = some_maps([(4, 33), (50, 33), (90, 33)])
    paths = draw_maps(maps, planes(), recording(), tmp_path)
    assert [p.name for p in paths] == list(FILES.values())
    for path in paths:
        with Image.open(path) as image:
            assert image.width > 840
            assert image.height > 560
    with Image.open(tmp_path / "delay.png") as image:
        drawn = np.asarray(image.convert("RGB")).astype(int)
    left, right = drawn[400, 60], drawn[400, 830]
    assert left[0] > left[2] + 40  # early is red
    assert right[2] > right[0] + 40  # late is blue
    masked = drawn[105, 300:600]
    assert np.ptp(masked, axis=1).max() < 12  # grey: no colour where nothing was accepted


def test_a_turned_picture_is_drawn_as_it_is_shown() -> None:
    shown = dict(figures(some_maps([(31, 4), (31, 90)]), planes(), recording(rotation=90)))
    figure = shown["amplitude.png"]
    assert figure.backdrop.picture.shape == (96, 64, 3)
    assert figure.values.shape == (48, 32)
    rows = np.nanmean(figure.values, axis=1)
    assert rows[-2] > rows[1]  # what was left is above
    assert "perfusion" in figure.caption
    assert "needle" in shown["vessels.png"].caption
    assert [line.label for line in shown["vessels.png"].lines] == ["A1  8.7"]


def test_pictures_are_drawn_with_square_pixels() -> None:
    figure = dict(figures(some_maps([(4, 33)]), planes(), recording(pixel_aspect=(4, 3))))["quality.png"]
    assert figure.backdrop.picture.shape == (64, 128, 3)
