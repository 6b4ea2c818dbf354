"""Filters in time as rows of weights: what passes, what does not, at the ends and at variable rates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magnifier.temporal import KernelRows, PhaseRows, Rows, butterworth_kernel, fir_kernel, ideal_basis
from mesh.support import FIELD_SECONDS, butterworth_half_length_s

pytestmark = pytest.mark.unit
RATE = 30.0


def matrix(rows: Rows, frames: int) -> np.ndarray:
    found = np.zeros((frames, frames), np.float32)
    for index in range(frames):
        row = rows.row(index)
        found[index, row.first : row.first + len(row.weights)] = row.weights
    return found


def applied(rows: Rows, signal: np.ndarray) -> np.ndarray:
    return matrix(rows, len(signal)) @ signal


def middle(signal: np.ndarray) -> np.ndarray:
    return signal[len(signal) // 3 : -len(signal) // 3]


@pytest.mark.parametrize("make", [fir_kernel, butterworth_kernel])
def test_a_band_passes_and_what_lies_beside_does_not(make) -> None:  # type: ignore[no-untyped-def]
    times = np.arange(600) / RATE
    rows = KernelRows(times, RATE, make(0.7, 2.0, RATE))
    filtered = matrix(rows, 600)
    for hertz in (0.9, 1.2, 1.6):
        wave = np.sin(2 * np.pi * hertz * times)
        out = filtered @ wave
        assert middle(out) == pytest.approx(rows.response(hertz) * middle(wave), abs=2e-3)
        assert 0.7 < rows.response(hertz) < 1.1
    for hertz in (0.05, 5.0, 9.0):
        assert np.abs(middle(filtered @ np.sin(2 * np.pi * hertz * times))).max() < 0.05
    assert np.abs(filtered @ np.full(600, 200.0)).max() < 1e-3


@pytest.mark.parametrize("make", [fir_kernel, butterworth_kernel])
def test_the_ends_are_free_of_transients(make) -> None:  # type: ignore[no-untyped-def]
    times = np.arange(300) / RATE
    rows = KernelRows(times, RATE, make(0.7, 2.0, RATE))
    filtered = matrix(rows, 300)
    for phase in (0.0, 0.4, 1.6):
        assert np.abs(filtered @ (150 + np.sin(2 * np.pi * 1.1 * times + phase))).max() < 1.35
    assert np.abs(filtered @ (150 + 0.1 * times)).max() < 0.06  # a drift of a level in ten seconds


def test_the_butterworth_is_zero_phase_and_half_at_its_edges() -> None:
    rows = KernelRows(np.arange(900) / RATE, RATE, butterworth_kernel(0.8, 2.5, RATE))
    for edge in (0.8, 2.5):
        assert rows.response(edge) == pytest.approx(0.5, abs=0.02)
    kernel = butterworth_kernel(0.8, 2.5, RATE)
    assert len(kernel) == int(butterworth_half_length_s(0.8, 2.5) * RATE) + 1
    assert np.abs(kernel[-5:]).max() < 2e-3 * np.abs(kernel).max()


@given(seed=st.integers(0, 100), jitter=st.floats(0, 0.4))
@settings(max_examples=12, deadline=None)
def test_a_variable_rate_gives_the_same_wave(seed: int, jitter: float) -> None:
    draw = np.random.default_rng(seed)
    times = (np.arange(300) + draw.uniform(-jitter, jitter, 300)) / RATE
    times -= times[0]
    rate = 299 / times[-1]
    rows = KernelRows(times, rate, fir_kernel(0.7, 2.0, rate))
    wave = np.sin(2 * np.pi * 1.1 * times)
    out = applied(rows, wave)
    assert middle(out) == pytest.approx(rows.response(1.1) * middle(wave), abs=0.02)


@given(frame=st.integers(0, 299), jitter=st.floats(0, 0.4))
@settings(max_examples=20, deadline=None)
def test_a_row_stays_inside_its_support_and_is_blind_to_what_is_constant(frame: int, jitter: float) -> None:
    draw = np.random.default_rng(frame)
    times = np.sort((np.arange(300) + draw.uniform(-jitter, jitter, 300)) / RATE)
    times -= times[0]
    phase = 2 * np.pi * 1.2 * times
    for rows in (KernelRows(times, RATE, fir_kernel(0.7, 2.0, RATE)), PhaseRows(times, phase, RATE, 1.2)):
        row = rows.row(frame)
        reached = times[row.first : row.first + len(row.weights)]
        assert len(reached) == len(row.weights)
        assert np.abs(reached - times[frame]).max() <= FIELD_SECONDS + 1e-4
        assert abs(float(row.weights.sum())) < 1e-5


def test_what_follows_the_heart_passes_whole_where_its_rate_wanders() -> None:
    times = np.arange(450) / RATE
    phase = 2 * np.pi * (1.0 * times + 0.02 * times**2)  # 1.0 to 1.6 Hz
    rows = PhaseRows(times, phase, RATE, 1.3)
    wave = np.cos(phase + 0.3) + 0.3 * np.cos(2 * phase + 1.0)
    drift = 150 + 3 * np.sin(2 * np.pi * 0.05 * times)
    filtered = matrix(rows, 450)
    assert filtered @ (wave + drift) == pytest.approx(wave, abs=0.06)
    assert np.abs(filtered @ drift).max() < 0.06
    lamp = np.sin(2 * np.pi * 1.65 * times[:150])  # between the heart's rate and its double
    assert np.std(applied(PhaseRows(times[:150], phase[:150], RATE, 1.1), lamp)[60:90]) < 0.2


@pytest.mark.parametrize("heart_hz", [0.7, 1.0, 1.5, 3.0])
def test_the_fit_amplifies_noise_little_even_at_the_ends(heart_hz: float) -> None:
    times = np.arange(300) / RATE
    rows = PhaseRows(times, 2 * np.pi * heart_hz * times, RATE, heart_hz)
    for frame in (0, 20, 150, 299):
        assert float((rows.row(frame).weights ** 2).sum()) < 0.5


def test_an_ideal_filter_passes_its_bins_whole_and_the_released_one_half_of_them() -> None:
    times = np.arange(301) / RATE
    ours, theirs = (ideal_basis(times, 0.7, 1.2, released) for released in (False, True))
    wave = np.sin(2 * np.pi * 1.0 * times)
    for basis, part in ((ours, 1.0), (theirs, 0.5)):
        out = basis.synthesis @ (basis.analysis.T @ wave)
        assert middle(out) == pytest.approx(part * middle(wave), abs=0.15 * part)
    assert np.all(theirs.synthesis[291:] == 0)  # the frames that the released code drops
    assert ours.response(0.95, times) == pytest.approx(1, abs=0.1)
    # 50 to 60 beats a minute on 291 frames: a single bin passes, the ninth
    assert ideal_basis(times, 50 / 60, 60 / 60, True).synthesis.shape[1] == 2
    assert ideal_basis(times, 50 / 60, 60 / 60).synthesis.shape[1] == 4


def test_a_drift_is_no_step_to_the_corrected_ideal_filter() -> None:
    times = np.arange(300) / RATE
    drift = 140 + times
    for released, most in ((False, 1e-3), (True, np.inf)):
        basis = ideal_basis(times, 0.7, 1.2, released)
        out = basis.synthesis @ (basis.analysis.T.astype(float) @ drift)
        assert np.abs(out).max() < most
        assert released or np.abs(out).max() < 1e-3
    assert np.abs(out).max() > 0.1  # what the released one makes of it


@pytest.mark.parametrize(("low", "high"), [(16.0, 20.0), (2.0, 1.0)])
def test_a_band_that_the_rate_cannot_carry_is_refused(low: float, high: float) -> None:
    for make in (fir_kernel, butterworth_kernel):
        with pytest.raises(ValueError, match="lower magnify_low_hz"):
            make(low, high, RATE)
    with pytest.raises(ValueError, match="Widen the band"):
        ideal_basis(np.arange(60) / RATE, 1.6, 1.9)
