"""The mask blob is lossless, compact, and says what it knows without unpacking."""

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from media.masks import FrameMask, Instance, MaskWriter, empty_masks, frame_mask, read_masks

pytestmark = pytest.mark.unit


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    highest=st.lists(st.sampled_from([0, 1, 1, 2, 3, 7, 255]), max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_label_comes_back(height, width, highest, seed):
    rng = np.random.default_rng(seed)
    labels = [rng.integers(0, top + 1, (height, width)).astype(np.uint8) for top in highest]
    writer = MaskWriter((height, width))
    for one in labels:
        writer.add(FrameMask(one))
    reader = read_masks(writer.finish())
    assert len(reader) == len(labels)
    assert reader.areas.tolist() == [int((one > 0).sum()) for one in labels]
    for mask, one in zip(reader.frames(), labels, strict=True):
        assert mask.labels.dtype == np.uint8
        np.testing.assert_array_equal(mask.labels, one)


def test_instances_and_transforms_are_kept():
    writer = MaskWriter((4, 6), canonical=(256, 320))
    turn = ((0.8, -0.6, 3.25), (0.6, 0.8, -1.5))
    instances = [Instance(1, (0, 2, 12, 8), 0.75, turn, {"yaw_deg": 12.5}), Instance(2, (4, 0, 6, 2), 1.0)]
    labels = np.zeros((4, 6), np.uint8)
    labels[1:, :] = 1
    writer.add(FrameMask(labels, instances))
    writer.add(FrameMask(np.zeros((4, 6), np.uint8)))
    reader = read_masks(writer.finish())
    first, second = reader.frames()
    assert reader.canonical == (256, 320)
    assert reader.instances == [instances, []]
    assert (first.instances, second.instances) == (instances, [])


def test_named_regions_are_kept_and_leave_other_blobs_as_they_were():
    regions = {"nose": ((119, 97), (137.5, 97), (128, 150)), "chin": ((98, 192), (158, 192), (128, 222))}

    def blob(**named):
        writer = MaskWriter((4, 6), canonical=(256, 256), **named)
        writer.add(FrameMask(np.ones((4, 6), np.uint8)))
        return writer.finish()

    assert read_masks(blob(regions=regions)).regions == regions
    assert blob(regions=regions) == blob(regions=regions)
    assert len(blob(regions=regions)) - len(blob()) < 150
    # a blob without them is that of before there were any, and is read
    assert blob(regions={}) == blob()
    assert b"regions" not in zstandard.ZstdDecompressor().decompress(blob()[12:])
    assert read_masks(blob()).regions == {}
    assert read_masks(empty_masks((4, 6), 2)).regions == {}


def test_regions_need_a_frame_to_lie_in():
    with pytest.raises(ValueError, match="canonical frame"):
        MaskWriter((4, 6), regions={"nose": ((0, 0), (9, 0), (0, 9))})


def test_without_transforms_there_is_no_canonical_frame():
    reader = read_masks(empty_masks((4, 6), 2))
    assert (len(reader), reader.canonical) == (2, None)


def test_frame_mask_finds_the_box_within_the_picture():
    labels = np.zeros((8, 8), np.uint8)
    labels[2:8, 3:8] = 1
    assert frame_mask(labels, (15, 15)).instances == [Instance(1, (6, 4, 15, 15))]
    assert frame_mask(np.zeros((8, 8), np.uint8)).instances == []


def test_a_face_takes_less_than_two_kilobytes_a_frame():
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:240, :320]
    writer = MaskWriter((240, 320))
    for index in range(60):
        distance = ((columns - 160 - 3 * np.sin(index / 20)) / 60) ** 2 + ((rows - 120) / 90) ** 2
        writer.add(frame_mask((distance + 0.05 * rng.standard_normal(distance.shape) < 1).astype(np.uint8)))
    assert len(writer.finish()) / 60 < 2000


def test_empty_masks():
    reader = read_masks(empty_masks((240, 320), 150))
    assert reader.empty
    assert len(list(reader.frames())) == 150
    assert len(empty_masks((240, 320), 150)) < 1000


def test_what_is_no_mask_blob_is_refused():
    good = empty_masks((4, 4), 3)
    for data in (b"", b"PMMASKS1", b"x" * 100, good[:14]):
        with pytest.raises(ValueError, match="masks"):
            read_masks(data)
    writer = MaskWriter((40, 40))
    writer.add(FrameMask(np.random.default_rng(0).integers(0, 2, (40, 40)).astype(np.uint8)))
    with pytest.raises(ValueError, match=r"cut short|damaged"):
        list(read_masks(writer.finish()[:-60]).frames())


def test_wrong_labels_are_refused():
    writer = MaskWriter((4, 4))
    for labels in (np.zeros((4, 5), np.uint8), np.zeros((4, 4), np.int64)):
        with pytest.raises(ValueError, match="labels"):
            writer.add(FrameMask(labels))
