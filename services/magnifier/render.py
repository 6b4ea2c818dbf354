"""Magnifies the frames of a chunk: which wave is added to which skin, and a record of what that did."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magnifier.facehr import facehr_wave
from magnifier.soft_edge import bounding_box, edge_radius, soft_weights, upsampled
from magnifier.uniform import Plane, add_wave, bayer_thresholds
from media.color import opencv_chroma_scale
from media.people import label_at
from media.pulse_blob import PersonWaves, Pulse
from mesh.contracts import Plan
from mesh.parameters import Parameters

CHANNELS = ("Y", "U", "V")
_ROUNDING = np.float32(0.5)


@dataclass
class ChannelRecord:
    """What was done to one channel; records of segments add up.

    Attributes
    ----------
    samples, clipped : int
        Skin samples (with the soft edge) that a wave was added to, and those of them that left 0-255.
    dot, power : float
        Sums over frames of measured wave times added wave, and of measured wave squared: their ratio is the gain
        that was achieved before coding.
    largest : float
        Largest absolute value of the wave that was asked for, in levels.
    """

    samples: int = 0
    clipped: int = 0
    dot: float = 0.0
    power: float = 0.0
    largest: float = 0.0

    def add(self, other: ChannelRecord) -> None:
        """Add the record of other frames."""
        self.samples += other.samples
        self.clipped += other.clipped
        self.dot += other.dot
        self.power += other.power
        self.largest = max(self.largest, other.largest)


@dataclass
class Record:
    """What was done to a run of frames."""

    frames: int = 0
    channels: dict[str, ChannelRecord] = field(default_factory=lambda: {c: ChannelRecord() for c in CHANNELS})

    def to_dict(self) -> dict[str, Any]:
        """For the header of a segment."""
        return {"frames": self.frames, "channels": {c: vars(r).copy() for c, r in self.channels.items()}}

    @classmethod
    def gather(cls, records: Iterable[dict[str, Any]]) -> Record:
        """The sum of what `to_dict` wrote."""
        total = cls()
        for record in records:
            total.frames += record["frames"]
            for name, channel in record["channels"].items():
                total.channels[name].add(ChannelRecord(**channel))
        return total


class Magnifier:
    """Magnifies frames one by one; no state goes from frame to frame but the record.

    Parameters
    ----------
    plan : Plan
    pulse : Pulse
    parameters : Parameters
        `magnify` is `uniform` or `facehr`.

    Raises
    ------
    ValueError
        If there is nothing to magnify.
    """

    def __init__(self, plan: Plan, pulse: Pulse, parameters: Parameters) -> None:
        if parameters.magnify == "none":
            raise ValueError("magnify is none")
        self.record = Record()
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
        self.record.frames += 1
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
