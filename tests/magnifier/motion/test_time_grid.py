"""Filters on a grid of time: their gain, their ends, and frames whose distances vary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from magnifier.motion.history import Differences, Waiting
from magnifier.motion.time_grid import (
    SUPPORT_S,
    Cell,
    Cells,
    TimeFilter,
    acceleration,
    band_pass,
    holding_still,
    step_of,
)

pytestmark = pytest.mark.unit


class Frame:
    def __init__(self, index: int, time: float) -> None:
        self.index, self.time = index, time
        self.y = self.u = self.v = np.zeros((1, 1), np.uint8)


def filtered(time_filter: TimeFilter, times: NDArray[np.float64], signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """The signal through cells, history and filter, as the methods do it."""
    waiting, history = Waiting(time_filter, None), Differences()
    before = None
    found = []

    def take(cells: list[Cell]) -> None:
        nonlocal before
        for cell in cells:
            if before is not None:
                history.add(cell.mean - before)
            before = cell.mean
        for ready in waiting.ready():
            value = history.filtered(ready.first, ready.steps)
            found.append(0.0 if value is None else float(value[0]))
        history.forget_before(waiting.oldest())

    for number, (time, value) in enumerate(zip(times, signal, strict=True)):
        take(waiting.push(Frame(number, float(time)), None, np.array([value], np.float32)))
    take(waiting.finish())
    return np.array(found)


@pytest.mark.parametrize("rate", [15.0, 25.0, 30.0, 60.0])
@pytest.mark.parametrize("band", [(0.7, 2.0), (0.4, 3.0), (0.83, 1.0)])
def test_the_gain_is_one_in_the_band_and_none_far_from_it(rate, band) -> None:  # type: ignore[no-untyped-def]
    found = band_pass(band, rate)
    inside = found.response(np.linspace(*band, 50))
    assert inside.max() == pytest.approx(1, abs=0.005)
    beyond = np.array([0.0, 0.02, band[0] - 0.6, band[1] + 0.6, band[1] + 1.5, 0.45 * rate])
    assert np.abs(found.response(beyond[beyond >= 0])).max() < 0.02
    if band[1] - band[0] > 1:
        assert found.response(list(band)) == pytest.approx([0.5, 0.5], abs=0.03)
        assert found.response([band[0] + 0.4, band[1] - 0.4]).min() > 0.97


@pytest.mark.parametrize("rate", [15.0, 30.0, 60.0])
def test_the_stated_response_is_what_a_wave_gets(rate) -> None:  # type: ignore[no-untyped-def]
    times = np.arange(round(7 * rate)) / rate
    for found, frequency in ((band_pass((0.5, 2.0), rate), 1.1), (acceleration(1.0, rate), 1.4)):
        wave = np.cos(2 * np.pi * frequency * times + 0.3)
        middle = slice(round(2.5 * rate), round(4.5 * rate))
        wanted = found.response(frequency)[0] * wave
        assert np.abs(filtered(found, times, wave) - wanted)[middle].max() < 0.02


def test_uneven_frames_and_a_gap_are_filtered_by_their_own_times() -> None:
    draw = np.random.default_rng(1)
    times = np.arange(360) / 30 + draw.uniform(-0.012, 0.012, 360)
    times[0] = 0
    times = np.delete(times, np.arange(200, 204))
    wave = 10 * np.sin(2 * np.pi * times)
    found = filtered(band_pass((0.5, 2.0), 30.0), times, wave)
    inside = (times > 2.5) & (times < 9.5)
    near = inside & (np.abs(times - 6.75) < 0.6)
    assert np.abs(found - wave)[near].max() < 1.0  # of 10: a wave is not straight over 0.17 s
    assert np.abs(found - wave)[inside & ~near].max() < 0.3


@given(level=st.floats(0, 255), slope=st.floats(-20, 20), seconds=st.floats(0.04, 8))
@settings(max_examples=8, deadline=None)
def test_a_level_gives_nothing_and_a_slope_nothing_but_at_the_ends(level, slope, seconds) -> None:  # type: ignore[no-untyped-def]
    times = np.arange(max(round(seconds * 30), 1)) / 30
    for found in (band_pass((0.5, 2.0), 30.0), acceleration(1.0, 30.0)):
        assert np.abs(filtered(found, times, np.full(len(times), level))).max() < 1e-3
        sloped = np.abs(filtered(found, times, level + slope * times))
        assert sloped[(times > SUPPORT_S) & (times < times[-1] - SUPPORT_S)].max(initial=0) < 0.01
        assert sloped.max() <= 0.3 * abs(slope) + 1e-3  # the corner that a mirrored slope has


@given(cut=st.integers(0, 40), seed=st.integers(0, 20), band=st.sampled_from([(0.5, 2.0), (0.4, 3.5)]))
@settings(max_examples=6, deadline=None)
def test_a_frame_depends_on_its_support_alone_bit_for_bit(cut, seed, band) -> None:  # type: ignore[no-untyped-def]
    draw = np.random.default_rng(seed)
    times = np.arange(220) / 30 + (draw.uniform(-0.01, 0.01, 220) if seed % 2 else 0)
    signal = draw.uniform(0, 255, 220)
    whole = filtered(band_pass(band, 30.0), times, signal)
    first, stop = 80 + cut, 90 + cut
    seen = (times >= times[first] - SUPPORT_S - 1e-6) & (times <= times[stop - 1] + SUPPORT_S + 1e-6)
    part = filtered(band_pass(band, 30.0), times[seen], signal[seen])
    begin = int(np.flatnonzero(seen)[0])
    assert np.array_equal(part[first - begin : stop - begin], whole[first:stop])


def test_the_ends_are_mirrored() -> None:
    time_filter = band_pass((0.5, 2.0), 30.0)
    times = np.arange(241) / 30  # ends in the middle of a cell
    signal = np.random.default_rng(0).uniform(0, 100, len(times))
    around = np.concatenate([signal[:0:-1], signal, signal[-2::-1]])
    whole = filtered(time_filter, np.arange(len(around)) / 30 - times[-1], around)
    found = filtered(time_filter, times, signal)
    assert np.abs(found - whole[len(times) - 1 : 2 * len(times) - 1]).max() < 0.01


def test_holding_still_takes_away_what_the_band_leaves() -> None:
    band = band_pass((0.7, 2.0), 30.0, step_s=1 / 30)
    still = holding_still(band, 5.0)
    # what a phase is turned by is added to what is there: 1 + 5 in the band, nothing beyond
    assert 1 + still.response([1.2])[0] == pytest.approx(6, abs=0.1)
    assert 1 + still.response([4.0, 8.0]) == pytest.approx([0, 0], abs=0.02)
    assert 1 + still.response([0.0])[0] == pytest.approx(1)


def test_cells_are_weighted_means_and_leave_out_what_nobody_saw() -> None:
    cells = Cells(0.1)
    done = []
    for time, value in ((0.0, 10), (0.05, 20), (0.1, 30), (0.4, 70), (0.45, 90)):
        done += cells.push(time, np.array([value], np.uint8))
    done += cells.finish()
    assert [cell.number for cell in done] == [0, 1, 4]
    assert [float(cell.mean[0]) for cell in done] == pytest.approx([15 / 1, 40 / 1.5, 115 / 1.5])
    assert [cell.place for cell in done] == pytest.approx([0, 1 - 0.25 / 1.5, 4])


@pytest.mark.parametrize(
    ("band", "rate", "frames"), [((0.7, 2.0), 30.0, 3), ((0.4, 5.0), 30.0, 1), ((1, 2), 120.0, 12)]
)
def test_slow_bands_have_a_coarse_grid(band, rate, frames) -> None:  # type: ignore[no-untyped-def]
    assert step_of(band[1], rate) == frames / rate


@pytest.mark.parametrize(
    ("band", "text"),
    [((1.0, 1.0), "is empty"), ((0.0, 2.0), "above 0"), ((2.0, 1.0), "empty"), ((1, 15), "below 15 Hz")],
)
def test_impossible_bands_are_refused(band, text) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=text):
        band_pass(band, 30.0)
