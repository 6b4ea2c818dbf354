"""Parameters that a recording cannot carry are refused, saying what to change; those that it can are not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mesh.errors import BadParameters
from mesh.feasible import check_feasible
from mesh.parameters import Parameters

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("parameters", "clip", "pointer", "says"),
    [
        ({"magnify": "eulerian-colour", "pyramid_level": 8}, (160, 120, 30, 10), "/pyramid_level", "at most 5"),
        (
            {"magnify": "eulerian-colour", "magnify_low_hz": 20, "magnify_high_hz": 30},
            (640, 480, 30, 10),
            "/magnify_low_hz",
            "below 13.5",
        ),
        ({"preset": "evm-face"}, (640, 480, 30, 500), "/temporal_filter", "temporal_filter=fir"),
        ({"preset": "evm-face"}, (640, 480, 30, 3.9), "/magnify_low_hz", "0.256 Hz apart"),
        ({"magnify": "patch", "magnify_patch": 2}, (1920, 1080, 60, 10), "/magnify_patch", "magnify_patch=4"),
    ],
)
def test_what_cannot_be_is_refused(
    parameters: dict[str, object], clip: tuple[float, ...], pointer: str, says: str
) -> None:
    width, height, fps, seconds = clip
    with pytest.raises(BadParameters, match=says) as caught:
        check_feasible(Parameters(**parameters), int(width), int(height), fps, seconds)
    assert caught.value.errors is not None
    assert caught.value.errors[0]["pointer"] == pointer


@given(
    magnify=st.sampled_from(["uniform", "patch", "eulerian-colour", "acceleration-colour", "none"]),
    width=st.integers(64, 1920),
    height=st.integers(64, 1080),
)
@settings(max_examples=40, deadline=None)
def test_the_defaults_suit_every_clip(magnify: str, width: int, height: int) -> None:
    check_feasible(Parameters(magnify=magnify), width, height, 30.0, 20.0)
    check_feasible(Parameters(magnify=magnify), width, height)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"magnify": "patch", "magnify_low_hz": 2, "magnify_high_hz": 1}, "empty: magnify_low_hz"),
        ({"magnify": "patch", "compat": "2012"}, "compat=2012 needs"),
        ({"magnify": "patch", "magnify_patch": 7}, "multiple of 2"),
        ({"magnify": "eulerian-colour", "gain": -2}, "greater than or equal to -1"),
    ],
)
def test_what_no_clip_could_carry_is_no_parameter(parameters: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Parameters(**parameters)


def test_defaults_follow_the_method_and_what_is_given_stands() -> None:
    assert not Parameters().luma
    assert Parameters(magnify="eulerian-colour").luma
    assert not Parameters(magnify="eulerian-colour", luma=False).luma
    assert Parameters(magnify="patch").band == "rate"
    released = Parameters(preset="evm-face", compat="2012")
    assert (released.region, released.temporal_filter, released.gain) == ("picture", "ideal", 50)
    assert released.magnify_band_hz == pytest.approx((50 / 60, 1))
    assert Parameters(magnify="eulerian-colour", compat="2012").region == "picture"
    assert Parameters(magnify="patch").magnify_band_hz == (0.6, 4.0)
