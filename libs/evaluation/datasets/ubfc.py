"""UBFC-rPPG, both parts: Bobbia, Macwan, Benezeth, Mansouri, Dubois 2019, Pattern Recognition Letters 124:82.

Uncompressed AVI, 640x480, 30 fps, with a contact pulse oximeter (CMS50E). Part 1 has `gtdump.xmp` of rows
time (ms), heart rate, SpO2, wave; part 2 `ground_truth.txt` of three lines: wave, heart rate, time (s) per frame.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluation.contact import beats_from_ppg
from evaluation.datasets.text import columns, number, read_text
from evaluation.errors import DatasetError
from evaluation.recordings import Clip, Dataset, Recording
from evaluation.reference import Reference


def _folders(path: Path, truth: str) -> list[Path]:
    return sorted(found.parent for found in path.glob(f"**/{truth}") if (found.parent / "vid.avi").is_file())


def _recording(folder: Path, reference: Reference) -> Recording:
    return Recording(folder.name, folder.name, Clip(folder / "vid.avi"), reference)


def read_part1(folder: Path) -> Recording:
    """A subject's folder of part 1.

    Raises
    ------
    DatasetError
        If `gtdump.xmp` is not as described.
    """
    time_ms, wave = columns(folder / "gtdump.xmp", [0, 3])
    known = np.isfinite(time_ms) & np.isfinite(wave)
    if known.sum() < 2:
        raise DatasetError(f"{folder / 'gtdump.xmp'} holds no rows of time, heart rate, SpO2, wave")
    time_s = (time_ms[known] - time_ms[known][0]) / 1000
    return _recording(folder, Reference(beats_s=beats_from_ppg(time_s, wave[known])))


def read_part2(folder: Path) -> Recording:
    """A subject's folder of part 2.

    Raises
    ------
    DatasetError
        If `ground_truth.txt` is not as described.
    """
    path = folder / "ground_truth.txt"
    lines = [np.array([number(word) for word in line.split()]) for line in read_text(path).splitlines() if line.strip()]
    if len(lines) < 3 or len(lines[0]) != len(lines[2]) or len(lines[0]) < 2:
        raise DatasetError(f"{path} does not hold three lines: wave, heart rate, time")
    wave, time_s = lines[0], lines[2]
    return _recording(folder, Reference(beats_s=beats_from_ppg(time_s - time_s[0], wave)))


UBFC1 = Dataset(
    "ubfc1",
    "UBFC-rPPG part 1 (Bobbia et al. 2019)",
    "<subject>/vid.avi and <subject>/gtdump.xmp",
    lambda path: _folders(path, "gtdump.xmp"),
    read_part1,
)
UBFC2 = Dataset(
    "ubfc2",
    "UBFC-rPPG part 2 (Bobbia et al. 2019)",
    "subject<n>/vid.avi and subject<n>/ground_truth.txt",
    lambda path: _folders(path, "ground_truth.txt"),
    read_part2,
)
