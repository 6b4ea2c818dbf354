"""What a clip from outside may be at most."""

from __future__ import annotations

from dataclasses import dataclass

UHD_PIXELS = 3840 * 2160


@dataclass(frozen=True)
class Limits:
    """Limits on a recording; all are settings of the gateway.

    Attributes
    ----------
    max_seconds, min_seconds : float
        Longest and shortest clip, in seconds of the file's own time.
    max_pixels : int
        Width times height, in any orientation; 4K UHD by default.
    max_frames : int
        The index of a clip is held in memory, so its length is bounded whatever the time stamps say:
        30 minutes at 240 frames a second fit.
    """

    max_seconds: float = 1800.0
    min_seconds: float = 0.5
    max_pixels: int = UHD_PIXELS
    max_frames: int = 500_000

    @property
    def decoder_pixels(self) -> int:
        """What a decoder may allocate: it rounds sizes up, by much where a picture is narrow."""
        return 2 * self.max_pixels
