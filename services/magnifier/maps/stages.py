"""Stage handlers of the maps: `map` sums up one chunk, `maps` gathers the clip, `overlay` draws over one chunk."""

from __future__ import annotations

from collections.abc import Iterator

from magnifier.maps.chunk_sums import sum_chunk, sums_to_bytes
from magnifier.maps.gather import gather_maps
from magnifier.maps.overlay import Overlay
from magnifier.maps.person_maps import RecordingMaps
from magnifier.maps.span import map_span
from media.decode import frames
from media.encode import SegmentEncoder
from media.masks import read_masks
from media.pulse_blob import Pulse
from mesh.contracts import Plan, Task
from mesh.errors import NoFrames
from mesh.stages import Inputs, Output
from mesh.threads import encoder_threads

OVERLAY_CRF = 23  # a picture to look at, not to measure


def map_chunk(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Normal equations of every cell of the skin, over one chunk; an empty blob where there is nothing to map."""
    plan = Plan.model_validate_json(inputs.one("plan").read())
    pulse = Pulse.from_bytes(inputs.one("pulse").read())
    masks = read_masks(inputs.one("mask").read())
    chunk, (first, stop) = plan.chunks[task.index], map_span(plan, pulse)
    content = b""
    if not masks.empty and chunk.t1 > first and chunk.t0 < stop and any(p.rate_hz for p in pulse.people):
        decoded = frames(plan, inputs.of("chunk"), first, stop)
        content = sums_to_bytes(sum_chunk(plan, pulse, task.index, decoded, masks, task.parameters.map_cell))
    yield Output("map", str(task.index), content)


def maps(task: Task, inputs: Inputs) -> Iterator[Output]:
    """The maps of everybody in the clip."""
    plan = Plan.model_validate_json(inputs.one("plan").read())
    pulse = Pulse.from_bytes(inputs.one("pulse").read())
    blobs = (blob.read() for blob in inputs.of("map").values())
    found = gather_maps(plan, pulse, task.parameters, blobs, read_masks(inputs.one("mask").read()))
    yield Output("maps", "0", found.to_bytes())


def overlay(task: Task, inputs: Inputs) -> Iterator[Output]:
    """The frames of one chunk with the map over them, coded; an empty blob where there are no maps."""
    found = RecordingMaps.from_bytes(inputs.one("maps").read())
    if not found.drawn:
        yield Output("overlay", str(task.index), b"")
        return
    plan = Plan.model_validate_json(inputs.one("plan").read())
    pulse = Pulse.from_bytes(inputs.one("pulse").read())
    chunk = plan.chunks[task.index]
    encoder = SegmentEncoder(plan, crf=OVERLAY_CRF, lossless=False, threads=encoder_threads())
    drawn = Overlay(plan, pulse, found)
    masks = read_masks(inputs.one("mask").read())
    count = 0
    for frame, mask in zip(frames(plan, inputs.of("chunk")), masks.frames(), strict=True):
        encoder.add(frame.index, *drawn.draw(frame.index, (frame.y, frame.u, frame.v), mask))
        count += 1
    if count != chunk.frames:  # a blob that is short would shift every later frame
        raise NoFrames(f"{count} of the {chunk.frames} frames of chunk {task.index} were there")
    yield Output("overlay", str(task.index), encoder.finish({}))
