"""Affine colour maps against an independent converter and against published numbers."""

import av
import numpy as np
import pytest

from media.color import luma_coefficients, opencv_chroma_scale, opencv_from_stored, rgb_from_yuv, stored_from_opencv
from mesh.contracts import Recording

pytestmark = pytest.mark.unit


def recording(**changes) -> Recording:
    facts = {
        "duration_s": 1.0, "frames": 30, "width": 640, "height": 480, "fps": 30.0, "variable_rate": False,
        "codec": "h264", "container": "mp4", "pixel_format": "yuv420p",
    }  # fmt: skip
    return Recording(**(facts | changes))


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize(("matrix", "kr", "kb"), [(1, 0.2126, 0.0722), (6, 0.299, 0.114), (9, 0.2627, 0.0593)])
def test_primary_colours_survive_encoding_by_the_standards_formula(matrix, kr, kb, full_range):
    rgb = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 140, 120]], float)
    luma = rgb @ [kr, 1 - kr - kb, kb]
    u = (rgb[:, 2] - luma) / (2 * (1 - kb))
    v = (rgb[:, 0] - luma) / (2 * (1 - kr))
    if full_range:
        yuv = np.stack([luma, u + 128, v + 128], -1)
    else:
        yuv = np.stack([16 + luma * 219 / 255, 128 + u * 224 / 255, 128 + v * 224 / 255], -1)
    found, offset = rgb_from_yuv(recording(matrix=matrix, full_range=full_range))
    np.testing.assert_allclose(yuv @ found.T + offset, rgb, atol=1e-9)


def test_it_is_what_ffmpeg_makes_of_the_same_planes():
    frame = av.VideoFrame(16, 16, "yuv444p")
    for plane, value in zip(frame.planes, (110, 105, 155), strict=True):
        plane.update(np.full((16, plane.line_size), value, np.uint8).tobytes())
    expected = frame.to_ndarray(format="rgb24")[4, 4]
    matrix, offset = rgb_from_yuv(recording(matrix=6))
    np.testing.assert_allclose(matrix @ [110, 105, 155] + offset, expected, atol=1.5)


@pytest.mark.parametrize(
    ("height", "matrix", "kr"), [(480, 2, 0.299), (720, 2, 0.2126), (480, 1, 0.2126), (1080, 6, 0.299)]
)
def test_an_unspecified_matrix_follows_the_number_of_lines(height, matrix, kr):
    assert luma_coefficients(recording(height=height, matrix=matrix))[0] == kr


def test_opencv_units_are_those_of_the_seed():
    scale = opencv_chroma_scale(recording(full_range=True))
    assert scale == pytest.approx((0.872, 1.230), abs=5e-4)
    assert opencv_chroma_scale(recording())[0] == pytest.approx(scale[0] * 255 / 224)
    # OpenCV's own formula on a colour that went through the standard's
    red, green, blue = 196.0, 144.0, 120.0
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    stored = (128 + (blue - luma) / 1.772 * 224 / 255, 128 + (red - luma) / 1.402 * 224 / 255)
    expected = (128 + 0.492 * (blue - luma), 128 + 0.877 * (red - luma))
    np.testing.assert_allclose(opencv_from_stored(recording(), stored), expected, atol=1e-9)


def test_there_and_back():
    keys = np.random.default_rng(0).uniform(0, 255, (50, 2))
    for full_range in (False, True):
        facts = recording(full_range=full_range)
        np.testing.assert_allclose(opencv_from_stored(facts, stored_from_opencv(facts, keys)), keys, atol=1e-9)
