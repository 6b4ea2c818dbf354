"""What magnification did to the samples: records of segments add up to the record of a clip."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magnifier.flashes import BLOCKS, block_brightness

CHANNELS = ("Y", "U", "V")


@dataclass
class ChannelRecord:
    """What was done to one channel; records of segments add up.

    Attributes
    ----------
    samples, clipped : int
        Samples (with the soft edge of skin) that something was added to, and those of them that left 0-255.
    dot, power : float
        Sums over frames of measured wave times added wave (its mean over the skin), and of measured wave squared:
        their ratio is the gain that was achieved before coding.
    largest : float
        Largest absolute value of what was to be added, in levels.
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
    warnings: list[str] = field(default_factory=list)
    _brightness: list[bytes] = field(default_factory=list)

    def look(self, y: NDArray[np.uint8]) -> None:
        """Note how bright the parts of a finished frame are: what flashes is found from it."""
        self._brightness.append(block_brightness(y).tobytes())

    @property
    def brightness(self) -> NDArray[np.uint8]:
        """Luma of 8x8 blocks of the frames that were looked at; uint8[n, 64]."""
        return np.frombuffer(b"".join(self._brightness), np.uint8).reshape(-1, BLOCKS**2)

    def warn(self, text: str) -> None:
        """Tell the user, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def to_dict(self) -> dict[str, Any]:
        """For the header of a segment."""
        return {
            "frames": self.frames,
            "channels": {c: vars(r).copy() for c, r in self.channels.items()},
            "warnings": list(self.warnings),
            "brightness": base64.b64encode(b"".join(self._brightness)).decode(),
        }

    @classmethod
    def gather(cls, records: Iterable[dict[str, Any]]) -> Record:
        """The sum of what `to_dict` wrote."""
        total = cls()
        for record in records:
            total.frames += record["frames"]
            for name, channel in record["channels"].items():
                total.channels[name].add(ChannelRecord(**channel))
            for text in record["warnings"]:
                total.warn(text)
            total._brightness.append(base64.b64decode(record["brightness"]))
        return total
