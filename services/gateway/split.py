"""The stage `split`: cuts the upload into chunks and writes the plan."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.settings import ClipSettings
from media.split import split as split_clip
from mesh.contracts import Task
from mesh.stages import Inputs, Output


def split(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Chunks, the sound track, and the plan that ends the task.

    Raises
    ------
    RecordingFailure
        The one that says why the clip cannot be used.
    """
    with inputs.one("upload").open() as source:
        yield from split_clip(source, task.parameters, inputs.scratch, ClipSettings().limits)
