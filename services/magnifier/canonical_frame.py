"""Between a picture and the canonical frame of skin that is followed: planes read at the places of the other.

Planes are read where they are, on a GPU or not; transforms are few numbers, and NumPy's.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from media.arrays import array_module
from media.masks import Transform

Levels = NDArray[np.float32]
Floats = NDArray[np.float64]


def inverse(transform: Transform) -> Floats:
    """The transform back: float64[2, 3]."""
    matrix = np.asarray(transform, np.float64)
    back = np.linalg.inv(matrix[:, :2])
    return np.concatenate([back, -back @ matrix[:, 2:]], axis=1)


def moved(matrix: Floats, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Where a transform takes places.

    Parameters
    ----------
    matrix : float64[2, 3]
    x, y : float64[...]
        Luma pixels; given as a row and a column they stay so where the transform does not turn.

    Returns
    -------
    x, y : float64[...]
    """
    if matrix[0, 1] == matrix[1, 0] == 0:
        return matrix[0, 0] * x + matrix[0, 2], matrix[1, 1] * y + matrix[1, 2]
    return (
        matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2],
        matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2],
    )


def canonical_samples(
    planes: Levels, transform: Transform, shape: tuple[int, int], first: tuple[int, int] = (0, 0)
) -> Levels:
    """Planes of the picture at the chroma samples of the canonical frame.

    They are read between their samples (bilinear), after they were averaged where the canonical frame is the coarser
    one. Beyond the picture there is 0.

    Parameters
    ----------
    planes : float32[c, h, w]
        At chroma resolution.
    transform : Transform
        From the picture to the canonical frame, luma pixels.
    shape : tuple of int
        Rows and columns of what is read.
    first : tuple of int
        Row and column of the canonical frame that it begins at.

    Returns
    -------
    float32[c, rows, columns]
    """
    xp = array_module(planes)
    back = inverse(transform)
    shrink = max(round(math.sqrt(abs(float(np.linalg.det(back[:, :2]))))), 1)
    if shrink > 1:
        planes = _averaged(planes, shrink)
    # chroma sample c lies at luma pixel 2 c + 1/2, and at (c + 1/2) / shrink - 1/2 of averaged planes
    x = 2 * xp.arange(first[1], first[1] + shape[1], dtype=np.float64)[None] + 0.5
    y = 2 * xp.arange(first[0], first[0] + shape[0], dtype=np.float64)[:, None] + 0.5
    px, py = moved(back, x, y)
    return bilinear(planes, *(((p + 0.5) / (2 * shrink) - 0.5) for p in (py, px)))


def _averaged(planes: Levels, size: int) -> Levels:
    height, width = planes.shape[1:]
    padded = array_module(planes).pad(planes, ((0, 0), (0, -height % size), (0, -width % size)), mode="edge")
    blocks = padded.reshape(len(planes), -(-height // size), size, -(-width // size), size)
    means: Levels = blocks.mean(axis=(2, 4), dtype=np.float32)
    return means


def bilinear(planes: Levels, rows: Floats, columns: Floats) -> Levels:
    """Planes read at places between their samples; 0 beyond their edge.

    Parameters
    ----------
    planes : float32[c, h, w]
    rows, columns : float64[...]
        Places in units of samples, on the device of the planes; a column of rows and a row of columns are read one
        after the other, which is faster.

    Returns
    -------
    float32[c, ...]
    """
    xp = array_module(planes)
    height, width = planes.shape[1:]
    inside = (rows > -0.5) & (rows < height - 0.5) & (columns > -0.5) & (columns < width - 0.5)
    rows, columns = xp.clip(rows, 0, height - 1), xp.clip(columns, 0, width - 1)
    top, left = (xp.floor(p).astype(np.intp) for p in (rows, columns))
    down, across = (rows - top).astype(np.float32), (columns - left).astype(np.float32)
    below, right = xp.minimum(top + 1, height - 1), xp.minimum(left + 1, width - 1)
    found: Levels
    if rows.ndim == columns.ndim == 2 and rows.shape[1] == columns.shape[0] == 1:
        lines = planes[:, top[:, 0]] * (1 - down) + planes[:, below[:, 0]] * down
        found = (lines[:, :, left[0]] * (1 - across) + lines[:, :, right[0]] * across) * inside
        return found
    flat = planes.reshape(len(planes), -1)
    top, below = top * width, below * width
    upper = flat.take(top + left, axis=1) * (1 - across) + flat.take(top + right, axis=1) * across
    lower = flat.take(below + left, axis=1) * (1 - across) + flat.take(below + right, axis=1) * across
    found = (upper * (1 - down) + lower * down) * inside
    return found
