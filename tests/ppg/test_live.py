"""Readings of the seconds until now."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from media.array_blob import pack
from mesh.errors import BadRequest
from mesh.live import WINDOW_S, LiveReading
from ppg.live import answer, reading

pytestmark = pytest.mark.unit

SKIN = np.array([150.0, 110.0, 95.0])
PULSE = np.array([0.35, 0.7, 0.25])  # relative strengths of the channels, as of blood


def colours(
    seconds: float, bpm: float = 72.0, *, fps: float = 30.0, patches: int = 4, seed: int = 0, amplitude: float = 0.6
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times, and colours of patches of skin with a pulse, noise and a drift of light."""
    chance = np.random.default_rng(seed)
    time_s = np.cumsum(chance.uniform(0.8, 1.2, round(seconds * fps)) / fps)
    wave = np.sin(2 * np.pi * bpm / 60 * time_s) + 0.3 * np.sin(4 * np.pi * bpm / 60 * time_s)
    drift = 1 + 0.01 * np.sin(2 * np.pi * 0.1 * time_s)
    mean = (SKIN + amplitude * PULSE * wave[:, None]) * drift[:, None]
    return time_s, mean[:, None] + chance.normal(0, 0.25, (len(time_s), patches, 3))


@pytest.mark.parametrize("bpm", [52.0, 72.0, 110.0])
def test_a_rate_after_ten_seconds(bpm: float) -> None:
    found = reading(*colours(10, bpm))
    assert found.state == "good"
    assert found.heart_rate.value == pytest.approx(bpm, abs=2)
    assert found.heart_rate.low is not None
    assert found.heart_rate.high is not None
    assert found.heart_rate.low < found.heart_rate.value < found.heart_rate.high
    assert found.snr_db is not None
    assert len(found.wave) == len(found.wave_time_s) > 100
    assert np.std(found.wave) == pytest.approx(1, abs=0.01)


def test_what_there_is_not_enough_of() -> None:
    assert reading(*colours(0.03)).state == "waiting"
    short = reading(*colours(3))
    assert short.state == "short"
    assert "of 5 s" in str(short.heart_rate.reason)
    time_s, patches = colours(10)
    assert reading(time_s, np.full_like(patches, np.nan)).state == "waiting"
    patches[-75:] = np.nan  # the skin left the frame 2.5 s ago
    assert reading(time_s, patches).state == "waiting"


def test_what_was_before_a_gap_is_another_signal() -> None:
    time_s, patches = colours(14)
    time_s[time_s > 11] += 5.0
    assert reading(time_s, patches).state == "short"
    patches[:240] = np.nan  # skin for the last seconds only
    time_s, patches = colours(14)
    patches[:180] = np.nan
    found = reading(time_s, patches)
    assert found.seconds == pytest.approx(8, abs=0.5)


def test_noise_has_no_rate() -> None:
    refused = [reading(*colours(12, amplitude=0.0, seed=seed)) for seed in range(4)]
    assert sum(found.state == "bad" for found in refused) >= 3
    assert all(found.heart_rate.reason for found in refused if found.state == "bad")
    assert all(found.wave for found in refused), "the wave is shown all the same"


def test_a_lamp_that_flickers_is_no_heart() -> None:
    """All colours change alike: four patches can be asked, a single colour cannot."""
    for seed in range(3):
        chance = np.random.default_rng(seed)
        time_s = np.arange(360) / 30
        light = 1 + 0.01 * np.sin(2 * np.pi * 1.4 * time_s) + 0.003 * np.sin(2 * np.pi * 2.8 * time_s)
        patches = (SKIN * light[:, None])[:, None] + chance.normal(0, 0.25, (360, 6, 3))
        found = reading(time_s, patches)
        assert found.state == "bad"
        assert found.heart_rate.reason


def test_rates_that_jump_are_unstable() -> None:
    signal = colours(12)
    assert reading(*signal, recent_bpm=[71.0, 73.0]).state == "good"
    assert reading(*signal, recent_bpm=[71.0, 95.0]).state == "unstable"


def test_a_patch_that_comes_and_goes_does_not_disturb() -> None:
    time_s, patches = colours(12)
    patches[:, 3] += 60.0  # another colour
    patches[::3, 3] = np.nan
    found = reading(time_s, patches)
    assert found.state == "good"
    assert found.heart_rate.value == pytest.approx(72, abs=2)


def test_nothing_but_the_past_counts() -> None:
    """The reading at a time is the same whatever comes later."""
    time_s, patches = colours(20)
    until = time_s < 12
    before = reading(time_s[until], patches[until])
    patches[~until] += 50.0
    assert reading(time_s[until], patches[until]) == before


def test_requests() -> None:
    time_s, patches = colours(10)
    found = answer(pack({"time_s": time_s, "patches": patches.astype(np.float32)}, {"recent_bpm": [72.0]}))
    assert LiveReading.model_validate(found).heart_rate.value == pytest.approx(72, abs=2)
    for wrong in (
        b"",
        b"x" * 100,
        pack({"time_s": time_s}, {"recent_bpm": []}),
        pack({"time_s": time_s, "patches": patches}, {}),
        pack({"time_s": time_s[::-1], "patches": patches}, {"recent_bpm": []}),
        pack({"time_s": time_s, "patches": patches[:, :, :2]}, {"recent_bpm": []}),
        pack({"time_s": time_s[:5], "patches": patches}, {"recent_bpm": []}),
    ):
        with pytest.raises(BadRequest):
            answer(wrong)


def test_the_window_is_what_both_sides_mean() -> None:
    assert WINDOW_S >= 2 * 8.53, "two windows of the rate"
