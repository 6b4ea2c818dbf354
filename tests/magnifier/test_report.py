"""The files of a result: table, plot, picture, warnings."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from magnifier.magnification import clip_warnings, magnification
from magnifier.pulse_csv import write_pulse_csv
from magnifier.pulse_plot import draw_pulse, shown_span, spectrum
from magnifier.render import Magnifier
from magnifier.result import build_result, result_file
from magnifier.skin_picture import mark_skin, outline, write_skin_picture
from mesh.contracts import Result, Task
from mesh.parameters import Parameters

pytestmark = pytest.mark.unit


def opened(path: Path) -> Image.Image:
    """A picture, its file closed."""
    with Image.open(path) as image:
        image.load()
        return image.copy()


def task(**parameters: Any) -> Task:
    return Task(
        job="job", recording="rec", stage="result", index=0, inputs=[], output="rec/result/abc/0",
        parameters=Parameters(**parameters),
    )  # fmt: skip


def describe(scene: Any, **parameters: Any) -> Any:
    magnifier = Magnifier(scene.plan, scene.pulse, Parameters(**parameters))
    for f in scene.frames:
        magnifier.magnify(f.index, (f.y, f.u, f.v), scene.labels[f.index])
    magnifier.record.frames = len(scene.frames)
    return magnification(task(**parameters), magnifier.record, scene.plan)


# --- pulse.csv


def test_the_table_has_the_columns_of_faceHR_and_the_numbers_of_the_pulse(scene: Any, tmp_path: Path) -> None:
    write_pulse_csv(scene.pulse, tmp_path / "pulse.csv")
    with (tmp_path / "pulse.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["person", "time_s", "R", "G", "B", "Y", "U", "V", "R_f", "G_f", "B_f", "white", "pulse"]
    assert len(rows) == 1 + len(scene.pulse.time_s)
    person = scene.pulse.people[0]
    for number, row in enumerate(rows[1:]):
        assert row[0] == "1"
        expected = [scene.pulse.time_s[number], *(getattr(person, c)[number] for c in rows[0][2:])]
        assert [float(x) for x in row[1:]] == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_without_skin_the_table_is_its_header(scene: Any, no_pulse: Any, tmp_path: Path) -> None:
    write_pulse_csv(no_pulse(scene.truth), tmp_path / "pulse.csv")
    assert (tmp_path / "pulse.csv").read_text().count("\n") == 1


# --- pulse.png


def ink(path: Path) -> list[float]:
    """Part of each third of the picture that is not white."""
    grey = np.asarray(opened(path).convert("L"))
    return [float((third < 200).mean()) for third in np.array_split(grey[60:], 3)]


def reds(path: Path) -> int:
    rgb = np.asarray(opened(path).convert("RGB")).astype(int)
    return int(((rgb[..., 0] > 150) & (rgb[..., 1] < 90) & (rgb[..., 2] < 90)).sum())


def test_the_plot_has_three_drawn_panels(scene: Any, tmp_path: Path) -> None:
    draw_pulse(scene.pulse, tmp_path / "pulse.png", resolution=60)
    image = opened(tmp_path / "pulse.png")
    assert image.size == (540, 504)
    assert min(ink(tmp_path / "pulse.png")) > 0.01
    assert reds(tmp_path / "pulse.png") > 300


def test_a_refused_rate_is_drawn_in_grey_and_no_skin_in_words(
    scene: Any, make_pulse: Any, no_pulse: Any, tmp_path: Path
) -> None:
    draw_pulse(make_pulse(scene.truth, rate=None), tmp_path / "refused.png", resolution=60)
    draw_pulse(no_pulse(scene.truth), tmp_path / "none.png", resolution=60)
    for name in ("refused.png", "none.png"):
        assert reds(tmp_path / name) == 0
        assert min(ink(tmp_path / name)) > 0.005


def test_the_same_pulse_gives_the_same_picture(scene: Any, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw_pulse(scene.pulse, tmp_path / name, resolution=40)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_spectrum_peaks_at_the_rate() -> None:
    time = np.arange(900) / 30
    frequency, density = spectrum(np.sin(2 * np.pi * 1.37 * time), 30.0)
    assert frequency[np.argmax(density)] == pytest.approx(1.37, abs=0.01)


def test_of_a_long_clip_the_surest_stretch_is_drawn(scene: Any) -> None:
    long = replace(scene.pulse, time_s=np.arange(0, 100, 0.1))
    person = scene.pulse.measurements[0]
    points = [
        p.model_copy(update={"time_s": t, "heart_rate": p.heart_rate.model_copy(update={"confidence": c})})
        for p, t, c in zip(person.heart_rate_over_time, (10.0, 70.0, 95.0), (0.5, 0.9, 0.4), strict=False)
    ]
    surest = person.model_copy(update={"heart_rate_over_time": points})
    assert shown_span(long, surest) == pytest.approx((60, 80))
    assert shown_span(long, None) == pytest.approx((0, 20))
    assert shown_span(scene.pulse, person) == (scene.pulse.time_s[0], scene.pulse.time_s[-1])


# --- skin.jpg


def test_the_picture_marks_what_was_taken_for_skin(scene: Any) -> None:
    frame, labels = scene.frames[0], scene.labels[0]
    marked = mark_skin(frame.y, frame.u, frame.v, labels, scene.plan.recording).astype(int)
    assert marked.shape == (120, 160, 3)
    skin = labels.repeat(2, axis=0).repeat(2, axis=1) > 0
    edge = outline(skin, 1)
    assert (marked[edge] == (120, 255, 60)).all()
    core = skin & ~edge
    # the skin keeps its colour: the phantom's, to noise and texture
    assert marked[core].mean(axis=0) == pytest.approx(scene.truth.skin_rgb, abs=6)
    assert marked[~skin].mean() < 0.45 * 130
    plain = mark_skin(frame.y, frame.u, frame.v, labels * 0, scene.plan.recording)
    assert plain[~skin].mean() > 110  # without skin nothing is dimmed


def test_the_outline_is_inside_the_skin_and_as_thick_as_asked() -> None:
    inside = np.zeros((20, 20), bool)
    inside[4:16, 5:15] = True
    for thickness in (1, 2):
        core = inside & ~outline(inside, thickness)
        expected = np.zeros_like(inside)
        expected[4 + thickness : 16 - thickness, 5 + thickness : 15 - thickness] = True
        assert np.array_equal(core, expected)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_picture_is_turned_as_the_clip_is_shown(scene: Any, tmp_path: Path, rotation: int) -> None:
    frame = scene.frames[0]
    labels = np.zeros_like(scene.labels[0])
    labels[:20, :20] = 1  # the top left corner as stored
    recording = scene.plan.recording.model_copy(update={"rotation": rotation})
    write_skin_picture((frame.y, frame.u, frame.v), labels, recording, "Skin: some of it.", tmp_path / "skin.jpg")
    image = np.asarray(opened(tmp_path / "skin.jpg").convert("L")).astype(int)
    width, height = (160, 120) if rotation % 180 == 0 else (120, 160)
    assert image.shape[1] == width
    assert height + 15 < image.shape[0] < height + 80  # the caption's strip
    corners = {0: (10, 10), 90: (10, width - 10), 180: (height - 10, width - 10), 270: (height - 10, 10)}
    bright = {turn: image[y - 6 : y + 6, x - 6 : x + 6].mean() for turn, (y, x) in corners.items()}
    assert max(bright, key=lambda turn: bright[turn]) == rotation
    assert image[height:].max() > 200  # words


def test_oblong_pixels_are_shown_square_and_large_pictures_halved(scene: Any, tmp_path: Path) -> None:
    frame = scene.frames[0]
    recording = scene.plan.recording.model_copy(update={"pixel_aspect": (2, 1)})
    write_skin_picture((frame.y, frame.u, frame.v), scene.labels[0], recording, "x", tmp_path / "skin.jpg")
    assert opened(tmp_path / "skin.jpg").width == 320
    large = np.full((1601, 1601), 100, np.uint8)
    chroma = np.full((801, 801), 128, np.uint8)
    assert mark_skin(large, chroma, chroma, chroma * 0, recording).shape == (801, 801, 3)


# --- result.json


def test_the_result_says_what_was_added(scene: Any) -> None:
    described = describe(scene, gain=20, luma=True)
    assert described["method"] == "uniform"
    assert described["frames"] == 120
    for channel in described["channels"].values():
        assert channel["gain"] == pytest.approx(20, abs=0.01)
        assert channel["clipped_fraction"] == 0
    assert set(describe(scene)["channels"]) == {"U", "V"}
    report = build_result(task(gain=20, luma=True), scene.plan, scene.pulse, described)
    assert Result.model_validate_json(report.model_dump_json()) == report
    assert report.warnings == []
    assert "diagnoses nothing" in report.disclaimer
    assert report.version[0].isdigit()


def test_warnings_name_what_a_user_must_know(scene: Any, make_pulse: Any, no_pulse: Any) -> None:
    def said(pulse: Any, described: Any, **parameters: Any) -> str:
        return " ".join(clip_warnings(task(**parameters), pulse, described))

    none = no_pulse(scene.truth)
    assert said(none, None) == ""  # the pulse has said it already
    assert "no magnified clip" in said(replace(none, warnings=[]), None)
    assert said(none, None, magnify="none") == ""
    described = describe(scene)
    assert said(scene.pulse, described) == ""
    assert "may not be a pulse" in said(make_pulse(scene.truth, rate=None), described)
    assert "antiphase" in said(scene.pulse, describe(scene, preset="facehr"), preset="facehr")
    assert "smaller gain" in said(scene.pulse, describe(scene, gain=1000, luma=True), gain=1000, luma=True)
    assert "WCAG 2.3.1" in said(scene.pulse, described | {"flashes": {"most_per_s": 5.0, "area_fraction": 0.2}})
    assert "WCAG" not in said(scene.pulse, described | {"flashes": {"most_per_s": 5.0, "area_fraction": 0.02}})
    assert "WCAG" not in said(scene.pulse, described | {"flashes": {"most_per_s": 3.0, "area_fraction": 0.2}})
    assert "band=rate" in said(scene.pulse, described | {"warnings": ["… or band=rate."]}, magnify="patch")


def test_a_warning_is_said_once(scene: Any, no_pulse: Any) -> None:
    pulse = replace(no_pulse(scene.truth), warnings=["No skin was found.", "No skin was found."])
    report = build_result(task(), scene.plan, pulse, None)
    assert report.warnings.count("No skin was found.") == 1
    assert report.magnification is None
    assert all(m.value is None for p in report.people for m in p.measurements.values())


def test_files_are_named_and_summed(tmp_path: Path) -> None:
    path = tmp_path / "pulse.csv"
    path.write_bytes(b"x" * 300_000)
    entry = result_file(task(), path)
    assert (entry.name, entry.media_type, entry.size) == ("pulse.csv", "text/csv", 300_000)
    assert entry.sha256 == hashlib.sha256(b"x" * 300_000).hexdigest()
    assert entry.blob == "rec/file/abc/pulse-csv"
