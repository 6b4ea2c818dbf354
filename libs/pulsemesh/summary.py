"""A result in a few lines for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mesh.contracts import Measurement, Result

NAMES = {
    "heart_rate": "heart rate", "respiration_rate": "breathing rate", "sdnn": "SDNN", "rmssd": "RMSSD",
    "pnn50": "pNN50", "lf": "LF", "hf": "HF", "lf_hf": "LF/HF", "spo2": "SpO2",
}  # fmt: skip


def title_of(name: str) -> str:
    """Name of a measurement for a person."""
    return NAMES.get(name, name.replace("_", " "))


def measurement_line(name: str, measurement: Measurement) -> str:
    """One measurement: its value with interval and confidence, or why there is none."""
    title = title_of(name)
    if measurement.status == "refused" or measurement.value is None:
        return f"{title}: refused. {measurement.reason or ''}".rstrip()
    said = f"{title}: {measurement.value:.1f} {measurement.unit}".rstrip()
    if measurement.low is not None and measurement.high is not None:
        said += f" (90 % interval {measurement.low:.1f} to {measurement.high:.1f})"
    if measurement.confidence is not None:
        said += f", confidence {measurement.confidence:.2f}"
    return said


def person_lines(measurements: Mapping[str, Measurement], true_rate: float | None = None) -> list[str]:
    """Measurements of one person: the heart rate, what else was measured, and what was refused by its reason.

    Parameters
    ----------
    measurements : mapping of str to Measurement
    true_rate : float, optional
        As in `summary`.
    """
    lines = []
    refused: dict[str, list[str]] = {}
    for name, measurement in measurements.items():
        if name == "heart_rate" or measurement.status == "ok":
            line = measurement_line(name, measurement)
            lines.append(
                line + (f"; the truth is {true_rate:.1f}" if name == "heart_rate" and true_rate is not None else "")
            )
        else:
            refused.setdefault(measurement.reason or "", []).append(title_of(name))
    if (heart := measurements.get("heart_rate")) is not None and heart.status == "refused":
        return lines  # all else hangs on it, and its reason stands there
    return lines + [f"{', '.join(names)}: refused. {reason}".rstrip() for reason, names in refused.items()]


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
        lines += [prefix + line for line in person_lines(person.measurements, true_rate)]
    if not result.people:
        lines.append("nobody was measured")
    lines += [f"warning: {warning}" for warning in result.warnings]
    if files:
        lines.append(f"results in {files[0].parent}: " + ", ".join(path.name for path in files))
    lines.append(result.disclaimer)
    return lines
