"""Motion of skin and body is seen to a part of a pixel, whatever the light does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, map_coordinates

from ppg.motion import Box, body_displacement, displacement, skin_box
from ppg.profiles import BINS, STRIPS, frame_profiles
from ppg.traces import PatchGrid, luma_sums

pytestmark = pytest.mark.unit

SHAPE = (120, 160)  # chroma of 320x240
FACE = Box(15, 65, 50, 110)
FRAMES = 90
TIME = np.arange(FRAMES) / 30


def texture(seed, smooth=8):
    wave = gaussian_filter(np.random.default_rng(seed).normal(size=(340, 420)), smooth)
    return 120 + 25 * wave / wave.std()


def film(x, y, body, seed=0, noise=1.0, light=None, split=140):
    """Profiles of a picture whose upper part moves by x, y and whose lower part moves by body, in pixels."""
    rng = np.random.default_rng(seed)
    upper, lower = texture(seed), texture(seed + 1)
    rows, columns = np.mgrid[0:240, 0:320].astype(float)
    found = []
    for i in range(FRAMES):
        image = map_coordinates(upper, [rows + 50 - y[i], columns + 50 - x[i]], order=1)
        image[split:] = map_coordinates(lower, [rows + 50 - body[i], columns + 50], order=1)[split:]
        image = image * (1 if light is None else light[i]) + noise * rng.normal(size=image.shape)
        found.append(frame_profiles(luma_sums(np.clip(np.rint(image), 0, 255).astype(np.uint8), SHAPE)))
    return np.stack(found)


def off(found, true):
    """Root mean square difference, px, without the constant."""
    rest = found - true
    return float(np.sqrt(np.nanmean((rest - np.nanmedian(rest)) ** 2)))


@pytest.mark.parametrize("seed", [0, 1])
def test_skin_and_body_move_apart(seed):
    x, y = 4 * np.sin(2 * np.pi * 0.5 * TIME), 1.5 * np.sin(2 * np.pi * 0.9 * TIME)
    body = 0.5 * np.sin(2 * np.pi * 0.7 * TIME + 1)
    profiles = film(x, y, body, 10 * seed)
    found = displacement(profiles, SHAPE, FACE)
    below = body_displacement(profiles, SHAPE, FACE)
    assert np.isfinite(found).all()
    assert off(found[0], x) < 0.5  # of 2.8: rows that enter the strips as the face nods look like a little of it
    assert off(found[1], y) < 0.3
    assert off(below, body) < 0.15


def test_breathing_of_a_tenth_of_a_pixel_is_seen_through_drifting_light():
    still, body = np.zeros(FRAMES), 0.1 * np.sin(2 * np.pi * 0.7 * TIME)
    below = body_displacement(film(still, still, body, 3, light=np.linspace(1, 0.9, FRAMES)), SHAPE, FACE)
    assert np.corrcoef(below, body)[0, 1] > 0.9


def test_what_cannot_be_seen_is_not_known():
    flat = np.full((FRAMES, 2, STRIPS, BINS), 5000, np.uint16)
    assert np.isnan(displacement(flat, SHAPE, FACE)).all()
    assert body_displacement(flat, SHAPE, FACE) is None
    still = np.zeros(FRAMES)
    seen = film(still, still, still)
    seen[30:35] = 0  # frames that were not decoded
    found = displacement(seen, SHAPE, FACE)
    assert np.isnan(found[:, 30:35]).all()
    assert np.isfinite(np.delete(found, np.arange(30, 35), axis=1)).all()
    assert body_displacement(seen, SHAPE, Box(15, 112, 50, 110)) is None
    with pytest.raises(ValueError, match="profiles"):
        displacement(seen[:, 0], SHAPE, FACE)


@settings(max_examples=30, deadline=None)
@given(top=st.integers(0, 3), left=st.integers(0, 4), height=st.integers(1, 3), width=st.integers(1, 3))
def test_the_box_lies_round_the_skin(top, left, height, width):
    grid = PatchGrid((120, 160), 20)
    table = np.zeros((grid.rows, grid.columns))
    table[top : top + height, left : left + width] = 400
    box = skin_box(table.ravel(), grid)
    assert 20 * top <= box.top < box.bottom <= 20 * min(top + height, grid.rows)
    assert 20 * left <= box.left < box.right <= 20 * min(left + width, grid.columns)
    assert box.bottom - box.top == pytest.approx(0.9 * 20 * min(height, grid.rows - top))
    assert skin_box(np.zeros(grid.count), grid) is None
