"""What a limited child finds out about a clip before it is taken in."""

from __future__ import annotations

from pathlib import Path

from media.limits import Limits
from media.probe import Facts, probe


def inspect(path: str, limits: Limits) -> Facts:
    """What the head of a clip shows; runs in a limited child.

    Raises
    ------
    RecordingFailure
        The one that says why the clip cannot be used.
    """
    with Path(path).open("rb") as source:
        return probe(source, limits)
