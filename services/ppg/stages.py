"""Stage handlers of the ppg service: `trace` sums up one chunk, `pulse` gathers the clip."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from media.decode import frames
from media.masks import read_masks
from media.people import People
from media.pulse_blob import Pulse
from mesh.contracts import Plan, Task
from mesh.errors import Internal
from mesh.stages import Inputs, Output
from ppg.gather import gather_pulse
from ppg.profiles import BINS, STRIPS, frame_profiles
from ppg.trace_blob import Trace
from ppg.traces import clipped, frame_sums, frame_total, luma_sums, patch_grid


def _plan(inputs: Inputs) -> Plan:
    return Plan.model_validate_json(inputs.one("plan").read())


def trace(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Sums over the skin of one chunk, frame by frame and patch by patch; decodes nothing where there is no skin.

    Raises
    ------
    Internal
        If the chunk has not as many frames as its masks.
    """
    plan = _plan(inputs)
    chunk = plan.chunks[task.index]
    masks = read_masks(inputs.one("mask").read())
    grid = patch_grid(masks.shape, task.parameters.patch_size)
    sums: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.uint32]]] = {}
    at_limit: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.uint32]]] = {}
    seen = 0 if masks.empty else chunk.frames
    profiles, background = np.zeros((seen, 2, STRIPS, BINS), np.uint16), np.zeros((seen, 4), np.int64)
    concealed = 0
    if not masks.empty:
        decoded = frames(plan, inputs.of("chunk"))
        row = 0
        for frame, mask in zip(decoded, masks.frames(), strict=False):
            concealed += frame.concealed
            luma = luma_sums(frame.y, grid.shape)
            profiles[row] = frame_profiles(luma)
            ids = {instance.id for instance in mask.instances}
            beyond = clipped(luma, frame.u, frame.v, plan.recording.full_range)
            for label in sorted(ids):
                inside = mask.labels if ids == {1} else (mask.labels == label).view(np.uint8)
                if label not in sums:
                    sums[label] = np.zeros((chunk.frames, 4, grid.count), np.uint32)
                    at_limit[label] = np.zeros(chunk.frames, np.uint32)
                sums[label][row] = frame_sums(frame.y, frame.u, frame.v, inside, grid, luma)
                at_limit[label][row] = np.count_nonzero(beyond & inside)
            background[row] = frame_total(luma, frame.u, frame.v)
            for found in sums.values():
                background[row] -= found[row].sum(axis=-1, dtype=np.int64)
            row += 1
        if row != chunk.frames:
            raise Internal(f"chunk {task.index} gave {row} of {chunk.frames} frames")
    result = Trace(grid, chunk.first, chunk.frames, concealed, sums, at_limit, profiles, background)
    yield Output("trace", str(task.index), result.to_bytes())


def pulse(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Waves and heart rate of everybody in the clip."""
    plan = _plan(inputs)
    reference = json.loads(inputs.one("skin").read())
    found = People.from_bytes(inputs.one("people").read())
    traces = (Trace.from_bytes(blob.read()) for blob in inputs.of("trace").values())
    result: Pulse = gather_pulse(plan, task.parameters, found, traces, reference["reason"])
    yield Output("pulse", "0", result.to_bytes())
