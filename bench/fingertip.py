"""The shared fingertip recordings in windows of 30 s, against the ECG and the capnograph; nothing is tuned to them.

python bench/fingertip.py [--path ../shared/fingertip] [--window 30]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from results import save

from evaluation.datasets import DATASETS
from evaluation.run import Local, evaluate
from evaluation.summary import agree, figures, refusals
from evaluation.table import table
from evaluation.windows import Row
from mesh.parameters import Parameters

SHARED = Path(__file__).parents[1] / ".." / "shared" / "fingertip"
TARGET = {"heart_rate_mae_bpm": 1.0, "heart_rate_coverage": 0.95, "respiration_rate_mae": 3.0}


def by_recording(rows: list[Row], quantity: str) -> dict[str, Any]:
    """MAE, coverage and interval coverage of each recording."""
    found = {}
    for name in dict.fromkeys(row.recording for row in rows):
        one = agree([row for row in rows if row.recording == name], quantity)
        found[name] = {
            "mae": one.mae.value,
            "a_rms": one.a_rms.value,
            "coverage": one.coverage.value,
            "interval_coverage": one.interval_coverage.value,
            "windows": one.windows,
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", type=Path, default=SHARED)
    parser.add_argument("--window", type=float, default=30.0)
    given = parser.parse_args()
    found = evaluate(DATASETS["fingertip"], given.path, Local(Parameters()), given.window)
    print(table(found.rows))
    heart, breath = agree(found.rows, "heart_rate"), agree(found.rows, "respiration_rate")
    claims = {
        "heart_rate_mae_bpm": (heart.mae, True),
        "heart_rate_coverage": (heart.coverage, False),
        "respiration_rate_mae": (breath.mae, True),
    }
    save(
        "fingertip",
        {
            "window_s": found.window_s,
            "recordings": found.recordings,
            "standard_errors": "at the level of subjects (4)",
            "targets": {
                name: {
                    "value": one.value,
                    "standard_error": one.standard_error,
                    "target": TARGET[name],
                    "met": one.value is not None
                    and (one.value <= TARGET[name] if at_most else one.value >= TARGET[name]),
                }
                for name, (one, at_most) in claims.items()
            },
            "heart_rate": figures(heart),
            "respiration_rate": figures(breath),
            "heart_rate_by_recording": by_recording(found.rows, "heart_rate"),
            "respiration_rate_by_recording": by_recording(found.rows, "respiration_rate"),
            "refusals": {name: refusals(found.rows, name) for name in ("heart_rate", "respiration_rate")},
        },
    )


if __name__ == "__main__":
    main()
