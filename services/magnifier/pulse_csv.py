"""`pulse.csv`: the waves of every person as a table, in the columns that faceHR writes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from media.pulse_blob import Pulse

COLUMNS = ("person", "time_s", "R", "G", "B", "Y", "U", "V", "R_f", "G_f", "B_f", "white", "pulse")
_WAVES = COLUMNS[2:]


def write_pulse_csv(pulse: Pulse, path: Path) -> None:
    """Write one row a person and sample of the plan's grid.

    R, G, B are means over the skin in 0-255, Y, U, V in stored levels, R_f, G_f, B_f and white filtered, pulse the
    chosen method's wave. Nine digits: far more than 8-bit samples carry.
    Without skin there is the header alone.

    Parameters
    ----------
    pulse : Pulse
    path : Path
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for person in pulse.people:
            table = np.stack([pulse.time_s, *(getattr(person, name) for name in _WAVES)], axis=1)
            for row in table:
                writer.writerow([person.id, *(f"{value:.9g}" for value in row.tolist())])
