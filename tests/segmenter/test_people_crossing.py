"""Faces that pass each other: places of meshes decide, not boxes of skin, and frames that mix two are left out."""

from __future__ import annotations

import numpy as np
import pytest
from moving_people import FPS, SHAPE

from media.masks import FrameMask, Instance, MaskReader, MaskWriter, read_masks
from media.people import label_at
from segmenter.appearance import AREA, COLOUR
from segmenter.people import link_people

pytestmark = pytest.mark.unit

SIZE = (256, 256)
REGIONS = {"forehead": ((80.0, 30.0), (170.0, 30.0), (170.0, 70.0))}
TONE = (150.0, 110.0, 148.0)


def face(
    label: int, x: float, wide: float = 110.0, more: float = 0.0, area: float = 4000.0, tone: tuple[float, ...] = TONE
) -> Instance:
    """A face whose mesh lies at x; its box reaches `more` px further to the right, over somebody else's skin."""
    scale = 186.0 / wide
    transform = ((scale, 0.0, 128 - scale * x), (0.0, scale, 128 - scale * 240))
    box = (round(x - wide / 2), 180, round(x + wide / 2 + more), 300)
    signs = {AREA: area, **dict(zip(COLOUR, tone, strict=True))}
    return Instance(label, box, 0.9, transform, signs)


def masks(frames: list[list[Instance]], regions: bool = True) -> list[MaskReader]:
    writer = MaskWriter(SHAPE, SIZE, REGIONS) if regions else MaskWriter(SHAPE)
    for instances in frames:
        writer.add(FrameMask(np.zeros(SHAPE, np.uint8), instances))
    return [read_masks(writer.finish())]


@pytest.mark.parametrize("speed", [25.0, 60.0, 120.0])
@pytest.mark.parametrize("seed", range(3))
def test_faces_of_one_tone_keep_their_names_behind_each_other(speed: float, seed: int) -> None:
    """While two touch, the mesh of the hidden one is drawn to the nearer, and the nearer's skin takes in the other's.

    So what is seen says nothing of where the hidden one goes: only how it walked before does.
    """
    rng = np.random.default_rng(seed)
    way = 300.0
    times = np.arange(round((way / speed + 8) * FPS)) / FPS
    frames, truth = [], []
    for time in times.tolist():
        gone = speed * min(max(time - 4, 0.0), way / speed)
        near, far = 170 + gone, 470 - gone
        apart = abs(near - far)
        labels = (rng.permutation(2) + 1).tolist()
        drawn = max(0.0, 1 - apart / 90) * (near - far) * 0.7
        wide, size = rng.normal(0, 1, 2)
        instances = [face(labels[0], near + wide, 112 + size, more=max(90 - apart, 0.0), area=4000 + 20 * (90 - apart)
                          * (apart < 90))]  # fmt: skip
        owners = {labels[0]: 0}
        if apart > 55:
            instances.append(face(labels[1], far + drawn + rng.normal(0, 1), 106, area=3500))
            owners[labels[1]] = 1
        frames.append(sorted(instances, key=lambda one: one.id))
        truth.append(owners)
    found = link_people(masks(frames), times)
    assert len(found.people) == 2
    owned = [
        {truth[frame][label] for frame in range(len(times)) if (label := label_at(person.spans, frame))}
        for person in found.people
    ]
    assert sorted(map(sorted, owned)) == [[0], [1]]
    assert any("out of sight" in text for text in found.warnings)


def test_frames_in_which_a_face_takes_in_another_are_left_out_and_said() -> None:
    times = np.arange(round(10 * FPS)) / FPS
    frames = []
    for frame in range(len(times)):
        right = np.interp(frame, [60, 120, 160, 220], [430, 300, 300, 430])
        mixed = 130 <= frame < 150
        left = face(1, 240, area=5200 if mixed else 4000, more=60 if mixed else 0)
        frames.append([left, face(2, right, area=1500 if mixed else 4000)])
    found = link_people(masks(frames), times)
    assert [person.frames for person in found.people] == [280, 280]
    for person in found.people:
        assert [bool(label_at(person.spans, frame)) for frame in (129, 130, 149, 150)] == [True, False, False, True]
    said = [text for text in found.warnings if "another face touches" in text]
    assert said == [
        f"person {k}: 20 frames were left out, in which another face touches theirs or hides a part of it"
        for k in (1, 2)
    ]
    # a face alone may come nearer and grow; and two who always touch are taken as they are
    alone = [[face(1, 240, wide=110 + frame / 6, area=4000 + 20 * frame)] for frame in range(len(times))]
    assert link_people(masks(alone), times).people[0].frames == len(times)
    always = [[face(1, 240, area=4000 + 2000 * (frame > 250)), face(2, 310)] for frame in range(len(times))]
    assert [person.frames for person in link_people(masks(always), times).people] == [len(times)] * 2


def test_who_comes_back_half_hidden_is_left_out_until_their_colour_is_their_own() -> None:
    times = np.arange(round(10 * FPS)) / FPS
    frames: list[list[Instance]] = []
    for frame in range(len(times)):
        away, hair = 100 <= frame < 120, 120 <= frame < 124
        shown = face(1, 240, area=3000, tone=(128.0, 113.0, 145.0)) if hair else face(1, 240)
        frames.append([] if away else [shown])
    found = link_people(masks(frames), times)
    assert found.people[0].spans == ((0, 100, 1), (124, len(times), 1))
    assert (
        "person 1: 4 frames were left out, in which another face touches theirs or hides a part of it" in found.warnings
    )
    # the light may change while somebody is away, and who changes in plain sight is followed
    later = [[face(1, 240, tone=(128.0, 113.0, 145.0) if frame >= 200 else TONE)] for frame in range(len(times))]
    assert link_people(masks(later), times).people[0].frames == len(times)


def test_a_neck_that_comes_and_goes_is_nobody_and_moves_nobody() -> None:
    """Boxes of skin by colour: below a face the neck belongs to it, or a shadow cuts it off."""
    times = np.arange(round(8 * FPS)) / FPS
    frames = []
    for frame, time in enumerate(times.tolist()):
        x = round(120 + 45 * time)
        neck = ["with the face", "a piece", "not seen"][(frame % 36 >= 16) + (frame % 36 >= 20)]
        tall = 260 if neck == "with the face" else 160
        signs = dict(zip(COLOUR, TONE, strict=True))
        instances = [Instance(1, (x - 50, 100, x + 50, 100 + tall), 0.9, None, signs | {AREA: 4000.0})]
        if neck == "a piece":
            instances.append(Instance(2, (x - 35, 320, x + 35, 360), 0.9, None, signs | {AREA: 500.0}))
        frames.append(instances)
    found = link_people(masks(frames, regions=False), times)
    assert [person.spans for person in found.people] == [((0, len(times), 1),)]
    assert all("left out" in text for text in found.warnings)
