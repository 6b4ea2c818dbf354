"""What a job ends with: `result.json` and the warnings that belong to the magnified clip."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from magnifier.magnification import clip_warnings
from media.pulse_blob import Pulse
from mesh.contracts import Maps, Plan, Result, ResultFile, SkinFinding, Task
from mesh.names import BlobName, file_index

MEDIA_TYPES = {
    ".json": "application/json",
    ".csv": "text/csv",
    ".png": "image/png",
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".npz": "application/octet-stream",
    ".html": "text/html",
}


def build_result(
    task: Task,
    plan: Plan,
    pulse: Pulse,
    described: dict[str, Any] | None,
    skin: SkinFinding | None = None,
    maps: Maps | None = None,
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
        maps=maps,
    )


def result_file(task: Task, path: Path, kind: str = "file") -> ResultFile:
    """The index entry of a file, whose blob is of `kind`; its bytes are read in pieces."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    end = BlobName.parse(task.output)
    blob = BlobName(end.recording, kind, end.digest, file_index(path.name))
    return ResultFile(
        name=path.name,
        media_type=MEDIA_TYPES[path.suffix],
        size=path.stat().st_size,
        sha256=digest,
        blob=str(blob),
    )
