"""The reference colour: skin of all tones is found where it is, and nothing else is taken for it."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.color import opencv_chroma_scale, rgb_from_yuv, stored_from_opencv
from mesh.contracts import Recording
from phantom.render import render
from phantom.settings import PhantomSettings
from segmenter.chroma_key import Key, segment
from segmenter.key_windows import key_windows
from segmenter.living_skin.cells import CELLS, FRAMES, gather_cells, wanted_frames
from segmenter.living_skin.clusters import skin_prior
from segmenter.living_skin.point import chroma_at, stored_point
from segmenter.living_skin.reference import find_reference, reference_at

pytestmark = pytest.mark.unit


def recording(width=320, height=240, **changes) -> Recording:
    facts = {
        "duration_s": 6.0, "frames": 180, "fps": 30.0, "variable_rate": False, "codec": "h264", "container": "mp4",
        "pixel_format": "yuv420p", "matrix": 6,
    }  # fmt: skip
    return Recording(width=width, height=height, **(facts | changes))


def find(frames, facts):
    frames = list(frames)
    times = np.array([frame.time for frame in frames])
    return find_reference(facts, gather_cells(frames, frames[0].u.shape, wanted_frames(times, 10.0)))


def scene(rgb_of_left, rgb_of_right, facts, n=120, pulse=0.0, noise=1.0):
    """Two halves of a colour each; the left one pulses."""
    rng = np.random.default_rng(0)
    matrix, offset = rgb_from_yuv(facts)
    shape = (facts.height, facts.width)
    for i in range(n):
        blood = np.array([0.33, 0.77, 0.53]) / 0.77 * pulse * np.sin(2 * np.pi * 1.2 * i / 30)
        colours = [np.array(rgb_of_left) * (1 - blood), np.array(rgb_of_right, float)]
        yuv = [np.linalg.solve(matrix, colour - offset) for colour in colours]
        planes = []
        for channel, step in ((0, 1), (1, 2), (2, 2)):
            plane = np.empty((shape[0] // step, shape[1] // step))
            half = plane.shape[1] // 2
            plane[:, :half], plane[:, half:] = yuv[0][channel], yuv[1][channel]
            plane += noise * rng.standard_normal(plane.shape)
            planes.append(np.clip(np.rint(plane), 0, 255).astype(np.uint8))
        yield SimpleNamespace(index=i, time=i / 30, y=planes[0], u=planes[1], v=planes[2])


@pytest.mark.parametrize("skin", [(80, 50, 38), (141, 85, 60), (196, 144, 120), (235, 195, 180)])
def test_the_phantoms_skin_is_found_where_it_is(skin):
    frames = list(render(PhantomSettings(width=160, height=120, seconds=5, skin_rgb=skin)))
    facts = recording(160, 120)
    found = find(frames, facts)
    assert found.reason is None
    key = Key(*found.stored, *opencv_chroma_scale(facts), 100.0)
    windows = key_windows(np.array([f.time for f in frames]), 1.0)
    mask = next(iter(segment(frames, windows, 0, 1, key)))
    rows, columns = np.mgrid[:60, :80]
    reach = np.hypot((columns - 39.5) / 80, (rows - 29.5) / 60)  # the ellipse is in the middle
    assert mask[reach < 0.15].mean() > 0.95
    assert mask[reach > 0.5].mean() < 0.05


@pytest.mark.parametrize("colour", [(128, 128, 128), (60, 200, 60), (50, 70, 220), (30, 160, 160), (200, 200, 200)])
@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_a_scene_without_skin_has_none(colour, noise):
    found = find(scene(colour, colour, recording(), noise=noise), recording())
    assert (found.chroma, found.stored) == (None, None)
    assert "colour of skin" in found.reason


@pytest.mark.parametrize(("level", "words"), [(4, "too dark"), (255, "overexposed")])
def test_darkness_and_glare_are_named(level, words):
    found = find(scene((level,) * 3, (level,) * 3, recording(), noise=0.0), recording())
    assert words in found.reason


def test_of_two_things_with_the_colour_of_skin_the_living_one_is_taken():
    living, wood = (196, 144, 120), (190, 140, 90)
    facts = recording()
    found = find(scene(living, wood, facts, pulse=0.008), facts)
    matrix, offset = rgb_from_yuv(facts)
    for colour, near in ((living, True), (wood, False)):
        stored = np.linalg.solve(matrix, np.array(colour) - offset)[1:]
        assert (np.hypot(*(stored - found.stored)) < 3) == near


def test_skin_of_less_than_a_hundredth_of_the_picture_is_not_enough():
    facts = recording()
    frames = list(scene((128, 128, 128), (128, 128, 128), facts))
    spot = list(scene((196, 144, 120), (196, 144, 120), facts))
    for frame, other in zip(frames, spot, strict=True):
        frame.y[:16, :16], frame.u[:8, :8], frame.v[:8, :8] = other.y[:16, :16], other.u[:8, :8], other.v[:8, :8]
    assert find(frames, facts).chroma is None


def test_work_is_bounded_and_taken_by_index():
    times = np.arange(3000) / 240
    wanted = wanted_frames(times, 10.0)
    assert len(wanted) <= FRAMES
    assert times[wanted[-1]] < 10.0
    frame = SimpleNamespace(
        index=0, time=0.0, y=np.zeros((1081, 1919), np.uint8), u=np.full((541, 960), 7, np.uint8),
        v=np.zeros((541, 960), np.uint8),
    )  # fmt: skip
    cells = gather_cells([frame], (541, 960), wanted)
    assert cells.u[0].size <= CELLS
    assert (cells.u == 7).all()


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(2, 50), height=st.integers(2, 50), rotation=st.sampled_from([0, 90, 180, 270]),
    aspect=st.sampled_from([(1, 1), (4, 3), (3, 4)]), data=st.data(),
)  # fmt: skip
def test_a_point_of_the_shown_picture_is_the_stored_pixel_there(width, height, rotation, aspect, data):
    column, row = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    # the middle of the stored pixel, stretched, then turned clockwise by quarters
    x, y, w, h = (column + 0.5) * aspect[0] / aspect[1], row + 0.5, width * aspect[0] / aspect[1], float(height)
    for _ in range(rotation // 90):
        x, y, w, h = h - y, x, h, w
    facts = recording(width, height, rotation=rotation, pixel_aspect=aspect)
    assert stored_point(facts, x, y) == (column, row)
    with pytest.raises(ValueError, match="outside"):
        stored_point(facts, w, y)
    with pytest.raises(ValueError, match="outside"):
        stored_point(facts, x, -1.0)


def test_the_colour_under_a_point():
    u = np.arange(100, dtype=np.uint8).reshape(10, 10)
    frame = SimpleNamespace(u=u, v=200 - u)
    assert chroma_at(frame, 10, 10) == (55.0, 145.0)
    assert chroma_at(frame, 0, 0) == (u[:3, :3].mean(), (200 - u)[:3, :3].mean())


def test_a_given_colour_is_taken_as_it_is():
    found = reference_at(recording(), (100.126, 160.0))
    assert found.chroma == (100.13, 160.0)
    np.testing.assert_allclose(found.stored, stored_from_opencv(recording(), (100.13, 160.0)))
    assert (found.score, found.reason) == (1.0, None)


def test_the_prior_knows_skin_from_other_colours():
    good = skin_prior(np.array([[98.0, 171], [110, 162], [131, 138], [118, 147]]))
    bad = skin_prior(np.array([[128.0, 128], [160, 100], [90, 90], [128, 200], [200, 128]]))
    assert good.min() > 0.2
    assert bad.max() < 0.1
