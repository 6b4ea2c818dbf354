"""The stages on phantoms: skin that sways carries its transform, skin that rests carries none."""

import asyncio
import json
from datetime import UTC, datetime

import numpy as np
import pytest

from media.masks import read_masks
from mesh.contracts import Job, Plan
from mesh.executor import LocalExecutor
from mesh.graph import blob_name
from mesh.names import upload_name
from mesh.parameters import Parameters
from phantom import PhantomSettings, truth_of, write

pytestmark = pytest.mark.unit

BASE = PhantomSettings(
    scene="wrist", width=240, height=176, seconds=6, seed=3, crf=18, motion=8.0, keyframe_interval=10
)


def masks_of(clip, **parameters):
    """The `skin` blob, and the masks of all frames."""

    async def run():
        executor = LocalExecutor()
        try:
            await executor.store.create(upload_name("rec"), clip)
            given = Parameters(segmenter="chroma", **parameters)
            job = Job(id="job", recording="rec", parameters=given, created_at=datetime(2026, 1, 1, tzinfo=UTC))
            await executor.run(job, before="people")
            read = executor.store.read
            plan = Plan.model_validate_json(await read(blob_name(job, "plan")))
            masks = [read_masks(await read(blob_name(job, "mask", chunk.index))) for chunk in plan.chunks]
            return json.loads(await read(blob_name(job, "skin"))), masks
        finally:
            executor.close()

    return asyncio.run(run())


def transforms_of(masks):
    return [instance.transform for one in masks for instances in one.instances for instance in instances]


@pytest.fixture(scope="module")
def swaying(tmp_path_factory):
    path = tmp_path_factory.mktemp("sway") / "clip.mp4"
    write(BASE, path)
    return path


@pytest.mark.parametrize("named", [{}, {"skin_chroma": (111.0, 160.0)}, {"skin_point": (120.0, 88.0)}])
def test_skin_that_sways_is_followed_however_its_colour_came(swaying, named):
    skin, masks = masks_of(swaying, **named)
    moved = np.array(truth_of(BASE).displacement)
    true = np.sqrt(np.square(moved - moved.mean(axis=0)).sum(axis=1).mean())
    assert skin["anchor"]["moved_px"] == pytest.approx(true, rel=0.15)
    assert all(one.canonical == (240, 176) for one in masks)
    found = transforms_of(masks)
    assert len(found) == len(moved)
    assert None not in found
    for corner in ((40.0, 60.0), (200.0, 116.0)):
        there = np.array(found) @ np.array([*corner, 1.0]) - corner + moved
        assert np.abs(there - there.mean(axis=0)).max() < 0.6
        assert (there - there.mean(axis=0)).std() < 0.2


def test_the_same_bits_however_the_clip_is_cut(swaying):
    whole = masks_of(swaying, chunk_seconds=60)
    for seconds in (1.0, 2.3):
        skin, masks = masks_of(swaying, chunk_seconds=seconds)
        assert len(masks) > 2
        assert skin == whole[0]
        assert transforms_of(masks) == transforms_of(whole[1])


def test_skin_that_rests_is_not_followed_nor_that_of_the_bare_key(swaying, tmp_path):
    still = tmp_path / "still.mp4"
    write(BASE.model_copy(update={"motion": "still", "seconds": 4}), still)
    for clip, parameters in ((still, {}), (swaying, {"key": "per_frame"})):
        skin, masks = masks_of(clip, **parameters)
        assert (skin["anchor"] is None) == (clip is still)
        assert all(one.canonical is None for one in masks)
        assert set(transforms_of(masks)) == {None}


def test_the_file_may_be_turned_and_its_sides_odd(tmp_path):
    turned = tmp_path / "turned.mp4"
    settings = BASE.model_copy(update={"rotation": 90, "width": 182, "height": 242, "seconds": 4})
    write(settings, turned)
    _, masks = masks_of(turned)
    moved = np.array(truth_of(settings).displacement)
    moved = np.stack([moved[:, 1], -moved[:, 0]], axis=1)  # as it is stored
    there = np.array(transforms_of(masks)) @ np.array([91.0, 121.0, 1.0]) - (91.0, 121.0) + moved
    assert np.abs(there - there.mean(axis=0)).max() < 0.6
