"""Delays and rates of patches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magnifier.maps.patch_delay import METHODS, patch_delays
from magnifier.maps.rate import patch_rates

pytestmark = pytest.mark.unit
TIME = np.arange(600) / 30


def waves(late: np.ndarray, rate: float, noise: float, seed: int) -> np.ndarray:
    turn = 2 * np.pi * rate * (TIME[:, None] - late)
    rng = np.random.default_rng(seed)
    return 120 - np.cos(turn) - 0.3 * np.cos(2 * turn + 0.4) + rng.normal(0, noise, (600, len(late)))


@pytest.mark.parametrize("method", sorted(METHODS))
@settings(max_examples=6, deadline=None)
@given(rate=st.floats(0.8, 2.0), seed=st.integers(0, 99))
def test_delays_come_back(method: str, rate: float, seed: int) -> None:
    late = np.linspace(-0.06, 0.06, 9)
    found = patch_delays(waves(late, rate, 0.1, seed), waves(np.zeros(1), rate, 0, 0)[:, 0], 30, rate, method)
    assert np.abs(found.delay_s - late).max() < 0.008
    assert (found.error_s > 0).all()
    assert (found.error_s < 0.02).all()


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_patch_that_was_not_seen_has_no_delay(method: str) -> None:
    series = waves(np.zeros(3), 1.2, 0.1, 1)
    series[40, 1] = np.nan
    found = patch_delays(series, series[:, 0], 30, 1.2, method)
    assert np.isnan(found.delay_s).tolist() == [False, True, False]


def test_errors_grow_with_noise() -> None:
    late = np.zeros(30)
    reference = waves(np.zeros(1), 1.1, 0, 0)[:, 0]
    calm, loud = (patch_delays(waves(late, 1.1, n, 2), reference, 30, 1.1, "hilbert") for n in (0.1, 1.0))
    assert np.median(loud.error_s) > 4 * np.median(calm.error_s)
    assert 0.5 < np.std(loud.delay_s) / np.median(loud.error_s) < 2


def test_too_few_beats_and_unknown_methods_are_refused() -> None:
    series = waves(np.zeros(2), 1.0, 0.1, 0)[:90]
    with pytest.raises(ValueError, match="four beats"):
        patch_delays(series, series[:, 0], 30, 1.0)
    with pytest.raises(ValueError, match="hilbert"):
        patch_delays(series, series[:, 0], 30, 1.0, "guess")  # type: ignore[arg-type]


@settings(max_examples=10, deadline=None)
@given(st.floats(0.7, 3.5), st.integers(0, 99))
def test_each_patch_has_its_own_rate(rate: float, seed: int) -> None:
    both = np.hstack([waves(np.zeros(3), rate, 0.3, seed), waves(np.zeros(3), 1.7, 0.3, seed + 1)])
    found, chance = patch_rates(both, 30, (0.6, 4.0))
    assert found[:3] == pytest.approx(rate, abs=0.02)
    assert found[3:] == pytest.approx(1.7, abs=0.02)
    assert (chance < 1e-6).all()


def test_noise_seldom_has_a_rate() -> None:
    noise = np.random.default_rng(4).normal(size=(600, 400))
    noise[3, 0] = np.nan
    found, chance = patch_rates(noise, 30, (0.6, 4.0))
    assert np.isfinite(found).sum() <= 6
    assert np.isnan(chance[0])
