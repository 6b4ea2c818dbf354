"""Windows become figures, tables, files and plots that say the same."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from evaluation.bland_altman import bland_altman
from evaluation.errors import EvaluationError
from evaluation.reference import Reference, Series
from evaluation.report import content, save
from evaluation.run import Evaluation, Failed
from evaluation.summary import agree, by_condition, false_answers, groups, refusals
from evaluation.table import table
from evaluation.windows import Measured, Row, Span, rows, spans
from mesh.contracts import Measurement

pytestmark = pytest.mark.unit

TIME = np.arange(0, 60, 1.0)


def answer(value: float, half_width: float = 2.0) -> Measurement:
    return Measurement(
        value=value, unit="bpm", low=value - half_width, high=value + half_width, confidence=0.9, status="ok"
    )


def example() -> list[Row]:
    """Four clips of two subjects and three windows each, and two clips without a pulse."""
    draw = np.random.default_rng(7)
    found: list[Row] = []
    for clip in range(4):
        rate = 60 + 10 * clip
        reference = Reference(heart_rate=Series(TIME, np.full(60, float(rate))))
        conditions = {"motion": "still" if clip < 3 else "rotation"}
        for window in range(3):
            refused = clip == 3 and window == 2
            measured = Measured(
                {
                    "heart_rate": Measurement.refused("bpm", "the skin moved: hold still")
                    if refused
                    else answer(rate + float(draw.normal(0, 1))),
                    "sdnn": Measurement.refused("ms", "clip too short: 10 s of 20 s"),
                },
                snr_db=5.0,
            )
            span = Span(10 * window, 10 * window + 10)
            tone = "2" if clip < 2 else "6"
            found += rows(f"clip{clip}", f"subject{clip // 2}", reference, span, measured, conditions, tone)
    for clip in range(2):
        measured = Measured({"heart_rate": answer(80) if clip else Measurement.refused("bpm", "no skin found: look")})
        found += rows(f"wall{clip}", f"wall{clip}", Reference(pulseless=True), Span(0, 10), measured, {}, None)
    return found


# --- windows


@settings(deadline=None, max_examples=100)
@given(st.floats(0.1, 2000), st.sampled_from([0.0, 5.0, 10.0, 30.0]))
def test_windows_follow_each_other_and_stay_inside(duration: float, window: float) -> None:
    found = spans(duration, window)
    assert found[0].start_s == 0
    for one, after in itertools.pairwise(found):
        assert one.end_s == after.start_s
    assert found[-1].end_s <= duration + 0.02 * window + 1e-9
    if window and duration >= window:
        assert {span.end_s - span.start_s for span in found} == {window}
        assert duration - found[-1].end_s < window
    else:
        assert found == [Span(0, duration)]


def test_windows_shorter_than_a_measurement_are_refused() -> None:
    for window in (4.9, 0.1, -1):
        with pytest.raises(EvaluationError, match="too short"):
            spans(60, window)
    assert spans(0, 10) == []


def test_rows_hold_what_is_measured_and_what_is_known() -> None:
    reference = Reference(heart_rate=Series(TIME, TIME + 60), respiration_rate=Series(TIME, 0 * TIME + 12))
    measured = Measured({"heart_rate": answer(65), "sdnn": Measurement.refused("ms", "too short")})
    found = {row.quantity: row for row in rows("r", "s", reference, Span(0, 11), measured, {"a": "b"}, "3")}
    assert found["heart_rate"].truth == 65
    assert (found["heart_rate"].value, found["heart_rate"].low, found["heart_rate"].high) == (65, 63, 67)
    assert found["respiration_rate"].truth == 12
    assert not found["respiration_rate"].answered
    assert found["respiration_rate"].reason == "not measured"
    assert math.isnan(found["sdnn"].truth)
    assert found["sdnn"].reason == "too short"


# --- figures


def test_figures_are_of_what_is_known() -> None:
    found = agree(example(), "heart_rate")
    assert (found.windows, found.n, found.clusters) == (12, 11, 2)
    assert found.coverage.value == pytest.approx(11 / 12)
    assert found.mae.value is not None
    assert 0.3 < found.mae.value < 1.5
    assert agree(example(), "heart_rate", lambda row: row.recording).clusters == 4
    assert agree(example(), "sdnn").windows == 0


def test_numbers_without_a_pulse_are_counted() -> None:
    found = false_answers(example())
    assert found is not None
    assert (found.windows, found.answered, found.recordings, found.answered_recordings) == (2, 1, 2, 1)
    assert found.upper_bound is not None
    assert 0.5 < found.upper_bound <= 1
    assert false_answers([row for row in example() if not row.pulseless]) is None


def test_refusals_are_counted_by_cause() -> None:
    assert refusals(example()) == {"no skin found": 1, "the skin moved": 1}
    assert refusals(example(), "sdnn") == {"clip too short": 12}


def test_groups_are_of_conditions_and_skin_tones() -> None:
    found = {(name, value): len(mine) for name, value, mine in groups(example())}
    assert found == {("skin_tone", "2"): 12, ("skin_tone", "6"): 12, ("motion", "still"): 18, ("motion", "rotation"): 6}
    figures = by_condition(example())
    assert figures["motion"]["still"]["heart_rate"]["coverage"] == 1
    assert figures["motion"]["rotation"]["heart_rate"]["coverage"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["skin_tone"]["6"]["heart_rate"]["n"] == 5


def evaluation() -> Evaluation:
    return Evaluation("phantom", 10.0, 6, example(), [Failed("clip9", "no frames")])


def test_the_json_is_what_is_promised() -> None:
    found = json.loads(json.dumps(content(evaluation()), allow_nan=False))
    assert found["dataset"] == "phantom"
    assert found["recordings"] == 6
    heart_rate = found["metrics"]["heart_rate"]
    assert {"mae", "rmse", "mape", "r", "a_rms", "coverage", "interval_coverage", "n"} <= heart_rate.keys()
    assert heart_rate["rmse"] == heart_rate["a_rms"]
    assert heart_rate["n"] == 11
    assert heart_rate["standard_error"]["mae"] > 0
    assert found["conditions"]["motion"]["rotation"]["heart_rate"]["mape"] is not None
    assert found["pulseless"]["answered"] == 1
    assert found["failed"] == [{"recording": "clip9", "reason": "no frames"}]


def test_undefined_figures_are_null() -> None:
    only_refused = [row for row in example() if not row.answered]
    found = content(Evaluation("phantom", 10.0, 1, only_refused, []))["metrics"]["heart_rate"]
    assert found["mae"] is None
    assert found["r"] is None
    assert found["coverage"] == 0
    assert content(Evaluation("phantom", 10.0, 1, [], []))["metrics"]["heart_rate"]["coverage"] is None
    assert "heart_rate" not in table([])


def test_the_table_says_the_same() -> None:
    text = table(example())
    found = agree(example(), "heart_rate")
    assert found.mae.value is not None
    line = next(line for line in text.splitlines() if line.startswith("heart_rate"))
    assert f"{found.mae.value:.2f}" in line
    assert "11/12" in line
    assert "91.7" in line
    assert "skin tone" in text.replace("_", " ")
    assert "motion rotation" in text
    assert "a number in 1 of 2 windows" in text
    assert "the skin moved (1)" in text
    lines = text.splitlines()[:3]
    assert len({len(line) for line in lines}) == 1  # columns stand under each other


def test_files_are_written(tmp_path: Path) -> None:
    written = {path.name for path in save(evaluation(), tmp_path / "deep" / "out")}
    assert written == {"evaluation.json", "windows.csv", "table.txt", "bland_altman_heart_rate.png"}
    with (tmp_path / "deep" / "out" / "windows.csv").open(newline="") as file:
        stored = list(csv.DictReader(file))
    assert len(stored) == len(example())
    first = stored[0]
    assert float(first["truth"]) == 60
    assert first["motion"] == "still"
    refused = next(row for row in stored if row["quantity"] == "heart_rate" and not row["value"])
    assert refused["reason"] == "the skin moved: hold still"


def test_the_plot_is_a_picture_with_something_in_it() -> None:
    found = agree(example(), "heart_rate")
    plot = bland_altman(example(), "heart_rate", "bpm", found)
    assert plot == bland_altman(example(), "heart_rate", "bpm", found)  # the same every time
    picture = np.asarray(Image.open(io.BytesIO(plot)).convert("RGB")).astype(int)
    red = (picture[:, :, 0] > 120) & (picture[:, :, 1] < 170) & (picture[:, :, 0] - picture[:, :, 2] > 40)
    assert picture.shape[:2] == (600, 840)
    assert red.sum() > 50  # the points
    with pytest.raises(ValueError, match="no answered window"):
        bland_altman([], "heart_rate", "bpm", agree([], "heart_rate"))
