"""The phantom matrix has the clips that its claims need, and its two sets share nothing."""

from __future__ import annotations

from collections import Counter

import pytest
from matrix_design import NEGATIVES, POSITIVES, SETS, STILL, design

from phantom.settings import NEGATIVES as PULSELESS_SCENES
from phantom.settings import PhantomSettings

pytestmark = pytest.mark.unit

CASES = {name: design(name) for name in SETS}


def test_there_are_enough_clips_and_windows() -> None:
    for cases in CASES.values():
        counts = Counter(case.stratum for case in cases)
        assert counts == Counter({**POSITIVES, **NEGATIVES})
        positives = [case for case in cases if case.stratum in POSITIVES]
        assert len(positives) >= 300
        assert sum(int(case.settings["seconds"] // 10) for case in positives) >= 1000
        assert sum(NEGATIVES.values()) >= 300
        assert {case.settings["motion"] for case in positives} >= {"still", "rotation10", "rotation30", "reorient"}
        assert len({case.name for case in cases}) == len(cases)


def test_the_sets_share_no_seed_and_are_the_same_every_time() -> None:
    seeds = [case.settings["seed"] for cases in CASES.values() for case in cases]
    assert len(seeds) == len(set(seeds))
    assert design("report") == CASES["report"]


def test_every_case_can_be_rendered_and_is_of_its_stratum() -> None:
    for case in CASES["calibration"] + CASES["report"]:
        settings = PhantomSettings(**case.settings)
        assert (settings.width, settings.height) == (320, 240)
        assert 18 <= settings.crf <= 33
        assert settings.pulsing == (case.stratum in POSITIVES)
        assert settings.scene in PULSELESS_SCENES or case.stratum in POSITIVES or settings.amplitude == 0
        if case.stratum in POSITIVES:
            assert 40 <= settings.heart_rate <= 220
            assert 0.002 <= settings.amplitude <= 0.015
            assert (settings.motion == "still") == (case.stratum in STILL)
            assert settings.flicker != "lamp"  # a lamp in the band of the pulse leaves no truth to find
        if case.stratum == "clear":
            assert settings.amplitude >= 0.005
            assert settings.crf <= 23
        if case.stratum == "compressed":
            assert settings.crf >= 28
        if case.stratum == "lamp":
            assert settings.flicker == "lamp"
            assert settings.flicker_depth > 0


def test_every_factor_takes_all_of_its_values() -> None:
    for cases in CASES.values():
        positives = [case for case in cases if case.stratum in POSITIVES]
        seen = {name: {case.condition[name] for case in positives} for name in positives[0].condition}
        assert seen["skin_tone"] == set("123456")
        assert seen["crf"] == {"18-23", "24-27", "28-33"}
        assert seen["light"] == {"steady", "drifting", "mains", "exposure", "white balance"}
        assert seen["frame_times"] == {"even", "jittered", "dropped"}
        assert seen["scene"] == {"face", "forearm", "hand"}
        assert seen["task"] == {"A", "B", "C", "D", "other"}
        assert seen["rate"] == {"40-60", "60-90", "90-130", "130-221"}


def test_a_part_of_the_design_has_every_stratum() -> None:
    part = design("report", size=0.01)
    assert {case.stratum for case in part} == {*POSITIVES, *NEGATIVES}
    assert len(part) < 20
