"""Decoded pictures as planes of yuv420p, 8 bit: without loss where they are that already, converted once if not."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
Planes = tuple[Plane, Plane, Plane]

EXACT = frozenset({"yuv420p", "yuvj420p"})  # taken as they are
_LIMITED, _FULL = 1, 2  # AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG
_GREY = 128


def is_rgb(pixel_format: str) -> bool:
    """Whether a format of FFmpeg stores colours that are not luma and chroma."""
    return pixel_format == "pal8" or any(part in pixel_format for part in ("rgb", "bgr", "gbr", "xyz", "bayer"))


def is_grey(pixel_format: str) -> bool:
    """Whether a format of FFmpeg stores luma alone."""
    return pixel_format.startswith(("gray", "mono", "ya8", "ya16"))


def bits(frame_format: Any) -> int:
    """Bits a sample of a pixel format, the most of its components."""
    return max((component.bits for component in frame_format.components), default=8)


def chroma_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the chroma planes: half, rounded up."""
    return (width + 1) // 2, (height + 1) // 2


def full_range(frame: av.VideoFrame) -> bool:
    """Whether stored samples use 0-255. Pictures that are converted from RGB never do."""
    name = frame.format.name
    if is_rgb(name):
        return False
    return name.startswith("yuvj") or int(frame.color_range) == _FULL


def planes_of(frame: av.VideoFrame, width: int, height: int) -> Planes:
    """Y, U and V of a decoded frame.

    8-bit 4:2:0 is copied bit for bit. Other sampling and depth are converted by swscale (dithered where bits are
    lost), keeping range and matrix; RGB becomes BT.601, limited range; grey gets neutral chroma. A picture of
    another size than the clip's is scaled to it, one that is a row or a column too large is cropped.

    Parameters
    ----------
    frame : av.VideoFrame
    width, height : int
        Of the clip, px.

    Returns
    -------
    y : uint8[height, width]
    u, v : uint8[ceil(height/2), ceil(width/2)]
        Contiguous arrays of their own.
    """
    name = frame.format.name
    fits = 0 <= frame.width - width <= 1 and 0 <= frame.height - height <= 1
    if name not in EXACT or not fits:
        return _converted(frame, width, height, fits)
    columns, rows = chroma_size(width, height)
    y, u, v = frame.planes[:3]
    return _plane(y, width, height), _plane(u, columns, rows), _plane(v, columns, rows)


def _converted(frame: av.VideoFrame, width: int, height: int, fits: bool) -> Planes:
    name = frame.format.name
    size = (frame.width, frame.height) if fits else (width, height)
    columns, rows = chroma_size(width, height)
    if is_grey(name):  # both sides of this conversion are luma alone, so no range is touched
        grey = frame.reformat(*size, format="gray", threads=1)
        neutral = np.full((rows, columns), _GREY, np.uint8)
        return _plane(grey.planes[0], width, height), neutral, neutral.copy()
    if is_rgb(name):
        done = frame.reformat(
            *size,
            format="yuv420p",
            src_color_range=_FULL,
            dst_color_range=_LIMITED,
            dst_colorspace="ITU601",
            interpolation="AREA",
            threads=1,
        )
    else:
        kept = _FULL if full_range(frame) else _LIMITED
        done = frame.reformat(
            *size,
            format="yuv420p",
            src_color_range=kept,
            dst_color_range=kept,
            interpolation="AREA",
            threads=1,
        )
    y, u, v = done.planes[:3]
    return _plane(y, width, height), _plane(u, columns, rows), _plane(v, columns, rows)


def _plane(plane: Any, width: int, height: int) -> Plane:
    samples = np.frombuffer(plane, np.uint8)
    return samples.reshape(-1, plane.line_size)[:height, :width].copy()


def neutral_planes(width: int, height: int) -> Planes:
    """A grey picture: what stands for frames of which nothing at all could be decoded."""
    columns, rows = chroma_size(width, height)
    return (
        np.full((height, width), _GREY, np.uint8),
        np.full((rows, columns), _GREY, np.uint8),
        np.full((rows, columns), _GREY, np.uint8),
    )
