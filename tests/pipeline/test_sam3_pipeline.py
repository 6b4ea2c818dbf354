"""SAM 3 as a segmenter of the whole pipeline: a model that knows the phantom's skin stands behind the real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from mesh.errors import BadParameters, MissingWeights, Unavailable
from mesh.executor import LocalExecutor
from mesh.stages import load_handler
from phantom import PhantomSettings, write
from pulsemesh.embedded import EmbeddedMesh
from pulsemesh_client import Client
from segmenter.sam3.client import SOCKET
from segmenter.sam3.model import Segmentation
from segmenter.sam3.server import Server

RATES = [66.0, 92.0]


class Onlooker:
    """Sees skin by its redness, each face an instance: the labels of every call are in another order."""

    batch = 8

    def __init__(self) -> None:
        self.description = {"device": "cpu", "name": "onlooker"}
        self.pictures = 0
        self.prompts: set[str] = set()

    def check(self, prompt: str) -> None:
        if len(prompt) > 40:
            raise BadParameters("the prompt has 44 tokens, at most 32 are understood", hint="Use a short noun phrase.")

    def segment(self, pictures: Any, recording: Any, prompts: Any, *, score: float, instances: int) -> Any:
        self.pictures += len(pictures)
        self.prompts |= set(prompts)
        return [[self._one(picture, recording)] for picture in pictures]

    def _one(self, picture: Any, recording: Any) -> Segmentation:
        red = ndimage.gaussian_filter(picture.v.astype(np.float32), 2) > 139
        found, count = ndimage.label(red)
        sizes = np.bincount(found.ravel(), minlength=count + 1)
        labels = [n for n in range(1, count + 1) if sizes[n] > 0.01 * red.size][:: 1 if self.pictures % 2 else -1]
        masks = np.stack([found == n for n in labels]).astype(np.float32) if labels else np.zeros((0, *red.shape))
        skin = masks.max(axis=0, initial=0).astype(np.float32)
        return Segmentation(
            skin, masks.astype(np.float32), np.linspace(0.9, 0.8, len(labels)), np.zeros((len(labels), 4))
        )


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clip = tmp_path_factory.mktemp("people") / "two.mp4"
    settings = PhantomSettings(
        scene="face", seconds=7, fps=12, width=240, height=180, heart_rate=RATES[0], further_heart_rates=(RATES[1],),
        skin_tone=2, further_skin_tones=(3,), seed=4, keyframe_interval=12, amplitude=0.02, read_noise=0.3,
        shot_noise=0.5, crf=12,
    )  # fmt: skip
    write(settings, clip)
    return clip


@pytest.fixture
def sam3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Onlooker]:
    model = Onlooker()
    server = Server(model, tmp_path / "s")
    monkeypatch.setenv(SOCKET, str(tmp_path / "s"))
    yield model
    server.close()


@pytest.mark.unit
def test_both_rates_and_who_is_who_over_cells_and_chunks(two: Path, process: Any, sam3: Onlooker) -> None:
    made = process(two, segmenter="sam3", prompt="Full Face", magnify="none", chunk_seconds=2.3)
    rates = [person.measurements["heart_rate"] for person in made.result.people]
    assert sorted(rate.value for rate in rates) == pytest.approx(RATES, abs=1.5)
    assert sam3.prompts == {"Full Face"}
    found = made.result.skin
    assert (found.segmenter, found.because, found.model) == ("sam3", "it was asked for", "onlooker")
    assert made.result.parameters.prompt == "Full Face"
    whole = process(two, segmenter="sam3", prompt="Full Face", magnify="none", chunk_seconds=60)
    overlap = ((made.labels > 0) & (whole.labels > 0)).sum() / ((made.labels > 0) | (whole.labels > 0)).sum()
    assert overlap >= 0.98
    assert [p.signal.skin_fraction for p in made.result.people] == pytest.approx(
        [p.signal.skin_fraction for p in whole.result.people], rel=0.02
    )


@pytest.mark.unit
def test_a_click_and_a_box_pick_one_person_and_a_wrong_one_is_told(two: Path, process: Any, sam3: Onlooker) -> None:
    executor = LocalExecutor(workers=2)
    found = {}
    for name, given in {
        "box": {"skin_box": (0, 0, 120, 180, 3.0)},
        "other box": {"skin_box": (120, 0, 240, 180)},
    }.items():
        made = process(two, executor=executor, segmenter="sam3", magnify="none", **given)
        (person,) = made.result.people
        found[name] = person.measurements["heart_rate"].value
        if name == "box":
            pictures = sam3.pictures
    assert sam3.pictures == pictures  # masks are made once: who is meant is decided after them
    assert found["box"] == pytest.approx(RATES[0], abs=1.5)
    assert found["other box"] == pytest.approx(RATES[1], abs=1.5)
    with pytest.raises(BadParameters, match="skin_box: nobody was found there"):
        process(two, executor=executor, segmenter="sam3", skin_box=(1, 1, 5, 5))
    executor.close()


@pytest.mark.unit
def test_a_prompt_that_cannot_be_understood_fails_at_once(two: Path, process: Any, sam3: Onlooker) -> None:
    with pytest.raises(BadParameters, match="44 tokens"):
        process(two, segmenter="sam3", prompt="x" * 60)
    assert sam3.pictures == 0


@pytest.mark.unit
def test_nobody_is_refused_with_the_prompt(tmp_path: Path, process: Any, sam3: Onlooker) -> None:
    clip = tmp_path / "wall.mp4"
    write(PhantomSettings(scene="wall", seconds=6, fps=15, width=160, height=120), clip)
    made = process(clip, segmenter="sam3", prompt="hand", sam3_cell_s=2.0)
    (person,) = made.result.people
    assert "SAM 3 saw no 'hand'" in person.measurements["heart_rate"].reason
    assert sam3.pictures > 0


@pytest.mark.unit
def test_without_sam3_the_steps_are_told(two: Path, process: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SOCKET, raising=False)
    with pytest.raises(MissingWeights, match="SAM3_WEIGHTS is not set") as caught:
        process(two, segmenter="sam3")
    assert "licence" in caught.value.hint


@pytest.mark.unit
def test_a_worker_with_other_weights_or_none_leaves_masks_to_another(
    two: Path, process: Any, sam3: Onlooker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def handler(stage: str) -> Any:
        if stage == "mask":
            sam3.description["name"] = "other weights"
        return load_handler(stage)

    executor = LocalExecutor(handler=handler)
    with pytest.raises(Unavailable, match="made by onlooker; here runs other weights") as caught:
        process(two, executor=executor, segmenter="sam3")
    executor.close()
    assert caught.value.retryable
    sam3.description["name"] = "onlooker"

    def without(stage: str) -> Any:
        if stage == "mask":
            monkeypatch.delenv(SOCKET, raising=False)
        return load_handler(stage)

    executor = LocalExecutor(handler=without)
    with pytest.raises(Unavailable, match="does not run here"):
        process(two, executor=executor, segmenter="sam3")
    executor.close()


@pytest.mark.mesh
def test_isolated_children_reach_it(tmp_path: Path) -> None:
    """Children have no network; the socket is a file."""
    clip = tmp_path / "clip.mp4"
    write(PhantomSettings(scene="face", seconds=3, fps=15, width=160, height=120), clip)
    model = Onlooker()
    server = Server(model, tmp_path / "s")
    try:
        with EmbeddedMesh(workers=1, environment={SOCKET: str(tmp_path / "s")}) as mesh, Client(mesh.url) as client:
            given = {"segmenter": "sam3", "magnify": "none", "chunk_seconds": 1.0}
            view = client.wait(client.submit(clip, given))
            assert view.state == "succeeded", view
            assert b'"model": "onlooker"' in client.read(view.id, "result.json")
    finally:
        server.close()
    assert model.pictures >= 4
