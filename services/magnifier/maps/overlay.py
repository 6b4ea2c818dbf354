"""`overlay.mp4`: the map of amplitude over the moving picture, each place beating in its own time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

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
_FINER = 2  # samples of a sheet for one of the map's coordinates, each way
_STEPS = 256  # of a beat
_MIDDLES = np.array([[2.0, 0.0, 0.5], [0.0, 2.0, 0.5], [0.0, 0.0, 1.0]])  # of chroma samples, in luma pixels


@dataclass(frozen=True)
class _Sheet:
    """What is laid over the skin of one person, drawn once: finer than the samples of any frame, so that frames take
    the nearest of it.

    Attributes
    ----------
    place : float64[3, 3]
        From map coordinates (x, y in luma pixels) to samples of the sheet.
    shape : tuple of int
    levels : uint8[3, samples]
        Y, U, V as stored.
    late : uint8[samples]
        Delay in 256ths of a beat.
    cover : float32[samples]
        0 where there is no map, 1 inside of it; it fades over a cell towards its edge.
    """

    place: NDArray[np.float64]
    shape: tuple[int, int]
    levels: Plane8
    late: Plane8
    cover: Floats


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
        self._sheets: dict[str, _Sheet] = {}

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
        drawn: tuple[Plane8, Plane8, Plane8] | None = None
        for person in self._people:
            waves = self._waves[person.id]
            label = label_at(waves.spans, index)
            if not label:
                continue
            transform = frame_instance(mask, label)
            if person.canonical and transform is None:
                continue
            if person.id not in self._sheets:
                self._sheets[person.id] = self._sheet(person)
            if drawn is None:
                drawn = (planes[0].copy(), planes[1].copy(), planes[2].copy())
            row, column = np.nonzero(skin_of(mask.labels, label))
            moved = transform if person.canonical else None
            _lay(drawn, (row, column), self._sheets[person.id], moved, waves.phase[index])
        return planes if drawn is None else drawn

    def _sheet(self, person: PersonMaps) -> _Sheet:
        assert person.box is not None
        y0, y1, x0, x1 = person.box.samples
        shape = (_FINER * (y1 - y0), _FINER * (x1 - x0))
        # luma pixels of the sheet to those of the map's coordinates
        back: Transform = ((1 / _FINER, 0.0, 2.0 * x0), (0.0, 1 / _FINER, 2.0 * y0))
        values = drawn_back(person.maps["amplitude"], person.box, back, shape)
        delay = drawn_back(person.maps["delay"], person.box, back, shape)
        rgb = painted(values, 0.0, self._high, _COLOURS).reshape(-1, 3)
        levels = np.clip(np.rint(self._matrix @ rgb.T + self._offset[:, None]), 0, 255).astype(np.uint8)
        late = person.rate_hz * np.nan_to_num(delay.ravel()) / 1000
        known = np.isfinite(values)
        near = gaussian_filter(known.astype(np.float32), _FINER * person.box.side / 4)  # half a cell
        cover = np.where(known, np.clip(2 * near - 1, 0, 1), np.float32(0)).ravel()
        turns = np.rint(_STEPS * late).astype(np.int64) % _STEPS
        place = np.linalg.inv(np.vstack([np.array(back), [0.0, 0.0, 1.0]]))
        return _Sheet(np.linalg.inv(_MIDDLES) @ place, shape, levels, turns.astype(np.uint8), cover)


def stored_from_rgb(recording: Recording) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The affine map from R, G, B to stored Y, U, V: `yuv = matrix @ rgb + offset`."""
    matrix, offset = rgb_from_yuv(recording)
    inverse: NDArray[np.float64] = np.asarray(np.linalg.inv(matrix), np.float64)
    return inverse, -inverse @ offset


def _lay(
    planes: tuple[Plane8, Plane8, Plane8],
    skin: tuple[NDArray[np.intp], NDArray[np.intp]],
    sheet: _Sheet,
    transform: Transform | None,
    beat: float,
) -> None:
    """Mix the sheet into planes, in place.

    Parameters
    ----------
    planes : tuple of uint8[h, w]
        Y, U, V.
    skin : tuple of int[n]
        Rows and columns of chroma samples.
    sheet : _Sheet
    transform : 2 rows of 3 floats, optional
        From luma pixels of the frame to the map's coordinates; None where they are the same.
    beat : float
        Phase of the whole skin's pulse, radians.
    """
    there = np.eye(3) if transform is None else np.vstack([np.array(transform), [0.0, 0.0, 1.0]])
    to = (sheet.place @ there @ _MIDDLES).astype(np.float32)
    row, column = skin
    x = np.rint(to[0, 0] * column + to[0, 1] * row + to[0, 2]).astype(np.int32)
    y = np.rint(to[1, 0] * column + to[1, 1] * row + to[1, 2]).astype(np.int32)
    inside = (x >= 0) & (x < sheet.shape[1]) & (y >= 0) & (y < sheet.shape[0])
    at = np.where(inside, y * sheet.shape[1] + x, 0)
    inside &= sheet.cover[at] > 0
    row, column, at = row[inside], column[inside], at[inside]
    phases = beat - 2 * np.pi / _STEPS * np.arange(_STEPS)
    weight = (_RESTING + _BEATING / 2 * (1 + np.cos(phases))).astype(np.float32)[sheet.late[at]] * sheet.cover[at]
    for plane, paint in zip(planes[1:], sheet.levels[1:, at], strict=True):
        plane[row, column] = _mixed(plane[row, column], paint, weight)
    luma, paint = planes[0], sheet.levels[0, at]
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        y, x = 2 * row + down, 2 * column + right
        if (down and luma.shape[0] % 2) or (right and luma.shape[1] % 2):  # the last chroma sample covers less luma
            fits = (y < luma.shape[0]) & (x < luma.shape[1])
            luma[y[fits], x[fits]] = _mixed(luma[y[fits], x[fits]], paint[fits], weight[fits])
        else:
            luma[y, x] = _mixed(luma[y, x], paint, weight)


def _mixed(old: Plane8, paint: Plane8, weight: Floats) -> Plane8:
    mixed: Plane8 = (old + weight * (paint.astype(np.float32) - old) + np.float32(0.5)).astype(np.uint8)
    return mixed
