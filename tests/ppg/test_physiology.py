"""The physiology of one person: everything from known beats and breaths, or refused with its cause."""

from dataclasses import dataclass

import numpy as np
import pytest

from mesh.contracts import Measurement
from mesh.parameters import Parameters
from ppg.filters import butterworth
from ppg.methods import METHODS
from ppg.physiology import physiology
from ppg.variability import UNITS

pytestmark = pytest.mark.unit

FPS = 30.0
DC = np.array([170.0, 115.0, 95.0])
BLOOD = np.array([0.33, 0.77, 0.53])  # of a change of blood volume in R, G and B
OK = Measurement(value=66, unit="bpm", status="ok", confidence=0.9)
BREATHS = 15.0
PLAIN = {*UNITS, "respiration_rate"}


@dataclass(frozen=True)
class Seen:
    time_s: np.ndarray
    rgb: np.ndarray
    body: np.ndarray | None = None


def person(seconds=60.0, amplitude=0.01, noise=0.03, seed=0, start=0.0, body=False):
    """Signals, pulse wave, rate and true beats of somebody who breathes 15 times a minute."""
    rng = np.random.default_rng(seed)
    mean, breath = 60 / 66, 2 * np.pi * BREATHS / 60
    at = np.arange(int(seconds / mean) + 8) * mean
    lengths = mean + 0.03 * np.sin(breath * at) + 0.03 * np.sin(2 * np.pi * 0.09 * at)
    beats = np.cumsum(lengths) - 2 * mean
    time = np.arange(0, seconds, 1 / FPS)
    phase = 2 * np.pi * np.interp(time, beats, np.arange(len(beats)))
    pulse = (1 + 0.12 * np.sin(breath * time)) * (np.cos(phase) + 0.35 * np.cos(2 * phase - 1.2))
    volume = amplitude * (pulse + 0.5 * np.sin(breath * time + 1))
    rgb = DC[:, None] * (1 - BLOOD[:, None] * volume) + noise * rng.normal(size=(3, len(time)))
    wave = METHODS["pos"](rgb, FPS, butterworth(0.6, 4.0, FPS))
    moved = 0.5 * np.sin(breath * time) + 0.05 * rng.normal(size=len(time)) if body else None
    inside = beats[(beats > 0) & (beats < seconds)]
    return Seen(time + start, rgb, moved), wave, np.full(len(time), 1.1), inside + start


def test_one_minute():
    signals, wave, heart, truth = person(start=5.0)
    found = physiology(signals, wave, FPS, heart, OK, Parameters())
    assert set(found.measurements) == PLAIN
    assert all(m.status == "ok" for m in found.measurements.values())
    inner = truth[(truth > found.beats_s[0] - 0.4) & (truth < found.beats_s[-1] + 0.4)]
    assert len(found.beats_s) == len(inner)
    error = found.beats_s - inner
    assert (error - np.median(error)).std() < 0.012
    sdnn, rmssd = found.measurements["sdnn"], found.measurements["rmssd"]
    assert sdnn.value == pytest.approx(1000 * np.diff(inner).std(ddof=1), abs=5)
    assert rmssd.value == pytest.approx(1000 * np.sqrt((np.diff(inner, 2) ** 2).mean()), abs=5)
    breaths = found.measurements["respiration_rate"]
    assert breaths.value == pytest.approx(BREATHS, abs=1)
    assert breaths.low <= BREATHS <= breaths.high
    assert found.warnings == []
    assert 0 < found.details["beat_jitter_ms"] < 12


