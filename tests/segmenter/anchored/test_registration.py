"""Registration finds a piece of skin where it was put, whatever the light, and says where it cannot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_skin import SHAPE, limb, seen, similarity, stored, texture

from segmenter.anchored.pictures import factor, reduced, small_picture
from segmenter.anchored.registration import register, template_of

pytestmark = pytest.mark.unit

MIDDLE = (79.5, 59.5)
REST = similarity()


def template(seed=1, skin=None):
    picture = stored(seen(texture(seed), REST, MIDDLE))
    found = template_of(small_picture(picture), limb() if skin is None else skin)
    assert found is not None
    return found


def error(found, matrix, skin=None):
    """Root mean square distance over the skin of where it was found from where it was put, samples."""
    rows, columns = np.nonzero(limb() if skin is None else skin)
    places = np.stack([columns, rows]).astype(float)
    away = places - np.array(MIDDLE)[:, None]
    true = matrix[:, :2] @ away + np.array(MIDDLE)[:, None] + matrix[:, 2:]
    got = found.matrix[:, :2] @ places + found.matrix[:, 2:]
    return float(np.sqrt(np.square(got - true).sum(axis=0).mean()))


@given(
    x=st.floats(-18, 18), y=st.floats(-14, 14), turn=st.floats(-0.1, 0.1), grown=st.floats(0.93, 1.07),
    seed=st.integers(0, 50),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_skin_is_found_to_a_tenth_of_a_sample_wherever_it_was_put(x, y, turn, grown, seed):
    matrix = similarity(x, y, turn, grown)
    picture = stored(seen(texture(seed), matrix, MIDDLE, seed=7))
    found = register(template(seed), small_picture(picture))
    assert found is not None
    assert found.likeness > 0.8
    assert error(found, matrix) < 0.1


@pytest.mark.parametrize(("gain", "offset"), [(0.7, 0), (1.25, -20), (1.0, 30)])
def test_the_light_may_change(gain, offset):
    matrix = similarity(3.3, -2.1)
    picture = seen(texture(1), matrix, MIDDLE)
    found = register(template(), small_picture(stored(gain * picture + offset)))
    assert error(found, matrix) < 0.06


def test_light_from_the_side_that_moves_does_not_pull():
    matrix = similarity(4.4, 1.7)
    slope = 1 + 0.15 * np.linspace(-1, 1, SHAPE[1])
    picture = seen(texture(1), matrix, MIDDLE)
    assert error(register(template(), small_picture(stored(picture * slope))), matrix) < 0.06


def test_a_hand_before_a_fifth_of_the_skin_does_not_pull():
    matrix = similarity(3.0, 2.0)
    picture = seen(texture(1), matrix, MIDDLE)
    picture[20:100, 60:92] = seen(texture(9), similarity(-5.0), MIDDLE)[20:100, 60:92]
    found = register(template(), small_picture(stored(picture)))
    assert error(found, matrix) < 0.1
    assert found.likeness > 0.6


def test_skin_that_is_not_there_is_not_found():
    other = register(template(), small_picture(stored(seen(texture(2), REST, MIDDLE))))
    assert other is None or other.likeness < 0.5
    flat = register(template(), small_picture(np.full(SHAPE, 120, np.uint8)))
    assert flat is None or flat.likeness < 0.5


def test_skin_mostly_outside_the_picture_is_not_found():
    skin = np.zeros(SHAPE, bool)
    skin[40:80, 100:156] = True
    matrix = similarity(48.0)
    found = register(template(skin=skin), small_picture(stored(seen(texture(1), matrix, MIDDLE))))
    assert found is None or found.likeness < 0.5


def test_too_little_skin_is_no_template():
    skin = np.zeros(SHAPE, bool)
    skin[50:53, 50:53] = True
    assert template_of(small_picture(stored(texture(1)[:120, :160])), skin) is None


def test_noise_moves_nothing_by_more_than_a_fortieth_of_a_sample():
    """A fortieth of a sample is a tenth of a pixel of a picture 640 wide."""
    places = []
    for seed in range(20):
        picture = stored(seen(texture(3), similarity(2.3, 1.1), MIDDLE, noise=0.7, seed=seed))
        places.append(register(template(3), small_picture(picture)).matrix @ np.array([*MIDDLE, 1.0]))
    assert np.std(places, axis=0).max() < 0.025


def test_a_pulse_moves_nothing():
    """A pulse of half a per cent, three times as strong on the right, in noise: under 0.005 samples at its rate."""
    still = template()
    picture = seen(texture(1), similarity(2.3, 1.1), MIDDLE, noise=0)
    draw = np.random.default_rng(4)
    phase = 2 * np.pi * np.arange(60) / 20
    strength = 0.005 * np.linspace(0.5, 1.5, SHAPE[1])
    places = []
    for angle in phase:
        shown = picture * (1 + strength * np.cos(angle)) + draw.normal(0, 0.5, SHAPE)
        places.append(register(still, small_picture(stored(shown))).matrix @ np.array([*MIDDLE, 1.0]))
    assert np.abs(2 * np.exp(-1j * phase) @ np.array(places) / len(phase)).max() < 0.005


def test_pictures_are_reduced_to_means_and_levels_lose_their_mean():
    luma = np.arange(481 * 643, dtype=np.uint32).reshape(481, 643).astype(np.uint8)
    side = factor(643, 481)
    assert side == 5
    small = reduced(luma, side)
    assert small.shape == (97, 129)
    assert abs(int(small[3, 4]) - luma[15:20, 20:25].mean()) <= 0.51
    levels = small_picture(stored(texture(4)[:120, :160])).levels
    assert [level.shape for level in levels] == [(120, 160), (60, 80), (30, 40)]
    assert all(abs(float(level.mean())) < 0.3 for level in levels)
    assert len(small_picture(np.zeros((30, 40), np.uint8)).levels) == 2
