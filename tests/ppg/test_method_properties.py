"""What the methods hold for all inputs: scale, silence, polarity, and what their theory says cancels."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.filters import butterworth
from ppg.methods import METHODS

pytestmark = pytest.mark.unit

RATE = 30.0
TIME = np.arange(900) / RATE
SKIN = np.array([196.0, 144.0, 120.0])[:, None]
SIGNATURE = np.array([0.33, 0.77, 0.53])[:, None] / 0.77
BAND_PASS = butterworth(0.6, 4.0, RATE)
INNER = slice(90, -90)


def rgb_of(seed, beat=1.2, strength=0.01, noise=0.05, light=None):
    rng = np.random.default_rng(seed)
    pulse = np.sin(2 * np.pi * beat * TIME) + 0.3 * np.sin(4 * np.pi * beat * TIME + 1)
    light = np.ones_like(TIME) if light is None else light
    return SKIN * light * (1 - strength * SIGNATURE * pulse) + noise * rng.standard_normal((3, len(TIME))), pulse


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=8, deadline=None)
@given(scale=st.floats(0.05, 4.0), seed=st.integers(0, 1000))
def test_intensity_of_the_light_changes_nothing(name, scale, seed):
    rgb, _ = rgb_of(seed)
    expected = METHODS[name](rgb, RATE, BAND_PASS)
    np.testing.assert_allclose(METHODS[name](scale * rgb, RATE, BAND_PASS), expected, atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=8, deadline=None)
@given(beat=st.floats(0.9, 2.2), strength=st.floats(0.004, 0.02), seed=st.integers(0, 1000))
def test_a_pulse_along_the_signature_comes_back_with_blood_up(name, beat, strength, seed):
    rgb, pulse = rgb_of(seed, beat, strength)
    wave = METHODS[name](rgb, RATE, BAND_PASS)
    # independent components, and a covariance that is inverted, of so few samples are less exact than a projection
    least = {"ica": 0.8, "pbv": 0.9}.get(name, 0.95)
    assert np.corrcoef(wave[INNER], BAND_PASS(pulse)[INNER])[0, 1] > least
    assert 0.15 * strength < wave[INNER].std() / pulse.std() < 2 * strength


@pytest.mark.parametrize("name", ["pos", "chrom", "lgi", "omit"])
def test_a_common_change_of_intensity_is_removed(name):
    """Motion and light that scale all channels alike: ten times the pulse, at another rate in the band."""
    light = 1 + 0.04 * np.sin(2 * np.pi * 2.1 * TIME)
    rgb, _ = rgb_of(1, 1.2, 0.004, 0.0, light)
    found = np.abs(np.fft.rfft(METHODS[name](rgb, RATE, BAND_PASS)[INNER] * np.hanning(720), 8192))
    frequency = np.fft.rfftfreq(8192, 1 / RATE)
    pulse, nuisance = (found[np.abs(frequency - at) < 0.1].max() for at in (1.2, 2.1))
    assert pulse > 3 * nuisance
    plain = np.abs(np.fft.rfft(METHODS["green"](rgb, RATE, BAND_PASS)[INNER] * np.hanning(720), 8192))
    assert plain[np.abs(frequency - 2.1) < 0.1].max() > 5 * plain[np.abs(frequency - 1.2) < 0.1].max()


def test_ica_separates_the_pulse_from_a_stronger_irregular_nuisance():
    rng = np.random.default_rng(4)
    light = 1 + 0.01 * BAND_PASS(rng.laplace(size=len(TIME)))
    rgb, pulse = rgb_of(1, 1.2, 0.004, 0.02, light)
    for name, least in (("ica", 0.9), ("green", 0.0)):
        wave = METHODS[name](rgb, RATE, BAND_PASS)
        found = np.corrcoef(wave[INNER], BAND_PASS(pulse)[INNER])[0, 1]
        assert found > least
        assert name == "ica" or found < 0.7


def test_white_specular_reflection_cancels_in_chrom():
    """De Haan and Jeanne 2013: light that is added alike to the normalised skin tone (R 0.77, G 0.51, B 0.38)."""
    tone = np.array([[0.7682], [0.5121], [0.3841]])
    rgb = 200 * tone + 6 * np.sin(2 * np.pi * 1.7 * TIME)
    chrom, green = (METHODS[name](rgb, RATE, BAND_PASS)[INNER] for name in ("chrom", "green"))
    assert chrom.std() < 0.35 * green.std()


def test_pbv_keeps_the_signature_and_drops_another_colour():
    nuisance = 0.03 * np.sin(2 * np.pi * 2.3 * TIME)
    rgb, pulse = rgb_of(2, noise=0.0)
    rgb = rgb + SKIN * np.array([[1.0], [0.4], [-0.5]]) * nuisance
    wave = METHODS["pbv"](rgb, RATE, BAND_PASS)
    assert np.corrcoef(wave[INNER], BAND_PASS(pulse)[INNER])[0, 1] > 0.99
    assert np.abs(np.corrcoef(METHODS["green"](rgb, RATE, BAND_PASS)[INNER], BAND_PASS(pulse)[INNER])[0, 1]) < 0.8


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=12, deadline=None)
@given(
    samples=st.integers(1, 300), seed=st.integers(0, 1000), kind=st.sampled_from(["noise", "clipped", "one", "step"])
)
def test_no_input_gives_nan_or_a_warning(name, samples, seed, kind):
    rng = np.random.default_rng(seed)
    rgb = rng.uniform(0, 255, (3, samples))
    if kind == "clipped":
        rgb = np.where(rgb > 128, 255.0, 0.0)
    elif kind == "one":
        rgb[rng.integers(3)] = 0.0
    elif kind == "step":
        rgb = np.where(np.arange(samples) < samples // 2, 0.0, SKIN)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, again = (METHODS[name](rgb.copy(), RATE, BAND_PASS) for _ in range(2))
    assert first.shape == (samples,)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, again)


def test_omit_is_its_factorisation_and_lgi_its_decomposition():
    rgb, _ = rgb_of(3)
    q, _ = np.linalg.qr(rgb)
    u, _, _ = np.linalg.svd(rgb, full_matrices=False)
    for name, direction in (("omit", q[:, :1]), ("lgi", u[:, :1])):
        left = (np.eye(3) - direction @ direction.T) @ rgb
        expected = -BAND_PASS(left[1]) / rgb[1].mean()
        np.testing.assert_allclose(METHODS[name](rgb, RATE, BAND_PASS), expected, atol=1e-10)
