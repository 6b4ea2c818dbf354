"""Stage handlers of the magnifier: `segment` magnifies and encodes a chunk, `clip` joins, `result` reports."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from magnifier.field import FieldMaker, gathered
from magnifier.layout import side_by_side_plan
from magnifier.magnification import magnification
from magnifier.maps.files import maps_summary, read_maps, write_maps
from magnifier.methods import Segment, arranged
from magnifier.pulse_csv import write_pulse_csv
from magnifier.pulse_plot import draw_pulse
from magnifier.record import Record
from magnifier.report.page import write_report
from magnifier.result import build_result, result_file
from magnifier.skin_picture import write_skin_picture
from media.decode import frames
from media.encode import SegmentEncoder
from media.join import join
from media.masks import read_masks
from media.packets import read_header
from media.pulse_blob import Pulse
from media.timeline import frame_times
from mesh.contracts import MagnifiedClip, Plan, ResultIndex, SkinFinding, Task
from mesh.errors import NoFrames
from mesh.names import file_index
from mesh.parameters import Parameters
from mesh.stages import Input, Inputs, Output
from mesh.threads import encoder_threads

CLIP = "magnified.mp4"
_RECORD = "magnification"  # key of the record in a segment's header


def field(task: Task, inputs: Inputs) -> Iterator[Output]:
    """The fields of colour of one chunk's frames."""
    plan = Plan.model_validate_json(inputs.one("plan").read())
    chunk = plan.chunks[task.index]
    masks = read_masks(inputs.one("mask").read())
    maker = FieldMaker(plan.recording, task.parameters, masks.canonical)
    own = {task.index: inputs.one("chunk")}
    made = [maker.fields(frame, mask) for frame, mask in zip(frames(plan, own), masks.frames(), strict=True)]
    if len(made) != chunk.frames:
        raise NoFrames(f"{len(made)} of the {chunk.frames} frames of chunk {task.index} were there")
    yield Output("field", str(task.index), gathered(chunk.first, made).to_bytes())


def segment(task: Task, inputs: Inputs) -> Iterator[Output]:
    """The magnified frames of one chunk, coded; an empty blob where there is nothing to magnify."""
    plan = Plan.model_validate_json(inputs.one("plan").read())
    pulse = Pulse.from_bytes(inputs.one("pulse").read())
    parameters, chunk = task.parameters, plan.chunks[task.index]
    nobody = not pulse.skin_found or not pulse.people
    if parameters.magnify == "none" or (nobody and parameters.region == "skin"):
        yield Output("segment", str(task.index), b"")
        return
    encoder = SegmentEncoder(
        _shown(plan, parameters), crf=parameters.crf, lossless=parameters.lossless, threads=encoder_threads()
    )
    made = Segment(plan, task.index, parameters, pulse, inputs)
    for index, planes in arranged(made):
        encoder.add(index, *planes)
        made.record.frames += 1
    if made.record.frames != chunk.frames:  # a blob that is short would shift every later frame
        raise NoFrames(f"{made.record.frames} of the {chunk.frames} frames of chunk {task.index} were there")
    yield Output("segment", str(task.index), encoder.finish({_RECORD: made.record.to_dict()}))


def _shown(plan: Plan, parameters: Parameters) -> Plan:
    """The plan of the clip that is written."""
    return side_by_side_plan(plan) if parameters.layout == "side_by_side" else plan


def clip(task: Task, inputs: Inputs) -> Iterator[Output]:
    """The magnified clip as a file, and what was done to it."""
    plan = Plan.model_validate_json(inputs.one("plan").read())
    segments = [blob for blob in inputs.of("segment").values() if not blob.empty]
    made = MagnifiedClip()
    if segments:
        path = inputs.scratch / CLIP
        join(_shown(plan, task.parameters), segments, next(iter(inputs.of("audio").values()), None), path)
        described = magnification(task, Record.gather(_records(segments)), plan)
        made = MagnifiedClip(file=result_file(task, path, "video"), magnification=described)
        yield Output("video", file_index(CLIP), path)
    yield Output("clip", "0", made.model_dump_json().encode())


def result(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Writes the report's files, and the index that ends the job."""
    plan = Plan.model_validate_json(inputs.one("plan").read())
    pulse = Pulse.from_bytes(inputs.one("pulse").read())
    magnified = MagnifiedClip.model_validate_json(inputs.one("clip").read())
    folder = inputs.scratch
    write_pulse_csv(pulse, folder / "pulse.csv")
    draw_pulse(pulse, folder / "pulse.png")
    _skin_picture(plan, pulse, inputs, folder / "skin.jpg")
    found = read_maps(inputs)
    mapped = write_maps(found, plan, inputs, folder) if found is not None else []
    summary = maps_summary(found, plan) if found is not None else None
    report = build_result(task, plan, pulse, magnified.magnification, _skin_finding(inputs), summary)
    (folder / "result.json").write_text(report.model_dump_json(indent=2), encoding="utf-8")
    names = ["result.json", "pulse.csv", "pulse.png", "skin.jpg", *mapped]
    shown = [*names, CLIP] if magnified.file else names
    names.append(write_report(report, folder, shown).name)
    entries = []
    for name in names:
        entries.append(result_file(task, folder / name))
        yield Output("file", file_index(name), folder / name)
    if magnified.file:
        entries.append(magnified.file)
    yield Output("result", "0", ResultIndex(files=entries).model_dump_json().encode())


def _skin_finding(inputs: Inputs) -> SkinFinding:
    said = json.loads(inputs.one("skin").read())
    return SkinFinding(segmenter=said["segmenter"], because=said["because"], model=said.get("model"))


def _records(segments: Iterable[Input]) -> Iterator[dict[str, Any]]:
    for blob in segments:
        with blob.open() as file:
            yield read_header(file).extra[_RECORD]


def _skin_picture(plan: Plan, pulse: Pulse, inputs: Inputs, path: Path) -> None:
    """The first frame of the clip, or the first of its first chunk that has skin."""
    chunk = plan.chunks[0]
    masks = read_masks(inputs.of("mask")[0].read())
    with_skin = np.flatnonzero(masks.areas)
    wanted = int(with_skin[0]) if with_skin.size else 0
    labels = next(m.labels for number, m in enumerate(masks.frames()) if number == wanted)
    start = float(frame_times(plan)[chunk.first + wanted])
    decoded = frames(plan, {0: inputs.of("chunk")[0]}, start, None)
    frame = next(f for f in decoded if f.index == chunk.first + wanted)
    percent = 100 * float(np.count_nonzero(labels)) / labels.size
    where = "first frame" if wanted == 0 else f"frame at {start:.2f} s, the first with skin"
    if percent:
        caption = f"Taken for skin: {percent:.1f} % of the picture ({where}). What is dimmed was left out."
    elif pulse.skin_found:
        caption = "No skin was found in the first seconds of the clip; this is its first frame."
    else:
        caption = "No skin was found in this clip; this is its first frame."
    write_skin_picture((frame.y, frame.u, frame.v), labels, plan.recording, caption, path)
