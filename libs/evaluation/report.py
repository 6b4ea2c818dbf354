"""What an evaluation writes: `evaluation.json`, `windows.csv`, `table.txt` and the plots of Bland and Altman."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluation.bland_altman import bland_altman
from evaluation.reference import UNITS
from evaluation.run import Evaluation
from evaluation.summary import agree, by_condition, false_answers, metrics, refusals
from evaluation.table import table

_COLUMNS = ("recording", "subject", "quantity", "unit", "start_s", "end_s", "truth", "value", "low", "high",
            "confidence", "snr_db", "skin_tone", "reason")  # fmt: skip


def content(evaluation: Evaluation) -> dict[str, Any]:
    """What `--json` prints; every undefined figure is null.

    Returns
    -------
    dict
        dataset, recordings (how many), metrics by quantity; then window_s, conditions (the same figures by condition
        and value), pulseless (numbers given where there is no pulse), refusals (causes and counts), failed.
    """
    negatives = false_answers(evaluation.rows)
    return {
        "dataset": evaluation.dataset,
        "recordings": evaluation.recordings,
        "metrics": metrics(evaluation.rows),
        "window_s": evaluation.window_s,
        "conditions": by_condition(evaluation.rows),
        "pulseless": None if negatives is None else asdict(negatives),
        "refusals": refusals(evaluation.rows),
        "failed": [asdict(one) for one in evaluation.failed],
    }


def save(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write everything into a folder, which is made if missing.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, bytes] = {
        "evaluation.json": (json.dumps(content(evaluation), indent=2, allow_nan=False) + "\n").encode(),
        "windows.csv": windows_csv(evaluation).encode(),
        "table.txt": (table(evaluation.rows) + "\n").encode(),
    }
    for quantity, unit in UNITS.items():
        found = agree(evaluation.rows, quantity)
        if found.n:
            files[f"bland_altman_{quantity}.png"] = bland_altman(evaluation.rows, quantity, unit, found)
    written = []
    for name, data in files.items():
        path = folder / name
        path.write_bytes(data)
        written.append(path)
    return written


def windows_csv(evaluation: Evaluation) -> str:
    """Every quantity of every window in a row; empty where there is no number."""
    names = list(dict.fromkeys(name for row in evaluation.rows for name in row.conditions))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, *names])
    for row in evaluation.rows:
        cells = [getattr(row, column) for column in _COLUMNS] + [row.conditions.get(name) for name in names]
        writer.writerow(
            ["" if cell is None or (isinstance(cell, float) and math.isnan(cell)) else cell for cell in cells]
        )
    return text.getvalue()
