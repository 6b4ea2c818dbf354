"""What a job ends with: `result.json` and the warnings that belong to the magnified clip."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from magnifier import facehr
from magnifier.record import Record
from media.pulse_blob import Pulse
from mesh.contracts import Plan, Result, ResultFile, SkinFinding, Task
from mesh.names import BlobName, file_index

MEDIA_TYPES = {
    ".json": "application/json",
    ".csv": "text/csv",
    ".png": "image/png",
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
}
_FLASHES_PER_S = 3.0  # WCAG 2.2, success criterion 2.3.1: not more than three flashes in a second
_CLIPPED = 0.001  # part of the skin's samples from which saturation is worth a warning


def magnification(task: Task, record: Record) -> dict[str, Any]:
    """What was asked for and what was added, per channel, before coding.

    Returns
    -------
    dict
        `method`, `gain`, `luma`, and `channels`: for each channel that was changed `gain` (added over measured pulse,
        least squares over frames; uniform only), `clipped_fraction` of the skin's samples and `largest_levels`.
    """
    parameters = task.parameters
    uniform = parameters.magnify == "uniform"
    channels = {}
    for name, channel in record.channels.items():
        if not channel.samples:
            continue
        entry: dict[str, float] = {
            "clipped_fraction": round(channel.clipped / channel.samples, 6),
            "largest_levels": round(channel.largest, 3),
        }
        if uniform and channel.power:
            entry["gain"] = round(channel.dot / channel.power, 3)
        channels[name] = entry
    described: dict[str, Any] = {"method": parameters.magnify, "frames": record.frames, "channels": channels}
    if uniform:
        described |= {"gain": parameters.gain, "luma": parameters.luma}
    return described


def clip_warnings(task: Task, pulse: Pulse, described: dict[str, Any] | None) -> list[str]:
    """Warnings about the magnified clip, in plain words.

    Parameters
    ----------
    task : Task
    pulse : Pulse
    described : dict or None
        From `magnification`; None where nothing was magnified.
    """
    parameters = task.parameters
    if described is None:
        said = any("no skin" in warning.lower() for warning in pulse.warnings)
        if parameters.magnify == "none" or pulse.skin_found or said:
            return []
        return ["No skin was found, so there is no magnified clip."]
    warnings = []
    if parameters.magnify == "facehr":
        warnings.append(facehr.WARNING)
    elif any(person.rate_hz is None for person in pulse.people):
        low, high = pulse.band_hz
        warnings.append(
            f"No heart rate was found, so everything on the skin between {low:g} and {high:g} Hz was magnified: "
            "what is seen may not be a pulse."
        )
    clipped = max((c["clipped_fraction"] for c in described["channels"].values()), default=0.0)
    if clipped >= _CLIPPED and parameters.magnify == "uniform":
        warnings.append(
            f"{100 * clipped:.1f} % of the skin's samples left the range of 8 bits and were clipped: "
            "the gain is lower there. Use a smaller gain."
        )
    fastest = max((p.rate_hz for p in pulse.people if p.rate_hz is not None), default=0.0)
    if parameters.luma and parameters.magnify == "uniform" and fastest > _FLASHES_PER_S:
        warnings.append(
            f"With luma the skin flickers {fastest:.1f} times a second: more than three flashes a second can harm "
            "people with photosensitive epilepsy (WCAG 2.3.1)."
        )
    return warnings


def build_result(
    task: Task, plan: Plan, pulse: Pulse, described: dict[str, Any] | None, skin: SkinFinding | None = None
) -> Result:
    """The content of `result.json`."""
    warnings = [*plan.warnings, *pulse.warnings, *clip_warnings(task, pulse, described)]
    return Result(
        job=task.job,
        version=version("pulsemesh"),
        recording=plan.recording,
        parameters=task.parameters,
        skin=skin,
        people=pulse.measurements,
        warnings=list(dict.fromkeys(warnings)),  # each once, in order
        magnification=described,
    )


def result_file(task: Task, path: Path) -> ResultFile:
    """The index entry of a file; its bytes are read in pieces."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    end = BlobName.parse(task.output)
    blob = BlobName(end.recording, "file", end.digest, file_index(path.name))
    return ResultFile(
        name=path.name,
        media_type=MEDIA_TYPES[path.suffix],
        size=path.stat().st_size,
        sha256=digest,
        blob=str(blob),
    )
