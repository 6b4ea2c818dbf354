"""Weights of a mask: one on skin, falling to nothing around it, so that no hard outline pulses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]  # y0, y1, x0, x1
_LARGEST_RADIUS = 7  # (2 * 7 + 1)^2 neighbours are counted in 8 bits


def edge_radius(shape: tuple[int, int]) -> int:
    """Width of the soft edge in samples: 2 at a chroma plane of 320x240, in proportion for others, 1 to 7."""
    return int(np.clip(round(min(shape) / 120), 1, _LARGEST_RADIUS))


def bounding_box(skin: NDArray[np.uint8], margin: int) -> Box | None:
    """The smallest box around what is not 0, grown by `margin` and kept inside the plane; None without skin."""
    rows = np.flatnonzero(skin.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(skin[rows[0] : rows[-1] + 1].any(axis=0))
    height, width = skin.shape
    return (
        max(int(rows[0]) - margin, 0),
        min(int(rows[-1]) + 1 + margin, height),
        max(int(columns[0]) - margin, 0),
        min(int(columns[-1]) + 1 + margin, width),
    )


def soft_weights(skin: NDArray[np.uint8], radius: int) -> NDArray[np.float32]:
    """Weights of a mask with a soft edge.

    The edge lies outside the skin: every skin sample has the weight 1, so the gain on skin is exactly the gain
    that was asked for. Outside, the weight is twice the part of the (2 radius + 1)^2 neighbours that are skin: on
    a straight edge a ramp that starts at about 1 and ends `radius` samples away.

    Parameters
    ----------
    skin : uint8[h, w]
        0 and 1.
    radius : int
        0 (a hard edge) to 7.

    Returns
    -------
    float32[h, w]
        0-1.

    Raises
    ------
    ValueError
        If the radius is out of range.
    """
    if not 0 <= radius <= _LARGEST_RADIUS:
        raise ValueError(f"the radius of a soft edge is 0-{_LARGEST_RADIUS}, not {radius}")
    if radius == 0:
        return skin.astype(np.float32)
    height, width = skin.shape
    padded = np.zeros((height + 2 * radius, width + 2 * radius), np.uint8)
    padded[radius : radius + height, radius : radius + width] = skin
    down = padded[:height].copy()
    for shift in range(1, 2 * radius + 1):
        down += padded[shift : shift + height]
    count = down[:, :width].copy()
    for shift in range(1, 2 * radius + 1):
        count += down[:, shift : shift + width]
    weights: NDArray[np.float32] = np.multiply(count, np.float32(2 / (2 * radius + 1) ** 2), dtype=np.float32)
    np.minimum(weights, np.float32(1), out=weights)
    np.maximum(weights, skin, out=weights)
    return weights


def upsampled(weights: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Weights of the luma samples: each chroma sample covers 2x2 of them (less at the end of an odd plane).

    Parameters
    ----------
    weights : float32[h, w]
    shape : tuple of int
        Of the luma plane: 2 h or 2 h - 1 by 2 w or 2 w - 1.

    Returns
    -------
    float32[shape]
    """
    height, width = weights.shape
    fine = np.empty((height, 2, width, 2), np.float32)
    fine[:] = weights[:, None, :, None]
    return fine.reshape(2 * height, 2 * width)[: shape[0], : shape[1]]
