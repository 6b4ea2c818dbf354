"""Lock-in: known pulses come back, drift does not, and how the clip was cut does not matter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from magnifier.maps import lockin
from magnifier.maps.cells import CellBox
from magnifier.maps.chunk_sums import Gathered, sum_chunk, sums_from_bytes, sums_to_bytes, timing
from magnifier.maps.harmonics import coefficients, complex_amplitudes
from magnifier.maps.lockin import COLUMNS, LockIn, columns, segment_seconds, without_baseline

pytestmark = pytest.mark.unit


def gathered(clip: Any, chunks: int, cell: int | None = None) -> Any:
    cut = clip.chunked(chunks)
    person = cut.pulse.people[0]
    timed = timing(cut.plan, cut.pulse, person)
    total = Gathered(timed)
    for index in range(chunks):
        frames, masks = cut.chunk(index)
        sums = sums_from_bytes(sums_to_bytes(sum_chunk(cut.plan, cut.pulse, index, frames, masks, cell)))
        for part in sums.values():
            total.add(part)
    return total.total()


@pytest.mark.parametrize("chunks", [2, 3, 7])
def test_sums_do_not_depend_on_how_the_clip_is_cut(clip_of: Any, chunks: int) -> None:
    clip = clip_of(seconds=9, size=(64, 48))
    whole, cut = gathered(clip, 1), gathered(clip, chunks)
    assert whole.box == cut.box
    assert sorted(whole.segments) == sorted(cut.segments)
    for name, sums in whole.segments.items():
        scale = np.abs(sums.moments).max()
        assert np.abs(cut.segments[name].moments - sums.moments).max() < 3e-6 * scale
        assert np.abs(cut.segments[name].products - sums.products).max() < 1e-5
    assert np.array_equal(whole.series, cut.series, equal_nan=True)
    assert whole.frames == cut.frames
    a, b = (without_baseline(t.box, t.segments) for t in (whole, cut))
    found = [complex_amplitudes(coefficients(e.matrix.sum(0), e.moments[:, 0].sum(0))) for e in (a, b)]
    assert np.abs(found[0] - found[1]).max() < 1e-3 * np.abs(found[0]).max()


def levels_of(values: np.ndarray, box: CellBox) -> np.ndarray:
    """Sums of a frame whose cells are all skin with Y at `values`."""
    full = box.side * box.side // 4
    sums = np.empty((4, box.count), np.float32)
    sums[0], sums[1], sums[2], sums[3] = full, values * 4 * full, 120 * full, 140 * full
    return sums


def fitted(time: np.ndarray, phase: np.ndarray, y: np.ndarray, rate: float) -> np.ndarray:
    box = CellBox(2, 0, 0, 1, y.shape[1])
    design, segment = columns(time, phase, 0.0, segment_seconds(time[-1], rate))
    lock = LockIn(box)
    for k in range(len(time)):
        lock.add(int(segment[k]), design[k], levels_of(y[k], box))
    lock.flush()
    equations = without_baseline(box, lock.segments)
    return complex_amplitudes(coefficients(equations.matrix.sum(0), equations.moments[:, 0].sum(0)))


def test_a_known_pulse_comes_back_in_spite_of_drift() -> None:
    time = np.arange(450) / 30
    phase = 2 * np.pi * (1.1 * time + 0.03 * np.sin(0.4 * time))
    delays = np.linspace(-1, 1, 6)
    blood = np.cos(phase[:, None] - delays) + 0.4 * np.cos(2 * (phase[:, None] - delays) + 0.7)
    drift = 20 * np.sin(2 * np.pi * 0.05 * time)[:, None]
    found = fitted(time, phase, 120 + drift - 0.5 * blood, 1.1)
    assert np.abs(found[0] - 0.5 * np.exp(-1j * delays)).max() < 0.01
    assert np.abs(found[1] - 0.2 * np.exp(1j * (0.7 - 2 * delays))).max() < 0.01


def test_what_a_codec_copied_delays_little(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    time = np.arange(900) / 30
    phase = 2 * np.pi * 1.2 * time
    true = 120 - 0.5 * np.cos(phase)[:, None] + rng.normal(0, 0.02, (900, 40))
    held = true.copy()
    for cell in range(40):  # refreshed now and then, as a block of a P-frame is
        fresh = rng.uniform(size=900) < 0.4
        fresh[0] = True
        held[:, cell] = true[np.maximum.accumulate(np.where(fresh, np.arange(900), 0)), cell]
    lag = np.angle(fitted(time, phase, held, 1.2)[0]).mean()
    monkeypatch.setattr(lockin, "COPIED", 1.0)
    naive = np.angle(fitted(time, phase, held, 1.2)[0]).mean()
    assert naive < -0.25  # radians: 37 ms late
    assert abs(lag) < 0.35 * abs(naive)


def test_segments_hold_beats_and_regressors_run_over_them() -> None:
    assert segment_seconds(20, 1.2) == pytest.approx(2.5 / 1.2)
    assert segment_seconds(120, 1.2) == 5.0
    design, segment = columns(np.array([0.0, 1.0, 1.999999, 2.0]), np.zeros(4), 0.0, 2.0)
    assert segment.tolist() == [0, 0, 0, 1]
    assert design.shape == (4, COLUMNS)
    assert design[:, 1] == pytest.approx([-1, 0, 1, -1], abs=1e-5)


def test_a_cell_without_news_has_no_equations() -> None:
    box = CellBox(2, 0, 0, 1, 2)
    lock = LockIn(box)
    design, segment = columns(np.arange(90) / 30, np.arange(90) / 4.0, 0.0, 3.0)
    for k in range(90):
        sums = levels_of(np.array([100.0 + k % 5, 100.0]), box)
        sums[0, 1] = 0
        lock.add(int(segment[k]), design[k], sums)
    lock.flush()
    equations = without_baseline(box, lock.segments)
    assert np.isfinite(equations.level[:, 0]).all()
    assert np.isnan(equations.level[:, 1]).all()
    assert not equations.matrix[:, :, 1].any()
