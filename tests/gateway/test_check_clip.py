"""Parameters of a magnification are held against what the head of a clip shows."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from gateway.submission import check_clip
from media.probe import Facts
from mesh.errors import BadParameters
from mesh.parameters import Parameters

pytestmark = pytest.mark.unit


def facts(**known: Any) -> Facts:
    made: dict[str, Any] = {f.name: None for f in fields(Facts)}
    return Facts(**made | {"width": 320, "height": 240} | known)


def test_a_level_that_is_too_deep_is_refused_by_the_size_alone() -> None:
    check_clip(Parameters(magnify="eulerian-colour"), facts())
    with pytest.raises(BadParameters, match="too deep"):
        check_clip(Parameters(magnify="eulerian-colour", pyramid_level=8), facts())


def test_the_rate_is_that_of_the_capture() -> None:
    slow = {"magnify": "patch", "band": "fixed", "magnify_low_hz": 20, "magnify_high_hz": 40}
    with pytest.raises(BadParameters, match=r"below 13\.5"):
        check_clip(Parameters(**slow), facts(frames=300, seconds=10.0))
    check_clip(Parameters(**slow, capture_fps=240), facts(frames=300, seconds=10.0))
    check_clip(Parameters(**slow), facts())  # what is not known is not held against it
