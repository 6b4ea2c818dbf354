"""Signals: what the camera saw of one person's skin, before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.array_blob import pack, unpack

Floats = NDArray[np.float64]


def _no_patches() -> Floats:
    return np.zeros((0, 3, 0))


def _nothing() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True)
class Signals:
    """Colours of one person's skin over time, and what speaks for or against them.

    Attributes
    ----------
    time_s : float64[n]
        True times of the frames in seconds, increasing, not uniform.
    rgb : float64[3, n]
        Mean R, G, B over the skin, 0-255; NaN where there is no skin.
    background : float64[3, n] or None
        Mean R, G, B of what is nobody's skin; None where there is too little of it.
    patch_time_s : float64[m]
        Times of the patches' colours: frames are added up in groups.
    patches : float64[p, 3, m]
        Mean R, G, B of each patch; NaN where it is not seen. p may be 0.
    patch_counts : float64[p]
        Mean chroma samples of skin in each patch.
    skin_fraction : float
        Mean part of the picture that is this skin.
    bits_per_pixel : float or None
        Coded bits per pixel and frame of the clip.
    codec : str or None
    clipped : float or None
        Part of the skin's samples that lie at a limit of their range.
    displacement : float64[2, n] or None
        x to the right and y downward of the skin, pixels; NaN where unknown.
    body : float64[n] or None
        Displacement downward of what lies below the skin, pixels; NaN where unknown.
    width, height : int or None
        Of the picture, pixels.
    """

    time_s: Floats
    rgb: Floats
    background: Floats | None = None
    patch_time_s: Floats = field(default_factory=_nothing)
    patches: Floats = field(default_factory=_no_patches)
    patch_counts: Floats = field(default_factory=_nothing)
    skin_fraction: float = 1.0
    bits_per_pixel: float | None = None
    codec: str | None = None
    clipped: float | None = None
    displacement: Floats | None = None
    body: Floats | None = None
    width: int | None = None
    height: int | None = None

    def __post_init__(self) -> None:
        count = len(self.time_s)
        if not count or self.rgb.shape != (3, count):
            raise ValueError(f"{count} times and colours of shape {self.rgb.shape} do not belong together")
        if (np.diff(self.time_s) <= 0).any():
            raise ValueError("times must increase")
        total, moments = len(self.patches), len(self.patch_time_s)
        if self.patches.shape != (total, 3, moments) or self.patch_counts.shape != (total,):
            raise ValueError(f"patches of shape {self.patches.shape} do not fit their times and counts")

    @property
    def duration_s(self) -> float:
        """From the first frame to the end of the last, in seconds."""
        if len(self.time_s) < 2:
            return 0.0
        return float(self.time_s[-1] - self.time_s[0]) * len(self.time_s) / (len(self.time_s) - 1)

    @property
    def fps(self) -> float:
        """Mean frames a second."""
        return len(self.time_s) / self.duration_s if self.duration_s else 0.0

    def between(self, t0: float, t1: float) -> Signals:
        """The part with t0 <= time < t1, as if nothing else had been recorded.

        Parameters
        ----------
        t0, t1 : float
            In seconds.

        Raises
        ------
        ValueError
            If no frame lies there.
        """
        inside = (self.time_s >= t0) & (self.time_s < t1)
        near = (self.patch_time_s >= t0) & (self.patch_time_s < t1)
        return replace(
            self,
            time_s=self.time_s[inside],
            rgb=self.rgb[:, inside],
            background=None if self.background is None else self.background[:, inside],
            patch_time_s=self.patch_time_s[near],
            patches=self.patches[:, :, near],
            displacement=None if self.displacement is None else self.displacement[:, inside],
            body=None if self.body is None else self.body[inside],
        )

    def to_bytes(self) -> bytes:
        """For a file; the same signals always give the same bytes."""
        arrays, header = {}, {}
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, np.ndarray):
                arrays[one.name] = value
            else:
                header[one.name] = value
        return pack(arrays, header)

    @classmethod
    def from_bytes(cls, data: bytes) -> Signals:
        """What `to_bytes` wrote.

        Raises
        ------
        ValueError
            If `data` is no such file.
        """
        arrays, header = unpack(data)
        known: dict[str, Any] = {one.name: None for one in fields(cls)}
        if unknown := (arrays.keys() | header.keys()) - known.keys():
            raise ValueError(f"signals with {', '.join(sorted(unknown))} are of another version")
        return cls(**(known | header | arrays))
