"""Colours and sizes of instances are noted beside their masks, however far a segmenter looks ahead."""

from types import SimpleNamespace

import numpy as np
import pytest

from media.masks import FrameMask, Instance
from segmenter.appearance import AREA, COLOUR, ColourNotes

pytestmark = pytest.mark.unit

LABELS = np.zeros((40, 60), np.uint8)
LABELS[8:24, 8:24], LABELS[8:32, 32:56] = 1, 2


def frame(index):
    u, v = np.full((40, 60), 110, np.uint8), np.full((40, 60), 130 + index, np.uint8)
    v[LABELS == 2] = 90
    y = np.full((80, 120), 60, np.uint8)
    y[16:48, 16:48] = 200
    return SimpleNamespace(index=index, y=y, u=u, v=v)


def mask():
    return FrameMask(
        LABELS, [Instance(1, (16, 16, 48, 48), 0.7, None, {"yaw_deg": 3.0}), Instance(2, (64, 16, 112, 64))]
    )


@pytest.mark.parametrize("ahead", [0, 3, 9])
def test_each_mask_has_the_colours_of_its_own_frame(ahead):
    """Frames 0-9 come, masks are made of 2-7, each after `ahead` more frames; at the end fewer are read."""
    notes = ColourNotes()
    frames = notes.frames((frame(i) for i in range(10)), 2)

    def masks():
        read = -1
        for index in range(2, 8):
            while read < min(index + ahead, 6):
                read = next(frames).index
            yield mask()

    found = list(notes.masks(masks(), 2))
    assert len(found) == 6
    for index, one in enumerate(found, 2):
        first, second = one.instances
        assert [first.signs[name] for name in COLOUR] == [200, 110, 130 + index]
        assert [second.signs[name] for name in COLOUR] == [60, 110, 90]
        assert first.signs["yaw_deg"] == 3.0
        assert (first.signs[AREA], second.signs[AREA]) == (256, 576)
        assert (first.confidence, first.box) == (0.7, (16, 16, 48, 48))


def test_an_instance_too_small_to_be_looked_at_has_a_size_alone():
    labels = np.zeros((40, 60), np.uint8)
    labels[5:7, 5:7] = 1
    notes = ColourNotes()
    frames = notes.frames([frame(0)], 0)
    (found,) = notes.masks((FrameMask(labels, [Instance(1, (10, 10, 14, 14))]) for _ in frames), 0)
    assert found.instances[0].signs == {AREA: 4.0}
    notes = ColourNotes()
    frames = notes.frames([frame(0)], 0)
    (empty,) = notes.masks((FrameMask(labels) for _ in frames), 0)
    assert empty.instances == []
