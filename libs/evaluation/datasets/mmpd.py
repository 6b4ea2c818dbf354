"""MMPD: Tang, Chen, Wang, Shi, Patel, McDuff, Liu 2023, IEEE EMBC.

33 subjects, 20 recordings of a minute by phones. `subject<n>/p<n>_<i>.mat` holds `video` (frames, rows, columns, RGB;
parts of 1 or 0-255), `GT_ppg` (one value a frame at 30 fps) and labels. 320x240, or 80x60 in the small edition.
Skin tones are Fitzpatrick types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.contact import beats_from_ppg
from evaluation.datasets.hdf5 import matlab
from evaluation.errors import DatasetError
from evaluation.recordings import Dataset, Picture, Pictures, Recording
from evaluation.reference import Reference

CAMERA_HZ = 30.0
LABELS = ("light", "motion", "exercise", "gender", "glasser", "hair_cover", "makeup")
# labels of older editions that say the same
_SAME = {"Watching Videos": "Walking", "Stationary (after exercise)": "Stationary"}
_NAME = re.compile(r"p(\d+)_(\d+)")


def find(path: Path) -> list[Path]:
    """All recordings."""
    return sorted(found for found in path.glob("**/p*_*.mat") if _NAME.fullmatch(found.stem))


def read(path: Path) -> Recording:
    """One recording; its frames are read only when they are asked for.

    Raises
    ------
    DatasetError
        If the file is not as described.
    """
    named = _NAME.fullmatch(path.stem)
    if named is None:
        raise DatasetError(f"{path} is not named p<subject>_<recording>.mat")
    found = matlab(path, ["GT_ppg", "skin_color", *LABELS])
    wave = np.asarray(found["GT_ppg"], np.float64).ravel()
    if len(wave) < 2:
        raise DatasetError(f"{path} holds no wave GT_ppg")
    time_s = np.arange(len(wave)) / CAMERA_HZ
    conditions = {name: _label(found[name]) for name in LABELS}
    conditions["motion"] = _SAME.get(conditions["motion"], conditions["motion"])
    return Recording(
        path.stem,
        f"subject{named[1]}",
        Pictures(time_s, partial(_frames, path)),
        Reference(beats_s=beats_from_ppg(time_s, wave)),
        conditions,
        _label(found["skin_color"]),
    )


def _label(value: Any) -> str:
    content = np.asarray(value).ravel()
    while content.dtype == object and len(content):  # a cell in a cell
        content = np.asarray(content[0]).ravel()
    if not len(content):
        return "unknown"
    first = content[0]
    return str(first).strip() if content.dtype.kind in "US" else f"{float(first):g}"


def _frames(path: Path) -> Iterator[Picture]:
    video = matlab(path, ["video"])["video"]
    if video.ndim != 4 or video.shape[3] != 3:
        raise DatasetError(f"{path}: video has the shape {video.shape}, not frames, rows, columns, 3")
    for frame in video:
        yield as_levels(frame)


def as_levels(frame: Any) -> Picture:
    """Parts of 1 as levels of 0-255; levels as they are."""
    if frame.dtype == np.uint8:
        return np.ascontiguousarray(frame)
    levels: Picture = np.rint(np.clip(frame, 0, 1) * 255).astype(np.uint8)
    return levels


MMPD = Dataset("mmpd", "MMPD (Tang et al. 2023)", "subject<n>/p<n>_<i>.mat", find, read)
