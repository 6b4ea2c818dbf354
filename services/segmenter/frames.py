"""What the segmenters need of a picture; `media.decode.Frame` has all of it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Picture(Protocol):
    """Planes of yuv420p, 8 bits: uint8[H, W], and uint8[h, w] twice."""

    @property
    def y(self) -> NDArray[np.uint8]: ...
    @property
    def u(self) -> NDArray[np.uint8]: ...
    @property
    def v(self) -> NDArray[np.uint8]: ...


class IndexedPicture(Picture, Protocol):
    """A picture with its place among the plan's frames."""

    @property
    def index(self) -> int: ...


class TimedPicture(IndexedPicture, Protocol):
    """A picture with its place and its time in seconds."""

    @property
    def time(self) -> float: ...
