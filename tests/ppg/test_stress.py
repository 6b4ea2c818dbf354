"""The stress index: a half at its thresholds, up with low SDNN and high LF/HF, refused with its inputs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.stress import stress_index
from ppg.variability import Estimate

pytestmark = pytest.mark.unit

CALM = Estimate(0.2, 0.15, 0.3, 0.9)


def around(value):
    return Estimate(value, 0.8 * value, 1.25 * value, 0.9)


def test_a_threshold_is_a_half():
    assert stress_index(around(34), CALM, 34, 5.4).value == pytest.approx(0.5)
    assert stress_index(around(300), around(5.4), 34, 5.4).value == pytest.approx(0.5)
    assert stress_index(around(17), CALM, 34, 5.4).value == 1
    assert stress_index(around(68), CALM, 34, 5.4).value == 0


@settings(max_examples=50, deadline=None)
@given(sdnn=st.floats(1, 300), less=st.floats(0.3, 1), ratio=st.floats(0.05, 50), more=st.floats(1, 3))
def test_less_variability_never_lowers_it(sdnn, less, ratio, more):
    base = stress_index(around(sdnn), around(ratio), 34, 5.4)
    assert 0 <= base.low <= base.value <= base.high <= 1
    assert stress_index(around(sdnn * less), around(ratio), 34, 5.4).value >= base.value
    assert stress_index(around(sdnn), around(ratio * more), 34, 5.4).value >= base.value


def test_it_is_refused_with_its_inputs():
    short = Estimate(refused="not enough beats: 30.0 s of 55 s")
    assert stress_index(around(40), short, 34, 5.4).refused == "LF/HF is refused: not enough beats: 30.0 s of 55 s"
    assert stress_index(short, CALM, 34, 5.4).refused.startswith("SDNN is refused")
    with pytest.raises(ValueError, match="above 0"):
        stress_index(around(40), CALM, 0, 5.4)
