"""`pulse.csv` as NumPy arrays."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Waves:
    """The waves of one person.

    Attributes
    ----------
    time_s : float64 array, shape (samples,)
        Seconds from the first frame.
    channels : dict of str to float64 array, shape (samples,)
        By the column's name: `pulse`, the filtered wave; `R`, `G`, `B`, `Y`, `U`, `V`, means of the skin in grey
        levels; and what else the gateway writes. NaN where a field is empty.
    """

    time_s: NDArray[np.float64]
    channels: dict[str, NDArray[np.float64]]

    @property
    def pulse(self) -> NDArray[np.float64]:
        """The pulse wave."""
        return self.channels["pulse"]


def parse_waves(text: str) -> dict[str, Waves]:
    """The waves of each person, by the person's id.

    Raises
    ------
    ImportError
        If NumPy is not installed.
    ValueError
        If it is no `pulse.csv`.
    """
    import numpy as np

    rows = csv.reader(io.StringIO(text))
    names = next(rows, [])
    if names[:2] != ["person", "time_s"]:
        raise ValueError("this is no pulse.csv: it begins with person, time_s")
    by_person: dict[str, list[list[float]]] = {}
    for row in rows:
        if len(row) != len(names):
            raise ValueError("a line of pulse.csv has another number of fields than its head")
        by_person.setdefault(row[0], []).append([float(found) if found else np.nan for found in row[1:]])
    waves = {}
    for person, lines in by_person.items():
        columns = np.array(lines, np.float64).T
        waves[person] = Waves(columns[0], dict(zip(names[2:], columns[1:], strict=True)))
    return waves
