"""The magnifier's stages at the end of whole jobs on synthetic clips, in one process."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from mesh.contracts import Job, Plan, Result, ResultIndex
from mesh.errors import BadParameters
from mesh.executor import LocalExecutor
from mesh.graph import blob_name
from mesh.names import BlobName, upload_name
from mesh.parameters import Parameters
from phantom import PhantomSettings, write

pytestmark = pytest.mark.unit

SETTINGS = PhantomSettings(seconds=8, fps=25, width=128, height=96, seed=4, crf=8, audio=True, rotation=90)


class Mesh:
    """One recording in a memory store."""

    def __init__(self, clip: Path) -> None:
        self.executor = LocalExecutor(workers=2)
        self.ran: list[str] = []
        self.executor.on_task = lambda task, _: self.ran.append(task.stage)
        self.clip = clip

    def process(self, **parameters: Any) -> tuple[Result, dict[str, bytes], Plan]:
        return asyncio.run(self._process(Parameters(**{"chunk_seconds": 3.0} | parameters)))

    async def _process(self, parameters: Parameters) -> tuple[Result, dict[str, bytes], Plan]:
        self.ran.clear()
        store = self.executor.store
        await store.create(upload_name("rec"), self.clip)
        job = Job(id="job", recording="rec", parameters=parameters, created_at=datetime(2026, 1, 1, tzinfo=UTC))
        await self.executor.run(job)
        index = ResultIndex.model_validate_json(await store.read(blob_name(job, "result")))
        files = {f.name: await store.read(BlobName.parse(f.blob)) for f in index.files}
        plan = Plan.model_validate_json(await store.read(blob_name(job, "plan")))
        return Result.model_validate(json.loads(files["result.json"])), files, plan


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Any:
    clip = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write(SETTINGS, clip)
    made = Mesh(clip)
    yield made
    made.executor.close()


def planes(source: Any) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    with av.open(source) as container:
        arrays = [f.to_ndarray() for f in container.decode(video=0)]
    h, w = SETTINGS.height, SETTINGS.width
    chroma = [a[h:].reshape(2, h // 2, w // 2) for a in arrays]
    return [(a[:h], u, v) for a, (u, v) in zip(arrays, chroma, strict=True)]


def test_a_job_writes_its_files_and_without_loss_only_the_colour_of_skin_changes(mesh: Any) -> None:
    result, files, _ = mesh.process(lossless=True)
    assert list(files) == [
        "result.json", "pulse.csv", "pulse.png", "skin.jpg",
        "amplitude.png", "delay.png", "rate.png", "quality.png", "vessels.png", "maps.npz", "overlay.mp4",
        "report.html", "magnified.mp4",
    ]  # fmt: skip
    assert mesh.ran.count("segment") == 3
    assert result.people[0].measurements["heart_rate"].value == pytest.approx(72, abs=2)
    assert result.magnification is not None
    assert result.magnification["frames"] == 200
    for channel in ("U", "V"):
        assert result.magnification["channels"][channel]["gain"] == pytest.approx(50, rel=0.01)
    before, after = planes(str(mesh.clip)), planes(io.BytesIO(files["magnified.mp4"]))
    assert len(before) == len(after) == 200
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(before, after, strict=True))
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(before, after, strict=True))
    assert all(np.array_equal(a[1][:4], b[1][:4]) for a, b in zip(before, after, strict=True))  # the wall
    with av.open(io.BytesIO(files["magnified.mp4"])) as container:
        assert len(container.streams.audio) == 1
        assert next(container.decode(video=0)).rotation == -90
    picture = Image.open(io.BytesIO(files["skin.jpg"]))
    assert picture.size[0] == SETTINGS.height  # shown turned
    assert Image.open(io.BytesIO(files["pulse.png"])).size == (1350, 1260)


def test_another_gain_makes_segments_and_result_again_and_nothing_else(mesh: Any) -> None:
    mesh.process(gain=5)
    before = {"split", "skin", "mask", "people", "trace", "pulse", "map", "maps", "overlay"}
    assert set(mesh.ran) <= before | {"segment", "clip", "result"}
    mesh.process(gain=6)
    assert sorted(mesh.ran) == ["clip", "result", "segment", "segment", "segment"]  # maps, too, are there already


def test_fields_are_made_once_for_every_gain(mesh: Any) -> None:
    patch = {"magnify": "patch", "lossless": True, "maps": False}
    result, _, _ = mesh.process(gain=20, **patch)
    assert mesh.ran.count("field") == 3
    assert result.magnification is not None
    for channel in result.magnification["channels"].values():
        assert channel["gain"] == pytest.approx(20, rel=0.1)
    assert result.magnification["flashes"]["most_per_s"] <= 3
    mesh.process(gain=21, **patch)
    assert sorted(mesh.ran) == ["clip", "result", "segment", "segment", "segment"]


def test_side_by_side_is_twice_as_wide_as_it_is_shown(mesh: Any) -> None:
    _, files, _ = mesh.process(magnify="eulerian-colour", pyramid_level=3, layout="side_by_side", maps=False)
    with av.open(io.BytesIO(files["magnified.mp4"])) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (SETTINGS.width, 2 * SETTINGS.height)  # stored upright
        assert sum(1 for _ in container.decode(video=0)) == 200


def test_what_the_clip_cannot_carry_fails_typed(mesh: Any) -> None:
    with pytest.raises(BadParameters, match="Widen the band"):
        mesh.process(
            magnify="eulerian-colour", pyramid_level=3, temporal_filter="ideal", maps=False,
            magnify_low_hz=1.01, magnify_high_hz=1.02,
        )  # fmt: skip


def test_gain_0_without_loss_gives_the_clip_back(mesh: Any) -> None:
    _, files, _ = mesh.process(gain=0, luma=True, lossless=True)
    for a, b in zip(planes(str(mesh.clip)), planes(io.BytesIO(files["magnified.mp4"])), strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_magnify_none_writes_no_clip_and_no_warning(mesh: Any) -> None:
    result, files, _ = mesh.process(magnify="none")
    assert "magnified.mp4" not in files
    assert result.magnification is None
    assert not any("magnif" in w for w in result.warnings)
    assert result.people[0].measurements["heart_rate"].status == "ok"


def test_the_facehr_preset_says_what_it_is(mesh: Any) -> None:
    result, files, _ = mesh.process(preset="facehr")
    assert any("antiphase" in w for w in result.warnings)
    assert len(planes(io.BytesIO(files["magnified.mp4"]))) == 200


def test_without_skin_the_job_succeeds_and_says_so(tmp_path: Path) -> None:
    clip = tmp_path / "wall.mp4"
    write(SETTINGS.model_copy(update={"skin_rgb": (100.0, 130.0, 150.0), "amplitude": 0.0, "rotation": 0}), clip)
    mesh = Mesh(clip)
    try:
        result, files, _ = mesh.process()
    finally:
        mesh.executor.close()
    assert list(files) == ["result.json", "pulse.csv", "pulse.png", "skin.jpg", "report.html"]
    assert any("no skin" in w.lower() for w in result.warnings)
    assert result.people
    assert all(m.status == "refused" and m.value is None for p in result.people for m in p.measurements.values())
    assert Image.open(io.BytesIO(files["skin.jpg"])).size[0] == SETTINGS.width
