"""Flashes are counted as WCAG 2.3.1 counts them."""

from __future__ import annotations

import numpy as np
import pytest

from magnifier.flashes import block_brightness, flashing

pytestmark = pytest.mark.unit
TIMES = np.arange(90) / 30


def blocks(wave: np.ndarray, share: float = 1.0) -> np.ndarray:
    made = np.full((len(wave), 64), 90, np.uint8)
    made[:, : round(64 * share)] = wave[:, None]
    return made


@pytest.mark.parametrize("hertz", [1.0, 2.0, 5.0])
def test_a_lamp_flashes_as_often_as_it_does(hertz: float) -> None:
    lamp = (110 + 60 * np.sin(2 * np.pi * hertz * TIMES)).astype(np.uint8)
    most, area = flashing(blocks(lamp, 0.25), TIMES, False)
    assert most == pytest.approx(hertz, abs=1)
    assert area == (0.25 if hertz > 3 else 0)


def test_small_changes_slow_ones_and_bright_ones_are_no_flashes() -> None:
    quick = np.sin(2 * np.pi * 5 * TIMES)
    for wave in (110 + 5 * quick, np.linspace(20, 230, 90), 225 + 8 * quick):
        assert flashing(blocks(wave.astype(np.uint8)), TIMES, False)[1] == 0
    assert flashing(np.zeros((0, 64), np.uint8), np.zeros(0), True) == (0.0, 0.0)


@pytest.mark.parametrize("shape", [(480, 640), (121, 99), (9, 17)])
def test_blocks_are_means(shape: tuple[int, int]) -> None:
    rows = np.linspace(20, 200, shape[0]).astype(np.uint8)[:, None]
    found = block_brightness(np.tile(rows, (1, shape[1]))).reshape(8, 8)
    assert np.all(found == found[:, :1])
    assert found[0, 0] == pytest.approx(20 + 180 / 16, abs=12)
    assert np.all(np.diff(found[:, 0].astype(int)) > 0)
