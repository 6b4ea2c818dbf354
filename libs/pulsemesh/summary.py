"""A result in a few lines for a person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mesh.contracts import Measurement, Result

NAMES = {"heart_rate": "heart rate"}
MOST_FILES = 12


def measurement_line(name: str, measurement: Measurement) -> str:
    """One measurement: its value with interval and confidence, or why there is none."""
    title = NAMES.get(name, name.replace("_", " "))
    if measurement.status == "refused" or measurement.value is None:
        return f"{title}: refused. {measurement.reason or ''}".rstrip()
    said = f"{title}: {measurement.value:.1f} {measurement.unit}"
    if measurement.low is not None and measurement.high is not None:
        said += f" (90 % interval {measurement.low:.1f} to {measurement.high:.1f})"
    if measurement.confidence is not None:
        said += f", confidence {measurement.confidence:.2f}"
    return said


def summary(result: Result, files: Sequence[Path], true_rate: float | None = None) -> list[str]:
    """The lines that end a run.

    Parameters
    ----------
    result : Result
    files : sequence of Path
        What was written.
    true_rate : float, optional
        Heart rate of a synthetic clip, 1/min, to be shown beside the measurement.
    """
    lines = []
    for person in result.people:
        prefix = f"person {person.id}, " if len(result.people) > 1 else ""
        for name, measurement in person.measurements.items():
            line = prefix + measurement_line(name, measurement)
            if name == "heart_rate" and true_rate is not None:
                line += f"; the truth is {true_rate:.1f}"
            lines.append(line)
    if not result.people:
        lines.append("nobody was measured")
    lines += [f"warning: {warning}" for warning in result.warnings]
    if files:
        lines.append(f"results in {files[0].parent}: " + ", ".join(path.name for path in files[:MOST_FILES]))
    lines.append(result.disclaimer)
    return lines
