"""A clip segmented in cells: near the masks of every frame, the same over any chunks, keyframes in batches."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; what they share is a module beside them

from sam3_kit import Scene, TrueModel, iou, recording

from media.masks import MaskWriter, read_masks
from segmenter.sam3.cells import support
from segmenter.sam3.model import Sam3, Segmentation
from segmenter.sam3.random_weights import TINY_IMAGE, tiny_configuration, write_random_weights
from segmenter.sam3.segmenter import Sam3Segmenter, keyframe_of
from segmenter.sam3.settings import Sam3Settings, Wanted

pytestmark = pytest.mark.unit

CLIP = recording()
RATE, N = 8, 26


@pytest.fixture(scope="module")
def clip():
    """Two ellipses that cross the picture and each other's way, at a varying rate."""
    rng = np.random.default_rng(4)
    times = np.cumsum(rng.uniform(0.5, 1.5, N)) / RATE
    times -= times[0]
    scene = Scene([(60, 80), (250, 170)], (25, 2), 0.2)
    return times, [scene.frame(i, times[i]) for i in range(N)]


def test_masks_are_near_those_of_every_frame(clip):
    times, frames = clip
    segmenter = Sam3Segmenter(TrueModel())
    found = list(segmenter.segment(frames, times, CLIP))
    assert len(found) == N
    overlaps = []
    for mask, frame in zip(found, frames, strict=True):
        truth = np.any(frame.skins, axis=0)[::2, ::2]
        overlaps.append(iou(mask.labels > 0, truth))
        assert len(mask.instances) == 2
        for one in mask.instances:
            assert max(iou(mask.labels == one.id, skin[::2, ::2]) for skin in frame.skins) > 0.8
            x0, y0, x1, y1 = one.box
            inside = mask.labels[y0 // 2 : (y1 + 1) // 2, x0 // 2 : (x1 + 1) // 2] == one.id
            assert inside.sum() == (mask.labels == one.id).sum()
            assert 0.4 < one.confidence < 0.91
    assert np.mean(overlaps) > 0.97
    assert min(overlaps) > 0.93
    assert segmenter.keyframes < N / 2  # that is what it is for
    assert len(segmenter.drift) == segmenter.keyframes - 1
    assert all(0.8 < one.iou < 1 for one in segmenter.drift)


def test_chunks_do_not_show(clip):
    times, frames = clip
    whole = list(Sam3Segmenter(TrueModel(batch=3)).segment(frames, times, CLIP))
    for cuts in ([0, 7, 8, 17, N], [0, 12, N]):
        parts = []
        for first, last in pairwise(cuts):
            need = support(times, 1.0, first, last)
            given = [frame for frame in frames if need.start <= frame.index < need.stop]
            parts += Sam3Segmenter(TrueModel(batch=2)).segment(given, times, CLIP, first, last)
        assert len(parts) == N
        for one, other in zip(whole, parts, strict=True):
            np.testing.assert_array_equal(one.labels, other.labels)
            assert one.instances == other.instances


def test_a_gap_in_time_is_no_harm(clip):
    times, frames = clip
    times = times + np.where(np.arange(N) >= 14, 3.7, 0.0)
    model = TrueModel()
    found = list(Sam3Segmenter(model).segment(frames, times, CLIP))
    truth = [np.any(frame.skins, axis=0)[::2, ::2] for frame in frames]
    assert min(iou(mask.labels > 0, true) for mask, true in zip(found, truth, strict=True)) > 0.93
    need = support(times, 1.0, 10, 14)
    assert need.stop == 14  # what lies behind the gap is not waited for
    part = list(Sam3Segmenter(model).segment(frames[need.start : need.stop], times, CLIP, 10, 14))
    for one, other in zip(found[10:14], part, strict=True):
        np.testing.assert_array_equal(one.labels, other.labels)


def test_masks_go_through_the_blob(clip):
    times, frames = clip
    writer = MaskWriter((120, 160))
    for mask in Sam3Segmenter(TrueModel()).segment(frames, times, CLIP, 0, 12):
        writer.add(mask)
    data = writer.finish()
    assert len(list(read_masks(data).frames())) == 12
    assert len(data) < 12 * 2000


def test_keyframes_are_gathered_over_cells_into_batches(clip):
    times, frames = clip
    model = TrueModel(batch=4)
    calm = Sam3Segmenter(model, Wanted(keyframes=1))
    assert len(list(calm.segment(frames, times, CLIP))) == N
    cells = int(times[-1]) + 1
    assert sum(model.calls) == calm.keyframes == cells + 1  # each cell's first frame, and the clip's last
    assert max(model.calls) >= 4
    assert len(model.calls) <= -(-(cells + 1) // 4) + 1


def test_frames_that_do_not_come_or_do_not_fit(clip):
    times, frames = clip
    segmenter = Sam3Segmenter(TrueModel())
    with pytest.raises(ValueError, match="frame 5 is needed"):
        list(segmenter.segment(frames[:5] + frames[6:], times, CLIP))
    with pytest.raises(ValueError, match="did not come"):
        list(segmenter.segment(frames[:9], times, CLIP))
    with pytest.raises(ValueError, match="the recording"):
        list(segmenter.segment(frames, times, recording(160, 120)))
    assert list(segmenter.segment(frames, times, CLIP, 5, 5)) == []


def test_a_clip_without_skin_has_empty_masks():
    scene = Scene([])
    times = np.arange(5) / 4
    found = list(Sam3Segmenter(TrueModel()).segment([scene.frame(i, 0.0) for i in range(5)], times, CLIP))
    assert not any(mask.labels.any() or mask.instances for mask in found)


def test_skin_without_instances_is_one_and_the_union_can_be_taken():
    skin = np.zeros((120, 160), np.float32)
    skin[10:30, 10:40] = 0.8
    skin[50, 50] = 0.9  # a speck
    nothing = Segmentation(skin, np.zeros((0, 120, 160), np.float32), np.zeros(0), np.zeros((0, 4)))
    found = keyframe_of(nothing)
    assert len(found.instances) == 1
    assert found.scores == pytest.approx([0.8])
    assert keyframe_of(nothing, "instances").skin.max() == 0
    both = np.stack([np.roll(skin, 5, axis=1), np.roll(skin, 20, axis=0)])
    union = keyframe_of(Segmentation(skin, both, np.array([0.9, 0.6]), np.zeros((2, 4))), "instances")
    np.testing.assert_array_equal(union.skin > 0.5, (union.instances > 0.5).any(axis=0))


def test_the_real_model_from_its_weights_to_masks(tmp_path):
    torch = pytest.importorskip("torch", reason="needs the extra sam3")
    pytest.importorskip("transformers", reason="needs the extra sam3")
    torch.set_num_threads(1)
    write_random_weights(tmp_path, tiny_configuration())
    sam3 = Sam3.load(Sam3Settings(weights=str(tmp_path), image_size=TINY_IMAGE, device="cpu", batch=2))
    segmenter = Sam3Segmenter(sam3, Wanted(score=0.0))
    scene = Scene([(100, 100)], (20, 0))
    times = np.arange(16) / 8
    frames = [scene.frame(i, times[i]) for i in range(16)]
    whole = list(segmenter.segment(frames, times, CLIP))
    assert len(whole) == 16
    assert {mask.labels.shape for mask in whole} == {(120, 160)}
    need = support(times, 1.0, 8, 16)
    part = list(segmenter.segment(frames[need.start :], times, CLIP, 8))
    for one, other in zip(whole[8:], part, strict=True):
        assert one.labels.any() == other.labels.any()
        assert not one.labels.any() or iou(one.labels > 0, other.labels > 0) > 0.98
