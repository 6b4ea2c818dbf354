"""What is said of a result at the end of a run."""

from __future__ import annotations

import pytest

from mesh.contracts import Measurement
from pulsemesh.summary import person_lines

pytestmark = pytest.mark.unit

RATE = Measurement(value=72.04, unit="bpm", low=71.2, high=72.8, confidence=0.98, status="ok")


def test_measurements_are_said_and_refusals_grouped_by_their_reason() -> None:
    short = "10.0 s of 20 s; record longer"
    lines = person_lines(
        {
            "heart_rate": RATE,
            "sdnn": Measurement.refused("ms", short),
            "rmssd": Measurement.refused("ms", short),
            "respiration_rate": Measurement(value=14.0, unit="1/min", low=12, high=16, confidence=0.7, status="ok"),
        },
        true_rate=72.0,
    )
    assert lines == [
        "heart rate: 72.0 bpm (90 % interval 71.2 to 72.8), confidence 0.98; the truth is 72.0",
        "breathing rate: 14.0 1/min (90 % interval 12.0 to 16.0), confidence 0.70",
        f"SDNN, RMSSD: refused. {short}",
    ]


def test_what_hangs_on_a_refused_rate_is_not_repeated() -> None:
    lines = person_lines(
        {
            "heart_rate": Measurement.refused("bpm", "too dark: use more light"),
            "sdnn": Measurement.refused("ms", "the heart rate is refused: too dark: use more light"),
        }
    )
    assert lines == ["heart rate: refused. too dark: use more light"]
