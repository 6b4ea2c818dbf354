"""Candidates for vessels: lines are found, and nothing where there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from magnifier.maps.cells import CellBox
from magnifier.maps.fields import CellEvidence, Fields
from magnifier.maps.gather import as_shown
from magnifier.maps.vessels import find_vessels, line_kernels
from mesh.contracts import Recording

pytestmark = pytest.mark.unit


def made(stronger: float, earlier_s: float, seed: int = 0, line: bool = True, error: Any = 1.0) -> tuple[Fields, Any]:
    rng = np.random.default_rng(seed)
    shape = (80, 120)
    y, x = np.mgrid[: shape[0], : shape[1]]
    middle = 40 + 10 * np.sin(x / 40)
    profile = np.exp(-0.5 * ((y - middle) / 1.6) ** 2) * line
    grain = [gaussian_filter(rng.normal(size=shape), 1.5) * 5.3 for _ in range(2)]
    amplitude = 0.004 * (1 + (stronger - 1) * profile) * np.exp(0.05 * error * grain[0])
    delay = -earlier_s * profile + 0.005 * error * grain[1]
    ones = np.ones(shape)
    cells = CellEvidence(amplitude, 0.05 * error * amplitude, delay, 0.005 * error * ones)
    found = Fields(
        box=CellBox(4, 3, 5, *shape), skin=ones > 0, amplitude=amplitude, amplitude_rgb=np.stack([amplitude] * 3),
        amplitude_error=0.05 * error * amplitude, delay_s=delay, delay_error_s=0.005 * error * ones,
        quality_db=20 * ones, by_cell=cells, colour=np.ones(3), news=ones, beats=None,
        whole=np.ones(2),
    )  # type: ignore[arg-type]  # fmt: skip
    return found, profile > 0.5


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_artery_is_found_where_it_is(seed: int) -> None:
    found, truth = made(2.0, 0.02, seed)
    (vessel,) = find_vessels(found).vessels
    assert vessel.kind == "artery-like"
    assert (vessel.cells & truth).sum() > 0.85 * truth.sum()
    assert vessel.confidence > 0.7
    assert 1.4 < vessel.amplitude_ratio < 2.2
    assert 0.008 < vessel.earlier_s < 0.025
    assert vessel.length_px == pytest.approx(490, rel=0.05)
    x, y = np.array(vessel.points).T
    at = 40 + 10 * np.sin((x / 4 - 5) / 40)
    assert np.abs(y / 4 - 3 - at).max() < 2  # cells


def test_a_vein_is_weak_and_late() -> None:
    vessels = find_vessels(made(0.5, -0.02)[0]).vessels
    assert [v.kind for v in vessels] == ["vein-like"]
    assert vessels[0].amplitude_ratio < 0.8
    assert vessels[0].earlier_s < 0


@pytest.mark.parametrize("seed", range(4))
def test_even_skin_has_none(seed: int) -> None:
    assert find_vessels(made(1.0, 0.0, seed, line=False)[0]).vessels == []


def test_a_line_that_is_strong_but_not_early_is_none() -> None:
    assert find_vessels(made(2.0, 0.0)[0]).vessels == []


def test_a_line_that_is_not_steady_is_none() -> None:
    """Such as the edge of a collar, which the codec refreshes as it moves."""
    found, truth = made(1.6, 0.02)
    error = np.where(gaussian_filter(truth.astype(float), 2) > 0.1, 8.0, 1.0)
    cells = found.by_cell
    unsteady = replace(cells, amplitude_error=cells.amplitude_error * error, delay_error_s=cells.delay_error_s * error)
    worse = replace(found, by_cell=unsteady)
    assert find_vessels(worse).vessels == []


def test_kernels_see_lines_alone() -> None:
    for number, kernel in enumerate(line_kernels(4, 12)):
        assert kernel.sum() == pytest.approx(0, abs=1e-12)
        assert np.abs(kernel).sum() == pytest.approx(1)
        assert kernel == pytest.approx(kernel[::-1, ::-1]), number


@pytest.mark.parametrize(
    ("rotation", "shown"), [(0, (10, 20)), (90, (479 - 20, 10)), (180, (639 - 10, 479 - 20)), (270, (20, 639 - 10))]
)
def test_places_are_told_as_the_picture_is_shown(rotation: int, shown: tuple[float, float]) -> None:
    recording = Recording(
        duration_s=1, frames=1, width=640, height=480, fps=30, variable_rate=False, codec="h264", container="mp4",
        pixel_format="yuv420p", rotation=rotation,
    )  # fmt: skip
    assert as_shown((10, 20), recording) == shown
