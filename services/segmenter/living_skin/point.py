"""The spot that a user names: which stored samples lie there, and their colour."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mesh.contracts import Recording


class ChromaPlanes(Protocol):
    """What is read of a frame."""

    @property
    def u(self) -> NDArray[np.uint8]: ...
    @property
    def v(self) -> NDArray[np.uint8]: ...


def stored_point(recording: Recording, x: float, y: float) -> tuple[int, int]:
    """The stored pixel under a point of the picture as it is shown.

    Parameters
    ----------
    recording : Recording
        Its rotation and pixel aspect are undone.
    x, y : float
        In pixels of the picture as shown, origin top left.

    Returns
    -------
    column, row : int
        In the stored luma plane.

    Raises
    ------
    ValueError
        If the point lies outside the picture.
    """
    aspect = recording.pixel_aspect[0] / recording.pixel_aspect[1] if all(recording.pixel_aspect) else 1.0
    width, height = recording.width * aspect, float(recording.height)
    turned = recording.rotation in (90, 270)
    shown = (height, width) if turned else (width, height)
    if not (0 <= x < shown[0] and 0 <= y < shown[1]):
        raise ValueError(f"the point {x:g}, {y:g} lies outside the picture of {shown[0]:g} x {shown[1]:g} pixels")
    if recording.rotation == 90:
        x, y = y, height - x
    elif recording.rotation == 180:
        x, y = width - x, height - y
    elif recording.rotation == 270:
        x, y = width - y, x
    column = min(max(math.floor(x / aspect), 0), recording.width - 1)
    row = min(max(math.floor(y), 0), recording.height - 1)
    return column, row


def chroma_at(frame: ChromaPlanes, column: int, row: int, reach: int = 2) -> tuple[float, float]:
    """Mean stored u, v of the (2 reach + 1)^2 chroma samples around a stored pixel, those inside the picture."""
    height, width = frame.u.shape
    i, j = min(row // 2, height - 1), min(column // 2, width - 1)
    area = np.s_[max(i - reach, 0) : i + reach + 1, max(j - reach, 0) : j + reach + 1]
    return float(frame.u[area].mean()), float(frame.v[area].mean())