def test_times_are_those_of_the_grid_also_when_frames_are_not():
    signals, wave, heart, _ = person(30.0)
    here = physiology(signals, wave, FPS, heart, OK, Parameters()).beats_s
    there = physiology(signals, wave, FPS, heart, OK, Parameters(), origin_s=0.0).beats_s
    np.testing.assert_array_equal(here, there)
    # every third frame lost, and gaps without skin: resampled to the grid
    keep = np.arange(len(signals.time_s)) % 3 != 1
    rgb = signals.rgb[:, keep].copy()
    rgb[:, 200:206] = np.nan
    lossy = Seen(signals.time_s[keep], rgb)
    found = physiology(lossy, wave, FPS, heart, OK, Parameters(), origin_s=0.0).beats_s
    assert np.abs(found[:, None] - here).min(axis=1).max() < 0.08


def test_a_refused_heart_rate_refuses_everything():
    signals, wave, heart, _ = person(20.0)
    parameters = Parameters(stress=True, spo2=True, spo2_a=110, spo2_b=25)
    for rate, track in (
        (Measurement.refused("bpm", "too dark; use more light"), heart),
        (OK, np.full(len(wave), np.nan)),
    ):
        found = physiology(signals, wave, FPS, track, rate, parameters)
        assert set(found.measurements) == PLAIN | {"stress_indication", "spo2"}
        assert all(m.status == "refused" and m.value is None for m in found.measurements.values())
        assert found.beats_s.size == 0
    reason = physiology(signals, wave, FPS, heart, Measurement.refused("bpm", "too dark"), parameters)
    assert "too dark" in reason.measurements["sdnn"].reason


def test_minimum_durations():
    for seconds, given in (
        (9.0, set()),
        (16.0, {"respiration_rate"}),
        (45.0, {"sdnn", "rmssd", "pnn50", "respiration_rate"}),
    ):
        signals, wave, heart, _ = person(seconds)
        found = physiology(signals, wave, FPS, heart, OK, Parameters(stress=True)).measurements
        answered = {name for name, m in found.items() if m.status == "ok"}
        assert answered <= given
        assert {"sdnn", "rmssd"} <= answered or "sdnn" not in given
        assert "s of 55 s" in found["lf_hf"].reason
        assert found["stress_indication"].status == "refused"
        assert seconds > 10 or "s of 10 s" in found["respiration_rate"].reason


def test_the_body_is_a_source_of_breathing():
    signals, wave, heart, _ = person(30.0, body=True)
    details = physiology(signals, wave, FPS, heart, OK, Parameters()).details
    assert details["breathing_body_bpm"] == pytest.approx(BREATHS, abs=1)
    unseen = Seen(signals.time_s, signals.rgb, np.full(len(signals.time_s), np.nan))
    assert "breathing_body_bpm" not in physiology(unseen, wave, FPS, heart, OK, Parameters()).details


def test_noise_gives_no_variability():
    signals, wave, heart, _ = person(amplitude=0.0005, noise=0.5)
    found = physiology(signals, wave, FPS, heart, OK, Parameters()).measurements
    assert found["sdnn"].status == found["rmssd"].status == "refused"


def test_stress_and_oxygen_on_request():
    signals, wave, heart, _ = person()
    asked = Parameters(stress=True, spo2=True)
    found = physiology(signals, wave, FPS, heart, OK, asked)
    assert found.measurements["stress_indication"].status == "ok"
    assert "no diagnosis" in found.warnings[0]
    assert "no calibration" in found.measurements["spo2"].reason
    calibrated = Parameters(spo2=True, spo2_a=110, spo2_b=25)
    found = physiology(signals, wave, FPS, heart, OK, calibrated)
    # the ratio of the phantom's strengths, 0.33 / 0.53
    assert found.measurements["spo2"].value == pytest.approx(110 - 25 * 0.33 / 0.53, abs=1)
    assert "experimental" in found.warnings[0]


def test_few_frames_a_second_time_no_beats():
    signals, wave, heart, _ = person()
    slow = Seen(signals.time_s[::2], signals.rgb[:, ::2])
    found = physiology(slow, wave[::2], FPS / 2, heart[::2], OK, Parameters()).measurements
    assert "frames a second" in found["sdnn"].reason
