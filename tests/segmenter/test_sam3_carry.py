"""Masks carried by flow: near the truth of every frame, steady on still skin, their drift known."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; what they share is a module beside them

from sam3_kit import Scene, TrueModel, iou

from segmenter.sam3.carry import Chosen, Keyframe, KeyframeChooser, carry, changed, moved
from segmenter.sam3.flow import dense_flow, flow_picture

pytestmark = pytest.mark.unit

RATE = 10


def run(scene, frames=RATE + 1, most=1, pulse=None):
    """Carried masks of one cell, and the frames they are of."""
    times = np.arange(frames) / RATE
    shown = [scene.frame(i, times[i], 0.0 if pulse is None else pulse[i]) for i in range(frames)]
    chooser, pictures = KeyframeChooser(most, 1.0), [flow_picture(frame.y) for frame in shown]
    keys = [i for i in range(frames) if chooser.add(pictures[i], times[i], i == frames - 1)]
    assert keys == chooser.chosen.keyframes
    found = [one[0] for one in TrueModel().segment([shown[i] for i in keys], None)]
    keyframes = [Keyframe(one.skin, one.instances, one.scores) for one in found]
    return list(carry(keyframes, chooser.chosen, pictures, times)), shown, keys


@pytest.mark.parametrize(
    ("velocity", "turn", "least"), [((0, 0), 0.0, 0.995), ((30, 10), 0.3, 0.96), ((90, 30), 1.0, 0.93)]
)
def test_carried_masks_are_those_of_every_frame(velocity, turn, least):
    found, shown, keys = run(Scene([(110, 110)], velocity, turn))
    assert keys == [0, len(shown) - 1]
    overlaps = [iou(one.skin, frame.skins[0][::2, ::2]) for one, frame in zip(found, shown, strict=True)]
    assert min(overlaps) > least
    if velocity[0]:  # without being carried they would be far off
        assert iou(shown[0].skins[0], shown[-1].skins[0]) < 0.75


def test_agreement_tells_how_far_masks_drifted():
    good, shown, _ = run(Scene([(110, 110)], (30, 10), 0.3))
    truth = [iou(one.skin, frame.skins[0][::2, ::2]) for one, frame in zip(good, shown, strict=True)]
    assert min(one.agreement for one in good) > 0.85
    assert good[0].agreement == 1.0
    assert good[-1].agreement < 1.0  # the last keyframe tells how far the first one's mask came
    # what cannot be carried: the skin is replaced by another, elsewhere
    scene = Scene([(80, 100)])
    moved_away = Scene([(230, 140)], seed=9)
    pictures = [flow_picture(one.frame(0, 0.0).y) for one in (scene, scene, moved_away)]
    keyframes = [Keyframe(m.skin, m.instances, m.scores) for ((m,),) in
                 (TrueModel().segment([one.frame(0, 0.0)], None) for one in (scene, moved_away))]  # fmt: skip
    still = dense_flow(pictures[0], pictures[1])
    chosen = Chosen([0, 2], [None, still, dense_flow(pictures[0], pictures[2])])
    bad = list(carry(keyframes, chosen, pictures, np.array([0.0, 0.5, 1.0])))
    assert bad[-1].agreement < 0.5 < min(truth)


def test_a_mask_does_not_follow_the_pulse():
    frames, rate_hz = 31, 2.0
    times = np.arange(frames) / RATE
    scene = Scene([(110, 110)], noise=2.0)
    found, _, keys = run(scene, frames, pulse=0.01 * np.sin(2 * np.pi * rate_hz * times))
    assert keys == [0, frames - 1]
    area = np.array([one.skin.sum() for one in found], float)
    wave = np.exp(-2j * np.pi * rate_hz * times)
    assert 2 * abs(((area / area.mean() - 1) * wave).mean()) < 0.003


def test_two_instances_keep_their_labels_and_the_one_that_comes_gets_a_new_one():
    found, shown, _ = run(Scene([(70, 110), (250, 120)], (20, 5)))
    for one, frame in zip(found, shown, strict=True):
        assert one.ids == [1, 2]
        for label, truth in zip((1, 2), sorted(frame.skins, key=lambda mask: -mask.sum()), strict=True):
            own = one.instances[one.ids.index(label)] > 0.5
            assert iou(own, truth[::2, ::2]) > 0.9
    both = TrueModel().segment([shown[0]], None)[0][0]
    alone = Keyframe(both.instances[0], both.instances[:1], both.scores[:1])
    pictures = [flow_picture(shown[0].y)] * 3
    still = dense_flow(pictures[0], pictures[0])
    whole = Keyframe(both.skin, both.instances[::-1], both.scores[::-1])
    coming = list(carry([alone, whole], Chosen([0, 2], [None, still, still]), pictures, np.array([0.0, 0.7, 1.0])))
    assert coming[0].ids == [1]
    assert coming[1].ids == [1, 2]
    assert sorted(coming[2].ids) == [1, 2]
    assert coming[2].ids[1] == 1  # the same instance, in whatever order the model names it
    assert coming[1].skin.sum() == pytest.approx((both.skin > 0.5).sum(), rel=0.05)


def test_more_keyframes_where_the_scene_moves_or_changes():
    calm, _, keys = run(Scene([(110, 110)]), most=4)
    assert keys == [0, RATE]
    _, _, keys = run(Scene([(60, 110)], (170, 0)), most=4)
    assert 3 <= len(keys) <= 5
    assert np.diff(keys[:-1]).min() >= RATE / 4 - 1e-9
    _, _, keys = run(Scene([(60, 110)], (170, 0)), most=1)
    assert keys == [0, RATE]
    first, second = (flow_picture(Scene([(110, 110)], seed=seed).frame(0, 0.0).y) for seed in (1, 2))
    flow = dense_flow(first, second)
    assert changed(first, second, flow) > 0.3  # another scene
    assert changed(first, first, np.zeros_like(flow)) == 0
    assert moved(np.zeros_like(flow)) == 0
    assert len(calm) == RATE + 1


def test_a_cell_of_one_frame_and_one_without_skin():
    scene = Scene([])
    found, shown, keys = run(scene, 1)
    assert keys == [0]
    assert len(found) == 1
    found, _, _ = run(scene, 4)
    assert not any(one.skin.any() or one.ids for one in found)
    assert all(one.agreement == 1.0 for one in found)
    picture = flow_picture(shown[0].y)
    with pytest.raises(ValueError, match="were chosen"):
        list(carry([], Chosen([0], [None]), [picture], np.array([0.0])))
