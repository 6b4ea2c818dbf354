"""What the methods of motion are told, and that a recording they refuse is refused before the job starts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magnifier.motion import AccelerationSettings, EulerianMotionSettings, PhaseSettings, check_motion, support_s
from magnifier.moving import settings_of
from mesh.errors import BadParameters
from mesh.feasible import check_feasible
from mesh.parameters import PRESETS, Parameters
from mesh.support import segment_support

pytestmark = pytest.mark.unit

METHODS = ["eulerian-motion", "phase", "acceleration"]


def test_parameters_become_settings() -> None:
    phase = settings_of(Parameters(magnify="phase", magnify_low_hz=0.7, magnify_high_hz=2), 30)
    assert phase == PhaseSettings(alpha=10, band_hz=(0.7, 2))
    chosen = Parameters(magnify="phase", gain=3, pyramid="half_octave", attenuate_others=True, chrom_attenuation=0)
    half = settings_of(chosen, 30)
    wanted = PhaseSettings(alpha=3, band_hz=(0.6, 4), bands_per_octave=2, attenuate_others=True, chroma=False)
    assert half == wanted
    acceleration = settings_of(Parameters(magnify="acceleration", magnify_low_hz=1, magnify_high_hz=2.25), 30)
    assert acceleration == AccelerationSettings(alpha=8, frequency_hz=1.5)
    assert settings_of(Parameters(magnify="phase", magnify_high_hz=20), 30).band_hz[1] == 13.5  # type: ignore[union-attr]


def test_released_clips_have_their_parameters() -> None:
    baby = Parameters(preset="evm-baby", compat="2012")
    assert settings_of(baby, 30) == EulerianMotionSettings(
        alpha=10, band_hz=(0.6, 4), lambda_c=16, filter="iir", r1=0.4, r2=0.05, chrom_attenuation=0.1, compat=True
    )
    subway = settings_of(Parameters(preset="evm-subway"), 30)
    assert subway == EulerianMotionSettings(
        alpha=60, band_hz=(3.6, 6.2), lambda_c=90, filter="butterworth", chrom_attenuation=0.3
    )
    motion = [name for name in PRESETS if Parameters(preset=name).magnify == "eulerian-motion"]
    assert len(motion) == 6


@pytest.mark.parametrize("magnify", METHODS)
def test_the_graph_gives_a_segment_the_support_it_needs(magnify) -> None:  # type: ignore[no-untyped-def]
    for more in ({}, {"temporal_filter": "iir"}, {"temporal_filter": "butterworth"}, {"compat": "2012"}):
        if magnify != "eulerian-motion" and more:
            continue
        parameters = Parameters(magnify=magnify, **more)
        assert segment_support(parameters) == support_s(settings_of(parameters, 30))


@given(
    magnify=st.sampled_from(METHODS),
    low=st.floats(0.05, 20),
    width=st.integers(2, 400),
    height=st.integers(2, 400),
    lambda_c=st.floats(2, 600),
    rate=st.floats(1, 60),
)
@settings(max_examples=200, deadline=None)
def test_what_is_not_refused_before_the_job_works(magnify, low, width, height, lambda_c, rate) -> None:  # type: ignore[no-untyped-def]
    parameters = Parameters(magnify=magnify, magnify_low_hz=low, magnify_high_hz=low * 2 + 0.1, lambda_c=lambda_c)
    try:
        check_feasible(parameters, width, height, rate, 20.0)
    except BadParameters:  # a little is left at the edges of what would work, but not where anybody films
        ordinary = min(width, height) >= 64 and rate >= 20 and 0.4 <= low <= 2.4 and lambda_c <= 80
        assert not ordinary
    else:
        check_motion(settings_of(parameters, rate), rate, (height, width))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"magnify": "phase", "temporal_filter": "iir"}, "needs magnify=eulerian-motion"),
        ({"magnify": "phase", "temporal_filter": "butterworth"}, "needs temporal_filter=fir"),
        ({"magnify": "eulerian-motion", "temporal_filter": "ideal"}, "use fir, butterworth or iir"),
        ({"magnify": "eulerian-motion", "compat": "2012", "temporal_filter": "fir"}, "use iir or butterworth"),
        ({"magnify": "eulerian-motion", "iir_r1": 0.01}, "iir_r1 must be above"),
    ],
)
def test_contradictions_are_refused(given, text) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=text):
        Parameters(**given)
