"""Fingertips on a phone: Hoffman et al. 2022, npj Digital Medicine 5:146; ubicomplab/oximetry-phone-cam-data, MIT.

`rgb/<subject>-<hand>.csv` holds mean R, G, B of each frame at 30 fps, `gt/<subject>.csv` one row a second of the
reference monitors. The names after 'AC Gain 5' are shifted against the values, so columns are taken by their place:
from 0, 41 is the heart rate of the ECG, 45 the respiratory rate of the capnograph.

The monitor shows a whole number of beats a minute, averaged over what has passed and late: beats found in the red
channel (systolic peaks, no part of what is evaluated) agree best with what it shows 9 to 12 s later, in all eight
recordings alike. So what it shows belongs to the time `ECG_DELAY_S` before; `bench/fingertip.py` prints the delays, and
the figures with and without.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.datasets.text import columns, number, rows
from evaluation.errors import DatasetError
from evaluation.recordings import Dataset, Recording, Samples
from evaluation.reference import Reference, Series

CAMERA_HZ = 30.0
ECG_COLUMN, BREATHS_COLUMN = 41, 45
ECG_DELAY_S = 10.0
_NAME = re.compile(r"(\d+)-(Left|Right)")


def find(path: Path) -> list[Path]:
    """All recordings of colours that have a reference."""
    return sorted(
        found
        for found in path.glob("rgb/*.csv")
        if (named := _NAME.fullmatch(found.stem)) and (path / "gt" / f"{named[1]}.csv").is_file()
    )


def read(path: Path) -> Recording:
    """One hand of one subject.

    Raises
    ------
    DatasetError
        If a file is not as described.
    """
    named = _NAME.fullmatch(path.stem)
    if named is None:
        raise DatasetError(f"{path} is not named <subject>-<hand>.csv")
    subject, hand = named.groups()
    rgb = columns(path, [0, 1, 2], header=True)
    time_s, heart_rate, breaths = _monitor(path.parent.parent / "gt" / f"{subject}.csv")
    reference = Reference(heart_rate=Series(time_s - ECG_DELAY_S, heart_rate), respiration_rate=Series(time_s, breaths))
    seen = np.arange(rgb.shape[1]) / CAMERA_HZ
    return Recording(path.stem, subject, Samples(seen, rgb), reference, {"hand": hand.lower()})


def _monitor(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Times, heart rates and breathing rates; NaN where the monitor showed none."""
    table = [row for row in rows(path)[1:] if len(row) > BREATHS_COLUMN]
    times, values = [], []
    for row in table:
        try:
            clock = datetime.strptime(row[0].strip(), "%H:%M:%S")  # noqa: DTZ007 - a time of day, no date
        except ValueError:
            continue  # 'Collection Halted'
        times.append(clock)
        values.append((number(row[ECG_COLUMN]), number(row[BREATHS_COLUMN])))
    if len(times) < 2:
        raise DatasetError(f"{path} has no rows of a time and {BREATHS_COLUMN} values")
    # over midnight the clock jumps back by a day
    time_s = np.array([(time - times[0]).total_seconds() % 86400 for time in times])
    heart_rate, breaths = np.array(values).T
    heart_rate = np.where(heart_rate > 0, heart_rate, np.nan)
    return time_s, heart_rate, np.where(breaths > 0, breaths, np.nan)


FINGERTIP = Dataset(
    "fingertip",
    "the fingertip recordings (Hoffman et al. 2022)",
    "rgb/<subject>-<hand>.csv and gt/<subject>.csv",
    find,
    read,
    window_s=30.0,
)
