"""Many small systems at once give what one by one gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magnifier.maps.elimination import eliminate, solved, triangle

pytestmark = pytest.mark.unit


def systems(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(5, size, size + 2))
    return root @ root.swapaxes(1, 2), rng.normal(size=(5, size, 3))


def by_component(full: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    upper = np.triu_indices(full.shape[1])
    return full[:, upper[0], upper[1]].T.copy(), right.transpose(1, 2, 0).copy()


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 7), st.integers(0, 99))
def test_solutions_are_those_of_lapack(size: int, seed: int) -> None:
    full, right = systems(size, seed)
    matrix, sides = by_component(full, right)
    before = matrix.copy(), sides.copy()
    found = solved(matrix, sides).transpose(2, 0, 1)
    assert found == pytest.approx(np.linalg.solve(full, right), rel=1e-6, abs=1e-8)
    assert np.array_equal(matrix, before[0])
    assert np.array_equal(sides, before[1])


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 7), st.integers(0, 99))
def test_what_is_left_is_the_schur_complement(size: int, seed: int) -> None:
    full, right = systems(size, seed)
    matrix, sides = by_component(full, right)
    out = size // 2
    eliminate(matrix, sides, out)
    taken = np.linalg.solve(full[:, :out, :out], np.concatenate([full[:, :out, out:], right[:, :out]], axis=2))
    left = full[:, out:, out:] - full[:, out:, :out] @ taken[:, :, : size - out]
    place = triangle(size)[out:, out:]
    assert matrix[place].transpose(2, 0, 1) == pytest.approx(left, rel=1e-8, abs=1e-9)
    rest = right[:, out:] - full[:, out:, :out] @ taken[:, :, size - out :]
    assert sides[out:].transpose(2, 0, 1) == pytest.approx(rest, rel=1e-8, abs=1e-9)
