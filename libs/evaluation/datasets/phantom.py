"""Synthetic recordings: clips (or their extracted signals) with what is true of them in a JSON beside each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.datasets.text import read_text
from evaluation.errors import DatasetError
from evaluation.recordings import Clip, Dataset, Recording, Stored
from evaluation.reference import Reference, Series

SUFFIXES = (".signals", ".noskin", ".mp4", ".mov", ".mkv")


def find(path: Path) -> list[Path]:
    """All clips or signals that have a JSON of their name; signals are taken where both are there.

    An empty file `<name>.noskin` says that no skin was found in the clip.
    """
    best: dict[Path, Path] = {}
    for suffix in SUFFIXES:
        for found in path.glob(f"**/*{suffix}"):
            if found.with_suffix(".json").is_file():
                best.setdefault(found.with_suffix(""), found)
    return sorted(best.values())


def read(path: Path) -> Recording:
    """One synthetic recording.

    Raises
    ------
    DatasetError
        If the JSON is not the truth of a synthetic recording.
    """
    beside = path.with_suffix(".json")
    try:
        truth = json.loads(read_text(beside))
        reference = reference_of(truth)
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{beside} is not the truth of a synthetic recording: {error!r}") from None
    conditions = {str(name): str(value) for name, value in truth.get("condition", {}).items()}
    tone = conditions.pop("skin_tone", None)
    source = Stored(path) if path.suffix in (".signals", ".noskin") else Clip(path)
    times = truth["time_s"]
    duration = (times[-1] - times[0]) * len(times) / (len(times) - 1) if len(times) > 1 else 0.0
    return Recording(path.stem, path.stem, source, reference, conditions, tone, duration)


def reference_of(truth: dict[str, Any]) -> Reference:
    """What a truth says, as `phantom.Truth` writes it.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is something else.
    """
    time_s = np.array(truth["time_s"], np.float64)
    rate = truth["heart_rate"]
    breaths = truth["people"][0]["breathing_rate"] if truth["people"] else None
    return Reference(
        heart_rate=None if rate is None else Series(time_s, np.array(rate, np.float64)),
        respiration_rate=None if breaths is None else Series(time_s, np.array(breaths, np.float64)),
        beats_s=None if rate is None else np.array(truth["beats_s"], np.float64),
        pulseless=rate is None,
    )


PHANTOM = Dataset(
    "phantom",
    "a folder of synthetic recordings",
    "<name>.mp4 (or .mov, .mkv, .signals) and <name>.json, as `pulsemesh phantom --truth` writes it",
    find,
    read,
)
