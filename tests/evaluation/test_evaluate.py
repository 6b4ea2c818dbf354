"""From a dataset's folder to figures, with the measurement that is installed."""

from __future__ import annotations

import json
from pathlib import Path

import dataset_folders as folders
import numpy as np
import pytest

from evaluation.datasets import DATASETS
from evaluation.errors import EvaluationError
from evaluation.extraction import extract, signals_of_clip
from evaluation.measurer import installed
from evaluation.recordings import Pictures, Recording
from evaluation.reference import Reference
from evaluation.run import NO_SKIN, Local, evaluate
from evaluation.summary import agree, refusals
from mesh.parameters import Parameters
from pulsemesh import cli

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("signals")


def test_a_folder_of_clips_becomes_figures(phantoms: Path, cache: Path) -> None:
    found = evaluate(DATASETS["phantom"], phantoms, Local(Parameters(), cache), 10)
    assert (found.recordings, [one.recording for one in found.failed]) == (3, ["broken"])
    heart_rate = agree(found.rows, "heart_rate")
    assert (heart_rate.windows, heart_rate.clusters) == (4, 2)
    assert heart_rate.n >= 3
    assert heart_rate.mae.value is not None
    assert heart_rate.mae.value < 1.5
    for row in found.rows:
        if row.quantity == "heart_rate" and row.recording in folders.CLIP_RATES:
            assert row.truth == pytest.approx(folders.CLIP_RATES[row.recording], abs=3)
            assert row.snr_db > 3
        assert not (row.recording == "wall" and row.quantity == "heart_rate" and row.answered)
    # what was extracted is kept, and gives the same without the clips
    assert {path.stem for path in cache.iterdir()} == {*folders.CLIP_RATES, "wall"}
    again = evaluate(DATASETS["phantom"], phantoms, Local(Parameters(), cache), 10)
    assert [row.value for row in again.rows] == pytest.approx([row.value for row in found.rows], nan_ok=True)


def test_windows_see_nothing_but_themselves(phantoms: Path) -> None:
    """A window is measured alike, whatever comes before and after it."""
    measurer = installed()
    (signals,) = signals_of_clip(phantoms / "calm.mp4", Parameters(), measurer)
    alone = signals.between(0.0, 10.0)
    assert alone.time_s[-1] < 10.0
    np.testing.assert_array_equal(alone.rgb, signals.rgb[:, : len(alone.time_s)])
    kept = measurer.signals.from_bytes(alone.to_bytes())
    first, second = (measurer.measure(one, Parameters()).person.measurements["heart_rate"] for one in (alone, kept))
    assert first == second
    assert first.value == pytest.approx(folders.CLIP_RATES["calm"], abs=2)


def test_pictures_go_the_same_way_as_clips() -> None:
    pictures = folders.rendered(11.0, 84.0)
    recording = Recording("p", "p", Pictures(pictures.time_s, lambda: iter(pictures.rgb)), Reference())
    signals = extract(recording, Parameters(), installed())
    assert signals is not None
    assert len(signals.time_s) == len(pictures.time_s)
    assert np.nanmean(signals.rgb, axis=1) == pytest.approx([196, 144, 120], abs=8)
    heart_rate = installed().measure(signals, Parameters()).person.measurements["heart_rate"]
    assert heart_rate.value is None or heart_rate.value == pytest.approx(84, abs=2)


def test_without_skin_every_window_is_refused() -> None:
    blue = np.full((330, 48, 64, 3), (30, 60, 200), np.uint8)
    recording = Recording("b", "b", Pictures(np.arange(330) / 30, lambda: iter(blue)), Reference(pulseless=True))
    observed = Local(Parameters())(recording, 5)
    assert len(observed.windows) == 2
    for _, measured in observed.windows:
        assert measured.measurements["heart_rate"].status == "refused"


def test_fingertips_are_measured_in_windows(tmp_path: Path) -> None:
    found = evaluate(DATASETS["fingertip"], folders.fingertip(tmp_path), Local(Parameters()))
    heart_rate = agree(found.rows, "heart_rate")
    assert (found.window_s, heart_rate.windows, heart_rate.clusters) == (30, 4, 1)
    assert heart_rate.n == 4, refusals(found.rows)
    assert heart_rate.mae.value == pytest.approx(0, abs=0.3)
    assert heart_rate.mae.standard_error is None  # both hands are of one subject


def test_nothing_to_evaluate_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"no clip")
    (tmp_path / "x.json").write_text('{"time_s": [0], "heart_rate": null, "people": [], "beats_s": []}')
    with pytest.raises(EvaluationError, match="none of 1 recordings"):
        evaluate(DATASETS["phantom"], tmp_path, Local(Parameters()))


# --- the command


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(word) for word in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_command_prints_json_and_writes_files(
    phantoms: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--window", 10, "--json", "--out", tmp_path / "out", "--cache", cache)
    assert run("evaluate", "phantom", phantoms, *words) == cli.DONE
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["dataset"], found["recordings"]) == ("phantom", 3)
    assert found["metrics"]["heart_rate"]["coverage"] >= 0.75
    assert found["pulseless"]["answered"] == 0
    assert "left out: broken" in err
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text()) == found
    assert (tmp_path / "out" / "bland_altman_heart_rate.png").stat().st_size > 5000


def test_the_command_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders.fingertip(tmp_path)
    assert run("evaluate", "fingertip", tmp_path, "--set", "method=green") == cli.DONE
    out = capsys.readouterr().out
    assert "2 recordings, windows of 30 s" in out
    assert "heart_rate" in out
    assert "diagnoses nothing" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("evaluate", "phantom", "missing-folder"), "no folder missing-folder"),
        (("evaluate", "phantom", "."), "does not look like"),
        (("evaluate", "nonsense", "."), "nonsense"),
        (("evaluate", "phantom", ".", "--window", "2"), "too short"),
        (("evaluate", "phantom", ".", "--set", "metod=pos"), "did you mean 'method'"),
        (("evaluate", "phantom", ".", "--gateway", "localhost"), "--gateway wants an address"),
    ],
)
def test_bad_arguments_are_one_line(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*words) == cli.BAD_INPUT
    err = capsys.readouterr().err
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_a_clip_kept_as_without_skin_has_refused_windows(tmp_path: Path) -> None:
    truth = {"time_s": np.arange(0, 11, 1 / 30).tolist(), "heart_rate": None, "people": [], "beats_s": []}
    (tmp_path / "wall.json").write_text(json.dumps(truth))
    (tmp_path / "wall.noskin").write_bytes(b"")
    found = evaluate(DATASETS["phantom"], tmp_path, Local(Parameters()))
    (row,) = found.rows
    assert (row.start_s, row.end_s, row.pulseless, row.reason) == (0, 10, True, NO_SKIN)
