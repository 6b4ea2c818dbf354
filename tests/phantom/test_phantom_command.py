"""`pulsemesh phantom`: scenes, truth with its arrays, the ideal magnified clip, errors on one line."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from phantom import NEGATIVES, PhantomSettings, Truth
from pulsemesh.cli import main

pytestmark = pytest.mark.unit

SHORT = ["--seconds", "2", "--fps", "20", "--width", "128", "--height", "96", "--crf", "0"]


def phantom(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["phantom", *SHORT, *map(str, words)])
    return int(ended.value.code or 0)


def green(path: Path, skin: np.ndarray) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.array([f.to_ndarray(format="rgb24")[::2, ::2, 1][skin].mean() for f in container.decode(video=0)])


def test_a_face_its_truth_and_its_ideal_magnification(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip, truth, ideal = tmp_path / "clip.mp4", tmp_path / "truth.json", tmp_path / "more" / "ideal.mkv"
    status = phantom(
        "--out", clip, "--truth", truth, "--magnified", ideal, "--gain", 9, "--scene", "face", "--skin-tone", 3,
        "--motion", "rotation30", "--further-heart-rates", "55,95", "--heart-rate", 75, "--second-harmonic", 0,
        "--motion", "still", "--breathing-motion", 0, "--drift", 0,
    )  # fmt: skip
    assert status == 0
    assert "75 bpm, 55 bpm, 95 bpm" in capsys.readouterr().out
    found = Truth.model_validate_json(truth.read_bytes())
    assert found.settings.skin_tone == 3
    assert len(found.people) == 3
    with np.load(tmp_path / "truth.npz") as arrays:
        skin = arrays["labels"] == 1
    plain, strong = green(clip, skin), green(ideal, skin)
    wave = np.array(found.blood_volume)
    slopes = [np.polyfit(wave, level, 1)[0] for level in (plain, strong)]
    assert slopes[1] / slopes[0] == pytest.approx(10, rel=0.1)
    assert {p.name for p in tmp_path.rglob("*")} == {"clip.mp4", "truth.json", "truth.npz", "more", "ideal.mkv"}


@pytest.mark.parametrize("scene", sorted(NEGATIVES))
def test_negative_controls_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str], scene: str) -> None:
    assert phantom("--out", tmp_path / "clip.mp4", "--seconds", "0.2", "--scene", scene) == 0
    assert "pulse none" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--scene", "moon"], "scene"), (["--motion", "talking"], "needs a scene with a head"),
     (["--gain", "-1"], "--gain"), (["--sdnn", "40", "--rmssd", "250"], "sdnn 40 ms cannot go with rmssd"),
     (["--magnified", "ideal.gif"], "--magnified")],
)  # fmt: skip
def test_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert phantom("--out", tmp_path / "clip.mp4", *words) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert not list(tmp_path.iterdir())


def test_webm_needs_vp9(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert phantom("--out", tmp_path / "clip.webm") == 2
    assert "--codec vp9" in capsys.readouterr().err
    assert phantom("--out", tmp_path / "clip.webm", "--codec", "vp9", "--seconds", "0.5") == 0


def test_every_setting_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert phantom("--help") == 0
    shown = capsys.readouterr().out
    for name in PhantomSettings.model_fields:
        assert f"--{name.replace('_', '-')}" in shown
