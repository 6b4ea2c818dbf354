"""Dense optical flow between pictures of low resolution: where a sample of one lies in the other.

Lucas and Kanade's least squares (IJCAI 1981), coarse to fine, with the gradients of the target picture throughout
(Baker and Matthews, IJCV 2004, inverse compositional), smoothed on every level by a normalised convolution (Knutsson
and Westin, CVPR 1993), which carries motion from where there is texture to where there is none. Pictures are compared
without their local mean, in brightness and in V - U, where skin stands out from most that is behind it: an edge of skin
that differs little in brightness from the wall seems to move with every beat if brightness alone is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SIDE = 160  # most samples of the longer side
_COARSEST = 10  # least samples of the shorter side on the coarsest level
_LOCAL = 20.0  # standard deviation of the local mean that is taken away, samples
_WINDOW = 5  # side of the window of least squares, samples
_STEPS = 2  # on each level
_MOST_STEP = 1.0  # samples that one step may move: linearisation holds no further
_LEAST_NOISE = 0.3  # levels, standard deviation: that of rounding to 8 bits
# Power of a gradient of white noise of power 1 on each level, measured through `flow_picture`; a fifth each further on.
_NOISE_GRADIENT = (0.0736, 0.0254, 0.0071, 0.0019, 0.0004)
_KNOWN = np.float32(16.0)  # powers of a gradient of noise at which texture is believed by half
_PRIOR = np.float32(16.0)  # weight of what the coarser level said, in powers of a gradient of noise
_NOISE_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_SMOOTH = 2.0  # standard deviation of the smoothing, samples

Array = NDArray[np.float32]


@dataclass(frozen=True)
class FlowPicture:
    """A picture made ready for flow.

    Attributes
    ----------
    levels : list of float32[channels, h, w]
        Brightness, and V - U where chroma was given, without local mean and in units of the noise of each; finest
        first, each level half the one before.
    """

    levels: list[Array]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the finest level."""
        return self.levels[0].shape[1], self.levels[0].shape[2]


