"""Breathing is found where its signs agree, and refused where they do not."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.beats import find_beats
from ppg.breathing import LEAST_BEATS, SAMPLED_HZ, at_beats, breathing, lowered
from ppg.filters import butterworth
from ppg.rate import sliding_spectra, track

FINGERTIP = Path(__file__).parents[2] / ".." / "shared" / "fingertip"


def signs(hz, seconds=30.0, noise=0.2, seed=0, names=("amplitude", "baseline", "interval")):
    rng = np.random.default_rng(seed)
    time = np.arange(0, seconds, 1 / SAMPLED_HZ)
    return {n: np.sin(2 * np.pi * hz * time + rng.uniform(0, 6)) + noise * rng.normal(size=len(time)) for n in names}


@pytest.mark.unit
@settings(max_examples=30, deadline=None)
@given(hz=st.floats(0.11, 0.48), seconds=st.floats(20, 90), seed=st.integers(0, 1000), offset=st.floats(-1e3, 1e3))
def test_the_rate_is_found(hz, seconds, seed, offset):
    found = breathing({name: 3 * one + offset for name, one in signs(hz, seconds, 0.2, seed).items()})
    assert found.refused is None
    assert abs(60 * (found.hz - hz)) < 1.0 + 20 / seconds
    assert found.low_hz <= hz <= found.high_hz
    assert 0 <= found.confidence <= 1


@pytest.mark.unit
def test_the_body_counts_like_a_sign_in_the_pulse():
    apart = signs(0.25) | {"amplitude": signs(0.4)["amplitude"]}
    del apart["baseline"]
    assert "disagree" in breathing(apart).refused
    with_body = breathing(apart | {"body": signs(0.25, seed=4)["amplitude"]})
    assert 60 * with_body.hz == pytest.approx(15, abs=0.6)
    assert with_body.details["agreement"] == pytest.approx(2 / 3)


@pytest.mark.unit
def test_noise_is_mostly_refused():
    rng = np.random.default_rng(2)
    given_ = [
        breathing({name: rng.normal(size=240) for name in ("amplitude", "baseline", "interval")}).refused is None
        for _ in range(150)
    ]
    assert np.mean(given_) < 0.2


@pytest.mark.unit
def test_what_is_too_short_or_lacking_is_refused():
    assert breathing(signs(0.25, 9.0)).refused == "clip too short: 9.0 s of 10 s"
    assert breathing({}).refused == "clip too short: 0.0 s of 10 s"
    assert "few beats" in breathing(signs(0.25, names=("baseline",))).refused
    assert "few beats" in breathing({"baseline": np.ones(120), "amplitude": np.sin(np.arange(120))}).refused
    with pytest.raises(ValueError, match="called thoughts"):
        breathing({"thoughts": np.ones(100)})
    with pytest.raises(ValueError, match="length"):
        breathing({"baseline": np.ones(100), "amplitude": np.ones(99)})


@pytest.mark.unit
def test_single_odd_beats_are_taken_for_their_neighbours():
    time = np.arange(40) * 0.8
    values = 1 + 0.1 * np.sin(2 * np.pi * 0.2 * time)
    wanted = np.arange(0, 31, 0.25)
    odd = values.copy()
    odd[17] = 9
    assert np.abs(at_beats(time, odd, wanted) - at_beats(time, values, wanted)).max() < 0.15
    assert at_beats(time, values, np.array([-5.0, 99.0])).tolist() == [values[0], values[-1]]


@pytest.mark.clips
def test_fingertips_that_chose_nothing():
    """Subjects 100003 and 100004, 30 s windows: the tilts and weights were chosen on the other two."""
    if not FINGERTIP.is_dir():
        pytest.skip("the shared fingertip recordings are not here")
    wrong, windows = [], 0
    wanted, time = np.arange(0, 30, 1 / SAMPLED_HZ), np.arange(900) / 30
    for subject in ("100003", "100004"):
        lines = (FINGERTIP / "gt" / f"{subject}.csv").read_text().splitlines()[1:]
        rows = [line.split(",") for line in lines]
        truth = np.array([float(row[45]) if len(row) > 45 and row[45].strip() else np.nan for row in rows])
        rgb = np.loadtxt(FINGERTIP / "rgb" / f"{subject}-Left.csv", delimiter=",", skiprows=1).T
        for k in range(0, rgb.shape[1] // 900):
            shown = truth[30 * k : 30 * k + 30]
            if len(shown) < 30 or not (shown > 0).all():
                continue
            windows += 1
            blue = rgb[2, 900 * k : 900 * k + 900]
            wave = butterworth(0.6, 8, 30.0)(-blue)
            spectra = sliding_spectra(wave, 30.0, 8.53, (0.6, 4))
            beats = find_beats(wave, 30.0, np.interp(time, spectra.centre_s, track(spectra)), band_hz=(0.6, 8))
            good = beats.quality > 0.6
            sources = {"baseline": lowered(blue, 30.0, time, wanted)}
            if good.sum() > LEAST_BEATS:
                sources["amplitude"] = at_beats(beats.time_s[good], beats.amplitude[good], wanted)
                at = beats.time_s[good]
                sources["interval"] = at_beats((at[1:] + at[:-1]) / 2, np.diff(at), wanted)
            found = breathing(sources)
            if found.refused is None:
                wrong.append(abs(60 * found.hz - shown.mean()))
    assert windows > 50
    assert len(wrong) >= 0.4 * windows
    assert np.mean(wrong) <= 3
