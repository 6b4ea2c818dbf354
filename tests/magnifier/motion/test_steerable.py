"""The complex steerable pyramid: what goes in comes out, and a shift is a turn of phase."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magnifier.motion.steerable import (
    SteerablePyramid,
    add,
    coefficients,
    filtered,
    most_octaves,
    picture,
    spectrum,
)

pytestmark = pytest.mark.unit


@given(
    height=st.integers(16, 90),
    width=st.integers(16, 90),
    orientations=st.integers(2, 8),
    bands_per_octave=st.sampled_from([1, 2]),
    seed=st.integers(0, 99),
)
@settings(max_examples=12, deadline=None)
def test_bands_and_residuals_are_the_picture(height, width, orientations, bands_per_octave, seed) -> None:  # type: ignore[no-untyped-def]
    pyramid = SteerablePyramid((height, width), orientations, bands_per_octave, most_octaves(height, width))
    image = np.random.default_rng(seed).uniform(0, 255, (height, width)).astype(np.float32)
    transform = spectrum(image)
    total = (transform * pyramid.residual()).astype(np.complex64)
    for band in pyramid.bands:
        add(total, band, filtered(coefficients(transform, band, band.window), band, band.window))
    assert np.abs(picture(total, image.shape) - image).max() < 1e-3


@pytest.mark.parametrize("bands_per_octave", [1, 2])
@pytest.mark.parametrize("shift", [(0.4, 0.0), (0.0, -0.3), (0.25, 0.5)])
def test_a_shift_turns_phases_by_its_part_of_a_wavelength(bands_per_octave, shift, make_texture) -> None:  # type: ignore[no-untyped-def]
    size = (128, 160)
    texture = make_texture(size)
    pyramid = SteerablePyramid(size, 4, bands_per_octave, 3)
    before, after = (
        spectrum(texture.moved(texture.planes[0], size, x, y).astype(np.float32)) for x, y in ((0, 0), shift)
    )
    for band in pyramid.bands:
        a, b = (coefficients(each, band, band.window) for each in (before, after))
        found = float(np.angle(np.sum(b * a.conj())))
        ky, kx = np.mgrid[band.rows[0] : band.rows[1], band.columns[0] : band.columns[1]]
        # the mean wave of the band, in this texture
        power = np.abs(np.fft.fft2(a)[: ky.shape[0], : ky.shape[1]]) ** 2
        mean_x, mean_y = float((power * kx).sum() / power.sum()), float((power * ky).sum() / power.sum())
        wanted = -2 * math.pi * (shift[0] * mean_x / size[1] + shift[1] * mean_y / size[0])
        assert found == pytest.approx(wanted, abs=0.02)


def test_bands_hold_few_samples() -> None:
    pyramid = SteerablePyramid((480, 640), 4, 1, 4)
    samples = [math.prod(band.shape) for band in pyramid.bands]
    assert max(samples) < 0.4 * 480 * 640
    assert sum(samples) < 1.6 * 480 * 640


def test_wavelengths_double_with_the_octaves() -> None:
    wavelengths = [band.wavelength for band in SteerablePyramid((128, 128), 2, 2, 2).bands][::2]
    assert wavelengths == pytest.approx([2 * 2**0.5, 4, 4 * 2**0.5, 8])


@pytest.mark.parametrize("octaves", [0, 6])
def test_octaves_that_the_picture_has_not_are_refused(octaves) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="has 5 octaves"):
        SteerablePyramid((64, 200), 4, 1, octaves)
