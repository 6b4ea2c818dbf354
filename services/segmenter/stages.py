"""Stage handlers of the segmenter: `skin` decides how skin is found, `mask` finds it, `people` says whose it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.color import chroma_shape, opencv_chroma_scale, opencv_from_stored
from media.decode import Frame, frames
from media.masks import FrameMask, MaskReader, MaskWriter, empty_masks, frame_mask, read_masks
from media.people import People
from media.timeline import frame_times
from mesh.contracts import Plan, Recording, Task
from mesh.errors import BadParameters, Unavailable
from mesh.parameters import Parameters
from mesh.stages import Inputs, Output
from mesh.support import KEY_SECONDS, SKIN_SECONDS, key_support
from segmenter.anchored.anchor import Anchor
from segmenter.anchored.follower import Follower
from segmenter.anchored.moments import Moments
from segmenter.appearance import ColourNotes
from segmenter.choice import choose
from segmenter.chroma_key import Key, exposure_of, segment
from segmenter.face import segmenter as face
from segmenter.face.regions import REGIONS
from segmenter.face.remarks import remarks
from segmenter.key_windows import key_windows
from segmenter.living_skin.calm import calm
from segmenter.living_skin.cells import Cells, gather_cells, wanted_frames
from segmenter.living_skin.point import chroma_at, stored_point
from segmenter.living_skin.reference import Reference, check_colour, find_reference, reference_at
from segmenter.people import link_people, one_person
from segmenter.picking import pick, shown_frame
from segmenter.pieces import are_apart, cut_into_pieces
from segmenter.sam3.cells import cell_numbers, support
from segmenter.sam3.client import RemoteSam3, runs_here
from segmenter.sam3.segmenter import Sam3Segmenter
from segmenter.sam3.settings import Wanted

_ALIKE = "Start every segmenter of a mesh with the same weights of SAM 3, or none. See docs/sam3.md."
_TIMES = 10  # at which it is seen whether skin lies in pieces


def _plan(inputs: Inputs) -> Plan:
    return Plan.model_validate_json(inputs.one("plan").read())


# --- skin


def skin(task: Task, inputs: Inputs) -> Iterator[Output]:
    """The segmenter of the clip and why it was chosen; for the chroma key its reference colour.

    Raises
    ------
    BadParameters
        If the point lies outside the picture, or SAM 3 does not understand the prompt.
    MissingWeights
        If SAM 3 is asked for and does not run here.
    """
    plan, parameters = _plan(inputs), task.parameters
    choice = choose(
        parameters,
        _sam3_device() if parameters.segmenter == "auto" else None,
        lambda: face.sees_face(plan, frames(plan, inputs.of("chunk"), None, SKIN_SECONDS)),
    )
    content: dict[str, Any] = asdict(choice) | {"point": parameters.skin_point, "model": None}
    content |= {"pieces": False, "anchor": None}
    if choice.segmenter == "chroma":
        reference, cells, moments = _reference(plan, inputs, parameters)
        content |= asdict(reference)
        if reference.chroma is not None:
            similarity = parameters.chroma_similarity or reference.similarity
            content["pieces"] = are_apart(_moments(plan.recording, cells, reference, similarity))
            anchor = moments.anchor(cells, reference.chroma, similarity, cut=content["pieces"])
            content["anchor"] = anchor and anchor.to_json()
    elif choice.segmenter == "face":
        content |= asdict(Reference(None, None, 1.0, "no face was seen"))
    else:
        with RemoteSam3.connect() as sam3:
            sam3.check(parameters.prompt)
            content |= asdict(Reference(None, None, 1.0, f"SAM 3 saw no '{parameters.prompt}'")) | {"model": sam3.name}
    yield Output("skin", "0", json.dumps(content).encode())


def _sam3_device() -> str | None:
    if not runs_here():
        return None
    with RemoteSam3.connect() as sam3:
        return sam3.device


def _reference(plan: Plan, inputs: Inputs, parameters: Parameters) -> tuple[Reference, Cells, Moments]:
    """The user's colour, the one under the user's point, or the one found by itself; and what it was found in."""
    recording, times = plan.recording, frame_times(plan)
    start = float(times[0])
    reference: Reference | None = None
    if parameters.skin_chroma is not None:
        reference = reference_at(recording, parameters.skin_chroma)
    elif parameters.skin_point is not None:
        reference, start = _reference_at_point(plan, inputs, parameters.skin_point)
    wanted = wanted_frames(times[times >= start], SKIN_SECONDS)
    first = int(np.searchsorted(times, start))
    wanted = range(wanted.start + first, wanted.stop + first, wanted.step)
    moments = Moments(recording)
    decoded = moments.frames(frames(plan, inputs.of("chunk"), start, start + SKIN_SECONDS), wanted)
    cells = calm(gather_cells(decoded, chroma_shape(recording), wanted))
    if reference is None:
        return find_reference(recording, cells), cells, moments
    similarity = parameters.chroma_similarity or reference.similarity
    return check_colour(recording, cells, reference, similarity), cells, moments


def _reference_at_point(plan: Plan, inputs: Inputs, point: tuple[float, ...]) -> tuple[Reference, float]:
    """The colour under a point, and the time of the frame that it was taken from."""
    column, row = _stored(plan.recording, point[0], point[1], "skin_point")
    times = frame_times(plan)
    shown = shown_frame(times, point[2] if len(point) > 2 else 0.0)
    frame = next(f for f in frames(plan, inputs.of("chunk"), float(times[shown]), None) if f.index == shown)
    chroma = opencv_from_stored(plan.recording, chroma_at(frame, column, row))
    return reference_at(plan.recording, (float(chroma[0]), float(chroma[1]))), float(times[shown])


def _stored(recording: Recording, x: float, y: float, parameter: str) -> tuple[int, int]:
    try:
        return stored_point(recording, x, y)
    except ValueError as error:
        raise BadParameters(f"{parameter}: {error}", hint="Name a point inside the picture as shown.") from None


def _moments(
    recording: Recording, cells: Cells, reference: Reference, similarity: float
) -> Iterator[NDArray[np.bool_]]:
    """Where the reference's colour is, in means over a tenth of the time each."""
    for part in np.array_split(np.arange(len(cells.times)), min(_TIMES, len(cells.times))):
        mean = np.stack([cells.u[part].mean(axis=0), cells.v[part].mean(axis=0)], axis=-1)
        apart = opencv_from_stored(recording, mean) - np.array(reference.chroma)
        yield (apart**2).sum(axis=-1) < similarity


