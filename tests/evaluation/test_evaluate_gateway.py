"""A dataset measured by a mesh that runs."""

from __future__ import annotations

from pathlib import Path

import dataset_folders as folders
import pytest

from evaluation.datasets import DATASETS
from evaluation.errors import EvaluationError
from evaluation.run import evaluate
from evaluation.summary import agree
from evaluation.windows import Span
from mesh.contracts import Measurement, Person, RatePoint, Signal
from pulsemesh.embedded import EmbeddedMesh
from pulsemesh.evaluate import Remote, in_window
from pulsemesh_client import Client

pytestmark = [pytest.mark.mesh, pytest.mark.timeout(180)]


def test_a_gateway_measures_the_same_clips(phantoms: Path, tmp_path: Path) -> None:
    for file in phantoms.iterdir():
        if file.stem != "calm":
            (tmp_path / file.name).symlink_to(file)
    with EmbeddedMesh(2, environment={"PULSEMESH_GRACE_S": "0"}) as mesh, Client(mesh.url) as client:
        found = evaluate(DATASETS["phantom"], tmp_path, Remote(client, {}), 10)
        with pytest.raises(EvaluationError, match="at most 60 s"):
            evaluate(DATASETS["phantom"], tmp_path, Remote(client, {}), 90)
        with pytest.raises(EvaluationError, match="no pictures"):
            evaluate(DATASETS["fingertip"], folders.fingertip(tmp_path / "fingertip"), Remote(client, {}), 10)
    heart_rate = agree(found.rows, "heart_rate")
    assert heart_rate.windows == 2
    assert heart_rate.n >= 1
    assert heart_rate.mae.value is not None
    assert heart_rate.mae.value < 2
    assert not any(row.answered for row in found.rows if row.recording == "wall" and row.quantity == "heart_rate")
    assert [failed.recording for failed in found.failed] == ["broken"]


def person(points: list[tuple[float, float]]) -> Person:
    def answer(value: float) -> Measurement:
        return Measurement(value=value, unit="bpm", low=value - 1, high=value + 1, confidence=0.9, status="ok")

    return Person(
        id="1",
        measurements={"heart_rate": answer(70), "sdnn": Measurement.refused("ms", "too short")},
        heart_rate_over_time=[RatePoint(time_s=time, heart_rate=answer(value)) for time, value in points],
        signal=Signal(snr_db=5.0, skin_fraction=0.2),
    )


def test_a_window_takes_the_point_in_its_middle_or_the_whole() -> None:
    found = person([(5.0, 61.0), (6.0, 62.0), (15.0, 63.0)])
    assert in_window(found, Span(0, 10), 30.0)["heart_rate"].value == 61
    assert in_window(found, Span(10, 20), 30.0)["heart_rate"].value == 63
    assert in_window(found, Span(20, 30), 30.0)["heart_rate"].status == "refused"  # no point lies here
    assert in_window(found, Span(0, 30), 30.0) == found.measurements
    assert in_window(person([]), Span(0, 10), 30.0)["heart_rate"].value == 70
