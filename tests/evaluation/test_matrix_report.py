"""What the benches conclude from windows and beats is what stands in them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import phantom_matrix
import pytest
import variability
from hypothesis import given, settings
from hypothesis import strategies as st
from matrix_design import NEGATIVES, POSITIVES, STILL, design

from evaluation.windows import Row

pytestmark = pytest.mark.unit


def windows(error: float = 0.5, half_width: float = 0.6) -> list[Row]:
    """Three windows of every clip of a part of the matrix, all answered with an error of the same size."""
    found = []
    for number, case in enumerate(design("report", 0.1)):
        positive = case.stratum in POSITIVES
        for window in range(3 if positive else 1):
            truth = 60.0 + number % 50 if positive else math.nan
            # nine in ten intervals hold the truth
            value = truth + error * (1 if number % 2 else -1)
            width = half_width if (3 * number + window) % 10 else half_width / 3
            low, high = (value - width, value + width) if positive else (math.nan, math.nan)
            found.append(
                Row(
                    case.name, case.name, "heart_rate", "bpm", 10.0 * window, 10.0 * window + 10, truth, not positive,
                    value, low, high, 0.9 if positive else math.nan, "" if positive else "no skin found", 5.0,
                    case.condition, case.condition["skin_tone"],
                )
            )  # fmt: skip
    return found


def changed(rows: list[Row], stratum: str, **values: object) -> list[Row]:
    return [dataclasses.replace(row, **values) if row.conditions["stratum"] == stratum else row for row in rows]  # type: ignore[arg-type]


def test_good_windows_meet_the_targets_of_figures() -> None:
    found = phantom_matrix.targets(windows())
    assert found["a_rms_still_bpm"]["value"] == pytest.approx(0.5)
    assert found["a_rms_moving_bpm"]["value"] == pytest.approx(0.5)
    assert found["interval_coverage"]["value"] == pytest.approx(0.9, abs=0.02)
    assert found["negatives_without_a_number"]["value"] == 1
    assert {name for name, claim in found.items() if claim.get("met") is False} == {"clips", "windows"}


def test_each_failure_misses_its_own_target() -> None:
    rows = windows()
    nan = math.nan
    refused = {"value": nan, "low": nan, "high": nan}
    for changes, missed in (
        (changed(rows, "clear", **refused, reason="no clear pulse: hold still"), "coverage_clear"),
        (changed(rows, "compressed", value=200.0, low=199.0, high=201.0), "wrong_compressed"),
        (changed(rows, "lamp", value=84.0), "negatives_without_a_number"),
        (changed(rows, "reorient", value=150.0), "a_rms_moving_bpm"),
        (changed(rows, "weak", value=90.0), "a_rms_still_bpm"),
        ([dataclasses.replace(row, low=row.value + 1, high=row.value + 2) for row in rows], "interval_coverage"),
    ):
        assert phantom_matrix.targets(changes)[missed]["met"] is False
        assert phantom_matrix.targets(rows)[missed]["met"] is True


def test_refusals_that_name_compression_are_counted() -> None:
    nan = math.nan
    rows = changed(windows(), "compressed", value=nan, low=nan, high=nan, reason="compressed too hard: 0.004 bits")
    found = phantom_matrix.targets(rows)["refusals_that_name_compression"]
    assert found["value"] == 1
    assert found["refused_windows"] == 18
    other = changed(rows, "compressed", reason="too dark: more light")
    assert phantom_matrix.targets(other)["refusals_that_name_compression"]["value"] == 0


def test_the_worst_answers_are_listed() -> None:
    rows = changed(changed(windows(), "lamp", value=84.0), "tremor", value=20.0)
    said = list(phantom_matrix.wrong_windows(rows))
    assert len([line for line in said if line.startswith("lamp")]) == 5
    assert len([line for line in said if line.startswith("tremor")]) == 6
    assert len(said) == 11


def test_risk_falls_where_confidence_tells() -> None:
    draw = np.random.default_rng(0)
    rows = []
    for row in windows():
        trust = float(draw.uniform(0.2, 1))
        rows.append(
            dataclasses.replace(row, confidence=trust, value=row.truth + float(draw.normal(0, 2 * (1.1 - trust))))
        )
    curve = phantom_matrix.risk_coverage(rows)
    assert len(curve) == 10
    assert curve[0]["a_rms_bpm"] < 0.6 * curve[-1]["a_rms_bpm"]
    assert curve[-1]["coverage"] == 1
    groups = phantom_matrix.intervals_by_confidence(rows)
    assert groups[0]["confidence"][1] <= groups[-1]["confidence"][0]


def test_figures_stand_for_every_stratum_and_negative() -> None:
    found = phantom_matrix.by(windows(), ("stratum", "task"))
    assert set(found["stratum"]) == set(POSITIVES)
    assert set(found["task"]) == {"A", "B", "C", "D", "other"}
    assert set(found["skin_tone"]) <= set("123456")
    assert set(phantom_matrix.negatives_by_kind(windows())) == set(NEGATIVES)
    assert set(STILL) < set(POSITIVES)


# --- beats


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.floats(-0.25, 0.25), st.sets(st.integers(3, 50), max_size=4))
def test_beats_are_matched_whatever_the_offset(seed: int, offset: float, missed: set[int]) -> None:
    draw = np.random.default_rng(seed)
    truth = np.cumsum(draw.uniform(0.75, 0.95, 60))
    jitter = draw.normal(0, 0.006, 60)
    kept = np.array([k for k in range(60) if k not in missed])
    difference, not_found, extra = variability.matched(truth[kept] + offset + jitter[kept], truth)
    assert not_found == len(missed)
    assert extra == 0
    assert len(difference) == len(kept)
    assert np.abs(difference).max() < 0.04
    with_more, _, more = variability.matched(np.sort(np.append(truth + offset, truth[20] + offset + 0.4)), truth)
    assert more == 1
    assert len(with_more) == 60


def test_no_beats_match_nothing() -> None:
    difference, missed, extra = variability.matched(np.zeros(0), np.arange(10.0))
    assert (len(difference), missed, extra) == (0, 10, 0)


def test_the_phantoms_of_variability_are_still_and_clear() -> None:
    for number in range(24):
        found = variability.settings(number, 60.0)
        assert found.motion == "still"
        assert found.crf <= 18
        assert found.fps == 30
        assert found.amplitude >= 0.005
