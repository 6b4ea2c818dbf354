"""Figures of agreement hold for all inputs, and their errors are those of recordings, not of windows."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from evaluation.metrics import (
    Estimate,
    agreement,
    bias,
    coverage,
    interval_coverage,
    jackknife,
    limit_of_agreement,
    mean_absolute_error,
    mean_absolute_percentage_error,
    pearson_r,
    root_mean_square_error,
    upper_bound,
    wrong,
)

pytestmark = pytest.mark.unit

Array = NDArray[np.float64]
RATES = st.floats(40, 220)
few = settings(deadline=None, max_examples=60)


@st.composite
def pairs(draw: st.DrawFn, least: int = 2) -> tuple[Array, Array]:
    """Truths, and values some of which are refused; at least `least` are not."""
    size = draw(st.integers(least, 25))
    truth = draw(arrays(np.float64, size, elements=RATES))
    value = draw(arrays(np.float64, size, elements=RATES | st.just(math.nan)))
    value[:least] = draw(arrays(np.float64, least, elements=RATES))
    return truth, value


@few
@given(pairs())
def test_errors_are_ordered_and_never_negative(pair: tuple[Array, Array]) -> None:
    truth, value = pair
    mae, rmse = mean_absolute_error(truth, value), root_mean_square_error(truth, value)
    assert 0 <= abs(bias(truth, value)) <= mae + 1e-9
    assert mae <= rmse + 1e-9
    assert rmse <= np.nanmax(np.abs(value - truth)) + 1e-9
    relative = mean_absolute_percentage_error(truth, value) / 100
    assert mae / 220 - 1e-12 <= relative <= mae / 40 + 1e-12


@few
@given(pairs(), st.floats(-50, 50))
def test_a_constant_error_is_bias_alone(pair: tuple[Array, Array], offset: float) -> None:
    truth, value = pair
    value = np.where(np.isfinite(value), truth + offset, np.nan)
    assert bias(truth, value) == pytest.approx(offset, abs=1e-9)
    assert mean_absolute_error(truth, value) == pytest.approx(abs(offset), abs=1e-9)
    assert root_mean_square_error(truth, value) == pytest.approx(abs(offset), abs=1e-9)
    for side in (-1, 1):
        assert limit_of_agreement(truth, value, side) == pytest.approx(offset, abs=1e-6)


@few
@given(pairs(3), st.randoms(use_true_random=False))
def test_the_order_of_windows_and_refused_windows_do_not_matter(pair: tuple[Array, Array], random) -> None:  # type: ignore[no-untyped-def]
    truth, value = pair
    order = list(range(len(truth)))
    random.shuffle(order)
    answered = np.isfinite(value)
    for statistic in (mean_absolute_error, root_mean_square_error, mean_absolute_percentage_error, bias, pearson_r):
        here = statistic(truth, value)
        assert statistic(truth[order], value[order]) == pytest.approx(here, nan_ok=True, rel=1e-6, abs=1e-6)
        assert statistic(truth[answered], value[answered]) == pytest.approx(here, nan_ok=True, rel=1e-9)


@few
@given(pairs(4))
def test_pearson_is_that_of_scipy(pair: tuple[Array, Array]) -> None:
    truth, value = pair
    answered = np.isfinite(value)
    x, y = truth[answered], value[answered]
    found = pearson_r(truth, value)
    if np.ptp(x) < 1e-3 or np.ptp(y) < 1e-3:
        return
    assert -1 <= found <= 1
    assert found == pytest.approx(float(stats.pearsonr(x, y).statistic), abs=1e-7)


def test_pearson_is_not_defined_without_variation() -> None:
    same, other = np.full(5, 70.0), np.arange(5.0)
    assert math.isnan(pearson_r(same, other))
    assert math.isnan(pearson_r(other, same))
    assert math.isnan(pearson_r(other[:2], other[:2]))
    assert pearson_r(other, 2 * other + 1) == pytest.approx(1)
    assert pearson_r(other, -other) == pytest.approx(-1)


@few
@given(pairs(), st.floats(0, 30))
def test_parts_are_parts(pair: tuple[Array, Array], tolerance: float) -> None:
    truth, value = pair
    answered = coverage(truth, value)
    assert answered == np.isfinite(value).sum() / len(value)
    assert 0 <= wrong(truth, value, tolerance) <= answered  # a refusal is never wrong
    assert wrong(truth, value, 1000) == 0
    assert interval_coverage(truth, truth - tolerance, truth + tolerance) == 1
    assert interval_coverage(truth, truth + tolerance + 0.1, truth + tolerance + 1) == 0
    assert math.isnan(interval_coverage(truth, truth * np.nan, truth))


def test_limits_hold_about_95_per_cent_of_normal_differences() -> None:
    draw = np.random.default_rng(3)
    truth = draw.uniform(50, 120, 20_000)
    value = truth + draw.normal(1.0, 2.0, 20_000)
    low, high = limit_of_agreement(truth, value, -1), limit_of_agreement(truth, value, 1)
    inside = ((value - truth >= low) & (value - truth <= high)).mean()
    assert inside == pytest.approx(0.95, abs=0.005)
    assert (low + high) / 2 == pytest.approx(bias(truth, value))
    assert high - low == pytest.approx(4 * 1.96, rel=0.02)


# --- standard errors


def test_the_error_of_a_mean_is_the_classical_one_where_windows_are_independent() -> None:
    draw = np.random.default_rng(1)
    values = draw.normal(0, 2, 50)
    found = jackknife(lambda v: float(v.mean()), np.arange(50), values)
    assert found.standard_error == pytest.approx(values.std(ddof=1) / math.sqrt(50))


def test_copies_of_a_window_add_no_certainty() -> None:
    draw = np.random.default_rng(2)
    truth, value = draw.uniform(50, 100, 30), draw.uniform(50, 100, 30)
    once = jackknife(mean_absolute_error, np.arange(30), truth, value)
    copied = jackknife(mean_absolute_error, np.repeat(np.arange(30), 10), np.repeat(truth, 10), np.repeat(value, 10))
    naive = jackknife(mean_absolute_error, np.arange(300), np.repeat(truth, 10), np.repeat(value, 10))
    assert copied.standard_error == pytest.approx(once.standard_error)
    assert naive.standard_error is not None
    assert once.standard_error is not None
    assert naive.standard_error < 0.4 * once.standard_error


def test_the_error_is_that_of_repeated_experiments() -> None:
    """The spread of the figure over many simulated studies of 40 clips with 3 windows each."""
    draw = np.random.default_rng(5)
    cluster = np.repeat(np.arange(40), 3)
    figures, errors = [], []
    for _ in range(300):
        clip_error = np.repeat(draw.normal(0, 1.5, 40), 3)  # what windows of a clip share
        truth = np.repeat(draw.uniform(50, 120, 40), 3)
        value = truth + clip_error + draw.normal(0, 0.5, 120)
        found = jackknife(root_mean_square_error, cluster, truth, value)
        assert found.value is not None
        assert found.standard_error is not None
        figures.append(found.value)
        errors.append(found.standard_error)
    assert np.mean(errors) == pytest.approx(np.std(figures), rel=0.12)


def test_nothing_is_claimed_where_nothing_is_known() -> None:
    nothing = np.zeros(0)
    refused = np.full(4, np.nan)
    truth = np.array([60.0, 70, 80, 90])
    assert jackknife(mean_absolute_error, np.zeros(0, np.int64), nothing, nothing) == Estimate(None)
    assert jackknife(mean_absolute_error, np.arange(4), truth, refused) == Estimate(None)
    one_clip = jackknife(mean_absolute_error, np.zeros(4, np.int64), truth, truth + 1)
    assert one_clip == Estimate(1.0, None)
    found = agreement(truth, refused, refused, refused, np.arange(4), 5)
    assert found.n == 0
    assert found.coverage.value == 0
    assert found.mae.value is None
    assert found.interval_coverage.value is None
    empty = agreement(nothing, nothing, nothing, nothing, np.zeros(0, np.int64), 5)
    assert all(one.value is None for one in empty.estimates().values())


def test_windows_without_a_truth_are_left_out() -> None:
    truth = np.array([60.0, np.nan, 80])
    value = np.array([61.0, 99, np.nan])
    found = agreement(truth, value, value - 2, value + 2, np.arange(3), 0.5, np.array([3.0, 50, 5]))
    assert (found.windows, found.n, found.clusters) == (2, 1, 2)
    assert found.mae.value == 1
    assert found.coverage.value == 0.5
    assert found.wrong.value == 0.5
    assert found.interval_coverage.value == 1
    assert found.interval_width.value == 4
    assert found.snr_db.value == 4
    assert {field.name for field in fields(found)} >= {"mae", "rmse", "mape", "r", "a_rms", "limit_low", "limit_high"}


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="length"):
        agreement(np.zeros(3), np.zeros(2), np.zeros(3), np.zeros(3), np.arange(3), 5)


@few
@given(st.integers(1, 500), st.data())
def test_the_upper_bound_is_exact(total: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, total))
    bound = upper_bound(count, total)
    assert count / total <= bound <= 1
    if count < total:  # were the rate that high, so few would be seen in 5 % of studies
        assert stats.binom.cdf(count, total, bound) == pytest.approx(0.05, abs=1e-6)
    with pytest.raises(ValueError, match="proportion"):
        upper_bound(total + 1, total)
