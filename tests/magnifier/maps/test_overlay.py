"""The overlay against what it must be: colours of the map, in the right place, beating when the place does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from magnifier.maps.cells import CellBox
from magnifier.maps.colormaps import colours
from magnifier.maps.overlay import Overlay, stored_from_rgb
from magnifier.maps.person_maps import PersonMaps, RecordingMaps
from mesh.contracts import Recording

pytestmark = pytest.mark.unit

CELL, ROWS, COLUMNS, RATE_HZ = 8, 10, 12, 1.0
LEVEL = 100


def recording(width: int, height: int) -> Recording:
    return Recording(
        duration_s=1.0, frames=4, width=width, height=height, fps=4.0, variable_rate=False, codec="h264",
        container="mp4", pixel_format="yuv420p", matrix=1, full_range=False,
    )  # fmt: skip


def maps(amplitude: Any, delay: Any, *, canonical: bool = False) -> RecordingMaps:
    found = {"amplitude": np.asarray(amplitude, np.float32), "delay": np.asarray(delay, np.float32)}
    box = CellBox(CELL, 0, 0, ROWS, COLUMNS)
    person = PersonMaps("p1", box=box, canonical=canonical, rate_hz=RATE_HZ, maps=found)
    return RecordingMaps(0, (0.0, 1.0), [person])


def overlay(made: RecordingMaps, size: tuple[int, int], phase: list[float]) -> Overlay:
    """The overlay of four frames; `label_at` gives everybody label 1."""
    waves: Any = SimpleNamespace(id="p1", spans=((0, 4, 1),), phase=np.array(phase))
    plan: Any = SimpleNamespace(recording=recording(*size))
    pulse: Any = SimpleNamespace(people=[waves])
    return Overlay(plan, pulse, made)


def frame(width: int, height: int) -> tuple[Any, Any, Any]:
    chroma = ((height + 1) // 2, (width + 1) // 2)
    return tuple(np.full(shape, LEVEL, np.uint8) for shape in ((height, width), chroma, chroma))  # type: ignore[return-value]


def mask(labels: Any, transform: Any = None) -> Any:
    return SimpleNamespace(labels=labels, instances=[SimpleNamespace(id=1, transform=transform)])


def weight(drawn: Any, colour: Any) -> Any:
    """How much of a colour is in a plane."""
    return (drawn.astype(float) - LEVEL) / (colour - LEVEL)


def test_one_colour_beats_between_rest_and_beat() -> None:
    size = (COLUMNS * CELL, ROWS * CELL)
    made = overlay(maps(np.full((ROWS, COLUMNS), 0.5), np.zeros((ROWS, COLUMNS))), size, [0, np.pi / 2, np.pi, 0])
    planes = frame(*size)
    labels = np.zeros(planes[1].shape, np.uint8)
    labels[4:-4, 4:-4] = 1
    matrix, offset = stored_from_rgb(recording(*size))
    yuv = matrix @ colours("inferno")[-1] + offset  # the strongest place has the last colour
    for index, share in ((0, 0.8), (1, 0.65), (2, 0.5)):
        drawn = made.draw(index, planes, mask(labels))
        for plane, colour in zip(drawn, yuv, strict=True):
            middle = plane[plane.shape[0] // 2, plane.shape[1] // 2]
            assert middle == pytest.approx(LEVEL + share * (colour - LEVEL), abs=1)
        for number, plane in enumerate(drawn):  # what is no skin stays
            edge = 8 if number == 0 else 4
            assert (plane[:edge] == LEVEL).all()
            assert (plane[:, -edge:] == LEVEL).all()
    assert all((plane == LEVEL).all() for plane in planes), "the frame itself stays"


def test_a_late_place_beats_late() -> None:
    size = (COLUMNS * CELL, ROWS * CELL)
    delay = np.zeros((ROWS, COLUMNS))
    delay[:, COLUMNS // 2 :] = 250.0  # a quarter of a beat
    made = overlay(maps(np.full((ROWS, COLUMNS), 0.5), delay), size, [0, np.pi / 2, np.pi, 3 * np.pi / 2])
    labels = np.ones((size[1] // 2, size[0] // 2), np.uint8)
    left, right = [], []
    for index in range(4):
        luma = made.draw(index, frame(*size), mask(labels))[0]
        left.append(int(luma[40, 20]))
        right.append(int(luma[40, 76]))
    assert np.argmax(left) == 0
    assert np.argmax(right) == 1
    assert right == pytest.approx(np.roll(left, 1), abs=1)


def test_the_map_goes_with_the_skin_and_fades_at_its_edge() -> None:
    size = (160, 120)
    amplitude = np.full((ROWS, COLUMNS), np.nan)
    amplitude[3:7, 4:8] = np.linspace(0.2, 0.8, 4)
    labels = np.ones((60, 80), np.uint8)
    shown = {}
    for moved in (0, 12):  # luma pixels to the right
        made = overlay(maps(amplitude, np.zeros((ROWS, COLUMNS)), canonical=True), size, [0.0] * 4)
        transform = ((1.0, 0.0, -float(moved)), (0.0, 1.0, 0.0))
        shown[moved] = made.draw(0, frame(*size), mask(labels, transform))
    for still, shifted in zip(shown[0], shown[12], strict=True):
        step = 12 * still.shape[1] // 160
        assert (still[:, :-step] == shifted[:, step:]).all()
        assert (still != LEVEL).any()
    touched = shown[0][1] != LEVEL
    rows, columns = np.nonzero(touched)
    assert rows.min() >= 3 * 4 - 2
    assert rows.max() < 7 * 4 + 2
    assert columns.min() >= 4 * 4 - 2
    assert columns.max() < 8 * 4 + 2
    strength = np.abs(shown[0][0].astype(int) - LEVEL)[40]  # a row through the middle
    inside = np.flatnonzero(strength)
    assert strength[inside[0]] < strength[inside[0] + 4]  # no hard edge


@pytest.mark.parametrize("size", [(95, 80), (96, 79), (95, 79)])
def test_pictures_of_odd_size(size: tuple[int, int]) -> None:
    made = overlay(maps(np.full((ROWS, COLUMNS), 0.5), np.zeros((ROWS, COLUMNS))), size, [0.0] * 4)
    planes = frame(*size)
    drawn = made.draw(0, planes, mask(np.ones(planes[1].shape, np.uint8)))
    assert [p.shape for p in drawn] == [p.shape for p in planes]
    last, inner = drawn[0][-1, size[0] // 2], drawn[0][-2, size[0] // 2]
    assert abs(int(last) - int(inner)) < 12  # mixed once, as its neighbour: it only fades


def test_where_there_is_nobody_the_frame_is_the_same() -> None:
    made = overlay(maps(np.full((ROWS, COLUMNS), 0.5), np.zeros((ROWS, COLUMNS))), (96, 80), [0.0] * 4)
    planes = frame(96, 80)
    nobody: Any = SimpleNamespace(id="p1", spans=(), phase=np.zeros(4))
    made._waves["p1"] = nobody
    assert made.draw(0, planes, mask(np.ones((40, 48), np.uint8))) is planes
