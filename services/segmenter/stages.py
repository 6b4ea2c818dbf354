"""Stage handlers of the segmenter: `skin` finds the reference colour, `mask` applies it, `people` gathers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from media.color import chroma_shape, opencv_chroma_scale, opencv_from_stored
from media.decode import frames
from media.masks import MaskWriter, empty_masks, frame_mask, read_masks
from media.timeline import frame_times
from mesh.contracts import Plan, Task
from mesh.errors import BadParameters
from mesh.graph import SKIN_SECONDS, key_support
from mesh.stages import Inputs, Output
from segmenter.chroma_key import Key, key_windows, segment
from segmenter.people import gather_people
from segmenter.reference import (
    Reference,
    chroma_at,
    find_reference,
    gather_cells,
    reference_at,
    stored_point,
    wanted_frames,
)


def _plan(inputs: Inputs) -> Plan:
    return Plan.model_validate_json(inputs.one("plan").read())


def skin(task: Task, inputs: Inputs) -> Iterator[Output]:
    """The reference colour: the user's, the one under the user's point, or the one found by itself.

    Raises
    ------
    BadParameters
        If the point lies outside the picture.
    """
    plan, parameters = _plan(inputs), task.parameters
    recording = plan.recording
    if parameters.skin_chroma is not None:
        reference = reference_at(recording, parameters.skin_chroma)
    elif parameters.skin_point is not None:
        reference = _reference_at_point(plan, inputs, parameters.skin_point)
    else:
        wanted = wanted_frames(frame_times(plan), SKIN_SECONDS)
        decoded = frames(plan, inputs.of("chunk"), None, SKIN_SECONDS)
        reference = find_reference(recording, gather_cells(decoded, chroma_shape(recording), wanted))
    content = asdict(reference) | {"point": parameters.skin_point}
    yield Output("skin", "0", json.dumps(content).encode())


def _reference_at_point(plan: Plan, inputs: Inputs, point: tuple[float, ...]) -> Reference:
    try:
        column, row = stored_point(plan.recording, point[0], point[1])
    except ValueError as error:
        raise BadParameters(f"skin_point: {error}", hint="Name a point inside the picture as shown.") from None
    times = frame_times(plan)
    moment = point[2] if len(point) > 2 else 0.0
    shown = max(int(np.searchsorted(times, moment, side="right")) - 1, 0)
    frame = next(f for f in frames(plan, inputs.of("chunk"), float(times[shown]), None) if f.index == shown)
    chroma = opencv_from_stored(plan.recording, chroma_at(frame, column, row))
    return reference_at(plan.recording, (float(chroma[0]), float(chroma[1])))


def mask(task: Task, inputs: Inputs) -> Iterator[Output]:
    """The masks of one chunk; empty ones, without decoding, where there is no reference."""
    plan, parameters = _plan(inputs), task.parameters
    recording, chunk = plan.recording, plan.chunks[task.index]
    shape = chroma_shape(recording)
    reference = json.loads(inputs.one("skin").read())
    if reference["stored"] is None:
        yield Output("mask", str(task.index), empty_masks(shape, chunk.frames))
        return
    times = frame_times(plan)
    windows = key_windows(times, key_support(parameters)[0], 2 * shape[0] * shape[1])
    first, last = chunk.first, chunk.first + chunk.frames
    stop = int(windows.high[last - 1])
    decoded = frames(
        plan,
        inputs.of("chunk"),
        float(times[windows.low[first]]),
        float(times[stop]) if stop < len(times) else None,
    )
    (u, v), (scale_u, scale_v) = reference["stored"], opencv_chroma_scale(recording)
    key = Key(u, v, scale_u, scale_v, parameters.chroma_similarity)
    writer = MaskWriter(shape)
    for labels in segment(decoded, windows, first, last, key):
        writer.add(frame_mask(labels, (recording.width, recording.height)))
    yield Output("mask", str(task.index), writer.finish())


def people(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Whose skin the masks show."""
    found = gather_people(read_masks(blob.read()) for blob in inputs.of("mask").values())
    yield Output("people", "0", found.to_bytes())
