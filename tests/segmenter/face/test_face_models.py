"""Models that are absent, damaged or others, how they are fetched; what is said of an obstructed face."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from face_kit import needs_models, plan_of

from media.decode import Frame
from media.masks import FrameMask, Instance, MaskWriter, read_masks
from media.people import PersonSkin
from mesh.errors import MissingWeights
from mesh.parameters import Parameters
from segmenter.face import models, obstruction, segmenter
from segmenter.face.detector import anchors, merge, overlap, tiles
from segmenter.face.fetch import extract
from segmenter.face.obstruction import Look
from segmenter.face.remarks import remarks

pytestmark = pytest.mark.unit

GOOD = Look(
    detection=0.93, presence=1.0, outside=0.0, covered=0.03, covered_below=0.03, width_px=150.0, brightness=0.5,
    yaw_deg=5.0,
)  # fmt: skip


def grey() -> Frame:
    return Frame(0, 0.0, np.full((48, 64), 90, np.uint8), *np.full((2, 24, 32), 128, np.uint8))


@pytest.fixture
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACE_MODELS", str(tmp_path))
    return tmp_path


def test_without_models_the_automatic_path_is_told_why(no_models: Path) -> None:
    assert not segmenter.available()
    finding = segmenter.sees_face(plan_of([grey()]), [grey()])
    assert not finding.found
    assert "is not there" in finding.reason or "not installed" in finding.reason


def test_without_models_masks_are_refused_with_the_steps(no_models: Path) -> None:
    with pytest.raises(MissingWeights) as refused:
        next(segmenter.masks(plan_of([grey()]), [grey()], 0, 1, Parameters()))
    assert "python -m segmenter.face.fetch" in str(refused.value.hint)


@needs_models
def test_a_model_that_is_another_is_not_run(no_models: Path) -> None:
    names = [models.file_name(name) for name in models.MODELS]
    for name in names:
        (no_models / name).write_bytes(b"TFL3 something else")
    assert "is not the model of mediapipe" in str(models.problem())
    with pytest.raises(MissingWeights):
        models.Model("mesh")


@needs_models
def test_models_come_out_of_the_wheel_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = models.folder()
    wheel = tmp_path / "mediapipe.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, (place, _) in models.MODELS.items():
            archive.write(installed / models.file_name(name), place)
        archive.writestr("mediapipe-0.10.14.dist-info/LICENSE", "Apache")
    into = tmp_path / "new" / "face"
    extract(wheel, into)
    monkeypatch.setenv("FACE_MODELS", str(into))
    assert models.problem() is None
    assert (into / "LICENSE").read_text() == "Apache"
    assert not list(into.glob("*.part"))


def test_a_wheel_that_is_damaged_or_another_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken.whl"
    broken.write_bytes(b"PK no zip")
    with pytest.raises(MissingWeights, match="not a whole wheel"):
        extract(broken, tmp_path / "face")
    other = tmp_path / "other.whl"
    with zipfile.ZipFile(other, "w") as archive:
        for place, _ in models.MODELS.values():
            archive.writestr(place, b"another model")
        archive.writestr("mediapipe-9.dist-info/LICENSE", "Apache")
    with pytest.raises(MissingWeights, match="not the one that was tested"):
        extract(other, tmp_path / "face")
    assert not list((tmp_path / "face").iterdir())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"outside": 0.3}, "out of the picture"),
        ({"brightness": 0.05}, "too dark"),
        ({"width_px": 20.0}, "too small, 20 px"),
        ({"yaw_deg": -60.0}, "turned away"),
        ({"covered": 0.45, "covered_below": 0.85}, "mask"),
        ({"covered": 0.35, "covered_below": 0.4}, "hand, hair or an object"),
        ({"detection": 0.75}, "not seen clearly"),
        ({"presence": 0.6}, "not seen clearly"),
    ],
)
def test_what_is_in_the_way_is_said(change: dict[str, float], said: str) -> None:
    look = replace(GOOD, **change)
    assert obstruction.confidence(look) < obstruction.LIMIT
    assert said in str(obstruction.explain(obstruction.signs(look)))


def test_a_face_in_plain_sight_needs_no_words() -> None:
    assert obstruction.confidence(GOOD) >= obstruction.LIMIT
    assert obstruction.explain(obstruction.signs(GOOD)) is None
    assert obstruction.explain({"anything": 1.0}) is None
    assert obstruction.confidence(obstruction.mean([GOOD, replace(GOOD, detection=0.91)])) == pytest.approx(1.0)


def test_anchors_are_those_of_the_two_detectors() -> None:
    assert anchors(((16, 2), (8, 6))).shape == (896, 2)
    far = anchors(((48, 1),))
    assert far.shape == (2304, 2)
    assert far[1] - far[0] == pytest.approx([1 / 48, 0])


def test_boxes_of_one_face_become_their_mean() -> None:
    box = np.array([[0.0, 0.0], [2.0, 2.0]])
    score = np.array([0.6, 0.9, 0.8])
    found = merge(score, np.stack([box, box + 0.1, box + 10]))
    assert [sure for sure, _ in found] == [0.9, 0.8]
    assert found[0][1] == pytest.approx(box + 0.06)  # (0.6 * 0 + 0.9 * 0.1) / 1.5
    assert overlap(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2]])) == pytest.approx(np.array([[1 / 3]]))


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1080, 1920), (1000, 1000), (3840, 400)])
def test_tiles_cover_a_large_picture(width: int, height: int) -> None:
    found = tiles(width, height)
    seen = np.zeros((height, width), bool)
    for left, top, right, bottom in found:
        assert 0 <= left < right <= width + 1e-6
        assert 0 <= top < bottom <= height + 1e-6
        seen[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = True
    assert seen.all()
    assert len(found) <= 20


def test_who_was_hidden_is_told_with_the_reason() -> None:
    def instance(label: int, look: Look) -> Instance:
        return Instance(label, (0, 0, 2, 2), obstruction.confidence(look), None, obstruction.signs(look))

    dark, labels = replace(GOOD, brightness=0.04), np.ones((4, 4), np.uint8)
    readers = []
    for frames in ([GOOD, dark], [dark, dark]):
        writer = MaskWriter((4, 4))
        for look in frames:
            writer.add(FrameMask(labels, [instance(1, look), instance(2, GOOD)]))
        readers.append(read_masks(writer.finish()))
    people = [PersonSkin("1", ((0, 4, 1),)), PersonSkin("2", ((0, 4, 2),)), PersonSkin("3", ())]
    (told,) = remarks(people, readers)
    assert told == "Person 1, 75% of the time: The face is too dark: turn on more light."
    assert remarks(people[1:], readers) == []
