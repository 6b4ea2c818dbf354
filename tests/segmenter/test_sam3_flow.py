"""Dense flow: exact on motion that is known, still where nothing moves, blind to light."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from segmenter.sam3.flow import Sampler, dense_flow, flow_picture, resized

pytestmark = pytest.mark.unit


def texture(seed=0, height=160, width=200):
    """Details of all sizes, as natural pictures have them."""
    rng = np.random.default_rng(seed)
    scales = [ndimage.gaussian_filter(rng.normal(size=(height, width)), 2.0 * 2**k) for k in range(4)]
    picture = sum(scale / scale.std() for scale in scales)
    return picture * (25 / picture.std()) + 120


def seen(picture, noise=0.0, seed=1):
    picture = picture + np.random.default_rng(seed).normal(size=picture.shape) * noise
    return flow_picture(np.clip(picture, 0, 255).astype(np.uint8), side=400)


@settings(max_examples=8, deadline=None)
@given(x=st.floats(-8, 8), y=st.floats(-8, 8), seed=st.integers(0, 50))
def test_a_shift_is_found_to_a_tenth_of_a_sample(x, y, seed):
    whole = texture(seed)
    rows, columns = np.mgrid[20:140, 20:180].astype(float)
    source = whole[20:140, 20:180]
    target = ndimage.map_coordinates(whole, [rows + y, columns + x], order=3)
    flow = dense_flow(seen(source, 1.0), seen(target, 1.0, 2))
    inside = flow[:, 20:-20, 20:-20]
    assert np.abs(np.median(inside, axis=(1, 2)) - [x, y]).max() < 0.1
    assert np.percentile(np.hypot(inside[0] - x, inside[1] - y), 75) < 0.35


def test_a_turn_is_found():
    whole = texture(3)
    rows, columns = np.mgrid[0:160, 0:200].astype(float)
    angle = np.radians(6)
    dx, dy = columns - 100, rows - 80
    x, y = np.cos(angle) * dx - np.sin(angle) * dy + 100, np.sin(angle) * dx + np.cos(angle) * dy + 80
    flow = dense_flow(seen(whole), seen(ndimage.map_coordinates(whole, [y, x], order=3, mode="nearest")))
    error = np.hypot(flow[0] - (x - columns), flow[1] - (y - rows))[30:-30, 40:-40]
    assert np.percentile(error, 90) < 0.3


@pytest.mark.parametrize("textured", [True, False])
def test_what_does_not_move_stays_under_noise_and_other_light(textured):
    picture = texture(5) if textured else np.full((160, 200), 120.0)
    flow = dense_flow(seen(picture, 2.0, 1), seen(picture * 1.02 + 4, 2.0, 2))
    assert np.hypot(*flow).mean() < (0.15 if textured else 1.0)


def test_an_edge_does_not_move_because_skin_grows_brighter():
    """Skin of almost the wall's brightness: its edge is told by its colour."""
    rows, columns = np.mgrid[0:240, 0:320].astype(float)
    inside = 1 / (1 + np.exp(-(60 - np.hypot(columns - 160, rows - 120)) / 1.5))  # a soft disc
    rng = np.random.default_rng(0)

    def picture(pulse):
        luma = 126 + inside * (16 + 142 * pulse) + rng.normal(size=inside.shape)
        small = inside[::2, ::2]
        u, v = (128 + side * small * 18 + rng.normal(size=small.shape) * 0.5 for side in (-1, 1))
        return [np.rint(plane).astype(np.uint8) for plane in (luma, u, v)]

    dark, bright = picture(0.0), picture(0.013)
    disc = inside[::2, ::2].astype(np.float32)

    def grows(*flow_pictures):
        flow = resized(dense_flow(*flow_pictures), disc.shape)
        return abs(Sampler.of(flow)(disc).sum() / disc.sum() - 1)

    blind = grows(flow_picture(dark[0]), flow_picture(bright[0]))
    seeing = grows(*(flow_picture(one[0], (one[1], one[2])) for one in (dark, bright)))
    assert seeing < 0.003
    assert blind > 2 * seeing


def test_a_start_reaches_farther_than_the_pyramid():
    whole = texture(7, 120, 400)
    source, target = whole[:, :200], whole[:, 90:290]
    alone = dense_flow(seen(source), seen(target))
    start = np.broadcast_to(np.array([85, 0], np.float32)[:, None, None], alone.shape)
    helped = dense_flow(seen(source), seen(target), start)
    error = np.abs(helped[0, 20:-20, 10:90] - 90)
    assert np.median(error) < 0.1
    assert np.median(np.abs(alone[0, 20:-20, 10:90] - 90)) > 1


def test_a_large_picture_is_made_small_and_its_flow_large_again():
    picture = flow_picture(np.zeros((1080, 1921), np.uint8))
    assert max(picture.shape) <= 160
    assert min(picture.levels[-1].shape[1:]) >= 10
    flow = resized(np.ones((2, *picture.shape), np.float32), (540, 961))
    assert flow.shape == (2, 540, 961)
    np.testing.assert_allclose(flow[0], 961 / picture.shape[1], rtol=1e-5)
    with pytest.raises(ValueError, match="wanted one size"):
        dense_flow(picture, flow_picture(np.zeros((100, 100), np.uint8)))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), height=st.integers(1, 9), width=st.integers(1, 9))
def test_sampling_is_bilinear_with_edges_repeated(seed, height, width):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(height, width)).astype(np.float32)
    flow = rng.normal(scale=3, size=(2, height, width)).astype(np.float32)
    rows, columns = np.mgrid[0:height, 0:width]
    expected = ndimage.map_coordinates(image, [rows + flow[1], columns + flow[0]], order=1, mode="nearest")
    np.testing.assert_allclose(Sampler.of(flow)(image), expected, atol=2e-5)
