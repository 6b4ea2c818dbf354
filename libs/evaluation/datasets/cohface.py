"""COHFACE: Heusch, Anjos, Marcel 2017, arXiv 1709.00962.

40 subjects, four sessions of a minute: 0 and 1 under studio light, 2 and 3 under natural light. `<subject>/<session>/`
holds `data.avi` (MPEG-4 part 2, 640x480, 20 fps) and `data.hdf5` with `pulse` and `respiration` at 256 Hz and `time`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluation.contact import beats_from_ppg
from evaluation.datasets.hdf5 import dataset_of, open_hdf5
from evaluation.errors import DatasetError
from evaluation.recordings import Clip, Dataset, Recording
from evaluation.reference import Reference, Series

SENSOR_HZ = 256.0
LIGHTS = {"0": "studio", "1": "studio", "2": "natural", "3": "natural"}


def find(path: Path) -> list[Path]:
    """All folders of a session."""
    return sorted(
        found.parent
        for found in path.glob("**/data.hdf5")
        if found.parent.name in LIGHTS and (found.parent / "data.avi").is_file()
    )


def read(folder: Path) -> Recording:
    """One session of one subject.

    Raises
    ------
    DatasetError
        If `data.hdf5` is not as described.
    EvaluationError
        If h5py is not installed.
    """
    path = folder / "data.hdf5"
    with open_hdf5(path) as file:
        pulse = np.asarray(dataset_of(file, "pulse", path), np.float64).ravel()
        belt = np.asarray(dataset_of(file, "respiration", path), np.float64).ravel()
    if len(pulse) != len(belt) or len(pulse) < 2:
        raise DatasetError(f"{path} holds a pulse and a respiration of different lengths")
    time_s = np.arange(len(pulse)) / SENSOR_HZ
    reference = Reference(beats_s=beats_from_ppg(time_s, pulse), breathing=Series(time_s, belt))
    subject = folder.parent.name
    return Recording(
        f"{subject}-{folder.name}", subject, Clip(folder / "data.avi"), reference, {"light": LIGHTS[folder.name]}
    )


COHFACE = Dataset("cohface", "COHFACE (Heusch et al. 2017)", "<subject>/<session>/data.avi and data.hdf5", find, read)
