"""PURE: Stricker, Mueller, Gross 2014, IEEE RO-MAN, p. 1056.

Ten subjects, six tasks of a minute. `<subject>-<task>/<subject>-<task>/Image<time>.png` with times in nanoseconds, and
`<subject>-<task>/<subject>-<task>.json` with the wave of a finger clip (CMS50E, 60 Hz) on the same clock.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from evaluation.contact import beats_from_ppg
from evaluation.datasets.text import read_text
from evaluation.errors import DatasetError
from evaluation.recordings import Dataset, Picture, Pictures, Recording
from evaluation.reference import Reference

TASKS = {
    "01": "steady",
    "02": "talking",
    "03": "slow translation",
    "04": "fast translation",
    "05": "small rotation",
    "06": "medium rotation",
}
_FOLDER = re.compile(r"(\d\d)-(0[1-6])")
_IMAGE = re.compile(r"Image(\d+)")


def find(path: Path) -> list[Path]:
    """All folders of a subject and a task that have a wave."""
    return sorted(
        found.parent
        for found in path.glob("**/*.json")
        if _FOLDER.fullmatch(found.stem) and found.parent.name == found.stem
    )


def read(folder: Path) -> Recording:
    """One task of one subject.

    Raises
    ------
    DatasetError
        If the wave or the pictures are not as described.
    """
    named = _FOLDER.fullmatch(folder.name)
    if named is None:
        raise DatasetError(f"{folder} is not named <subject>-<task>")
    subject, task = named.groups()
    path = folder / f"{folder.name}.json"
    try:
        packages = json.loads(read_text(path))["/FullPackage"]
        times = np.array([package["Timestamp"] for package in packages], np.int64)
        wave = np.array([package["Value"]["waveform"] for package in packages], np.float64)
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} does not hold a wave under /FullPackage: {error}") from None
    pictures = sorted(
        (int(match[1]), file)
        for file in folder.glob(f"{folder.name}/*.png")
        if (match := _IMAGE.fullmatch(file.stem)) is not None
    )
    if len(pictures) < 2 or len(times) < 2:
        raise DatasetError(f"{folder} holds no pictures {folder.name}/Image<time>.png, or no wave")
    first = pictures[0][0]
    seen = np.array([(time - first) * 1e-9 for time, _ in pictures], np.float64)
    reference = Reference(beats_s=beats_from_ppg(np.asarray(1e-9 * (times - first), np.float64), wave))
    source = Pictures(seen, partial(_frames, [file for _, file in pictures]))
    return Recording(folder.name, subject, source, reference, {"task": TASKS[task]})


def _frames(files: Sequence[Path]) -> Iterator[Picture]:
    for file in files:
        try:
            with Image.open(file) as picture:
                yield np.asarray(picture.convert("RGB"))
        except (OSError, UnidentifiedImageError) as error:
            raise DatasetError(f"{file} cannot be read: {error}") from None


PURE = Dataset(
    "pure",
    "PURE (Stricker et al. 2014)",
    "<subject>-<task>/<subject>-<task>.json and <subject>-<task>/<subject>-<task>/Image<time>.png",
    find,
    read,
)
