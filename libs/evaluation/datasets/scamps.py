"""SCAMPS: McDuff, Wander, Liu, Hill, Hernandez, Lester, Baltrusaitis 2022, NeurIPS Datasets and Benchmarks.

2,800 rendered avatars of 20 s at 30 fps. `P<number>.mat` (version 7.3, so HDF5) holds `RawFrames` (as HDF5: colour,
column, row, frame; parts of 1, 320x240), `d_ppg` and `d_br`, one value a frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from evaluation.contact import beats_from_ppg
from evaluation.datasets.hdf5 import dataset_of, open_hdf5
from evaluation.datasets.mmpd import as_levels
from evaluation.errors import DatasetError
from evaluation.recordings import Dataset, Picture, Pictures, Recording
from evaluation.reference import Reference, Series

CAMERA_HZ = 30.0
_NAME = re.compile(r"P\d{6}")
_AT_ONCE = 30  # frames that are read together


def find(path: Path) -> list[Path]:
    """All recordings."""
    return sorted(found for found in path.glob("**/P*.mat") if _NAME.fullmatch(found.stem))


def read(path: Path) -> Recording:
    """One recording; its frames are read only when they are asked for.

    Raises
    ------
    DatasetError
        If the file is not as described.
    EvaluationError
        If h5py is not installed.
    """
    with open_hdf5(path) as file:
        pulse = np.asarray(dataset_of(file, "d_ppg", path), np.float64).ravel()
        breathing = np.asarray(dataset_of(file, "d_br", path), np.float64).ravel()
        video = dataset_of(file, "RawFrames", path)
        if video.ndim != 4 or video.shape[0] != 3:
            raise DatasetError(f"{path}: RawFrames has the shape {video.shape}, not 3, columns, rows, frames")
        frames = int(video.shape[3])
    if len(pulse) != frames or len(breathing) != frames:
        raise DatasetError(f"{path}: {frames} frames, but {len(pulse)} values of pulse and {len(breathing)} of breath")
    time_s = np.arange(frames) / CAMERA_HZ
    reference = Reference(beats_s=beats_from_ppg(time_s, pulse), breathing=Series(time_s, breathing))
    return Recording(path.stem, path.stem, Pictures(time_s, partial(_frames, path)), reference)


def _frames(path: Path) -> Iterator[Picture]:
    with open_hdf5(path) as file:
        video = dataset_of(file, "RawFrames", path)
        for first in range(0, video.shape[3], _AT_ONCE):
            block = np.asarray(video[:, :, :, first : first + _AT_ONCE])
            for frame in block.transpose(3, 2, 1, 0):
                yield as_levels(frame)


SCAMPS = Dataset("scamps", "SCAMPS (McDuff et al. 2022)", "P<number>.mat", find, read)
