"""`overlay.mp4`: the map of amplitude over the moving picture, each place beating in its own time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magnifier.maps.canonical import drawn_back
from magnifier.maps.cells import Plane8
from magnifier.maps.chunk_sums import frame_instance, skin_of
from magnifier.maps.colormaps import painted
from magnifier.maps.person_maps import PersonMaps, RecordingMaps
from media.color import rgb_from_yuv
from media.masks import FrameMask, Transform
from media.people import label_at
from media.pulse_blob import Pulse
from mesh.contracts import Plan, Recording

Floats = NDArray[np.float32]

# How much of the map is seen between the beats, and how much more at the beat. Little enough that brightness changes by
# less than the tenth that WCAG 2.2 (2.3.1) counts as a flash, on all but the brightest skin; hearts seldom beat more
# than three times a second anyway.
_RESTING, _BEATING = 0.5, 0.3
_COLOURS = "inferno"


@dataclass(frozen=True)
class _Sheet:
    """What is laid over skin in one position: colours in stored levels, and how much of them, at chroma resolution."""

    yuv: tuple[Floats, Floats, Floats]
    resting: Floats
    cosine: Floats
    sine: Floats


class Overlay:
    """Draws the map over the frames of a recording, in any order.

    Parameters
    ----------
    plan : Plan
    pulse : Pulse
    maps : RecordingMaps
    """

    def __init__(self, plan: Plan, pulse: Pulse, maps: RecordingMaps) -> None:
        self._recording = plan.recording
        self._waves = {person.id: person for person in pulse.people}
        self._people = maps.drawn
        self._matrix, self._offset = stored_from_rgb(plan.recording)
        values = [p.maps["amplitude"][np.isfinite(p.maps["amplitude"])] for p in self._people]
        self._high = max((float(np.quantile(v, 0.995)) for v in values if v.size), default=1.0)
        self._sheets: dict[str, _Sheet] = {}  # of people whose coordinates are the picture's: made once

    def draw(self, index: int, planes: tuple[Plane8, Plane8, Plane8], mask: FrameMask) -> tuple[Plane8, Plane8, Plane8]:
        """One frame.

        Parameters
        ----------
        index : int
            Of the frame in the plan.
        planes : tuple of uint8[h, w]
            Y, U, V as stored; left as they are.
        mask : FrameMask

        Returns
        -------
        tuple of uint8[h, w]
        """
        result = planes
        for person in self._people:
            waves = self._waves[person.id]
            label = label_at(waves.spans, index)
            if not label:
                continue
            transform = frame_instance(mask, label)
            if person.canonical and transform is None:
                continue
            shape = (planes[1].shape[0], planes[1].shape[1])
            sheet = self._sheet(person, transform if person.canonical else None, shape)
            beat = float(waves.phase[index])
            weight = sheet.resting + np.float32(np.cos(beat)) * sheet.cosine + np.float32(np.sin(beat)) * sheet.sine
            weight *= skin_of(mask.labels, label)
            result = _laid(result, sheet.yuv, weight)
        return result

    def _sheet(self, person: PersonMaps, transform: Transform | None, shape: tuple[int, int]) -> _Sheet:
        if person.id in self._sheets:
            return self._sheets[person.id]
        assert person.box is not None
        values = drawn_back(person.maps["amplitude"], person.box, transform, shape)
        delay = drawn_back(person.maps["delay"], person.box, transform, shape)
        known = np.isfinite(values)
        rgb = painted(values, 0.0, self._high, _COLOURS).astype(np.float32)
        yuv = rgb @ self._matrix.T.astype(np.float32) + self._offset.astype(np.float32)
        late = 2 * np.pi * person.rate_hz * np.nan_to_num(delay) / 1000
        strong = np.where(known, np.float32(1), np.float32(0))
        # (1 + cos(phi - late)) / 2 of the beating part
        resting = strong * np.float32(_RESTING + _BEATING / 2)
        half = strong * np.float32(_BEATING / 2)
        sheet = _Sheet(
            (yuv[..., 0], yuv[..., 1], yuv[..., 2]),
            resting.astype(np.float32),
            (half * np.cos(late)).astype(np.float32),
            (half * np.sin(late)).astype(np.float32),
        )
        if not person.canonical:
            self._sheets[person.id] = sheet
        return sheet


def stored_from_rgb(recording: Recording) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The affine map from R, G, B to stored Y, U, V: `yuv = matrix @ rgb + offset`."""
    matrix, offset = rgb_from_yuv(recording)
    inverse: NDArray[np.float64] = np.asarray(np.linalg.inv(matrix), np.float64)
    return inverse, -inverse @ offset


def _laid(
    planes: tuple[Plane8, Plane8, Plane8], yuv: tuple[Floats, Floats, Floats], weight: Floats
) -> tuple[Plane8, Plane8, Plane8]:
    """Mix colours into planes; both lie at chroma resolution but for Y."""
    rows, columns = np.flatnonzero(weight.any(axis=1)), np.flatnonzero(weight.any(axis=0))
    if not rows.size:
        return planes
    box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    here = weight[box]
    mixed = []
    for number, (plane, colour) in enumerate(zip(planes, yuv, strict=True)):
        target = plane.copy()
        share, paint = here, colour[box]
        place = box
        if number == 0:
            place = (slice(2 * box[0].start, 2 * box[0].stop), slice(2 * box[1].start, 2 * box[1].stop))
            old = target[place]
            share, paint = (
                p.repeat(2, axis=0).repeat(2, axis=1)[: old.shape[0], : old.shape[1]] for p in (share, paint)
            )
        old = target[place].astype(np.float32)
        old += share * (paint - old)
        target[place] = np.clip(old + np.float32(0.5), 0, 255).astype(np.uint8)
        mixed.append(target)
    return mixed[0], mixed[1], mixed[2]
