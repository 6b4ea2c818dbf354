"""Published layouts are read as they are, and what is not in a layout is refused with what was expected."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable
from pathlib import Path

import dataset_folders as folders
import h5py
import numpy as np
import pytest

from evaluation.datasets import DATASETS, items
from evaluation.errors import DatasetError, EvaluationError
from evaluation.recordings import Clip, Pictures, Recording, Samples, Stored
from pulsemesh import cli

pytestmark = pytest.mark.unit

Layout = Callable[[Path, folders.Rendered], Path]


@pytest.fixture(scope="module")
def pictures() -> folders.Rendered:
    return folders.rendered()


def read(name: str, path: Path) -> list[Recording]:
    dataset = DATASETS[name]
    return [dataset.read(item) for item in items(dataset, path)]


def heart_rate(recording: Recording, start: float = 1.0, end: float = 11.0) -> float:
    return recording.reference.truths(start, end)["heart_rate"]


@pytest.mark.parametrize(
    ("name", "make", "count", "subject"),
    [
        ("ubfc1", folders.ubfc1, 1, "5-gt"),
        ("ubfc2", folders.ubfc2, 1, "subject1"),
        ("ubfc-phys", folders.ubfc_phys, 2, "s1"),
        ("pure", folders.pure, 1, "01"),
        ("cohface", folders.cohface, 2, "1"),
        ("mmpd", folders.mmpd, 1, "subject7"),
        ("scamps", folders.scamps, 1, "P000001"),
    ],
)
def test_recordings_are_found_with_their_truth(
    name: str, make: Layout, count: int, subject: str, pictures: folders.Rendered, tmp_path: Path
) -> None:
    found = read(name, make(tmp_path / name, pictures))
    assert len(found) == count
    assert len({recording.name for recording in found}) == count
    for recording in found:
        assert recording.subject == subject
        assert heart_rate(recording) == pytest.approx(folders.RATE, abs=0.5)
        if isinstance(recording.source, Clip):
            assert recording.source.path.is_file()
    if name in ("cohface", "scamps"):
        assert found[0].reference.truths(0, 12)["respiration_rate"] == pytest.approx(folders.BREATHS, abs=0.7)


@pytest.mark.parametrize(
    ("name", "make", "worst"), [("pure", folders.pure, 0), ("mmpd", folders.mmpd, 0), ("scamps", folders.scamps, 0)]
)
def test_pictures_are_those_that_were_stored(
    name: str, make: Layout, worst: int, pictures: folders.Rendered, tmp_path: Path
) -> None:
    (recording,) = read(name, make(tmp_path, pictures))
    source = recording.source
    assert isinstance(source, Pictures)
    np.testing.assert_allclose(source.time_s, pictures.time_s, atol=1e-4)
    stored = np.stack(list(source.frames()))
    assert stored.dtype == np.uint8
    assert np.abs(stored.astype(int) - pictures.rgb).max() <= worst


def test_conditions_are_told(pictures: folders.Rendered, tmp_path: Path) -> None:
    (pure,) = read("pure", folders.pure(tmp_path / "pure", pictures))
    assert pure.conditions == {"task": "small rotation"}
    rest, speech = read("ubfc-phys", folders.ubfc_phys(tmp_path / "phys", pictures))
    assert (rest.conditions["task"], speech.conditions["task"]) == ("rest", "speech")
    studio, natural = read("cohface", folders.cohface(tmp_path / "cohface", pictures))
    assert (studio.conditions["light"], natural.conditions["light"]) == ("studio", "natural")
    (mmpd,) = read("mmpd", folders.mmpd(tmp_path / "mmpd", pictures))
    assert mmpd.skin_tone == "5"
    assert mmpd.conditions["motion"] == "Stationary"  # two labels, one meaning
    assert mmpd.conditions["light"] == "LED-low"
    assert mmpd.conditions["exercise"] == "True"


def test_a_matlab_file_of_version_7_3_is_read_as_well(pictures: folders.Rendered, tmp_path: Path) -> None:
    path = tmp_path / "subject2" / "p2_0.mat"
    path.parent.mkdir()
    with h5py.File(path, "w", userblock_size=512) as file:  # as MATLAB writes it: a header, then HDF5
        file["video"] = pictures.rgb.transpose(3, 2, 1, 0)
        file["GT_ppg"] = folders.pulse_wave(pictures.time_s)[:, None]
        file["skin_color"] = np.array([[6.0]])
        for name in ("light", "motion", "exercise", "gender", "glasser", "hair_cover", "makeup"):
            text = file.create_dataset(name, data=np.array([[ord(letter)] for letter in "Nature"], np.uint16))
            text.attrs["MATLAB_class"] = np.bytes_("char")
    head = b"MATLAB 7.3 MAT-file".ljust(124) + bytes([0, 2]) + b"IM"
    with path.open("r+b") as raw:
        raw.write(head)
    (recording,) = read("mmpd", tmp_path)
    assert recording.skin_tone == "6"
    assert recording.conditions["light"] == "Nature"
    assert heart_rate(recording) == pytest.approx(folders.RATE, abs=0.5)
    assert isinstance(recording.source, Pictures)
    assert (next(recording.source.frames()) == pictures.rgb[0]).all()


def test_fingertips_have_colours_and_two_references(tmp_path: Path) -> None:
    left, right = read("fingertip", folders.fingertip(tmp_path))
    assert (left.name, right.name, left.subject) == ("100009-Left", "100009-Right", "100009")
    assert isinstance(left.source, Samples)
    assert left.source.rgb.shape == (3, 70 * 30)
    # columns by their place; the clock passes midnight; the row 'Collection Halted' is no measurement
    assert left.reference.truths(25, 55) == {"heart_rate": folders.RATE, "respiration_rate": folders.BREATHS}
    assert left.reference.heart_rate is not None
    assert left.reference.heart_rate.time_s.tolist() == [second - 10 for second in range(70)]  # the monitor is late
    assert DATASETS["fingertip"].window_s == 30


def test_the_shared_fingertips_are_read() -> None:
    shared = Path(__file__).parents[2] / ".." / "shared" / "fingertip"
    if not shared.is_dir():
        pytest.skip("the shared fingertip recordings are not here")
    found = read("fingertip", shared)
    assert len(found) == 8
    for recording in found:
        truths = recording.reference.truths(60, 90)
        assert 40 < truths["heart_rate"] < 100
        assert 8 < truths["respiration_rate"] < 25


def test_phantoms_lie_beside_their_truth(tmp_path: Path) -> None:
    time = np.arange(0, 10, 0.1).tolist()
    truth = {"time_s": time, "heart_rate": [66.0] * 100, "beats_s": np.arange(0, 10, 60 / 66).tolist(),
             "people": [{"breathing_rate": [14.0] * 100}],
             "condition": {"motion": "still", "skin_tone": "4"}}  # fmt: skip
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.json").write_text(
            json.dumps(truth | ({"heart_rate": None, "people": []} if name == "b" else {}))
        )
    (tmp_path / "a.mp4").write_bytes(b"clip")
    (tmp_path / "b.noskin").write_bytes(b"")
    (tmp_path / "c.mkv").write_bytes(b"clip")
    (tmp_path / "c.signals").write_bytes(b"signals")
    (tmp_path / "no-truth.mp4").write_bytes(b"clip")
    a, b, c = read("phantom", tmp_path)
    assert isinstance(a.source, Clip)
    assert isinstance(b.source, Stored)
    assert c.source == Stored(tmp_path / "c.signals")
    assert a.reference.truths(0, 9) == pytest.approx({"heart_rate": 66, "respiration_rate": 14})
    assert (a.skin_tone, a.conditions) == ("4", {"motion": "still"})
    assert b.reference.pulseless
    assert b.reference.truths(0, 9) == {}
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(DatasetError, match="truth"):
        DATASETS["phantom"].read(tmp_path / "a.mp4")


# --- what is wrong is said


@pytest.mark.parametrize("name", list(DATASETS))
def test_a_folder_of_something_else_is_refused_with_the_layout(name: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DatasetError, match="expected") as refusal:
        items(DATASETS[name], tmp_path)
    assert DATASETS[name].layout in str(refusal.value)
    with pytest.raises(DatasetError, match="no folder"):
        items(DATASETS[name], tmp_path / "missing")


def test_damaged_references_are_named(tmp_path: Path) -> None:
    pictures = folders.rendered(0.5)
    part2 = folders.ubfc2(tmp_path / "2", pictures) / "subject1" / "ground_truth.txt"
    part2.write_text("1 2 3\n4 5 6\n")
    pure = folders.pure(tmp_path / "p", pictures) / "01-05" / "01-05.json"
    pure.write_text('{"/FullPackage": [{"Timestamp": 1}]}')
    part1 = folders.ubfc1(tmp_path / "1", pictures) / "DATASET_1" / "5-gt" / "gtdump.xmp"
    part1.write_text("1,2\n")
    for name, root, file in (("ubfc2", "2", part2), ("pure", "p", pure), ("ubfc1", "1", part1)):
        with pytest.raises(DatasetError, match=file.name):
            read(name, tmp_path / root)
    scamps = folders.scamps(tmp_path / "s", pictures) / "P000001.mat"
    scamps.write_bytes(b"no HDF5")
    with pytest.raises(DatasetError, match="HDF5"):
        read("scamps", tmp_path / "s")
    mmpd = folders.mmpd(tmp_path / "m", pictures) / "subject7" / "p7_3.mat"
    mmpd.write_bytes(b"no MATLAB file, though as long as the header of one. " * 4)
    with pytest.raises(DatasetError, match="MATLAB"):
        read("mmpd", tmp_path / "m")
    picture = next((folders.pure(tmp_path / "q", pictures) / "01-05" / "01-05").glob("*.png"))
    picture.write_bytes(b"no picture")
    (recording,) = read("pure", tmp_path / "q")
    assert isinstance(recording.source, Pictures)
    with pytest.raises(DatasetError, match=picture.name):
        list(recording.source.frames())


def test_hdf5_without_h5py_says_what_to_install(
    pictures: folders.Rendered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders.cohface(tmp_path, pictures)
    original = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name == "h5py":
            raise ImportError("no module h5py")
        return original(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EvaluationError, match=r"pip install 'pulsemesh\[evaluation\]'"):
        read("cohface", tmp_path)


def test_the_command_knows_every_dataset() -> None:
    assert tuple(DATASETS) == cli.DATASETS
