"""The methods: blood goes up, light changes cancel, and POS is the paper's algorithm."""

import numpy as np
import pytest

from media.arrays import array_backend, array_module, to_device, to_host
from ppg.filters import butterworth
from ppg.methods import METHODS, pos, relative, window_length

pytestmark = pytest.mark.unit

RATE = 30.0
TIME = np.arange(600) / RATE
SKIN = np.array([196.0, 144.0, 120.0])[:, None]
ABSORPTION = np.array([0.33, 0.77, 0.53])[:, None] / 0.77
BLOOD = np.sin(2 * np.pi * 1.1 * TIME)
BAND_PASS = butterworth(0.6, 4.0, RATE)


@pytest.mark.parametrize("name", METHODS)
def test_blood_goes_up(name):
    wave = METHODS[name](SKIN * (1 - 0.008 * ABSORPTION * BLOOD), RATE, BAND_PASS)
    assert wave.shape == TIME.shape
    assert np.corrcoef(wave[60:-60], BLOOD[60:-60])[0, 1] > 0.999
    assert 0.002 < wave[60:-60].std() * np.sqrt(2) < 0.02  # parts of the brightness


@pytest.mark.parametrize("name", ["pos", "chrom"])
def test_changes_of_brightness_cancel(name):
    flicker = 1 + 0.02 * np.sin(2 * np.pi * 1.7 * TIME)
    still = METHODS[name](SKIN * flicker, RATE, BAND_PASS)
    green = METHODS["green"](SKIN * flicker, RATE, BAND_PASS)
    assert np.abs(still).max() < 0.05 * np.abs(green).max()
    both = METHODS[name](SKIN * flicker * (1 - 0.008 * ABSORPTION * BLOOD), RATE, BAND_PASS)
    spectrum = np.abs(np.fft.rfft(both[60:-60] * np.hanning(480), 8192))
    frequency = np.fft.rfftfreq(8192, 1 / RATE)
    assert frequency[spectrum.argmax()] == pytest.approx(1.1, abs=0.05)


def test_green_and_white_are_what_they_say():
    rgb = SKIN * (1 - 0.008 * ABSORPTION * BLOOD)
    np.testing.assert_allclose(METHODS["green"](rgb, RATE, BAND_PASS), -BAND_PASS(rgb[1] / rgb[1].mean()), atol=1e-12)
    np.testing.assert_allclose(
        METHODS["white"](rgb, RATE, BAND_PASS), -BAND_PASS(rgb).mean(axis=0) / rgb.mean(), atol=1e-12
    )


def test_pos_is_the_algorithm_of_the_paper():
    rng = np.random.default_rng(0)
    rgb = SKIN + rng.standard_normal((3, 100))
    length = window_length(RATE, 100)
    total, count = np.zeros(100), np.zeros(100)
    for start in range(100 - length + 1):
        part = rgb[:, start : start + length]
        s = np.array([[0, 1, -1], [-2, 1, 1]]) @ (part / part.mean(axis=1, keepdims=True))
        h = s[0] + s[0].std() / s[1].std() * s[1]
        total[start : start + length] += h - h.mean()
        count[start : start + length] += 1
    np.testing.assert_allclose(pos(rgb, RATE, lambda wave: wave), -total / count, atol=1e-12)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("samples", [1, 2, 3, 10, 49])
def test_black_constant_and_short_traces_give_finite_waves(name, samples):
    for rgb in (np.zeros((3, samples)), np.full((3, samples), 100.0)):
        wave = METHODS[name](rgb, RATE, BAND_PASS)
        assert wave.shape == (samples,)
        assert np.abs(wave).max() < 1e-9


def test_relative():
    np.testing.assert_allclose(relative(np.array([[1.0, 3], [0, 0], [2, 2]])), [[-0.5, 0.5], [0, 0], [0, 0]])


def test_the_array_module_is_that_of_the_array():
    array = to_device(np.arange(3.0))
    assert array_module(np.arange(3)) is np
    assert array_backend().startswith(array_module(array).__name__)
    np.testing.assert_array_equal(to_host(array), np.arange(3.0))
