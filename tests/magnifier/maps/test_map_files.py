"""Maps at the end of whole jobs: files, `result.json`, the overlay, the report."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from magnifier.report.page import in_words, write_report
from mesh.contracts import Job, Measurement, RegionPulse, Result, ResultIndex
from mesh.executor import LocalExecutor
from mesh.graph import blob_name
from mesh.names import BlobName, upload_name
from mesh.parameters import Parameters
from phantom import PhantomSettings, write
from segmenter.face.models import problem

pytestmark = pytest.mark.unit

needs_models = pytest.mark.skipif(problem() is not None, reason=f"no face models: {problem()}")

SETTINGS = PhantomSettings(
    scene="wrist", seconds=10, fps=20, width=160, height=120, seed=3, crf=8, motion="still", amplitude=0.01
)


class Made:
    """A recording in a memory store, and what its jobs made."""

    def __init__(self, clip: Path) -> None:
        self.executor, self.clip, self.ran = LocalExecutor(workers=2), clip, list[str]()
        self.executor.on_task = lambda task, _: self.ran.append(task.stage)

    def job(self, **parameters: Any) -> tuple[Result, dict[str, bytes]]:
        return asyncio.run(self._job(Parameters(**{"magnify": "none", "chunk_seconds": 3} | parameters)))

    async def _job(self, parameters: Parameters) -> tuple[Result, dict[str, bytes]]:
        self.ran.clear()
        store = self.executor.store
        await store.create(upload_name("rec"), self.clip)
        job = Job(id="job", recording="rec", parameters=parameters, created_at=datetime(2026, 1, 1, tzinfo=UTC))
        await self.executor.run(job)
        index = ResultIndex.model_validate_json(await store.read(blob_name(job, "result")))
        files = {f.name: await store.read(BlobName.parse(f.blob)) for f in index.files}
        return Result.model_validate_json(files["result.json"]), files


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    clip = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write(SETTINGS, clip)
    one = Made(clip)
    yield one
    one.executor.close()


def test_a_job_without_magnification_has_maps(made: Made) -> None:
    result, files = made.job()
    assert {"amplitude.png", "delay.png", "rate.png", "quality.png", "vessels.png"} <= set(files)
    assert result.maps is not None
    (person,) = result.maps.people
    assert person.status == "ok"
    assert person.amplitude.value == pytest.approx(1.0, rel=0.4)  # % of green, less what the codec took
    assert (person.amplitude_mapped or 0) > 0.8
    assert person.regions == {}  # a wrist has none
    assert b"Regions of the face" not in files["report.html"]
    assert "needle" in result.maps.warning
    assert "perfusion" not in result.maps.warning
    arrays = np.load(io.BytesIO(files["maps.npz"]))
    about = json.loads(str(arrays["about"]))
    assert about["picture"] == [160, 120]
    (told,) = about["people"]
    for name in about["units"]:
        rows, columns = told["box"][2:]
        if name == "rate":
            rows, columns = (n * told["cell_px"] // told["patch_px"] for n in (rows, columns))
        assert arrays[f"1.{name}"].shape[-2:] == (rows, columns)
    with av.open(io.BytesIO(files["overlay.mp4"])) as container:
        frames = [f.to_ndarray() for f in container.decode(video=0)]
    with av.open(str(made.clip)) as container:
        clip = [f.to_ndarray() for f in container.decode(video=0)]
    assert len(frames) == len(clip)
    assert np.abs(frames[50][:8].astype(int) - clip[50][:8]).mean() < 3  # the wall
    assert np.abs(frames[50][50:70].astype(int) - clip[50][50:70]).mean() > 5  # skin
    again = made.job(gain=7)[1]
    assert "map" not in made.ran
    assert again["maps.npz"] == files["maps.npz"]


@needs_models
def test_a_face_has_regions_in_result_arrays_and_report(tmp_path: Path) -> None:
    clip = tmp_path / "face.mp4"
    write(SETTINGS.model_copy(update={"scene": "face", "width": 320, "height": 240, "skin_tone": 2}), clip)
    one = Made(clip)
    try:
        result, files = one.job(segmenter="face", overlay=False)
    finally:
        one.executor.close()
    assert result.maps is not None
    (person,) = result.maps.people
    names = ["forehead", "right_cheek", "left_cheek", "nose", "chin"]
    assert list(person.regions) == names
    for region in person.regions.values():
        assert region.seen > 0.8
        measured = region.amplitude_ratio
        assert measured.low is not None
        assert measured.high is not None
        assert measured.low < (measured.value or 0) < measured.high
    strong = {name: person.regions[name].amplitude_ratio.value or 0 for name in names}
    assert strong["nose"] < min(strong["right_cheek"], strong["left_cheek"])  # as the phantom's
    told = json.loads(files["result.json"])["maps"]["people"][0]["regions"]
    assert told["left_cheek"]["amplitude"]["unit"] == "%"
    about = json.loads(str(np.load(io.BytesIO(files["maps.npz"]))["about"]))
    assert list(about["regions"]) == names
    assert about["people"][0]["regions"] == told
    said = " ".join(read_page(files["report.html"]).words)
    assert "right and left are the person's" in said
    for name in ("Forehead", "Left cheek", "Chin"):
        assert name in said


def test_refused_regions_say_why_in_the_report(made: Made, tmp_path: Path) -> None:
    result, files = made.job(maps=True)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    known = Measurement(value=1.2, unit="", low=1.1, high=1.3, status="ok")
    hidden = Measurement.refused("ms", "Only 3 % of the chin is seen as skin: shave <it>.")
    regions = {"chin": RegionPulse(seen=0.03, amplitude=hidden, amplitude_ratio=known, delay=hidden)}
    assert result.maps is not None
    person = result.maps.people[0].model_copy(update={"regions": regions})
    shown = result.model_copy(update={"maps": result.maps.model_copy(update={"people": [person]})})
    page = write_report(shown, tmp_path, list(files)).read_text()
    assert page.count("Only 3 % of the chin is seen as skin: shave &lt;it&gt;.") == 1
    assert "1.20 (1.10 to 1.30)" in page


def test_maps_and_overlay_can_be_left_out(made: Made) -> None:
    result, files = made.job(maps=False)
    assert result.maps is None
    assert not {"maps", "map", "overlay"} & set(made.ran)
    assert set(files) == {"result.json", "pulse.csv", "pulse.png", "skin.jpg", "report.html"}
    _, files = made.job(overlay=False)
    assert "amplitude.png" in files
    assert "overlay.mp4" not in files


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.ids: set[str | None] = set()
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.add(found.get("id"))
        self.links += [v for k, v in attrs if k in ("src", "href") and v]
        if tag == "img":
            self.images.append(found)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read_page(content: bytes) -> _Page:
    page = _Page()
    page.feed(content.decode())
    return page


def test_the_report_stands_alone(made: Made) -> None:
    _, files = made.job()
    page = read_page(files["report.html"])
    for link in page.links:
        assert link.startswith(("data:image/", "#")) or link in files, link
        if link.startswith("#"):
            assert link[1:] in page.ids
    assert len(page.images) == 7
    assert all(image["alt"] and len(image["alt"]) > 30 for image in page.images)
    said = " ".join(page.words)
    assert "diagnoses nothing" in said
    assert "needle" in said
    assert "Refused" in said
    assert not re.search(rb"https?://", files["report.html"])


def test_a_refused_rate_refuses_maps_in_words(tmp_path: Path) -> None:
    clip = tmp_path / "still.mp4"
    write(SETTINGS.model_copy(update={"amplitude": 0.0}), clip)
    one = Made(clip)
    try:
        result, files = one.job(skin_point=(80, 60))
    finally:
        one.executor.close()
    assert result.maps is not None
    assert [p.status for p in result.maps.people] == ["refused"]
    assert "heart rate was refused" in (result.maps.people[0].reason or "")
    assert not {"amplitude.png", "maps.npz", "overlay.mp4"} & set(files)
    assert "heart rate was refused" in " ".join(read_page(files["report.html"]).words)


def test_the_report_escapes_what_it_was_given(made: Made, tmp_path: Path) -> None:
    result, files = made.job(maps=False)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    bad = result.model_copy(update={"warnings": ['<script>alert("1")</script>']})
    page = write_report(bad, tmp_path, list(files)).read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_measurements_in_words() -> None:
    assert in_words(Measurement(value=71.83, unit="bpm", low=71, high=72.4, status="ok")) == (
        "71.8 bpm (90 % interval 71.0 to 72.4)"
    )
    assert in_words(Measurement.refused("bpm", "too dark")) == "refused: too dark"
