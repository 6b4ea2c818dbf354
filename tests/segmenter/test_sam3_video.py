"""The tracker: the masks of an unbounded session bit for bit, with a state that does not grow."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; what they share is a module beside them

from sam3_kit import recording

from mesh.errors import MissingWeights, OutOfMemory
from segmenter.sam3.random_weights import TINY_IMAGE, random_model, tiny_configuration, write_random_weights
from segmenter.sam3.settings import Sam3Settings
from segmenter.sam3.video import Sam3Tracker

torch = pytest.importorskip("torch", reason="needs the extra sam3")
pytest.importorskip("transformers", reason="needs the extra sam3")

pytestmark = pytest.mark.unit

CLIP = recording(128, 96)
FRAMES = 40


def tokenizer(prompt, **_):
    ids = torch.tensor([[510, *(ord(letter) % 256 for letter in prompt), *[511] * (31 - len(prompt))]])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.set_verbosity_error()


@pytest.fixture(scope="module")
def pictures():
    wall = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(96, 208)), 3) * 400 + 128

    def picture(index):
        y = np.clip(wall[:, index % 80 : index % 80 + 128], 0, 255).astype(np.uint8)
        return SimpleNamespace(y=y, u=y[::2, ::2], v=255 - y[::2, ::2])

    return [picture(i) for i in range(70)]


def tracker(**changes):
    configuration = tiny_configuration(video=True)
    for name, value in changes.items():
        setattr(configuration, name, value)
    settings = Sam3Settings(image_size=TINY_IMAGE, device="cpu")
    return Sam3Tracker(random_model(configuration, lively=True), tokenizer, settings, 3)


def tracked(one, pictures, bounded, counts_pictures=False):
    track = one.start(CLIP, ["skin"], bounded=bounded)
    if counts_pictures:
        kind = type(track._session)
        kind.num_frames = property(lambda session: len(session.processed_frames))
    masks, sizes = [], []
    for picture in pictures:
        output = track.add_raw(picture)
        masks.append({number: mask.clone() for number, mask in output.obj_id_to_mask.items()})
        sizes.append(track.state_bytes())
    return masks, sizes


def equal(first, second):
    return all(
        one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
        for one, other in zip(first, second, strict=True)
    )


@pytest.mark.parametrize(
    "changes",
    [{}, {"recondition_every_nth_frame": 4, "high_conf_thresh": 0.0, "high_iou_thresh": 0.0}],
    ids=["as_detected", "corrected_often"],
)
def test_bounded_masks_are_those_of_the_unbounded_session_bit_for_bit(pictures, changes):
    one = tracker(**changes)
    whole, growing = tracked(one, pictures[:FRAMES], bounded=False)
    masks, sizes = tracked(one, pictures[:FRAMES], bounded=True)
    assert len(masks[0]) == 3
    assert any((mask > 0).any() for found in masks[20:] for mask in found.values())  # not all hidden
    assert equal(masks, whole)
    assert growing[-1] > 1.8 * growing[FRAMES // 2]
    assert sizes[-1] <= 1.15 * sizes[20]
    assert sizes[-1] < growing[-1] / 5


def test_that_test_would_see_a_memory_that_is_lost(pictures):
    """Counting the pictures that are left, as the session does by itself, takes the object pointers away."""
    one = tracker()
    whole, _ = tracked(one, pictures[:10], bounded=False)
    masks, _ = tracked(one, pictures[:10], bounded=True, counts_pictures=True)
    assert not equal(masks, whole)


def test_state_stays_the_same_size_for_any_length(pictures):
    track = tracker().start(CLIP)
    sizes = []
    for picture in pictures:
        track.add(picture)
        sizes.append(track.state_bytes())
    assert track.frames == len(pictures)
    assert max(sizes[40:]) <= 1.05 * sizes[30]
    session = track._session
    assert len(session.suppressed_obj_ids) <= 1
    assert len(session.obj_id_to_tracker_score_frame_wise) <= 1
    assert sum(len(frames) for frames in session.frames_tracked_per_obj.values()) == 0


def test_masks_are_labels_at_chroma_resolution(pictures):
    track = tracker().start(CLIP, ["skin", "hand"])
    found = [track.add(picture) for picture in pictures[:4]]
    for mask in found:
        assert mask.labels.shape == (48, 64)
        assert set(np.unique(mask.labels)) - {0} == {one.id for one in mask.instances}
        assert all(1 <= one.id <= 3 and 0 <= one.confidence <= 1 for one in mask.instances)
    assert found[-1].labels.any()


def test_objects_that_no_detection_matches_are_forgotten(pictures):
    one = tracker(init_trk_keep_alive=2, max_trk_keep_alive=2, new_det_thresh=0.0)
    track = one.start(CLIP)
    track.add(pictures[0])
    assert len(track._session.obj_ids) == 3
    one.model.score_threshold_detection = 1.0  # from now on nothing is detected
    for picture in pictures[1:12]:
        mask = track.add(picture)
    assert track._session.obj_ids == []
    assert not mask.labels.any()
    assert not track._session.obj_id_to_score
    one.model.score_threshold_detection = 0.0
    for picture in pictures[12:15]:
        mask = track.add(picture)
    assert mask.labels.any()  # and found again


def test_out_of_memory_is_typed_and_the_tracker_lives_on(pictures, monkeypatch):
    one = tracker()
    expected = one.start(CLIP).add(pictures[0])
    encode = one.model.detector_model.get_vision_features

    def cramped(**kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(one.model.detector_model, "get_vision_features", cramped)
    track = one.start(CLIP)
    with pytest.raises(OutOfMemory, match="tracker"):
        track.add(pictures[0])
    monkeypatch.setattr(one.model.detector_model, "get_vision_features", encode)
    np.testing.assert_array_equal(one.start(CLIP).add(pictures[0]).labels, expected.labels)


def test_loading_from_a_folder(tmp_path, pictures):
    write_random_weights(tmp_path / "video", tiny_configuration(video=True))
    given = {"image_size": TINY_IMAGE, "device": "cpu", "instances": 2}
    found = Sam3Tracker.load(Sam3Settings(weights=str(tmp_path / "video"), **given))
    assert found.start(CLIP).add(pictures[0]).labels.shape == (48, 64)
    write_random_weights(tmp_path / "image", tiny_configuration())
    with pytest.raises(MissingWeights, match="no tracker"):
        Sam3Tracker.load(Sam3Settings(weights=str(tmp_path / "image"), **given))
