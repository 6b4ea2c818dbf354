"""The measurement on signals whose truth is known: every reading of the rate, refusals with cause, bare traces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.parameters import Parameters
from ppg.beats import Beats
from ppg.measure import ask, beat_rate, grid_of, measure
from ppg.signals import Signals

pytestmark = pytest.mark.unit

SKIN = np.array([180.0, 130.0, 110.0])[:, None]
BLOOD = np.array([0.33, 0.77, 0.53])[:, None] / 0.77
PATCHES = 12


def seen(
    seconds=20.0,
    bpm=72.0,
    end=None,
    amplitude=0.006,
    noise=0.1,
    lamp=0.0,
    lamp_hz=1.3,
    background=True,
    fps=30.0,
    seed=0,
) -> Signals:
    """Skin of patches with noise of their own; `lamp` is the depth of a flicker that the background shares."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * fps)) / fps
    rate = np.linspace(bpm, bpm if end is None else end, len(time)) / 60
    phase = 2 * np.pi * np.cumsum(rate) / fps
    wave = amplitude * (np.cos(phase) + 0.3 * np.cos(2 * phase))
    light = 1 + lamp * np.sin(2 * np.pi * lamp_hz * time)
    skin = SKIN * (1 - BLOOD * wave) * light
    patches = skin + 3 * noise * rng.standard_normal((PATCHES, 3, len(time)))
    return Signals(
        time_s=time,
        rgb=patches.mean(axis=0),
        background=100 * light + 0.02 * rng.standard_normal((3, len(time))),
        patch_time_s=time[::2],
        patches=patches[:, :, ::2],
        patch_counts=np.full(PATCHES, 400.0),
        skin_fraction=0.2,
        bits_per_pixel=0.12,
        codec="h264",
        clipped=0.0,
        displacement=0.05 * rng.standard_normal((2, len(time))),
        width=640,
        height=480,
    )


def heart_rate(signals, **parameters):
    return measure(signals, Parameters(**parameters)).person.measurements["heart_rate"]


@pytest.mark.parametrize("rate", ["fit", "welch", "fft", "beats"])
@pytest.mark.parametrize("bpm", [45.0, 72.0, 150.0])
def test_every_reading_of_the_rate(rate, bpm):
    found = heart_rate(seen(bpm=bpm), rate=rate)
    assert found.status == "ok"
    assert found.value == pytest.approx(bpm, abs=0.5 if rate == "fit" else 1.0)
    assert found.low < found.value < found.high


@pytest.mark.parametrize("seconds", [5.5, 10.0, 20.0, 70.0])
@pytest.mark.parametrize("bpm", [50.0, 100.0, 180.0])
def test_the_interval_holds_the_truth_whatever_the_length(seconds, bpm):
    found = heart_rate(seen(seconds, bpm))
    assert found.status == "ok"
    assert found.low <= bpm <= found.high
    assert found.high - found.low < 6


def test_a_rate_that_climbs():
    found = measure(seen(30.0, 60, 90), Parameters(rate_hop_s=2.0))
    assert found.person.measurements["heart_rate"].value == pytest.approx(75, abs=1)
    points = [p for p in found.person.heart_rate_over_time if p.heart_rate.status == "ok"]
    assert np.diff([p.time_s for p in found.person.heart_rate_over_time]) == pytest.approx(2.0, abs=0.01)
    assert len(points) >= 8
    for point in points:
        assert point.heart_rate.value == pytest.approx(60 + point.time_s, abs=2)
    assert found.rate_hz == pytest.approx(75 / 60, abs=0.02)


def test_noise_is_refused():
    answers = [heart_rate(seen(10.0, amplitude=0.0, seed=seed)).status for seed in range(15)]
    assert answers.count("ok") == 0


@pytest.mark.parametrize("depth", [0.003, 0.02])
def test_a_lamp_is_no_pulse(depth):
    for seed in range(5):
        found = heart_rate(seen(15.0, amplitude=0.0, lamp=depth, lamp_hz=0.9 + 0.3 * seed, seed=seed))
        assert found.status == "refused"
        assert "light flickers" in found.reason


def test_a_refused_rate_refuses_what_hangs_on_it():
    found = measure(seen(60.0, amplitude=0.0), Parameters()).person
    assert {one.status for one in found.measurements.values()} == {"refused"}
    assert {"sdnn", "rmssd", "lf_hf", "respiration_rate"} <= found.measurements.keys()
    assert all(point.heart_rate.status == "refused" for point in found.heart_rate_over_time)


def test_bare_traces_are_measured_too():
    whole = seen()
    found = heart_rate(Signals(time_s=whole.time_s, rgb=whole.rgb))
    assert found.status == "ok"
    assert found.value == pytest.approx(72, abs=0.5)


def test_details_say_what_each_method_read():
    found = measure(seen(), Parameters()).person.signal
    for name in ("green_bpm", "pos_bpm", "pos_fit_bpm", "green_fft_bpm", "beats_bpm"):
        assert found.details[name] == pytest.approx(72, abs=1), name
    assert found.details["light_db"] < -10
    assert found.snr_db > 5


@settings(max_examples=8, deadline=None)
@given(first=st.floats(0, 8), length=st.floats(6, 12))
def test_a_part_is_measured_as_if_it_were_all(first, length):
    part = seen(20.0, 66.0).between(first, first + length)
    assert part.duration_s == pytest.approx(length, abs=0.1)
    assert grid_of(part).origin_s == pytest.approx(first, abs=0.05)
    assert heart_rate(part).value == pytest.approx(66, abs=1.5)


@pytest.mark.parametrize(
    ("signals", "words"),
    [(seen(4.0), "4.0 s of 5 s"), (seen(fps=5.0), "too few frames"), (seen(2.0, fps=1.0), "too short")],
)
def test_what_cannot_be_measured_says_why(signals, words):
    assert words in heart_rate(signals).reason


def test_candidates_are_ranked():
    found = ask(seen(), Parameters()).candidates
    assert [one.method for one in found]
    assert {one.method for one in found} == {"green", "pos", "chrom", "pbv"}
    assert found[0].mean.hz == pytest.approx(1.2, abs=0.01)


def test_the_rate_of_beats_leaves_gaps_out():
    time = np.array([0.0, 1.0, 2.0, 4.0, 5.0, 6.0])
    beats = Beats(time, np.ones(6), np.ones(6), 0.01, np.ones(6))
    assert beat_rate(beats) == pytest.approx(1.0)
    assert beat_rate(Beats(time[:3], np.ones(3), np.ones(3), 0.01, np.ones(3))) is None
