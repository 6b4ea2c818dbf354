"""Patch weights: bad patches lose, good ones are as good as the plain mean, noise stays noise."""

import numpy as np
import pytest

from ppg.filters import butterworth
from ppg.methods import METHODS
from ppg.patches import combined, project, weights

pytestmark = pytest.mark.unit

RATE, SAMPLES, PATCHES = 15.0, 450, 24
TIME = np.arange(SAMPLES) / RATE
SKIN = np.array([190.0, 140.0, 115.0])[None, :, None]
SIGNATURE = np.array([0.33, 0.77, 0.53])[None, :, None] / 0.77
BAND_PASS = butterworth(0.7, 4.0, RATE)


def patches_of(seed, strength, kind="good", bad=8):
    rng = np.random.default_rng(seed)
    beat = rng.uniform(0.8, 2.5)
    pulse = np.sin(2 * np.pi * beat * TIME + rng.uniform(0, 6))
    rgb = SKIN * (1 - strength * SIGNATURE * pulse) + rng.standard_normal((PATCHES, 3, SAMPLES))
    if kind == "edge":  # another colour moves in and out
        rgb[:bad] += rng.uniform(-3, 3, (bad, 3, 1)) * BAND_PASS(rng.standard_normal((bad, 1, SAMPLES)))
    elif kind == "hair":
        rgb[:bad] = 0.3 * SKIN + rng.standard_normal((bad, 3, SAMPLES))
    elif kind == "specular":
        rgb[:bad] += 6 * rng.standard_normal((bad, 3, SAMPLES))
    return rgb, beat


def snr_db(rgb, beat):
    wave = METHODS["pos"](rgb, RATE, BAND_PASS)
    power = np.abs(np.fft.rfft(wave * np.hanning(SAMPLES), 8192)) ** 2
    frequency = np.fft.rfftfreq(8192, 1 / RATE)
    band = (frequency > 0.7) & (frequency < 4)
    near = band & (np.abs(frequency - beat) < 0.1)
    return 10 * np.log10(power[near].sum() / power[band & ~near].sum())


def gain_db(kind, strength, seeds):
    found = []
    for seed in range(seeds):
        rgb, beat = patches_of(seed, strength, kind)
        weight = weights(project(rgb, RATE), RATE, levels=rgb[:, 1].mean(axis=-1))
        assert weight.sum() == pytest.approx(1)
        assert (weight >= 0).all()
        found.append(snr_db(combined(rgb, weight), beat) - snr_db(rgb.mean(axis=0), beat))
    return np.mean(found)


@pytest.mark.parametrize(("kind", "least"), [("edge", 0.5), ("hair", 0.2), ("specular", 3.0)])
def test_bad_patches_lose(kind, least):
    assert gain_db(kind, 0.004, 20) > least
    assert gain_db(kind, 0.008, 20) > least


@pytest.mark.parametrize("strength", [0.001, 0.002, 0.004, 0.01])
def test_where_all_are_good_nothing_is_lost(strength):
    assert gain_db("good", strength, 20) > -0.4


def test_noise_stays_the_plain_mean_and_its_statistics_what_they_were():
    opened, ratio = 0, []
    counts = np.random.default_rng(0).uniform(50, 300, PATCHES)
    for seed in range(300):
        rgb, _ = patches_of(seed, 0.0, ("good", "edge", "specular")[seed % 3])
        weight = weights(project(rgb, RATE), RATE, counts)
        plain = (counts[:, None, None] * rgb).sum(axis=0) / counts.sum()
        if np.array_equal(weight, counts / counts.sum()):
            np.testing.assert_allclose(combined(rgb, weight), plain, rtol=1e-12)
        else:
            opened += 1
        power = np.abs(np.fft.rfft(METHODS["pos"](combined(rgb, weight), RATE, BAND_PASS))) ** 2
        before = np.abs(np.fft.rfft(METHODS["pos"](plain, RATE, BAND_PASS))) ** 2
        ratio.append((power.max() / power.sum()) / (before.max() / before.sum()))
    assert opened <= 6
    assert abs(np.mean(ratio) - 1) < 0.01  # no pulse is made: peaks stand out as they did


def test_a_hidden_patch_leaves_no_step():
    rgb, _ = patches_of(0, 0.0)
    rgb[:] = SKIN
    rgb[:6] *= 0.5
    rgb[:6, :, 100:200] = np.nan
    found = combined(rgb, np.full(PATCHES, 1 / PATCHES))
    assert np.ptp(found, axis=-1).max() < 1e-9
    rgb[:, :, 50] = np.nan
    assert np.isnan(combined(rgb, np.ones(PATCHES))[:, 50]).all()


def test_few_short_flat_and_wrong():
    assert weights(np.zeros((0, 30)), RATE).shape == (0,)
    np.testing.assert_array_equal(weights(np.ones((3, 300)), RATE), np.full(3, 1 / 3))
    np.testing.assert_array_equal(weights(np.ones((8, 10)), RATE, np.arange(8.0)), np.arange(8) / 28)
    np.testing.assert_array_equal(weights(np.zeros((8, 300)), RATE), np.full(8, 1 / 8))
    for wrong in (np.ones(3), -np.ones(8)):
        with pytest.raises(ValueError, match="counts and levels"):
            weights(np.zeros((8, 300)), RATE, wrong)
    with pytest.raises(ValueError, match="weights"):
        combined(np.zeros((8, 3, 30)), np.ones(7))