def flow_picture(
    luma: NDArray[np.uint8], chroma: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None, side: int = SIDE
) -> FlowPicture:
    """Make a picture ready for flow.

    Parameters
    ----------
    luma : uint8[height, width]
    chroma : tuple of uint8[ceil(height / 2), ceil(width / 2)], optional
        U and V.
    side : int
        The longer side is averaged down to at most this; with chroma by an even number of samples.

    Returns
    -------
    FlowPicture
    """
    factor = max(1, -(-max(luma.shape) // side))
    if chroma is None:
        channels = [_averaged(luma, factor)]
    else:
        factor += factor % 2
        u, v = (_averaged(plane, factor // 2) for plane in chroma)
        channels = [_averaged(luma, factor), v - u]
    small = np.stack([channel / _noise(channel) for channel in channels])
    small = _blurred(small, 0.7, 3.0)
    small = small - _blurred(small, _LOCAL, 2.5)
    levels = [small]
    while min(levels[-1].shape[1:]) >= 2 * _COARSEST:
        levels.append(np.ascontiguousarray(_blurred(levels[-1], 1.0, 2.5)[:, ::2, ::2]))
    return FlowPicture(levels)


def _blurred(image: Array, deviation: float, truncate: float) -> Array:
    return ndimage.gaussian_filter(image, deviation, mode="nearest", truncate=truncate, axes=(-2, -1))


def _noise(picture: Array) -> float:
    """Standard deviation of white noise by Immerkaer's mask (CVIU 1996), blind to edges; its median to texture."""
    rough = np.abs(ndimage.convolve(picture, _NOISE_MASK, mode="nearest"))
    return max(float(np.median(rough)) / 0.6745 / 6.0, _LEAST_NOISE)


def _averaged(plane: NDArray[np.uint8], factor: int) -> Array:
    """Means over square blocks; the edge is repeated where blocks do not fit."""
    if factor == 1:
        return plane.astype(np.float32)
    height, width = plane.shape
    more = (-height % factor, -width % factor)
    if any(more):
        plane = np.pad(plane, ((0, more[0]), (0, more[1])), mode="edge")
    rows, columns = plane.shape[0] // factor, plane.shape[1] // factor
    sums = plane.reshape(rows, factor, -1).sum(axis=1, dtype=np.uint32).reshape(rows, columns, factor).sum(axis=2)
    return np.asarray(sums / np.float32(factor * factor), np.float32)


@dataclass(frozen=True)
class Sampler:
    """Bilinear sampling of maps at displaced positions, prepared once for many maps.

    Positions outside are moved to the nearest edge.
    """

    shape: tuple[int, int]
    corner: NDArray[np.intp]
    right: Array
    down: Array

    @classmethod
    def of(cls, flow: Array) -> Sampler:
        """Of a displacement float32[2, h, w] in samples, x first."""
        _, height, width = flow.shape
        x = np.clip(flow[0] + np.arange(width, dtype=np.float32), 0, width - 1)
        y = np.clip(flow[1] + np.arange(height, dtype=np.float32)[:, None], 0, height - 1)
        column = np.minimum(x.astype(np.intp), max(width - 2, 0))
        row = np.minimum(y.astype(np.intp), max(height - 2, 0))
        right, down = (x - column).astype(np.float32), (y - row).astype(np.float32)
        return cls((height, width), (row * width + column).ravel(), right.ravel(), down.ravel())

    def __call__(self, image: Array) -> Array:
        """A map float32[h, w], sampled."""
        height, width = self.shape
        flat = np.ascontiguousarray(image).ravel()
        across, below = (1 if width > 1 else 0), (width if height > 1 else 0)
        upper = _between(flat, self.corner, across, self.right)
        lower = _between(flat, self.corner + below, across, self.right)
        upper += (lower - upper) * self.down
        return upper.reshape(self.shape)


def _between(flat: Array, corner: NDArray[np.intp], across: int, part: Array) -> Array:
    left = flat[corner]
    left += (flat[corner + across] - left) * part
    return left


def resized(flow: Array, shape: tuple[int, int]) -> Array:
    """A displacement field at another resolution, its lengths in samples of that one.

    Parameters
    ----------
    flow : float32[2, h, w]
    shape : tuple of int
        Height and width wanted.

    Returns
    -------
    float32[2, height, width]
    """
    _, height, width = flow.shape
    if (height, width) == shape:
        return flow
    scale_y, scale_x = shape[0] / height, shape[1] / width
    y = np.clip((np.arange(shape[0]) + 0.5) / scale_y - 0.5, 0, height - 1)
    x = np.clip((np.arange(shape[1]) + 0.5) / scale_x - 0.5, 0, width - 1)
    row, column = np.minimum(y.astype(np.intp), max(height - 2, 0)), np.minimum(x.astype(np.intp), max(width - 2, 0))
    below, across = np.minimum(row + 1, height - 1), np.minimum(column + 1, width - 1)
    down, right = (y - row).astype(np.float32)[:, None], (x - column).astype(np.float32)
    rows = flow[:, row] * (1 - down) + flow[:, below] * down
    field = rows[:, :, column] * (1 - right) + rows[:, :, across] * right
    return np.asarray(field * np.array([scale_x, scale_y], np.float32)[:, None, None], np.float32)


def dense_flow(source: FlowPicture, target: FlowPicture, start: Array | None = None) -> Array:
    """Displacement F with source(x + F(x)) = target(x).

    Parameters
    ----------
    source, target : FlowPicture
        Of one size.
    start : float32[2, h, w], optional
        A first guess at the finest level, e.g. the flow of the frame before.

    Returns
    -------
    float32[2, h, w]
        x and y in samples of the finest level. What lies in `source` can be drawn on `target` by sampling it there.

    Raises
    ------
    ValueError
        If the pictures differ in size.
    """
    if source.shape != target.shape:
        raise ValueError(f"pictures of {source.shape} and {target.shape}: wanted one size")
    flow: Array | None = None
    for level in range(len(target.levels) - 1, -1, -1):
        shape = (target.levels[level].shape[1], target.levels[level].shape[2])
        if flow is None:
            flow = np.zeros((2, *shape), np.float32) if start is None else resized(start, shape)
        else:
            flow = resized(flow, shape)
        gradient = _NOISE_GRADIENT[min(level, 4)] * 5.0 ** -max(level - 4, 0)
        flow = _refined(source.levels[level], target.levels[level], flow, np.float32(gradient))
    assert flow is not None
    return flow


def _window(image: Array) -> Array:
    """Sum over channels of the mean over windows."""
    return ndimage.uniform_filter(image.sum(axis=0), _WINDOW, mode="nearest")


def _refined(source: Array, target: Array, flow: Array, noise: np.float32) -> Array:
    """Least squares of the difference on the gradients of `target`, in windows over all channels.

    `noise` is the power of a gradient that noise alone has. Where there is no more than that nothing is known, and
    the flow is that of the surroundings.
    """
    noise = noise * np.float32(len(target))
    gradient_y, gradient_x = (np.asarray(part, np.float32) for part in np.gradient(target, axis=(1, 2)))
    xx, xy, yy = _window(gradient_x**2), _window(gradient_x * gradient_y), _window(gradient_y**2)
    strongest = np.maximum((xx + yy) / 2 + np.sqrt(((xx - yy) / 2) ** 2 + xy * xy) - noise, 0)
    # 0 in noise, 1 at edges and corners
    known = np.asarray(strongest**2 / (strongest**2 + (_KNOWN * noise) ** 2), np.float32)
    xx, yy = xx + noise, yy + noise
    determinant = np.asarray((xx * yy - xy * xy) / known.clip(1e-6), np.float32)
    trust = (known * xx, known * xy, known * yy)
    prior, coarse = _PRIOR * noise, flow
    wide_xx, wide_xy, wide_yy = (_spread(part) for part in trust)
    wide_xx, wide_yy = wide_xx + prior, wide_yy + prior
    wide_determinant = np.asarray(wide_xx * wide_yy - wide_xy * wide_xy, np.float32)
    for _ in range(_STEPS):
        sampler = Sampler.of(flow)
        difference = target - np.stack([sampler(channel) for channel in source])
        bx, by = _window(gradient_x * difference), _window(gradient_y * difference)
        step = np.stack([yy * bx - xy * by, xx * by - xy * bx]) / determinant
        x, y = flow + np.clip(step, -_MOST_STEP, _MOST_STEP)
        # normalised convolution with the tensor for a weight: along an edge the surroundings say how it moves
        x, y = trust[0] * x + trust[1] * y, trust[1] * x + trust[2] * y
        x, y = _spread(x) + prior * coarse[0], _spread(y) + prior * coarse[1]
        moved = np.stack([wide_yy * x - wide_xy * y, wide_xx * y - wide_xy * x]) / wide_determinant
        flow = np.asarray(moved, np.float32)
    return flow


def _spread(image: Array) -> Array:
    return _blurred(image, _SMOOTH, 2.0)
