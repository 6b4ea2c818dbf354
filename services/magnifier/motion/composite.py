"""From planes to pictures that a transform takes for endless, and from a change back to a plane."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.arrays import array_module


def mirrored_index(size: int, margin: int, total: int) -> NDArray[np.intp]:
    """Samples of an axis of `size` samples, mirrored beyond both ends: intp[total], the first `margin` before it."""
    period = max(2 * (size - 1), 1)
    place = (np.arange(total) - margin) % period
    return np.minimum(place, period - place)


class Closed:
    """Grows planes of one size to a torus: what a Fourier transform takes a picture for.

    Beyond an edge the outermost samples go on and blend into those of the opposite edge. A mirrored picture would move
    against the one that it mirrors; this one moves along the edge with it, and has nothing that could move across.

    Parameters
    ----------
    size, total : (int, int)
        Height and width before and after.
    margin : (int, int)
        Rows above and columns to the left.
    """

    def __init__(self, size: tuple[int, int], total: tuple[int, int], margin: tuple[int, int]) -> None:
        self.total = total
        self._margin = margin
        self._inside = tuple(slice(m, m + n) for m, n in zip(margin, size, strict=True))
        # how far each sample beyond the last is on its way to the first
        self._ways = [_ease(t - n) for n, t in zip(size, total, strict=True)]

    def grown(self, plane: Any) -> Any:
        """float32[total] of a plane."""
        xp = array_module(plane)
        found = xp.empty(self.total, xp.float32)
        rows, columns = self._inside
        found[rows, columns] = plane
        for axis, way in enumerate(self._ways):
            inner = found[:, columns] if axis == 0 else found.T
            margin, size = self._margin[axis], inner.shape[0] - len(way)
            share = xp.asarray(way)[:, None]
            first, last = inner[margin], inner[margin + size - 1]
            between = last * (1 - share) + first * share
            after = inner.shape[0] - margin - size
            inner[margin + size :] = between[:after]
            inner[:margin] = between[after:]
        return found

    def cut(self, grown: Any) -> Any:
        """The part of a grown plane that is the plane's own; a view."""
        return grown[self._inside]


def _ease(count: int) -> NDArray[np.float32]:
    """From near 0 to near 1 in so many steps, flat at both ends."""
    at = (np.arange(count) + 1) / (count + 1)
    eased: NDArray[np.float32] = (0.5 - 0.5 * np.cos(np.pi * at)).astype(np.float32)
    return eased


def added(plane: Any, change: Any, weights: Any = None) -> Any:
    """A plane with a change, rounded and saturated, never wrapped.

    Parameters
    ----------
    plane : uint8[h, w]
    change : float32[h, w]
        In levels; overwritten.
    weights : float32[ceil(h / 2), ceil(w / 2)] or float32[h, w], optional
        0-1; what is 0 keeps its bits.

    Returns
    -------
    uint8[h, w]
        A new array.
    """
    xp = array_module(plane)
    if weights is not None:
        change *= weights if weights.shape == plane.shape else fine(weights, plane.shape)
    change += plane
    xp.rint(change, out=change)
    xp.clip(change, 0, 255, out=change)
    return change.astype(xp.uint8)


def fine(weights: Any, shape: tuple[int, int]) -> Any:
    """Weights of the luma samples: each chroma sample covers 2x2 of them, fewer at the end of an odd plane."""
    xp = array_module(weights)
    return xp.repeat(xp.repeat(weights, 2, axis=0), 2, axis=1)[: shape[0], : shape[1]]
