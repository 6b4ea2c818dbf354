"""Frames on their way to a segmenter are registered, and their masks get the transforms."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from moving_skin import SHAPE, limb, seen, similarity, stored, texture
from numpy.typing import NDArray

from media.masks import FrameMask, Instance, frame_mask
from segmenter.anchored.anchor import find_anchor
from segmenter.anchored.follower import Follower, to_anchor

pytestmark = pytest.mark.unit

MIDDLE = (79.5, 59.5)
SIZE = (320, 240)  # two luma pixels a sample


@dataclass(frozen=True)
class Shown:
    index: int
    y: NDArray[np.uint8]
    u: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(SHAPE, np.uint8))
    v: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(SHAPE, np.uint8))


def luma(picture):
    return stored(picture).repeat(2, axis=0).repeat(2, axis=1)


SHIFTS = 5 * np.stack([np.sin(np.arange(24) / 4), np.cos(np.arange(24) / 3)], axis=1)


@pytest.fixture(scope="module")
def swaying():
    skin = texture(1)
    shown = [seen(skin, similarity(x, y), MIDDLE, seed=n) for n, (x, y) in enumerate(SHIFTS)]
    anchor = find_anchor([stored(picture) for picture in shown], lambda _: limb().astype(np.int32), SIZE)
    frames = [Shown(n, luma(picture)) for n, picture in enumerate(shown)]
    return anchor, frames


def masked(anchor, frames, first, last, labels=None):
    follower = Follower(anchor, SIZE)
    reading = follower.frames(iter(frames), first, last)

    def masks():
        for number in range(first, last):
            for frame in reading:  # a segmenter looks ahead by three frames
                if frame.index >= number + 3:
                    break
            yield frame_mask(limb().astype(np.uint8) if labels is None else labels, SIZE)

    return list(follower.masks(masks(), first))


def test_each_mask_says_where_its_skin_came_from(swaying):
    anchor, frames = swaying
    found = masked(anchor, frames, 0, 24)
    places = np.array([mask.instances[0].transform for mask in found]) @ np.array([160.0, 120.0, 1.0])
    away = places - np.array([160.0, 120.0]) + 2 * SHIFTS
    assert np.abs(away - away.mean(axis=0)).max() < 0.2
    assert [mask.instances[0].box for mask in found] == [(0, 60, 320, 180)] * 24


def test_the_same_bits_however_the_clip_is_cut(swaying):
    anchor, frames = swaying
    whole = [mask.instances for mask in masked(anchor, frames, 0, 24)]
    for cuts in ((0, 7, 24), (0, 1, 2, 23, 24)):
        parts = [masked(anchor, frames[max(a - 2, 0) :], a, b) for a, b in pairwise(cuts)]
        assert [mask.instances for part in parts for mask in part] == whole


def test_a_frame_that_does_not_show_the_skin_has_no_transform(swaying):
    anchor, frames = swaying
    hidden = [*frames[:5], Shown(5, luma(seen(texture(8), similarity(), MIDDLE))), *frames[6:]]
    found = masked(anchor, hidden, 0, 24)
    assert [n for n, mask in enumerate(found) if mask.instances[0].transform is None] == [5]
    whole = masked(anchor, frames, 0, 24)
    assert [m.instances for n, m in enumerate(found) if n != 5] == [m.instances for n, m in enumerate(whole) if n != 5]


def test_skin_that_the_mask_does_not_show_is_not_followed(swaying):
    anchor, frames = swaying
    elsewhere = np.zeros(SHAPE, np.uint8)
    elsewhere[:20] = 1
    assert all(mask.instances[0].transform is None for mask in masked(anchor, frames, 0, 24, elsewhere))


def test_pieces_are_told_by_their_skin_not_by_their_label():
    """Two hands that move apart, each against its own piece; the labels change sides half-way."""
    left, right = texture(1), texture(2)
    shown = []
    for x, y in SHIFTS:
        picture = np.full(SHAPE, 60.0)
        picture[:, :70] = seen(left, similarity(x, y), MIDDLE)[:, :70]
        picture[:, 90:] = seen(right, similarity(-x, y), MIDDLE)[:, 90:]
        shown.append(picture)
    pieces = np.zeros(SHAPE, np.int32)
    pieces[15:105, 5:65], pieces[15:105, 95:155] = 1, 2
    anchor = find_anchor([stored(picture) for picture in shown], lambda _: pieces, SIZE)
    assert len(anchor.likeness) == 2
    follower = Follower(anchor, SIZE)
    reading = follower.frames((Shown(n, luma(picture)) for n, picture in enumerate(shown)), 0, 24)

    def masks():
        for number, _ in enumerate(reading):
            labels = np.zeros(SHAPE, np.uint8)
            names = (1, 2) if number < 12 else (2, 1)
            labels[:, :70], labels[:, 90:] = names
            yield FrameMask(labels, [Instance(name, (0, 0, 320, 240)) for name in (1, 2)])

    away = []
    for number, mask in enumerate(follower.masks(masks(), 0)):
        mine = {instance.id: np.array(instance.transform) for instance in mask.instances}
        one, two = (mine[1], mine[2]) if number < 12 else (mine[2], mine[1])
        x, y = 2 * SHIFTS[number]
        left_at, right_at = np.array([70.0, 120.0]), np.array([250.0, 120.0])
        away.append(
            [
                one[:, :2] @ left_at + one[:, 2] - left_at + (x, y),
                two[:, :2] @ right_at + two[:, 2] - right_at + (-x, y),
            ]
        )
    assert np.abs(away - np.mean(away, axis=0)).max() < 0.3


def test_a_transform_is_the_way_back_in_luma_pixels():
    matrix = np.concatenate([similarity(turn=0.2, grown=1.1)[:, :2], [[3.0], [-2.0]]], axis=1)
    transform = np.array(to_anchor(matrix, 4))
    sample = np.array([20.0, 31.0])
    place = 4 * (matrix[:, :2] @ sample + matrix[:, 2]) + 1.5
    assert np.allclose(transform[:, :2] @ place + transform[:, 2], 4 * sample + 1.5, atol=2e-4)
