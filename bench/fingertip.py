"""The shared fingertip recordings in windows of 30 s, against the ECG and the capnograph; nothing is tuned to them.

python bench/fingertip.py [--path ../shared/fingertip] [--window 30]
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from results import save

from evaluation.contact import beats_from_ppg, rate_from_beats
from evaluation.datasets import DATASETS, items
from evaluation.datasets.fingertip import ECG_DELAY_S, FINGERTIP
from evaluation.recordings import Dataset, Recording, Samples
from evaluation.reference import Series
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


def monitor_delays(path: Path) -> dict[str, Any]:
    """How late the monitor shows the heart rate, s: the shift at which it agrees best with beats of the red channel.

    Beats are systolic peaks as of any contact PPG; nothing that is evaluated has a part in it.
    """
    found = {}
    dataset = DATASETS["fingertip"]
    for item in items(dataset, path):
        recording = dataset.read(item)
        source, shown = recording.source, recording.reference.heart_rate
        if not isinstance(source, Samples) or shown is None:
            continue
        beats = beats_from_ppg(source.time_s, -source.rgb[0])
        starts = range(0, int(source.time_s[-1]) - 60, 30)
        rates = [rate_from_beats(beats, start, start + 30) for start in starts]
        best = (math.inf, 0.0)
        for delay in range(0, 21):
            later = delay - ECG_DELAY_S  # the reader has shifted it already
            errors = [
                abs(rate - truth)
                for start, rate in zip(starts, rates, strict=True)
                if rate is not None and (truth := shown.mean(start + later, start + 30 + later)) is not None
            ]
            best = min(best, (float(np.mean(errors)), float(delay)))
        found[recording.name] = best[1]
    return found


def undelayed() -> Dataset:
    """The dataset with the monitor's values at the times at which it showed them."""

    def read(item: Path) -> Recording:
        recording = FINGERTIP.read(item)
        shown = recording.reference.heart_rate
        if shown is None:
            return recording
        late = Series(shown.time_s + ECG_DELAY_S, shown.value)
        return replace(recording, reference=replace(recording.reference, heart_rate=late))

    return replace(FINGERTIP, read=read)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", type=Path, default=SHARED)
    parser.add_argument("--window", type=float, default=30.0)
    given = parser.parse_args()
    found = evaluate(DATASETS["fingertip"], given.path, Local(Parameters()), given.window)
    print(table(found.rows))
    naive = agree(evaluate(undelayed(), given.path, Local(Parameters()), given.window).rows, "heart_rate")
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
            "monitor_delay_s": {"assumed": ECG_DELAY_S, "best_by_recording": monitor_delays(given.path)},
            "heart_rate": figures(heart),
            "heart_rate_without_the_delay": figures(naive),
            "respiration_rate": figures(breath),
            "heart_rate_by_recording": by_recording(found.rows, "heart_rate"),
            "respiration_rate_by_recording": by_recording(found.rows, "respiration_rate"),
            "refusals": {name: refusals(found.rows, name) for name in ("heart_rate", "respiration_rate")},
        },
    )


if __name__ == "__main__":
    main()
