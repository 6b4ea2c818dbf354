"""From the sums of all chunks to the maps of everybody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from magnifier.canonical_frame import inverse, moved
from magnifier.maps.cells import patch_cells
from magnifier.maps.chunk_sums import Gathered, PersonSums, frame_instance, sums_from_bytes, timing
from magnifier.maps.fields import fields
from magnifier.maps.lockin import without_baseline
from magnifier.maps.patch_delay import patch_delays
from magnifier.maps.person_maps import PersonMaps, RecordingMaps
from magnifier.maps.rate import patch_rates
from magnifier.maps.region_pulses import region_pulses
from magnifier.maps.span import LEAST_SECONDS, map_span
from magnifier.maps.vessels import Vessel, find_vessels
from media.color import rgb_from_yuv
from media.masks import FrameMask, MaskReader, Regions, Transform
from media.people import label_at
from media.pulse_blob import PersonWaves, Pulse
from media.timeline import frame_times
from mesh.contracts import Plan, Recording, VesselCandidate
from mesh.parameters import Parameters

Floats = NDArray[np.float64]

_MOST_MISSING = 0.2  # part of its frames that a patch may lack for its series to be looked at
_SERIES_SECONDS = 60.0  # of the series of patches that rates and delays are read from


def gather_maps(
    plan: Plan, pulse: Pulse, parameters: Parameters, blobs: Iterable[bytes], first_masks: MaskReader
) -> RecordingMaps:
    """The maps of everybody in a recording.

    Parameters
    ----------
    plan : Plan
    pulse : Pulse
    parameters : Parameters
    blobs : iterable of bytes
        What `map` made of each chunk, in order; empty ones are passed over.
    first_masks : MaskReader
        Of the first chunk, for the frame that the maps are drawn over and the named regions of the skin.
    """
    timings = {person.id: timing(plan, pulse, person) for person in pulse.people}
    gathered = {name: Gathered(timed) for name, timed in timings.items() if timed is not None}
    for data in blobs:
        for name, part in (sums_from_bytes(data) if data else {}).items():
            gathered[name].add(part)
    totals = {name: one.total() for name, one in gathered.items()}
    frame, mask = shown_frame(plan, pulse, first_masks)
    span = map_span(plan, pulse)
    people = []
    for person in pulse.people:
        total = totals.get(person.id)
        reason = _refusal(pulse, person, span, total)
        made = (
            None
            if reason or total is None
            else _person(plan, pulse, parameters, person, total, mask, frame, first_masks.regions)
        )
        if made is None:
            reason = reason or "The skin of this person is in too small a part of the clip to be mapped."
            made = PersonMaps(person.id, reason=f"No maps: {reason}")
        people.append(made)
    warnings = []
    if span[1] - span[0] < plan.chunks[-1].t1 - plan.chunks[0].t0 - 1e-6:
        warnings.append(
            f"The maps show {span[0]:.0f} to {span[1]:.0f} s, where the heart rate is surest: two minutes are enough."
        )
    return RecordingMaps(frame, span, people, warnings, first_masks.regions)


def shown_frame(plan: Plan, pulse: Pulse, masks: MaskReader) -> tuple[int, FrameMask]:
    """The frame of the first chunk that shows most people, the first of equals, and its mask.

    Who is followed counts only where it is known how far the skin has moved: there the maps can be drawn.
    """
    first = plan.chunks[0].first
    placed = [[i.id for i in f if masks.canonical is None or i.transform is not None] for f in masks.instances]
    seen = [
        sum(label_at(person.spans, first + number) in labels for person in pulse.people)
        for number, labels in enumerate(placed)
    ]
    chosen = int(np.argmax(seen)) if seen else 0
    mask = next(mask for number, mask in enumerate(masks.frames()) if number == chosen)
    return first + chosen, mask


def _refusal(pulse: Pulse, person: PersonWaves, span: tuple[float, float], total: PersonSums | None) -> str | None:
    if person.rate_hz is None:
        measured = next((m for m in pulse.measurements if m.id == person.id), None)
        cause = measured.measurements["heart_rate"].reason if measured else None
        cause = cause or "no cause given"
        return f"the heart rate was refused ({cause}), and without it no map can tell blood from noise."
    if span[1] - span[0] < LEAST_SECONDS:
        return f"the clip is too short: {span[1] - span[0]:.1f} s of {LEAST_SECONDS:g} s."
    if not np.isfinite(person.phase).all():
        return "the phase of the heart beat is not known throughout the clip."
    return None if total is not None else "this person is not seen in the stretch that the maps are made of."


def _person(
    plan: Plan,
    pulse: Pulse,
    parameters: Parameters,
    person: PersonWaves,
    total: PersonSums,
    mask: FrameMask,
    frame: int,
    regions: Regions,
) -> PersonMaps | None:
    assert person.rate_hz is not None
    matrix, offset = rgb_from_yuv(plan.recording)
    span = map_span(plan, pulse)
    rate_hz = mean_rate(plan, person, span)
    with ThreadPoolExecutor(1) as beside:
        series, sampling_hz = patch_series(plan, total)
        rates = beside.submit(patch_rates, series, sampling_hz, pulse.band_hz)
        summed = {name: sums.on_device() for name, sums in total.segments.items()}
        equations = without_baseline(total.box, summed)
        found = fields(equations, matrix, offset, rate_hz)
        if found is None or not np.isfinite(found.amplitude).any():
            return None
        search = find_vessels(found)
        rate, _ = rates.result()
    patches = total.series.shape[1:]
    delay, delay_error = found.delay_s, found.delay_error_s
    if parameters.map_delay != "lockin":
        timed = patch_delays(series, np.nanmean(series, axis=1), sampling_hz, rate_hz, parameters.map_delay)
        delay, delay_error = (
            np.where(found.skin, _cells_of(values.reshape(patches), total.box.side), np.nan)
            for values in (timed.delay_s, timed.error_s)
        )
    label = label_at(person.spans, frame)
    transform = frame_instance(mask, label) if label else None
    vessels = np.zeros(found.skin.shape, np.uint8)
    for number, vessel in enumerate(search.vessels[:255], start=1):
        vessels[vessel.cells & (vessels == 0)] = number
    canonical = total.canonical
    green = np.nan_to_num(matrix[1] @ equations.level + offset[1])
    maps = {
        "amplitude": 100 * found.amplitude,
        "amplitude_rgb": 100 * found.amplitude_rgb,
        "amplitude_error": 100 * found.amplitude_error,
        "delay": 1000 * delay,
        "delay_error": 1000 * delay_error,
        "quality": found.quality_db,
        "rate": 60 * rate.reshape(patches),
        "vessel_score": search.score,
    }
    return PersonMaps(
        id=person.id,
        box=total.box,
        patch_px=total.box.side * patch_cells(total.box.side),
        canonical=canonical,
        transform=transform if canonical else None,
        shown=bool(label) and (transform is not None or not canonical),
        rate_hz=rate_hz,
        maps={
            **{name: values.astype(np.float32) for name, values in maps.items()},
            "vessels": vessels,
            "skin": found.skin,
        },
        candidates=[_candidate(v, plan.recording, transform if canonical else None) for v in search.vessels[:255]],
        regions=region_pulses(equations, found, matrix, green, regions, rate_hz) if canonical else {},
    )


def mean_rate(plan: Plan, person: PersonWaves, span: tuple[float, float]) -> float:
    """Mean heart rate over a span, from the phase of the beat, 1/s."""
    times = frame_times(plan)
    inside = np.flatnonzero((times >= span[0]) & (times < span[1]))
    first, last = inside[0], inside[-1]
    return float((person.phase[last] - person.phase[first]) / (2 * np.pi * (times[last] - times[first])))


def patch_series(plan: Plan, total: PersonSums) -> tuple[Floats, float]:
    """Green of every patch on a uniform grid of time.

    Parameters
    ----------
    plan : Plan
    total : PersonSums
        Of all chunks.

    Returns
    -------
    series : float64[samples, patches]
        NaN in patches that lack more than a fifth of their frames.
    sampling_hz : float
    """
    times = frame_times(plan)[total.frames]
    values = total.series.reshape(len(times), -1).astype(np.float64)
    late = times <= times[0] + _SERIES_SECONDS
    times, values = times[late], values[late]
    sampling_hz = plan.grid.rate_hz
    grid = times[0] + np.arange(max(int((times[-1] - times[0]) * sampling_hz) + 1, 16)) / sampling_hz
    result = np.full((len(grid), values.shape[1]), np.nan)
    finite = np.isfinite(values)
    share = finite.mean(axis=0)
    every = np.flatnonzero(share == 1)
    before = np.clip(np.searchsorted(times, grid, side="right") - 1, 0, max(len(times) - 2, 0))
    after = np.minimum(before + 1, len(times) - 1)
    gap = times[after] - times[before]
    part = np.clip(np.divide(grid - times[before], gap, out=np.zeros_like(grid), where=gap > 0), 0, 1)[:, None]
    result[:, every] = values[np.ix_(before, every)] * (1 - part) + values[np.ix_(after, every)] * part
    for patch in np.flatnonzero((share >= 1 - _MOST_MISSING) & (share < 1)):
        known = finite[:, patch]
        result[:, patch] = np.interp(grid, times[known], values[known, patch])
    return result, sampling_hz


def _cells_of(values: Floats, side: int) -> Floats:
    many = patch_cells(side)
    return values.repeat(many, axis=0).repeat(many, axis=1)


def _candidate(vessel: Vessel, recording: Recording, transform: Transform | None) -> VesselCandidate:
    points = vessel.points
    if transform is not None:
        x, y = moved(inverse(transform), *np.array(points).T)
        points = list(zip(x.tolist(), y.tolist(), strict=True))
    return VesselCandidate(
        kind=vessel.kind,
        points=[as_shown(point, recording) for point in points],
        length_px=round(vessel.length_px, 1),
        width_px=round(vessel.width_px, 1),
        score=round(vessel.score, 2),
        confidence=round(vessel.confidence, 3),
        amplitude_ratio=round(vessel.amplitude_ratio, 3),
        earlier_ms=round(1000 * vessel.earlier_s, 2),
    )


def as_shown(point: Sequence[float], recording: Recording) -> tuple[float, float]:
    """A place of the stored picture in the picture as it is shown: turned clockwise by its rotation, luma pixels."""
    x, y = point
    width, height = recording.width, recording.height
    for _ in range(recording.rotation // 90 % 4):
        x, y = height - 1 - y, x
        width, height = height, width
    return round(x, 1), round(y, 1)
