"""What is given on the command line is understood, or refused in one line before anything starts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.parameters import Parameters
from phantom.settings import PhantomSettings
from pulsemesh.arguments import ArgumentError, check, job_parameters, parse_settings, parse_value

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2.5", 2.5),
        ("-1", -1),
        ("true", True),
        ("null", None),
        ("chrom", "chrom"),
        ("320,240", [320, 240]),
        ("320, 240.5, 1", [320, 240.5, 1]),
        ("[320,240]", [320, 240]),
        ('"7"', "7"),
        ("a,b", "a,b"),
        ("NaN", "NaN"),
        ("", ""),
    ],
)
def test_value(text: str, value: object) -> None:
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


@settings(deadline=None, max_examples=50)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_every_json_value_keeps_its_meaning(value: object) -> None:
    assert parse_value(json.dumps(value)) == value


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_any_text_means_something(text: str) -> None:
    parse_value(text)


def test_settings_are_words_with_an_equals_sign() -> None:
    assert parse_settings(["gain=3", " luma = true ", "gain=4", "a=b=c"]) == {"gain": 4, "luma": True, "a": "b=c"}
    for word in ("gain", "=3", " =3", ""):
        with pytest.raises(ArgumentError, match="key=value"):
            parse_settings([word])


def test_only_what_was_given_is_sent() -> None:
    assert job_parameters([], None) == {}
    assert job_parameters(["skin_point=320,240,1.5", "preset=facehr"], 2.0) == {
        "skin_point": [320, 240, 1.5],
        "preset": "facehr",
        "chunk_seconds": 2.0,
    }


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["gian=3"], "no parameter 'gian'; did you mean 'gain'"),
        (["gain=3000"], "gain: .*1000.*3000"),
        (["gain=much"], "gain: .*number.*'much'"),
        (["luma=maybe", "crf=99"], "crf: .*40.*; luma|luma.*; crf: .*40"),
        (["band_low_hz=5", "band_high_hz=1"], "band_low_hz must be below band_high_hz"),
        (["skin_point=1,2", "skin_chroma=100,150"], "not both"),
        (["method=magic"], "method: .*pos"),
        (["skin_point=1"], "skin_point"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(words: list[str], says: str) -> None:
    with pytest.raises(ArgumentError, match=says) as refused:
        job_parameters(words, None)
    assert "\n" not in str(refused.value)


def test_chunk_seconds_are_checked_too() -> None:
    with pytest.raises(ArgumentError, match="chunk_seconds"):
        job_parameters([], 0.0)
    with pytest.raises(ArgumentError, match="chunk_seconds"):
        job_parameters([], float("nan"))


def test_models_keep_their_defaults() -> None:
    assert check(Parameters, {}) == Parameters()
    assert check(PhantomSettings, {"skin_rgb": [90, 60, 50]}).skin_rgb == (90, 60, 50)
