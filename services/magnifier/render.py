"""One wave for all skin of a person: which wave is added to which skin, and a record of what that did."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from magnifier.facehr import facehr_wave
from magnifier.record import CHANNELS, Record
from magnifier.soft_edge import bounding_box, edge_radius, soft_weights, upsampled
from magnifier.uniform import Plane, add_wave, bayer_thresholds
from media.color import opencv_chroma_scale
from media.people import label_at
from media.pulse_blob import PersonWaves, Pulse
from mesh.contracts import Plan
from mesh.parameters import Parameters

_ROUNDING = np.float32(0.5)


class Magnifier:
    """Magnifies frames one by one; no state goes from frame to frame but the record.

    Parameters
    ----------
    plan : Plan
    pulse : Pulse
    parameters : Parameters
        `magnify` is `uniform` or `facehr`.
    record : Record, optional
        Where what was done is noted.

    Raises
    ------
    ValueError
        If `magnify` is another.
    """

    def __init__(self, plan: Plan, pulse: Pulse, parameters: Parameters, record: Record | None = None) -> None:
        if parameters.magnify not in ("uniform", "facehr"):
            raise ValueError(f"magnify is {parameters.magnify}: not one wave for all skin")
        self.record = Record() if record is None else record
        self._parameters = parameters
        self._people = pulse.people
        recording = plan.recording
        height, width = recording.height, recording.width
        self._chroma = ((height + 1) // 2, (width + 1) // 2)
        self._scale = opencv_chroma_scale(recording)
        self._facehr = parameters.magnify == "facehr"
        # the seed's form has a hard edge and rounds; the calibrated one has neither seam nor steps
        self._radius = 0 if self._facehr else edge_radius(self._chroma)
        tile = bayer_thresholds()
        repeat = (-(-height // tile.shape[0]), -(-width // tile.shape[1]))
        self._thresholds = np.tile(tile, repeat)[:height, :width]

    def magnify(
        self, index: int, planes: tuple[Plane, Plane, Plane], labels: NDArray[np.uint8]
    ) -> tuple[Plane, Plane, Plane]:
        """One frame.

        Parameters
        ----------
        index : int
            Of the frame in the plan.
        planes : tuple of uint8[h, w]
            Y, U, V as stored; left as they are.
        labels : uint8[h, w]
            Instances of skin at chroma resolution.

        Returns
        -------
        tuple of uint8[h, w]
            Y, U, V; a plane that nothing was added to is the one that came in.
        """
        result = list(planes)
        for person in self._people:
            waves = self._waves(person, index)
            if not any(wave for wave, _ in waves):
                continue
            skin = skin_of(labels, label_at(person.spans, index))
            box = bounding_box(skin, self._radius)
            if box is None:
                continue
            y0, y1, x0, x1 = box
            weights = soft_weights(skin[y0:y1, x0:x1], self._radius)
            for channel, (wave, measured) in enumerate(waves):
                if not wave:
                    continue
                if channel == 0:
                    place = (slice(2 * y0, 2 * y1), slice(2 * x0, 2 * x1))
                    shape = result[0][place].shape
                    self._add(result, 0, place, upsampled(weights, (shape[0], shape[1])), wave, measured)
                else:
                    self._add(result, channel, (slice(y0, y1), slice(x0, x1)), weights, wave, measured)
        return result[0], result[1], result[2]

    def _waves(self, person: PersonWaves, index: int) -> tuple[tuple[float, float], ...]:
        """Per channel: levels to add, and the measured pulse."""
        y, u, v = (float(delta[index]) for delta in (person.delta_Y, person.delta_U, person.delta_V))
        if self._facehr:
            wave_u, wave_v = facehr_wave(
                float(person.white_normalised[index]),
                self._parameters.facehr_delta,
                self._parameters.facehr_multiplier,
                self._scale,
            )
            return (0.0, y), (wave_u, u), (wave_v, v)
        gain = self._parameters.gain
        return (gain * y if self._parameters.luma else 0.0, y), (gain * u, u), (gain * v, v)

    def _add(
        self,
        result: list[Plane],
        channel: int,
        place: tuple[slice, slice],
        weights: NDArray[np.float32],
        wave: float,
        measured: float,
    ) -> None:
        before = result[channel]
        thresholds = _ROUNDING if self._facehr else self._thresholds[place]
        part, added = add_wave(before[place], weights, wave, thresholds)
        plane = before.copy()
        plane[place] = part
        result[channel] = plane
        record = self.record.channels[CHANNELS[channel]]
        record.samples += int(np.count_nonzero(weights))
        record.clipped += added.clipped
        record.dot += measured * (wave + (added.lost / float(weights.sum(dtype=np.float64)) if added.lost else 0.0))
        record.power += measured * measured
        record.largest = max(record.largest, abs(wave))


def skin_of(labels: NDArray[np.uint8], label: int) -> NDArray[np.uint8]:
    """1 where a sample has `label`, else 0; all 0 for label 0."""
    if label == 0:
        return np.zeros_like(labels)
    return labels if label == 1 and labels.max(initial=0) <= 1 else (labels == label).view(np.uint8)
