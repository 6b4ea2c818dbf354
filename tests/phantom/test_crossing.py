"""People who change places: the nearer hides the farther, and both keep pulse, skin and truth of their own."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from phantom import PhantomSettings, masks, render, truth_of
from phantom.motion import poses
from phantom.walking import depths
from phantom.wave import TICKS, frame_ticks

pytestmark = pytest.mark.unit

SMALL = {
    "scene": "face", "motion": "crossing", "seconds": 8.0, "fps": 15.0, "width": 192, "height": 144,
    "heart_rate": 66.0, "further_heart_rates": (96.0,), "walking_speed": 48.0,
}  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_who_is_nearer_hides_the_other_and_both_end_where_the_other_stood(seed: int) -> None:
    clip = PhantomSettings(**SMALL, seed=seed)
    far, near = (person + 1 for person in depths(clip))
    labels = np.stack(list(masks(clip, heads=True)))
    areas = {label: (labels == label).sum(axis=(1, 2)) for label in (far, near)}
    standing = np.r_[:20, -20:0]
    # of the nearer nothing is ever hidden: its head turns and comes back
    assert areas[near].min() > 0.8 * areas[near][standing].mean()
    assert areas[far].min() < 0.25 * areas[far][standing].mean()
    assert areas[far][-20:].mean() == pytest.approx(areas[far][:20].mean(), rel=0.05)
    columns = np.arange(labels.shape[2])
    middle = {label: [(labels[i] == label).sum(axis=0) @ columns / areas[label][i] for i in (0, -1)] for label in areas}
    for label, other in ((far, near), (near, far)):
        assert middle[label][1] == pytest.approx(middle[other][0], abs=3)


def test_boxes_lie_around_the_heads_and_move_at_the_speed_that_was_asked_for() -> None:
    clip = PhantomSettings(**SMALL, seed=1)
    truth = truth_of(clip)
    near = depths(clip)[-1]
    boxes = np.array(truth.people[near].head_boxes)
    for box, mask in zip(boxes[::10], list(masks(clip, heads=True))[::10], strict=True):
        rows, columns = np.nonzero(mask == near + 1)
        turned = 0.15 * (box[2] - box[0])  # a turned head swings its chin aside
        assert box[0] - turned - 2 <= 2 * columns.min()
        assert 2 * columns.max() <= box[2] + turned + 2
        assert box[1] - 2 <= 2 * rows.min() < 2 * rows.max() <= box[3] + 2
    speed = np.abs(np.diff((boxes[:, 0] + boxes[:, 2]) / 2)) * clip.fps
    assert speed.max() == pytest.approx(48, rel=0.05)  # and the slow sway
    walks = poses(clip, frame_ticks(clip) / TICKS, clip.width, clip.height).walks
    assert np.abs(walks.shift[:, -1, 0]).tolist() == pytest.approx([96, 96])
    assert not walks.shift[:, 0].any()
    assert not walks.yaw[:, [0, -1]].any()


def test_each_face_takes_its_pulse_along() -> None:
    """Locked in to both rates on the skin of the nearer, followed by its mask, while it walks."""
    clip = PhantomSettings(
        **{**SMALL, "walking_speed": 16.0, "fps": 10.0}, seed=1, amplitude=0.03, drift=0.0, side_light=0.0
    )
    near = depths(clip)[-1]
    inside = zip(render(clip), masks(clip, heads=True), strict=True)
    green = np.array([f.u[mask == near + 1].mean() for f, mask in inside])
    green -= np.polyval(np.polyfit(np.arange(len(green)), green, 3), np.arange(len(green)))
    time = np.array(truth_of(clip).time_s)
    rates = [person.heart_rate[0] / 60 for person in truth_of(clip).people]
    found = [abs(np.mean(green * np.hanning(len(green)) * np.exp(-2j * np.pi * rate * time))) for rate in rates]
    assert found[near] > 2 * found[1 - near]


def test_who_is_in_the_middle_stays() -> None:
    clip = PhantomSettings(**{**SMALL, "further_heart_rates": (80.0, 100.0), "seconds": 6.0}, seed=0)
    boxes = [np.array(person.head_boxes)[:, 0] for person in truth_of(clip).people]
    assert np.ptp(boxes[1]) < 4
    assert boxes[0][-1] - boxes[0][0] == pytest.approx(128, abs=4)
    assert boxes[2][0] - boxes[2][-1] == pytest.approx(128, abs=4)


def test_crossing_needs_two() -> None:
    with pytest.raises(ValidationError, match="two people"):
        PhantomSettings(scene="face", motion="crossing")
    with pytest.raises(ValidationError, match="further_heart_rates"):
        PhantomSettings(scene="hand", motion="crossing")