# --- mask


def mask(task: Task, inputs: Inputs) -> Iterator[Output]:
    """The masks of one chunk; empty ones, without decoding, where the chroma key has no reference.

    Raises
    ------
    Unavailable
        If the clip's masks are made by SAM 3, and it does not run here, or with other weights.
    OutOfMemory
        If its device cannot hold one picture.
    """
    plan, parameters = _plan(inputs), task.parameters
    chunk, shape = plan.chunks[task.index], chroma_shape(plan.recording)
    skin = json.loads(inputs.one("skin").read())
    first, last = chunk.first, chunk.first + chunk.frames
    if skin["segmenter"] == "chroma" and skin["stored"] is None:
        yield Output("mask", str(task.index), empty_masks(shape, chunk.frames))
        return
    followed: tuple[Any, ...] = (face.CANONICAL, REGIONS) if skin["segmenter"] == "face" else ()
    if skin["anchor"] and parameters.key == "steady":  # its picture
        followed = ((plan.recording.width, plan.recording.height),)
    writer = MaskWriter(shape, *followed)
    make = {"chroma": _chroma_masks, "face": _face_masks, "sam3": _sam3_masks}[skin["segmenter"]]
    for found in make(plan, inputs, parameters, skin, first, last):
        writer.add(found)
    yield Output("mask", str(task.index), writer.finish())


def _decoded(plan: Plan, inputs: Inputs, first: int, stop: int) -> Iterator[Frame]:
    """The frames `first` to `stop` (excluded)."""
    times = frame_times(plan)
    return frames(plan, inputs.of("chunk"), float(times[first]), float(times[stop]) if stop < len(times) else None)


