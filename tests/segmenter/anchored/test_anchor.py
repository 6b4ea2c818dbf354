"""An anchor is chosen where skin moves, and only there."""

import json

import numpy as np
import pytest
from moving_skin import SHAPE, limb, seen, similarity, stored, texture

from segmenter.anchored.anchor import PICTURES, Anchor, find_anchor, looked_at

pytestmark = pytest.mark.unit

MIDDLE = (79.5, 59.5)
SIZE = (640, 480)


def swaying(reach, count=40, seed=1):
    """Pictures of skin that sways by `reach` samples, and how far."""
    shifts = reach * np.stack([np.sin(np.arange(count) / 5), np.cos(np.arange(count) / 7)], axis=1)
    skin = texture(seed)
    pictures = [stored(seen(skin, similarity(x, y), MIDDLE, seed=n)) for n, (x, y) in enumerate(shifts)]
    return pictures, shifts


def limb_at(_):
    return limb().astype(np.int32)


def test_skin_that_rests_has_none():
    pictures, shifts = swaying(0.3)
    assert 4 * np.sqrt(shifts.var(axis=0).sum()) < 2.5
    assert find_anchor(pictures, limb_at, SIZE) is None


def test_skin_that_moves_has_one_where_it_is_most_of_the_time():
    pictures, shifts = swaying(4.0)
    anchor = find_anchor(pictures, limb_at, SIZE)
    assert anchor.moved_px == pytest.approx(4 * np.sqrt(shifts.var(axis=0).sum()), rel=0.05)
    chosen = next(n for n, picture in enumerate(pictures) if np.array_equal(picture, anchor.luma))
    away = np.linalg.norm(shifts - shifts.mean(axis=0), axis=1)
    assert away[chosen] < np.quantile(away, 0.2)
    assert len(anchor.likeness) == len(anchor.templates()) == 1
    assert 0.5 < anchor.likeness[0] < 0.75
    assert not anchor.pieces[30:32].any()  # the edge of the skin is left out …
    assert anchor.pieces[60, 0] == 1  # … but not where the picture ends


def test_it_survives_as_json():
    anchor = find_anchor(swaying(4.0)[0], limb_at, SIZE)
    text = json.dumps(anchor.to_json())
    assert len(text) < 40_000
    again = Anchor.from_json(json.loads(text))
    assert np.array_equal(again.luma, anchor.luma)
    assert np.array_equal(again.pieces, anchor.pieces)
    assert (again.likeness, again.moved_px) == (anchor.likeness, anchor.moved_px)


def test_skin_without_anything_to_hold_on_to_has_none():
    draw = np.random.default_rng(3)
    flat = [stored(np.full(SHAPE, 140.0) + draw.normal(0, 0.7, SHAPE)) for _ in range(20)]
    assert find_anchor(flat, limb_at, SIZE) is None


def test_skin_that_is_another_all_the_time_has_none():
    pictures = [stored(seen(texture(n), similarity(), MIDDLE)) for n in range(12)]
    assert find_anchor(pictures, limb_at, SIZE) is None


def test_no_skin_has_none():
    assert find_anchor(swaying(4.0)[0], lambda _: np.zeros(SHAPE, np.int32), SIZE) is None


def test_a_piece_that_cannot_be_followed_is_left_out():
    """The left of two pieces has no structure: the right one is the first of the anchor."""
    pictures, _ = swaying(4.0)
    draw = np.random.default_rng(5)
    for picture in pictures:
        picture[:, :70] = stored(140 + draw.normal(0, 0.7, (SHAPE[0], 70)))

    def two(_):
        pieces = np.zeros(SHAPE, np.int32)
        pieces[30:90, 5:60], pieces[30:90, 90:150] = 1, 2
        return pieces

    anchor = find_anchor(pictures, two, SIZE)
    assert len(anchor.likeness) == 1
    assert set(np.unique(anchor.pieces)) == {0, 1}
    assert not anchor.pieces[:, :70].any()


def test_pictures_are_looked_at_out_of_step():
    """A tremor at the rate of regular pictures would look like rest."""
    assert looked_at(20).tolist() == list(range(20))
    chosen = looked_at(150)
    assert len(chosen) <= PICTURES
    assert (np.diff(chosen) > 0).all()
    seconds = chosen / 15
    for rate in np.linspace(6.0, 13.0, 36):
        tremor = np.sin(2 * np.pi * rate * seconds)
        assert tremor.std() > 0.5
