"""Masks of faces on phantoms: near the truth, steady over the pulse, the same over any chunks, honest when hidden."""

from __future__ import annotations

import numpy as np
import pytest
from face_kit import all_masks, at_index, face_clip, hand, iou, needs_models, painted, plan_of, smaller, spots
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from media.decode import Frame
from media.masks import FrameMask, MaskWriter, read_masks
from mesh.parameters import Parameters
from phantom import PhantomSettings
from phantom.motion import poses
from phantom.render import render
from phantom.wave import TICKS, frame_ticks
from segmenter.face import canonical, obstruction, segmenter
from segmenter.face.between import follow
from segmenter.face.reader import FaceReader
from segmenter.face.regions import REGIONS
from segmenter.face.tracks import Sample, link

pytestmark = [pytest.mark.unit, needs_models]


def same(a: list[FrameMask], b: list[FrameMask]) -> bool:
    return len(a) == len(b) and all(
        np.array_equal(one.labels, two.labels) and one.instances == two.instances for one, two in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("tone", range(1, 7))
def test_the_mask_is_the_face_whatever_its_tone(tone: int) -> None:
    frames, truth, plan = face_clip(0.5, skin_tone=tone, motion=8.0)
    for mask, true in zip(all_masks(plan, frames), truth, strict=True):
        assert iou(mask, true) > 0.9
        (face,) = mask.instances
        assert face.confidence > 0.9
        assert obstruction.explain(face.signs) is None


@pytest.fixture(scope="module")
def talking():  # type: ignore[no-untyped-def]
    return face_clip(3.0, skin_tone=3, motion="talking", fps=20.0, width=320, height=240)


@pytest.fixture(scope="module")
def turning():  # type: ignore[no-untyped-def]
    return face_clip(3.0, skin_tone=4, motion="reorient", fps=20.0, width=320, height=240)


@pytest.mark.parametrize("clip", ["talking", "turning"])
def test_a_mask_is_the_same_however_the_clip_was_cut(clip: str, request: pytest.FixtureRequest) -> None:
    frames, _, plan = request.getfixturevalue(clip)
    whole = all_masks(plan, frames)
    for parts in (2, 5):
        assert same(all_masks(plan, frames, parts), whole)


@pytest.mark.parametrize("clip", ["talking", "turning"])
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_span_of_frames_has_the_masks_of_the_whole(clip: str, request: pytest.FixtureRequest, data) -> None:  # type: ignore[no-untyped-def]
    frames, _, plan = request.getfixturevalue(clip)
    first = data.draw(st.integers(0, 55))
    last = data.draw(st.integers(first + 1, min(first + 8, 60)))
    near = [f for f in frames if abs(f.time - (frames[first].time + frames[last - 1].time) / 2) < 1.5]
    found = list(segmenter.masks(plan, near, first, last, Parameters()))
    assert same(found, all_masks(plan, frames)[first:last])


def test_a_frame_that_is_needed_and_does_not_come_is_an_error(talking) -> None:  # type: ignore[no-untyped-def]
    frames, _, plan = talking
    with pytest.raises(ValueError, match="did not come"):
        list(segmenter.masks(plan, frames[:20], 0, 20, Parameters()))


def test_a_head_that_turns_fast_is_followed() -> None:
    """A turn of 0.45 s: in each frame of it the mask is as near to the truth as at rest."""
    known = PhantomSettings(scene="face", seconds=1.0, fps=30.0, seed=3, skin_tone=5, motion="reorient")
    frames, truth, plan = face_clip(1.0, skin_tone=5, motion="reorient", fps=30.0)
    yaw = np.rad2deg(poses(known, frame_ticks(known) / TICKS, known.width, known.height).yaw)
    speed = np.abs(np.gradient(yaw, 1 / 30))
    overlaps = np.array([iou(mask, true) for mask, true in zip(all_masks(plan, frames), truth, strict=True)])
    ahead = np.abs(yaw) < 45
    fast = (speed > 40) & ahead
    assert fast.sum() >= 6
    assert speed.max() > 80
    assert overlaps[fast].mean() > 0.895
    assert overlaps[fast].mean() > overlaps[(speed < 1) & ahead].mean() - 0.02
    assert overlaps[fast].min() > 0.86


def test_only_a_face_that_moves_is_looked_at_in_the_frames_between() -> None:
    for motion, expected in (("still", 0), (90.0, 2)):
        frames, _, plan = face_clip(0.5, skin_tone=3, motion=motion)
        first, last = (4, 7)
        reader = FaceReader(plan.recording)
        before, after = (Sample(frames[at].time, reader.read(frames[at])) for at in (first, last))
        link([before], after)
        passed = [(frame.time, frame) for frame in frames[first + 1 : last]]
        follow(reader, before, after, passed)
        assert [time for time, _ in before.between[0]] == [time for time, _ in passed][:expected]
        for _, face in before.between[0]:
            assert min(before.faces[0].box[0], after.faces[0].box[0]) - 1 < face.box[0]
            assert face.box[0] < max(before.faces[0].box[0], after.faces[0].box[0]) + 1


def test_the_mask_does_not_follow_the_pulse() -> None:
    """Of a strong pulse the area of the mask keeps less than 0.3 %."""
    rate = 1.5
    frames, _, plan = face_clip(4.0, skin_tone=2, amplitude=0.015, heart_rate=60 * rate, fps=15.0, motion=1.5)
    area = np.array([(mask.labels > 0).sum() for mask in all_masks(plan, frames)], float)
    relative = area / area.mean() - 1
    n = np.arange(len(area))
    window = np.hanning(len(area))
    modulation = 2 * abs(np.sum(window * relative * np.exp(-2j * np.pi * rate * n / 15))) / window.sum()
    assert modulation < 0.003


def test_skin_keeps_its_place_in_the_canonical_face_as_the_head_turns() -> None:
    """Spots of the phantom's head, whose place is known exactly, over more than 40 degrees."""
    given_settings = {"seconds": 2.0, "seed": 0, "skin_tone": 3, "motion": "rotation30", "fps": 10.0}
    yaw, seen = spots(PhantomSettings(scene="face", **given_settings))
    frames, _, plan = face_clip(**given_settings)
    turned = np.abs(yaw) <= 25
    assert np.ptp(yaw[turned]) > 40
    transforms = np.array([mask.instances[0].transform for mask in all_masks(plan, frames)])[turned]
    for places in seen.values():
        assert np.ptp(places[turned, 0]) * 168 / 185 > 40  # it moves in the picture …
        stays = np.einsum("nij,nj->ni", transforms[:, :, :2], places[turned]) + transforms[:, :, 2]
        assert stays.std(axis=0).max() < 6  # … and stays in the canonical face, within a few of its 256 px


def test_the_mask_of_a_turned_head_is_its_face_with_the_ear_and_without_the_neck() -> None:
    frames, truth, plan = face_clip(1.0, skin_tone=2, motion="rotation30", fps=10.0, seed=9)
    overlaps = [
        iou(mask, true)
        for mask, true in zip(all_masks(plan, frames), truth, strict=True)
        if 20 < abs(mask.instances[0].signs["yaw_deg"]) < 45
    ]
    assert len(overlaps) > 5
    assert np.mean(overlaps) > 0.885


def test_two_people_are_two_instances_from_left_to_right() -> None:
    frames, truth, plan = face_clip(0.4, further_heart_rates=(90.0,), skin_tone=2, further_skin_tones=(5,))
    masks = all_masks(plan, frames)
    for mask, true in zip(masks, truth, strict=True):
        assert [face.id for face in mask.instances] == [1, 2]
        for label in (1, 2):
            ours, theirs = mask.labels == label, true == label
            assert (ours & theirs).sum() / (ours | theirs).sum() > 0.88
    writer = MaskWriter(masks[0].labels.shape, segmenter.CANONICAL, REGIONS)
    for mask in masks:
        writer.add(mask)
    blob = writer.finish()
    reader = read_masks(blob)
    assert reader.canonical == segmenter.CANONICAL
    assert reader.regions == REGIONS
    assert same(list(reader.frames()), masks)
    assert len(blob) < 2000 * len(masks)


def test_regions_lie_where_their_names_say() -> None:
    frames, truth, plan = face_clip(0.1, skin_tone=3, motion="still")
    (mask, *_) = all_masks(plan, frames)
    back = canonical.inverse(np.array(mask.instances[0].transform))
    middle = {name: canonical.apply(back, np.array(polygon, float)).mean(axis=0) for name, polygon in REGIONS.items()}
    assert middle["forehead"][1] < middle["nose"][1] < middle["chin"][1]
    assert middle["right_cheek"][0] < middle["nose"][0] < middle["left_cheek"][0]  # the person's right
    for polygon in REGIONS.values():
        for x, y in canonical.apply(back, np.array(polygon, float)):
            assert truth[0][int(y / 2) - 2 : int(y / 2) + 3, int(x / 2) - 2 : int(x / 2) + 3].any()


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_file_is_seen_upright(rotation: int) -> None:
    frames, truth, plan = face_clip(0.1, skin_tone=4, rotation=rotation)
    (mask, *_) = all_masks(plan, frames)
    assert iou(mask, truth[0]) > 0.88


@pytest.mark.parametrize(
    ("scale", "size"), [(0.5, (640, 480)), (0.25, (640, 480)), (0.3, (1920, 1080))], ids=["half", "quarter", "far"]
)
def test_small_and_distant_faces_are_found(scale: float, size: tuple[int, int]) -> None:
    frames, _, _ = face_clip(0.1, skin_tone=3, motion="still")
    shown = [smaller(frame, scale, size) for frame in frames]
    for mask in all_masks(plan_of(shown), shown):
        (face,) = mask.instances
        assert face.signs["width_px"] == pytest.approx(185 * scale, rel=0.1)
        middle = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
        assert middle == pytest.approx((size[0] / 2, size[1] / 2), abs=60 * scale)


@pytest.fixture(scope="module")
def still():  # type: ignore[no-untyped-def]
    frames, _, _ = face_clip(0.1, skin_tone=2, motion="still")
    return frames[0]


def one(frame: Frame):  # type: ignore[no-untyped-def]
    (mask,) = all_masks(plan_of([frame]), [at_index(frame, 0)])
    return mask.instances


@pytest.mark.parametrize(("x", "y", "size"), [(320, 330, 110), (280, 240, 90)], ids=["mouth", "eye"])
def test_a_hand_before_the_face_is_noticed(still, x, y, size) -> None:  # type: ignore[no-untyped-def]
    """One of the face's own colour: only what it hides gives it away."""
    (clear,) = one(still)
    assert clear.confidence > 0.95
    cheek = tuple(float(np.median(plane)) for plane in (still.y[260:290, 250:280], still.u[130:145, 125:140],
                                                        still.v[130:145, 125:140]))  # fmt: skip
    (hidden,) = one(painted(still, hand(still, x, y, size), cheek))
    assert hidden.confidence < obstruction.LIMIT
    assert "hand" in str(obstruction.explain(hidden.signs))


def test_a_face_that_is_too_dark_or_half_outside_is_marked_with_the_reason(still) -> None:  # type: ignore[no-untyped-def]
    dark = Frame(
        0, 0.0, (16 + (still.y - 16.0) * 0.12).round().astype(np.uint8),
        *((128 + (plane - 128.0) * 0.12).round().astype(np.uint8) for plane in (still.u, still.v)),
    )  # fmt: skip
    (face,) = one(dark)
    assert face.confidence < obstruction.LIMIT
    assert "dark" in str(obstruction.explain(face.signs))
    cut = Frame(
        0, 0.0, np.ascontiguousarray(still.y[:, 300:]), np.ascontiguousarray(still.u[:, 150:]),
        np.ascontiguousarray(still.v[:, 150:]),
    )  # fmt: skip
    (face,) = one(cut)
    assert face.confidence < obstruction.LIMIT
    assert "out of the picture" in str(obstruction.explain(face.signs))
    assert face.box[0] >= 0


def test_a_face_that_is_lost_half_way_is_gone_there_and_nowhere_else(still) -> None:  # type: ignore[no-untyped-def]
    wall = next(iter(render(PhantomSettings(scene="wall", seconds=0.1))))
    empty = Frame(0, 0.0, wall.y, wall.u, wall.v)
    shown = [at_index(still if k < 20 or k == 10 else empty, k, 10.0) for k in range(35)]
    shown[7] = at_index(empty, 7, 10.0)  # one frame without it is bridged
    plan = plan_of(shown, 10.0)
    seen = [bool(mask.instances) for mask in all_masks(plan, shown)]
    assert all(seen[:20])
    assert not any(seen[20:])
    finding = segmenter.sees_face(plan, shown)
    assert finding.found == (finding.fraction >= 0.5)


@pytest.mark.parametrize("scene", ["wall", "forearm", "hand", "object"])
def test_where_there_is_no_face_none_is_found(scene: str) -> None:
    settings_of = PhantomSettings(scene=scene, seconds=1.0, fps=4.0)
    frames = [Frame(shown.index, shown.time, shown.y, shown.u, shown.v) for shown in render(settings_of)]
    plan = plan_of(frames, 4.0)
    finding = segmenter.sees_face(plan, frames)
    assert not finding.found
    assert finding.reason == "no face is seen"
    assert all(not mask.instances and not mask.labels.any() for mask in all_masks(plan, frames))


def test_a_clip_with_a_face_is_taken_by_it() -> None:
    frames, _, plan = face_clip(1.0, fps=4.0)
    finding = segmenter.sees_face(plan, frames)
    assert finding.found
    assert (finding.faces, finding.fraction) == (1, 1.0)
    assert finding.confidence > 0.9


def test_no_more_is_decoded_than_the_answer_needs(still) -> None:  # type: ignore[no-untyped-def]
    wall = next(iter(render(PhantomSettings(scene="wall", seconds=0.1))))
    empty = Frame(0, 0.0, wall.y, wall.u, wall.v)
    for pictures, found, expected in (([still] * 48, True, 21), ([empty] * 48, False, 25)):
        shown = [at_index(picture, k, 8.0) for k, picture in enumerate(pictures)]
        taken: list[int] = []
        finding = segmenter.sees_face(plan_of(shown, 8.0), (taken.append(f.index) or f for f in shown))  # type: ignore[func-returns-value]
        assert finding.found == found
        assert len(taken) == expected  # of twelve moments, four frames apart: six with a face, seven without
