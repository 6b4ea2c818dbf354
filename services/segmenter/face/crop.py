"""Small R, G, B pictures out of the planes of a frame: only what a model looks at is ever converted.

Coordinates are luma pixels of the stored picture counted from its left and upper edge, so that pixel i spans i to
i + 1; half of them are those of the chroma planes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from media.color import rgb_from_yuv
from mesh.contracts import Recording
from segmenter.frames import Picture


@dataclass(frozen=True)
class Square:
    """A square of the picture, turned.

    Attributes
    ----------
    x, y : float
        Its centre, luma px.
    side : float
        px.
    angle : float
        Radians from the picture's x axis to the square's, clockwise as it is seen.
    """

    x: float
    y: float
    side: float
    angle: float

    def affine(self, samples: int) -> NDArray[np.float64]:
        """float64[2, 3]: takes (column, row, 1) in `samples` x `samples` of the square to luma px."""
        step = self.side / samples
        cosine, sine = step * np.cos(self.angle), step * np.sin(self.angle)
        half = samples / 2
        return np.array(
            [
                [cosine, -sine, self.x - half * (cosine - sine)],
                [sine, cosine, self.y - half * (sine + cosine)],
            ]
        )


class Converter:
    """R, G, B of stored samples, for the models; it belongs to one thread at a time.

    Parameters
    ----------
    recording : Recording
        For range and matrix.
    low, high : float
        What black and white become.
    """

    def __init__(self, recording: Recording, low: float, high: float) -> None:
        matrix, offset = rgb_from_yuv(recording)
        scale = (high - low) / 255
        matrix = (matrix * scale).astype(np.float32)
        self._luma: np.float32 = matrix[0, 0]  # the same in all three colours
        self._chroma = matrix[:, 1:]
        self._offset = (offset * scale + low).astype(np.float32)
        self._low, self._high = np.float32(low), np.float32(high)
        # kept from call to call: pages that are new each time cost more than all sums
        self._rgb = np.empty((0, 0, 3), np.float32)
        self._plane, self._total = np.empty((0, 0), np.float32), np.empty((0, 0), np.float32)

    def __call__(self, y: NDArray[np.uint8], u: NDArray[np.uint8], v: NDArray[np.uint8]) -> NDArray[np.float32]:
        """R, G, B of three planes. One operation a sample, so the bits are always the same.

        Parameters
        ----------
        y : uint8[h, w]
        u, v : uint8[h, w] or uint8[h / 2, w / 2]

        Returns
        -------
        float32[h, w, 3]
            Overwritten by the next call.
        """
        height, width = y.shape
        if self._total.shape != y.shape:
            self._rgb = np.empty((height, width, 3), np.float32)
            self._plane, self._total = np.empty(y.shape, np.float32), np.empty(y.shape, np.float32)
        fine = y.shape == u.shape
        luma = np.multiply(y, self._luma, out=self._plane)
        chroma = u.astype(np.float32), v.astype(np.float32)
        for channel, (weights, offset) in enumerate(zip(self._chroma, self._offset, strict=True)):
            color = chroma[0] * weights[0]
            color += chroma[1] * weights[1]
            color += offset
            if fine:
                np.add(luma, color, out=self._total)
            else:  # each sample of chroma in 2 x 2 of luma
                rows = (height // 2, 2, width)
                np.add(luma.reshape(rows), color.repeat(2, axis=1)[:, None], out=self._total.reshape(rows))
            np.clip(self._total, self._low, self._high, out=self._rgb[..., channel])
        return self._rgb


def turned(frame: Picture, square: Square, samples: int) -> list[NDArray[np.uint8]]:
    """Y, U and V of a square: `samples` (an even number) a side of luma, half of it of chroma.

    Where the square is larger than that, the planes are first averaged over whole blocks, so that fine detail does
    not turn into noise. What lies outside the picture is 0 in luma and 128 in chroma: black.

    Returns
    -------
    list of uint8[samples, samples] and twice uint8[samples / 2, samples / 2]
    """
    affine = square.affine(samples)
    coarse = square.affine(samples // 2) / 2  # chroma is half as fine in the frame already
    chroma = [_warped(plane, coarse, samples // 2, 128) for plane in (frame.u, frame.v)]
    return [_warped(frame.y, affine, samples, 0), *chroma]


def _warped(plane: NDArray[np.uint8], affine: NDArray[np.float64], samples: int, fill: int) -> NDArray[np.uint8]:
    block = int(np.hypot(affine[0, 0], affine[1, 0]))
    image, left, top = Image.fromarray(plane), 0, 0
    if block < 2:
        block = 1
    else:
        corners = affine @ np.array([[0, samples, 0, samples], [0, 0, samples, samples], [1, 1, 1, 1]])
        height, width = plane.shape
        # blocks start at whole multiples, so that a square that moves a little sees the same ones
        left, top = (int(max(low, 0) // block * block) for low in corners.min(axis=1))
        right, bottom = (int(-(-high // block) * block) for high in corners.max(axis=1))
        right, bottom = min(right, width), min(bottom, height)
        if right <= left or bottom <= top:
            return np.full((samples, samples), fill, np.uint8)
        image = image.reduce(block, (left, top, right, bottom))
    (a, b, c), (d, e, f) = affine.tolist()
    coefficients = (a / block, b / block, (c - left) / block, d / block, e / block, (f - top) / block)
    picture = image.transform(
        (samples, samples), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR, fillcolor=fill
    )
    return np.asarray(picture)


Region = tuple[float, float, float, float]  # left, top, right, bottom in luma px, inside the picture


def upright(
    frame: Picture, rotation: int, side: int, region: Region
) -> tuple[list[NDArray[np.uint8]], NDArray[np.float64]]:
    """A region of the picture as it is shown, made to fit a square: Y, U and V of what is not margin.

    Parameters
    ----------
    frame : Picture
    rotation : int
        Clockwise turn for display, degrees.
    side : int
        Of the square, px.
    region : Region
        Of the stored picture.

    Returns
    -------
    planes : list of uint8[h, w]
        h and w at most `side`, one of them equal to it.
    affine : float64[2, 3]
        Takes (x, y, 1) of the square, 0-1, in whose middle the region lies, to luma px of the stored picture.
    """
    left, top, right, bottom = region
    width, height = right - left, bottom - top
    scale = side / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    planes = [_fitted(plane, size, region, step) for plane, step in ((frame.y, 1), (frame.u, 2), (frame.v, 2))]
    turns = rotation // 90 % 4
    # of the square around its middle: a clockwise turn for display is undone
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[turns]
    back = np.array([[cosine, sine], [-sine, cosine]]) * np.array([[side / size[0] * width], [side / size[1] * height]])
    origin = np.array([left + width / 2, top + height / 2]) - back @ np.array([0.5, 0.5])
    return [np.rot90(plane, -turns) for plane in planes], np.column_stack([back, origin])


def _fitted(plane: NDArray[np.uint8], size: tuple[int, int], region: Region, step: int) -> NDArray[np.uint8]:
    rows, columns = plane.shape
    left, top = (min(max(edge / step, 0.0), most - 1.0) for edge, most in zip(region[:2], (columns, rows), strict=True))
    right, bottom = (min(edge / step, float(most)) for edge, most in zip(region[2:], (columns, rows), strict=True))
    box = (left, top, max(right, left + 1), max(bottom, top + 1))
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0))
