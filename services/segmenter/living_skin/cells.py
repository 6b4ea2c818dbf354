"""The first seconds of a clip as few large pixels: what the automatic reference looks at."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmenter.frames import TimedPicture

CELLS = 4800  # at most so many cells are looked at
FRAMES = 150  # and so many frames


@dataclass(frozen=True)
class Cells:
    """The clip as few large pixels.

    Attributes
    ----------
    times : float64[frames]
        In seconds.
    y, u, v : float32[frames, rows, columns]
        Means over square cells, in stored levels.
    """

    times: NDArray[np.float64]
    y: NDArray[np.float32]
    u: NDArray[np.float32]
    v: NDArray[np.float32]


def _cell_means(plane: NDArray[np.uint8], side: int, rows: int, columns: int) -> NDArray[np.float32]:
    cropped = plane[: rows * side, : columns * side]
    # rows first: sums of up to 257 samples fit into 16 bits
    dtype = np.uint16 if side <= 257 else np.uint32
    sums = cropped.reshape(rows, side, -1).sum(axis=1, dtype=dtype).reshape(rows, columns, side).sum(axis=2)
    means: NDArray[np.float32] = (sums / (side * side)).astype(np.float32)
    return means


def gather_cells(frames: Iterable[TimedPicture], shape: tuple[int, int], wanted: range) -> Cells:
    """Frames whose index is in `wanted`, reduced to at most `CELLS` square cells.

    Parameters
    ----------
    frames : iterable of TimedPicture
    shape : tuple of int
        Height and width of the chroma planes.
    wanted : range
        Indices in the plan.
    """
    height, width = shape
    side = max(1, math.ceil(math.sqrt(height * width / CELLS)))
    rows, columns = max(height // side, 1), max(width // side, 1)
    side = min(side, height, width)
    times, y, u, v = [], [], [], []
    for frame in frames:
        if frame.index not in wanted:
            continue
        times.append(frame.time)
        luma = frame.y
        if luma.shape[0] < 2 * rows * side or luma.shape[1] < 2 * columns * side:  # odd sizes: repeat the edge
            luma = np.pad(luma, ((0, height * 2 - luma.shape[0]), (0, width * 2 - luma.shape[1])), mode="edge")
        y.append(_cell_means(luma, 2 * side, rows, columns))
        u.append(_cell_means(frame.u, side, rows, columns))
        v.append(_cell_means(frame.v, side, rows, columns))
    return Cells(np.array(times), np.stack(y), np.stack(u), np.stack(v))


def wanted_frames(times: NDArray[np.float64], seconds: float) -> range:
    """Indices of at most `FRAMES` frames, evenly taken from the first `seconds`."""
    count = int(np.searchsorted(times, times[0] + seconds, side="left"))
    return range(0, max(count, 1), max(1, math.ceil(count / FRAMES)))
