"""Traces of all chunks put together: the signals of each person."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.color import chroma_shape, rgb_from_yuv
from media.people import PersonSkin
from media.timeline import frame_times
from mesh.contracts import Plan
from ppg.motion import body_displacement, displacement, skin_box
from ppg.patches import LEAST_SAMPLES, group_length
from ppg.profiles import BINS, STRIPS
from ppg.signals import Signals
from ppg.trace_blob import Trace
from ppg.traces import PatchGrid, means

_SEEN = 0.75  # part of the time that a patch has to be skin; gaps are bridged as those of the whole skin are
LEAST_BACKGROUND = 1000  # chroma samples of what is no skin


@dataclass
class SkinSums:
    """Sums over one person's skin in the whole clip.

    Attributes
    ----------
    skin : int64[frames, 4]
        Count, Y, U, V of each frame.
    patches : int64[groups, 4, patches]
        The same of each patch, added up over groups of `group` frames.
    group : int
    clipped : int
        Samples at a limit of their range, in all frames.
    grid : PatchGrid
    """

    skin: NDArray[np.int64]
    patches: NDArray[np.int64]
    group: int
    clipped: int
    grid: PatchGrid


@dataclass
class Collected:
    """What all traces of a clip say.

    Attributes
    ----------
    people : dict of str to SkinSums
        Those whose skin was seen.
    profiles : uint16[frames, 2, STRIPS, BINS]
        Of brightness; zeros where no frame was decoded.
    background : int64[frames, 4]
        Count, Y, U, V of all that is nobody's skin.
    concealed : int
        Frames that could not be decoded.
    """

    people: dict[str, SkinSums]
    profiles: NDArray[np.uint16]
    background: NDArray[np.int64]
    concealed: int


def collect(frames: int, group: int, people: Sequence[PersonSkin], traces: Iterable[Trace]) -> Collected:
    """Sums of every person over the whole clip; holds one chunk's at a time beside them.

    Parameters
    ----------
    frames : int
        In the clip.
    group : int
        Frames that are added up in the patches' sums.
    people : sequence of PersonSkin
    traces : iterable of Trace
        Of all chunks.
    """
    found = Collected({}, np.zeros((frames, 2, STRIPS, BINS), np.uint16), np.zeros((frames, 4), np.int64), 0)
    groups = (frames + group - 1) // group
    for trace in traces:
        span = slice(trace.first, trace.first + trace.frames)
        found.concealed += trace.concealed
        if len(trace.profiles):
            found.profiles[span] = trace.profiles
        if len(trace.background):
            found.background[span] = trace.background
        for person in people:
            sums = found.people.get(person.id)
            if sums is None:
                empty = np.zeros((groups, 4, trace.grid.count), np.int64)
                sums = SkinSums(np.zeros((frames, 4), np.int64), empty, group, 0, trace.grid)
                found.people[person.id] = sums
            for first, stop, label in person.spans:
                start, end = max(first, trace.first), min(stop, trace.first + trace.frames)
                if start < end and label in trace.sums:
                    _add(sums, trace, label, start, end)
    return found


def _add(sums: SkinSums, trace: Trace, label: int, start: int, end: int) -> None:
    """Frames `start` to `end` of the clip, in which a person's skin has `label`."""
    rows = slice(start - trace.first, end - trace.first)
    part = trace.sums[label][rows]
    sums.skin[start:end] += part.sum(axis=-1, dtype=np.int64)
    belongs = np.arange(start, end) // sums.group
    edges = np.flatnonzero(np.diff(belongs, prepend=-1))
    sums.patches[belongs[edges]] += np.add.reduceat(part, edges, axis=0, dtype=np.int64)
    sums.clipped += int(trace.clipped[label][rows].sum()) if label in trace.clipped else 0


def rgb_of(plan: Plan, yuv: NDArray[np.float64]) -> NDArray[np.float64]:
    """R, G, B in 0-255 of stored Y, U, V along the axis before the last; sums in a fixed order, not by BLAS."""
    matrix, offset = rgb_from_yuv(plan.recording)
    y, u, v = yuv[..., 0, :], yuv[..., 1, :], yuv[..., 2, :]
    return np.stack([row[0] * y + row[1] * u + row[2] * v + b for row, b in zip(matrix, offset, strict=True)], axis=-2)


def signals_from(plan: Plan, collected: Collected, person: str) -> Signals:
    """The signals of one person.

    Parameters
    ----------
    plan : Plan
    collected : Collected
    person : str
        Of `collected.people`.
    """
    sums, times, recording = collected.people[person], frame_times(plan), plan.recording
    whole = max(len(times) // sums.group, 1)  # the last, incomplete group of frames is left out
    count = sums.patches[:whole, 0]
    keep = (count.mean(axis=0) >= LEAST_SAMPLES * sums.group) & ((count > 0).mean(axis=0) > _SEEN)
    patches = rgb_of(plan, means(sums.patches[:whole][:, :, keep]).transpose(2, 1, 0))
    starts = np.arange(whole) * sums.group
    group_times = np.add.reduceat(times, starts) / np.diff([*starts, len(times)])
    if whole * sums.group != len(times):  # `reduceat` sums up the rest into the last
        group_times[-1] = times[starts[-1] : starts[-1] + sums.group].mean()
    box = skin_box(sums.patches[:, 0].sum(axis=0).astype(np.float64), sums.grid)
    shape = chroma_shape(recording)
    samples = int(sums.skin[:, 0].sum())
    return Signals(
        time_s=times,
        rgb=rgb_of(plan, means(sums.skin.T[None])[0]),
        background=rgb_of(plan, means(collected.background.T[None])[0]) if _fills(collected.background) else None,
        patch_time_s=group_times,
        patches=patches,
        patch_counts=count[:, keep].mean(axis=0) / sums.group,
        skin_fraction=samples / len(times) / math.prod(shape),
        bits_per_pixel=recording.bits_per_pixel,
        codec=recording.codec,
        clipped=sums.clipped / samples if samples else None,
        displacement=displacement(collected.profiles, shape, box) if box is not None else None,
        body=body_displacement(collected.profiles, shape, box) if box is not None else None,
        width=recording.width,
        height=recording.height,
    )


def _fills(background: NDArray[np.int64]) -> bool:
    """Whether there is enough beside the skin to say how the light behaves."""
    return bool((background[:, 0] >= LEAST_BACKGROUND).mean() > _SEEN)


def signals_of(plan: Plan, people: Sequence[PersonSkin], traces: Iterable[Trace]) -> list[Signals]:
    """Signals of everybody in a clip, in the order of `people`.

    Parameters
    ----------
    plan : Plan
    people : sequence of PersonSkin
        Of the `people` blob.
    traces : iterable of Trace
        Of all chunks, read one by one.
    """
    collected = collect(len(plan.pts), group_length(plan.grid.rate_hz), people, traces)
    return [signals_from(plan, collected, name) for name in collected.people]
