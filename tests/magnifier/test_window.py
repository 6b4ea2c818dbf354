"""Windows of fields: the same output whatever was added before, with and without gaps in the skin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magnifier.temporal import KernelRows, Row, fir_kernel, ideal_basis
from magnifier.window import WholeClip, Window

pytestmark = pytest.mark.unit


def fields(seed: int, frames: int, shape: tuple[int, int], gaps: float = 0.0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    made = draw.integers(20000, 40000, (frames, 3, *shape), dtype=np.uint16)
    made[np.repeat(draw.random((frames, 1, *shape)) < gaps, 3, axis=1)] = 0
    return made


@given(
    start=st.integers(0, 60), gaps=st.sampled_from([0.0, 0.3]), shape=st.sampled_from([(3, 4), (110, 101)]),
    seed=st.integers(0, 9),
)  # fmt: skip
@settings(max_examples=12, deadline=None)
def test_a_frame_does_not_depend_on_what_was_added_before(
    start: int, gaps: float, shape: tuple[int, int], seed: int
) -> None:
    rows = KernelRows(np.arange(100) / 10, 10.0, fir_kernel(0.5, 2.0, 10.0))
    series = fields(seed, 100, shape, gaps)
    outputs = []
    for first in (0, start):
        window = Window(slice(0, 3), shape, 60)
        row = rows.row(85)
        for frame in range(first, row.first + len(row.weights)):
            window.add(frame, series[frame])
            window.forget(min(frame - 55, row.first))
        outputs.append(window.filtered(row))
    assert np.array_equal(*outputs)


def test_the_output_is_the_weighted_sum_in_levels() -> None:
    series = fields(2, 40, (3, 4))
    weights = np.random.default_rng(0).normal(size=20).astype(np.float32)
    weights -= weights.mean()
    window = Window(slice(1, 3), (3, 4), 40)
    for frame, each in enumerate(series):
        window.add(frame, each)
    expected = np.tensordot(weights, series[10:30, 1:] / 256, axes=1)
    assert window.filtered(Row(10, weights)) == pytest.approx(expected, abs=1e-3)


def test_a_window_that_is_longer_than_was_thought_finds_room() -> None:
    series = fields(5, 60, (2, 2))
    weights = np.linspace(-1, 1, 50, dtype=np.float32)
    small, large = (Window(slice(0, 3), (2, 2), longest) for longest in (4, 60))
    for frame, each in enumerate(series):
        for window in (small, large):
            window.add(frame, each)
            window.forget(min(frame, 5))
    assert np.array_equal(small.filtered(Row(8, weights)), large.filtered(Row(8, weights)))


def test_what_is_no_skin_keeps_its_last_value_and_what_never_was_adds_nothing() -> None:
    series = fields(4, 20, (1, 3))
    series[5:9, :, 0, 0] = 0
    series[:4, :, 0, 1] = 0
    series[:, :, 0, 2] = 0
    filled = series.copy()
    filled[5:9, :, 0, 0] = series[4, :, 0, 0]
    filled[:4, :, 0, 1] = series[4, :, 0, 1]
    weights = np.linspace(-1, 1, 20, dtype=np.float32)
    window = Window(slice(0, 3), (1, 3), 20)
    for frame, each in enumerate(series):
        window.add(frame, each)
    found = window.filtered(Row(0, weights))
    assert found[:, 0, :2] == pytest.approx(np.tensordot(weights, filled[:, :, 0, :2] / 256, axes=1), rel=1e-4)
    assert np.all(found[:, 0, 2] == 0)
    nothing = Window(slice(0, 3), (1, 3), 20)
    for frame in range(20):
        nothing.add(frame, None)
    assert not nothing.filtered(Row(0, weights)).any()


def test_a_filter_of_the_whole_clip_needs_no_field_to_be_kept() -> None:
    basis = ideal_basis(np.arange(150) / 10, 0.5, 1.5)
    series = fields(7, 150, (2, 3))
    series[:40, :, 0, 0] = 0  # skin that comes late: as if it had been there with its first value
    whole = WholeClip(basis, slice(0, 3), (2, 3))
    for frame, each in enumerate(series):
        whole.add(frame, each)
    filled = series.astype(float) / 256
    filled[:40, :, 0, 0] = filled[40, :, 0, 0]
    sums = np.einsum("tw,tcyx->wcyx", basis.analysis, filled)
    for frame in (0, 77, 149):
        expected = np.einsum("w,wcyx->cyx", basis.synthesis[frame], sums)
        assert whole.filtered(frame) == pytest.approx(expected, abs=2e-2)
