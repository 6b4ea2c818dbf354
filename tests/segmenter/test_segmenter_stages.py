"""The handlers from `skin` to `pulse` on real clips, in the one-process executor up to the pulse."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from media.masks import read_masks
from media.people import People
from media.pulse_blob import Pulse
from mesh.contracts import Job, Plan
from mesh.errors import BadParameters, Conflict
from mesh.executor import LocalExecutor
from mesh.graph import blob_name
from mesh.names import upload_name
from mesh.parameters import Parameters
from mesh.stages import load_handler
from phantom.recording import write
from phantom.settings import PhantomSettings

SHARED = Path(__file__).parents[2] / ".." / "shared" / "clips"


def up_to_the_pulse(clip, **parameters):
    """Blobs of a job whose segments are never made: skin, masks, people, pulse, and the stages that ran."""

    def stop(task, inputs):
        raise Conflict("the test ends here")

    async def run():
        executor = LocalExecutor(handler=lambda stage: stop if stage == "segment" else load_handler(stage))
        ran = []
        executor.on_task = lambda task, _: ran.append(task.stage)
        try:
            await executor.store.create(upload_name("rec"), clip)
            given = Parameters(**parameters)
            job = Job(id="job", recording="rec", parameters=given, created_at=datetime(2026, 1, 1, tzinfo=UTC))
            with pytest.raises(Conflict, match="ends here"):
                await executor.run(job)
            read = executor.store.read
            plan = Plan.model_validate_json(await read(blob_name(job, "plan")))
            skin = json.loads(await read(blob_name(job, "skin")))
            people = People.from_bytes(await read(blob_name(job, "people"))).people
            masks = [read_masks(await read(blob_name(job, "mask", chunk.index))) for chunk in plan.chunks]
            return plan, skin, masks, people, Pulse.from_bytes(await read(blob_name(job, "pulse"))), ran
        finally:
            executor.close()

    return asyncio.run(run())


@pytest.fixture(scope="module")
def phantom_clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("phantom") / "clip.mp4"
    write(PhantomSettings(width=160, height=120, seconds=7, heart_rate=84, rotation=90), path)
    return path


@pytest.mark.unit
def test_a_phantom_is_segmented_and_its_pulse_is_read(phantom_clip):
    plan, skin, masks, people, pulse, _ = up_to_the_pulse(phantom_clip, chunk_seconds=2)
    assert len(plan.chunks) > 1
    assert skin["reason"] is None
    assert [len(mask) for mask in masks] == [chunk.frames for chunk in plan.chunks]
    assert [person.id for person in people] == ["1"]
    value = pulse.measurements[0].measurements["heart_rate"]
    assert value.status == "ok"
    assert value.value == pytest.approx(84, abs=1.5)
    assert pulse.measurements[0].signal.skin_fraction == pytest.approx(people[0].skin_fraction)


@pytest.mark.unit
def test_a_point_on_skin_gives_its_colour_in_the_picture_as_shown(phantom_clip):
    """The clip is shown turned by 90 degrees: 120 wide and 160 high; the ellipse is in the middle."""
    found = up_to_the_pulse(phantom_clip)[1]
    for point in ((60, 80), (60, 80, 3.0), (60, 80, 99.0)):
        skin = up_to_the_pulse(phantom_clip, skin_point=point)[1]
        assert np.hypot(*np.subtract(skin["chroma"], found["chroma"])) < 5
        assert skin["point"] == list(point)
    wall = up_to_the_pulse(phantom_clip, skin_point=(3, 155))[1]
    assert np.hypot(*np.subtract(wall["chroma"], found["chroma"])) > 10
    named = up_to_the_pulse(phantom_clip, skin_chroma=(111.0, 160.0))[1]
    assert named["chroma"] == [111.0, 160.0]


@pytest.mark.unit
def test_a_point_outside_of_the_picture_is_refused(phantom_clip):
    async def run():
        executor = LocalExecutor()
        try:
            await executor.store.create(upload_name("rec"), phantom_clip)
            given = Parameters(skin_point=(130, 20))
            await executor.run(Job(id="j", recording="rec", parameters=given, created_at=datetime.now(UTC)))
        finally:
            executor.close()

    with pytest.raises(BadParameters, match="outside the picture of 120 x 160"):
        asyncio.run(run())


@pytest.mark.unit
def test_a_wall_has_no_skin_and_no_pulse(tmp_path):
    path = tmp_path / "wall.mp4"
    write(PhantomSettings(width=160, height=120, seconds=6, skin_rgb=(120, 125, 130), amplitude=0, seed=1), path)
    plan, skin, masks, people, pulse, _ = up_to_the_pulse(path)
    assert skin["stored"] is None
    assert "has the colour of skin" in skin["reason"]
    assert all(mask.empty for mask in masks)
    assert sum(len(mask) for mask in masks) == plan.recording.frames
    assert people == []
    assert not pulse.skin_found
    assert "no skin found" in pulse.measurements[0].measurements["heart_rate"].reason


@pytest.mark.unit
def test_skin_without_a_pulse_is_refused(tmp_path):
    path = tmp_path / "mannequin.mp4"
    write(PhantomSettings(width=160, height=120, seconds=8, amplitude=0, seed=3), path)
    _, skin, _, _, pulse, _ = up_to_the_pulse(path)
    assert not pulse.skin_found
    assert "shows no pulse" in skin["reason"]
    assert pulse.measurements[0].measurements["heart_rate"].status == "refused"
    _, skin, _, _, pulse, _ = up_to_the_pulse(path, skin_point=(80, 60))  # the user insists
    assert pulse.skin_found
    assert "no clear pulse" in skin["warning"]
    assert any("no clear pulse" in text for text in pulse.warnings)
    assert pulse.measurements[0].measurements["heart_rate"].status == "refused"


@pytest.mark.clips
@pytest.mark.parametrize(("name", "expected"), [("face.mp4", 53.0), ("wrist.mp4", 55.0), ("baby.mp4", None)])
def test_the_shared_clips_are_read_right_or_refused(name, expected):
    if not (SHARED / name).exists():
        pytest.skip(f"the shared clip {name} is not here")
    pulse = up_to_the_pulse(SHARED / name)[4]
    value = pulse.measurements[0].measurements["heart_rate"]
    if name == "face.mp4":
        assert value.status == "ok"
    if expected is None:
        assert value.status == "refused"
    elif value.status == "ok":
        assert value.value == pytest.approx(expected, abs=1.5 if name == "face.mp4" else 3.0)
