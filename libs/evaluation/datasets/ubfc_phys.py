"""UBFC-Phys: Meziati Sabour, Benezeth, De Oliveira, Chappe, Yang 2021, IEEE Transactions on Affective Computing.

56 subjects, three tasks of three minutes: rest (T1), speech (T2), arithmetic (T3). Motion JPEG in AVI, 1024x1024,
35 fps; blood volume pulse of an Empatica E4 wristband at 64 Hz, one value a row.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from evaluation.contact import beats_from_ppg
from evaluation.datasets.text import columns
from evaluation.errors import DatasetError
from evaluation.recordings import Clip, Dataset, Recording
from evaluation.reference import Reference

WRISTBAND_HZ = 64.0
TASKS = {"T1": "rest", "T2": "speech", "T3": "arithmetic"}
_NAME = re.compile(r"vid_(s\d+)_(T[123])")


def find(path: Path) -> list[Path]:
    """All videos of the three tasks."""
    return sorted(found for found in path.glob("**/vid_s*_T*.avi") if _NAME.fullmatch(found.stem))


def read(video: Path) -> Recording:
    """One task of one subject.

    Raises
    ------
    DatasetError
        If the wave beside the video is missing or empty.
    """
    named = _NAME.fullmatch(video.stem)
    if named is None:
        raise DatasetError(f"{video} is not named vid_s<subject>_T<task>.avi")
    subject, task = named.groups()
    (wave,) = columns(video.with_name(f"bvp_{subject}_{task}.csv"), [0])
    time_s = np.arange(len(wave)) / WRISTBAND_HZ
    reference = Reference(beats_s=beats_from_ppg(time_s, wave))
    return Recording(f"{subject}_{task}", subject, Clip(video), reference, {"task": TASKS[task]})


UBFC_PHYS = Dataset(
    "ubfc-phys",
    "UBFC-Phys (Meziati Sabour et al. 2021)",
    "s<n>/vid_s<n>_T<task>.avi and s<n>/bvp_s<n>_T<task>.csv",
    find,
    read,
)
