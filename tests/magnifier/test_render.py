"""Magnified frames: the gain that was asked for, the same for every cut, and faceHR's form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from magnifier.record import Record
from magnifier.render import Magnifier, skin_of
from media.color import opencv_chroma_scale
from mesh.parameters import Parameters

pytestmark = pytest.mark.unit


def magnified(scene: Any, numbers: Any = None, **parameters: Any) -> tuple[list[Any], Magnifier]:
    magnifier = Magnifier(scene.plan, scene.pulse, Parameters(**parameters))
    chosen = scene.frames if numbers is None else [scene.frames[i] for i in numbers]
    return [magnifier.magnify(f.index, (f.y, f.u, f.v), scene.labels[f.index]) for f in chosen], magnifier


def pulse_levels(scene: Any, frames: Any) -> np.ndarray:
    """Levels of Y, U, V per unit of blood volume in the mean over the skin."""
    rows = []
    for (y, u, v), labels in zip(frames, scene.labels, strict=True):
        inside = labels > 0
        luma = y.reshape(inside.shape[0], 2, inside.shape[1], 2).mean(axis=(1, 3))
        rows.append([luma[inside].mean(), u[inside].mean(), v[inside].mean()])
    blood, light = np.array(scene.truth.blood_volume), np.array(scene.truth.light)
    design = np.stack([np.ones(len(rows)), light, blood], axis=1)
    return np.linalg.lstsq(design, np.array(rows), rcond=None)[0][2]


@pytest.mark.parametrize("gain", [-1.0, 1.0, 10.0, 50.0])
@pytest.mark.parametrize("luma", [False, True])
def test_a_pulse_of_a_levels_becomes_one_plus_gain_times_a(scene: Any, gain: float, luma: bool) -> None:
    before = pulse_levels(scene, [(f.y, f.u, f.v) for f in scene.frames])
    frames, magnifier = magnified(scene, gain=gain, luma=luma)
    after = pulse_levels(scene, frames)
    expected = np.array(scene.truth.pulse_yuv) * gain
    if not luma:
        expected[0] = 0
    # a hundredth of a level is what noise and dither leave
    assert after - before == pytest.approx(expected, rel=0.01, abs=0.01)
    for name in ("Y", "U", "V") if luma else ("U", "V"):
        record = magnifier.record.channels[name]
        assert record.clipped == 0
        assert record.dot / record.power == pytest.approx(gain)


def test_gain_0_gives_every_bit_back(scene: Any) -> None:
    for frame, out in zip(scene.frames, magnified(scene, gain=0, luma=True)[0], strict=True):
        for before, after in zip((frame.y, frame.u, frame.v), out, strict=True):
            assert np.array_equal(before, after)


def test_luma_false_leaves_brightness_alone_and_nothing_happens_outside_the_soft_edge(scene: Any) -> None:
    for frame, out in zip(scene.frames, magnified(scene)[0], strict=True):
        assert out[0] is frame.y
        far = np.ones_like(scene.labels[0], bool)
        rows, columns = np.nonzero(scene.labels[frame.index])
        far[rows.min() - 3 : rows.max() + 4, columns.min() - 3 : columns.max() + 4] = False
        assert np.array_equal(out[1][far], frame.u[far])


def test_a_frame_is_the_same_whatever_frames_came_before(scene: Any) -> None:
    whole, _ = magnified(scene, luma=True)
    for numbers in (range(60), range(60, 120), [7], [119, 3]):
        cut, _ = magnified(scene, numbers, luma=True)
        for number, out in zip(numbers, cut, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(out, whole[number], strict=True))


def test_too_much_gain_saturates_and_is_counted(scene: Any) -> None:
    frames, magnifier = magnified(scene, gain=1000, luma=True)
    record = magnifier.record.channels["Y"]
    assert 0.05 < record.clipped / record.samples < 1
    assert record.dot / record.power < 900
    assert max(f[0].max() for f in frames) == 255
    assert min(f[0].min() for f in frames) == 0


def test_records_of_segments_add_up_to_the_record_of_the_clip(scene: Any) -> None:
    whole = magnified(scene, gain=300, luma=True)[1].record
    parts = [magnified(scene, r, gain=300, luma=True)[1].record.to_dict() for r in (range(50), range(50, 120))]
    total = Record.gather(parts)
    for name, channel in whole.channels.items():
        assert vars(total.channels[name]) == pytest.approx(vars(channel))


def test_facehr_is_the_seeds_expression_saturated(scene: Any) -> None:
    parameters = {"preset": "facehr", "facehr_delta": 1.5, "facehr_multiplier": 800.0}
    frames, magnifier = magnified(scene, **parameters)
    scale = opencv_chroma_scale(scene.plan.recording)
    wave = scene.pulse.people[0].white_normalised
    for frame, out in zip(scene.frames, frames, strict=True):
        key = (scene.labels[frame.index] > 0).astype(float)
        assert out[0] is frame.y
        for plane, result, levels in zip((frame.u, frame.v), out[1:], scale, strict=True):
            # stattohr.py: frame_yuv + skin_key * w * 10000, in OpenCV's units; here not cast but rounded and clipped
            opencv = (plane - 128.0) * levels + 128 + key * wave[frame.index] * 1.5 * 800
            stored = (opencv - 128) / levels + 128
            assert np.abs(result - np.clip(stored, 0, 255)).max() <= 0.501
    assert magnifier.record.channels["U"].samples == sum(int((k > 0).sum()) for k in scene.labels)


def test_instances_of_others_are_left_alone(scene: Any) -> None:
    labels = scene.labels[10] * np.uint8(2)
    frame = scene.frames[10]
    out = Magnifier(scene.plan, scene.pulse, Parameters()).magnify(10, (frame.y, frame.u, frame.v), labels)
    assert out[1] is frame.u
    assert skin_of(np.array([[0, 1, 2, 3]], np.uint8), 3).tolist() == [[0, 0, 0, 1]]
    assert skin_of(np.array([[0, 1, 1, 0]], np.uint8), 0).tolist() == [[0, 0, 0, 0]]
    one = np.array([[0, 1]], np.uint8)
    assert skin_of(one, (1,)).tolist() == [[0, 1]]


def test_magnify_none_is_refused(scene: Any) -> None:
    with pytest.raises(ValueError, match="none"):
        Magnifier(scene.plan, scene.pulse, Parameters(magnify="none"))