def _chroma_masks(
    plan: Plan, inputs: Inputs, parameters: Parameters, skin: dict[str, Any], first: int, last: int
) -> Iterator[FrameMask]:
    recording, times, shape = plan.recording, frame_times(plan), chroma_shape(plan.recording)
    windows = key_windows(times, key_support(parameters)[0], 3 * shape[0] * shape[1])
    decoded: Iterator[Any] = _decoded(plan, inputs, int(windows.low[first]), int(windows.high[last - 1]))
    (u, v), (scale_u, scale_v) = skin["stored"], opencv_chroma_scale(recording)
    similarity = parameters.chroma_similarity or skin["similarity"]
    steady = parameters.key == "steady"  # the key on single frames is the bare one of faceHR
    key = Key(u, v, scale_u, scale_v, similarity, exposure_of(recording) if steady else None, clean=steady)
    size = (recording.width, recording.height)
    follower, notes = None, ColourNotes() if skin["pieces"] else None
    if skin["anchor"] and steady:
        follower = Follower(Anchor.from_json(skin["anchor"]), size)
        decoded = follower.frames(decoded, first, last)
    if notes is not None:
        decoded = notes.frames(decoded, first)
    labelled = segment(decoded, windows, first, last, key)
    found: Iterator[FrameMask] = (
        cut_into_pieces(labels, size) if notes else frame_mask(labels, size) for labels in labelled
    )
    if follower is not None:
        found = follower.masks(found, first)
    yield from found if notes is None else notes.masks(found, first)


def _face_masks(
    plan: Plan, inputs: Inputs, parameters: Parameters, skin: dict[str, Any], first: int, last: int
) -> Iterator[FrameMask]:
    times = frame_times(plan)
    start = int(np.searchsorted(times, times[first] - KEY_SECONDS - 1e-9))
    stop = int(np.searchsorted(times, times[last - 1] + KEY_SECONDS + 1e-9, side="right"))
    notes = ColourNotes()
    decoded = notes.frames(_decoded(plan, inputs, start, stop), first)
    yield from notes.masks(face.masks(plan, decoded, first, last, parameters), first)


def _sam3_masks(
    plan: Plan, inputs: Inputs, parameters: Parameters, skin: dict[str, Any], first: int, last: int
) -> Iterator[FrameMask]:
    if not runs_here():
        raise Unavailable("this recording's masks are made by SAM 3, which does not run here", hint=_ALIKE)
    times, notes = frame_times(plan), ColourNotes()
    with RemoteSam3.connect() as sam3:
        if sam3.name != skin["model"]:
            raise Unavailable(f"this recording's masks are made by {skin['model']}; here runs {sam3.name}", hint=_ALIKE)
        need = support(times, parameters.sam3_cell_s, first, last)
        decoded = notes.frames(_decoded(plan, inputs, need.start, need.stop), first)
        segmenter = Sam3Segmenter(sam3, Wanted.of(parameters))
        yield from notes.masks(segmenter.segment(decoded, times, plan.recording, first, last), first)


# --- people


def people(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Whose skin the masks show.

    Raises
    ------
    BadParameters
        If nobody is where the user points.
    """
    plan, parameters = _plan(inputs), task.parameters
    skin = json.loads(inputs.one("skin").read())
    found: People
    if skin["segmenter"] == "chroma" and not skin["pieces"]:
        found = one_person(_masks(inputs))
    else:
        times = frame_times(plan)
        labels_hold = cell_numbers(times, parameters.sam3_cell_s) if skin["segmenter"] == "sam3" else None
        found = link_people(_masks(inputs), times, labels_hold)
        if skin["segmenter"] != "chroma":
            found = pick(plan, parameters, found, lambda index: read_masks(inputs.of("mask")[index].read()))
    warnings = [skin["warning"]] if skin["warning"] else []
    if skin["segmenter"] == "face":
        warnings += remarks(found.people, _masks(inputs))
    yield Output("people", "0", replace(found, warnings=[*warnings, *found.warnings]).to_bytes())


def _masks(inputs: Inputs) -> Iterator[MaskReader]:
    return (read_masks(blob.read()) for blob in inputs.of("mask").values())
