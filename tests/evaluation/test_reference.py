"""Beats and rates of contact sensors are right, or there are none."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.contact import beats_from_ppg, rate_from_beats, rate_of_waves
from evaluation.reference import Reference, Series

pytestmark = pytest.mark.unit


def contact_ppg(beats: np.ndarray, time: np.ndarray, seed: int = 0) -> np.ndarray:  # type: ignore[type-arg]
    """Systolic wave, dicrotic wave and wander, as a finger clip shows them."""
    wave = np.zeros(len(time))
    for start, end in itertools.pairwise(beats):
        since = time - start
        scale = end - start
        wave += np.exp(-0.5 * ((since - 0.0) / (0.1 * scale)) ** 2)
        wave += 0.35 * np.exp(-0.5 * ((since - 0.42 * scale) / (0.12 * scale)) ** 2)
    draw = np.random.default_rng(seed)
    return wave + 0.5 * np.sin(2 * np.pi * 0.2 * time) + 0.02 * draw.standard_normal(len(time))


@settings(deadline=None, max_examples=25)
@given(st.floats(45, 170), st.floats(0, 0.04), st.sampled_from([30.0, 60.0, 64.0, 256.0]), st.integers(0, 10**6))
def test_beats_of_a_contact_wave_are_found_where_they_are(rate: float, spread: float, hz: float, seed: int) -> None:
    draw = np.random.default_rng(seed)
    beats = np.cumsum(60 / rate * (1 + spread * draw.standard_normal(200)))
    beats = beats[beats < 40] + 1
    time = np.arange(0, 40, 1 / hz)
    found = beats_from_ppg(time, contact_ppg(beats, time, seed))
    inside = beats[(beats > 2) & (beats < 38)]
    distance = np.abs(inside[:, None] - found[None, :]).min(axis=1)
    assert distance.max() < 0.06 * 60 / rate + 0.5 / hz
    truth = 60 * (len(inside) - 1) / (inside[-1] - inside[0])
    assert rate_from_beats(found, inside[0], inside[-1]) == pytest.approx(truth, abs=0.6)


def test_a_clock_that_jitters_and_lost_samples_change_nothing() -> None:
    draw = np.random.default_rng(4)
    beats = np.arange(0.5, 40, 0.8)
    time = np.cumsum(draw.uniform(0.5, 1.5, 2400) / 60)
    wave = contact_ppg(beats, time)
    wave[500:503] = np.nan
    assert rate_from_beats(beats_from_ppg(time, wave), 2, 38) == pytest.approx(75, abs=0.2)


def test_silence_has_no_beats() -> None:
    time = np.arange(0, 20, 1 / 60)
    for wave in (np.zeros(1200), np.full(1200, 3.0), np.full(1200, np.nan)):
        assert len(beats_from_ppg(time, wave)) == 0
    assert len(beats_from_ppg(time[:100], np.sin(time[:100]))) == 0


def test_a_missed_beat_is_bridged_and_a_bad_stretch_has_no_rate() -> None:
    beats = np.arange(0, 30, 0.75)
    one_missed = np.delete(beats, 12)
    assert rate_from_beats(one_missed, 0, 29) == pytest.approx(80, abs=1e-6)
    half_missed = np.delete(beats, np.arange(1, 39, 4))
    assert rate_from_beats(half_missed, 0, 29) is None
    assert rate_from_beats(beats, 25, 55) is None  # the beats end before the window does
    assert rate_from_beats(beats[:2], 0, 1) is None


def test_the_rate_of_a_window_is_that_of_the_parts_inside_it() -> None:
    beats = np.concatenate([np.arange(0, 20, 1.0), np.arange(20, 40.1, 0.5)])  # 60, then 120
    assert rate_from_beats(beats, 0, 20) == pytest.approx(60, abs=1e-6)
    assert rate_from_beats(beats, 20, 40) == pytest.approx(120, abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(st.floats(7, 36), st.floats(0, 6))
def test_breathing_rates_are_found(rate: float, phase: float) -> None:
    time = np.arange(0, 30, 1 / 30)
    wave = np.sin(2 * np.pi * rate / 60 * time + phase) + 0.05 * np.cos(3 * time)
    assert rate_of_waves(time, wave) == pytest.approx(rate, abs=0.6)


def test_breathing_needs_a_wave() -> None:
    time = np.arange(0, 30, 1 / 30)
    assert rate_of_waves(time[:200], np.sin(time[:200])) is None  # 6.7 s
    assert rate_of_waves(time, np.full(900, np.nan)) is None
    assert rate_of_waves(time, np.zeros(900)) is None


def test_what_is_known_of_a_window() -> None:
    time = np.arange(0, 60, 1.0)
    rate = np.where(time < 30, 60.0, 90.0)
    rate[50:] = np.nan
    beats = np.cumsum(np.tile([0.9, 1.1], 30))
    reference = Reference(heart_rate=Series(time, rate), respiration_rate=Series(time, 0 * time + 15), beats_s=beats)
    assert reference.truths(0, 20) == pytest.approx(
        {"heart_rate": 60, "respiration_rate": 15, "sdnn": 102.9, "rmssd": 200}, abs=1.5
    )
    assert reference.truths(20, 30).keys() == {"heart_rate", "respiration_rate"}  # too short for variability
    assert "heart_rate" not in reference.truths(45, 55)  # half of it is unknown
    assert Reference(beats_s=np.arange(0, 30, 0.5)).truths(0, 10) == pytest.approx({"heart_rate": 120})
    assert Reference(pulseless=True, heart_rate=Series(time, rate)).truths(0, 30) == {}
    assert Reference().truths(0, 30) == {}


def test_a_series_has_one_value_a_time() -> None:
    with pytest.raises(ValueError, match="one value"):
        Series(np.arange(3.0), np.arange(2.0))
