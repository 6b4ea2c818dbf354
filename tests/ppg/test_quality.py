import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppg.calibration import PICTURE, TRACE
from ppg.candidates import FEATURES
from ppg.gate import LEAST_HALF_WIDTH_HZ, terms
from ppg.quality import Evidence, contested, gate_of, probability, recording_at_fault, refusal, rival
from ppg.signals import Signals

pytestmark = pytest.mark.unit

SKIN = np.array([180.0, 130.0, 110.0])
# as of a still face, well lit and coded
CLEAR = {
    "snr_db": 8.0, "dominance_db": 11.0, "consistency": 1.0, "others_db": 7.0, "agreeing": 1.0, "patches_green": 0.95,
    "patches_colour": 0.9, "colour_db": -5.0, "colour_phase": 0.95, "fit": 0.85, "log_rate": 0.25, "log_seconds": 2.3,
    "log_bits": -1.0, "motion": 0.5, "log_motion": -0.8, "half_db": -15.0, "double_db": -10.0,
    "light_db": -20.0, "light_snr_db": -7.0, "motion_snr_db": -7.0, "contrast_green_db": 15.0,
    "contrast_colour_db": 14.0,
}  # fmt: skip
NOISE = CLEAR | {
    "snr_db": -3.0, "dominance_db": 1.0, "others_db": -4.0, "agreeing": 0.0, "patches_green": 0.05,
    "patches_colour": 0.02, "colour_phase": 0.1, "fit": 0.15, "contrast_green_db": -3.0,
    "contrast_colour_db": -3.0,
}  # fmt: skip


def evidence(signs, **changes):
    facts = {"seconds": 10.0, "fps": 30.0, "skin_frames": 1.0, "rgb": SKIN, "bits_per_pixel": 0.1, "clipped": 0.0}
    return Evidence(signs=signs, **(facts | changes))


def test_a_clear_pulse_is_likely_and_noise_is_not():
    assert probability(CLEAR) > PICTURE.least_probability
    assert probability(CLEAR, TRACE) > TRACE.least_probability
    assert probability(NOISE) < 0.1
    assert probability(NOISE, TRACE) < 0.5
    assert probability(CLEAR | {"fit": float("nan")}) == 0.0
    assert refusal(evidence(CLEAR)) is None


def test_signs_count_within_the_limits_that_were_seen():
    wild = CLEAR | {"snr_db": 1e6, "dominance_db": 1e6}
    assert 0.0 <= probability(wild) <= 1.0
    with pytest.raises(KeyError):
        probability({"snr_db": 1.0})


def test_what_may_be_half_the_rate_is_refused():
    found = refusal(evidence(CLEAR | {"double_db": 0.0}))
    assert "twice as high" in found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rgb": SKIN / 8}, "too dark"),
        ({"rgb": np.array([253.0, 220, 200])}, "overexposed"),
        ({"clipped": 0.3}, "overexposed"),
        ({"bits_per_pixel": 0.008}, "compressed too hard: 0.008 bits a pixel; record at 0.05 or more"),
        ({"seconds": 4.1}, "clip too short: 4.1 s of 5 s"),
        ({"fps": 5.0}, "too few frames"),
        ({"skin_frames": 0.5}, "50 % of the frames"),
        ({"seconds": 60.0}, "show more skin"),
        ({}, "record 20 s or more"),
    ],
)
def test_a_refusal_names_one_cause_and_one_fix(changes, words):
    assert words in refusal(evidence(NOISE, **changes))


def test_motion_and_flicker_are_named():
    assert "hold still" in refusal(evidence(NOISE | {"log_motion": 1.0}))
    assert "flickers" in refusal(evidence(NOISE | {"colour_db": -15.0, "patches_green": 0.8}))
    assert "beside the skin" in refusal(evidence(NOISE | {"light_db": -1.0, "snr_db": 6.0}))
    assert refusal(evidence({})) is not None


def test_a_rate_in_step_with_motion_that_patches_share_no_green_of_needs_half_the_doubt():
    least = PICTURE.least_probability
    moving = CLEAR | {"log_motion": 0.9, "motion": 0.6, "patches_green": 0.02}
    assert evidence(moving).wanted == pytest.approx((1 + least) / 2)
    for other in ({"log_motion": 0.6}, {"motion": 0.3}, {"patches_green": 0.3}, {"patches_colour": 0.0}):
        assert evidence(moving | other).wanted == least
    # between the two limits the same answer is given or not
    assert evidence(moving).probability > (1 + least) / 2
    trust = (3 + least) / 4 - (1 - least) / 2
    assert least < trust < (1 + least) / 2
    against = next(r for r in np.linspace(0, 1, 20001) if evidence(moving, against=r).probability < trust)
    assert "hold still" in refusal(evidence(moving, against=against))
    assert refusal(evidence(moving | {"motion": 0.3}, against=against)) is None


def test_a_good_recording_is_not_at_fault():
    assert recording_at_fault(10.0, 30.0, 1.0) is None


@pytest.mark.parametrize("gate", [PICTURE, TRACE])
def test_the_interval_grows_with_deviation(gate):
    assert gate.half_width(0.02, 0.95, 1.2) > gate.half_width(0.002, 0.95, 1.2) >= LEAST_HALF_WIDTH_HZ
    assert np.isfinite(gate.half_width(np.inf, 0.9, 1.2))


@pytest.mark.parametrize("gate", [PICTURE, TRACE])
def test_constants_fit_together(gate):
    assert len(gate.weights) == terms(np.array(gate.centre), gate.products).size
    assert len(gate.signs) == len(gate.lowest) == len(gate.highest) == len(gate.scale)
    assert set(gate.signs) <= set(FEATURES) == set(CLEAR)
    assert all(low < high for low, high in zip(gate.lowest, gate.highest, strict=True))


def test_bare_traces_have_a_gate_of_their_own():
    trace = Signals(time_s=np.arange(5.0), rgb=np.ones((3, 5)))
    assert gate_of(trace) is TRACE
    assert gate_of(Signals(time_s=trace.time_s, rgb=trace.rgb, width=64, height=48)) is PICTURE
    for count, gate in ((3, TRACE), (4, PICTURE)):  # patches that can be asked whether they share a pulse
        shown = {
            "patch_time_s": trace.time_s,
            "patches": np.tile(trace.rgb, (count, 1, 1)),
            "patch_counts": np.ones(count),
        }
        assert gate_of(Signals(time_s=trace.time_s, rgb=trace.rgb, **shown)) is gate


@given(trust=st.floats(0, 1), against=st.floats(0, 1))
def test_a_rival_makes_nothing_likelier(trust, against):
    found = contested(trust, against)
    assert 0 <= found <= trust + 1e-9
    assert contested(trust, 0.0) == trust


def test_two_rates_that_are_likely_are_both_in_doubt():
    assert contested(0.97, 0.97) == pytest.approx(0.5, abs=0.02)
    rate_hz, trust = np.array([1.2, 1.25, 2.4, 2.9]), np.array([0.97, 0.9, 0.8, 0.1])
    assert rival(rate_hz, trust) == 0.8
    assert rival(rate_hz[:2], trust[:2]) == 0.0
    assert evidence(CLEAR).probability > 0.9 > evidence(CLEAR, against=1 - 1e-6).probability
