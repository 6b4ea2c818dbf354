"""Pictures of a dataset as a video file without loss, so that they go the way of every other clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from evaluation.errors import DatasetError
from evaluation.recordings import Picture, Pictures

TICKS = 90_000  # a second
# ITU-R BT.601, full range: rows of Y, U, V in R, G, B
_MATRIX = np.array(
    [[0.299, 0.587, 0.114], [-0.299 / 1.772, -0.587 / 1.772, 0.5], [0.5, -0.587 / 1.402, -0.114 / 1.402]], np.float32
)


def yuv_planes(picture: Picture, draw: np.random.Generator) -> tuple[Picture, Picture, Picture]:
    """Planes of yuv420p, full range, BT.601, rounded with dither.

    The mean of many samples is then right to a hundredth of a level even where pictures are rendered and have no
    noise of their own; the scaler's conversion cuts, and is a level and a half off in red and blue.

    Parameters
    ----------
    picture : uint8[h, w, 3]
        R, G, B; even sizes.
    draw : Generator
        Of the dither, uniform over a level.

    Returns
    -------
    tuple of uint8[h, w], uint8[h / 2, w / 2], uint8[h / 2, w / 2]
        U and V of the means of 2x2 pixels.
    """
    height, width, _ = picture.shape
    y = _dithered(picture @ _MATRIX[0], draw)
    quads = picture.reshape(height // 2, 2, width // 2, 2, 3).sum(axis=(1, 3), dtype=np.uint16)
    u, v = (_dithered(quads @ (row / 4) + np.float32(128), draw) for row in _MATRIX[1:])
    return y, u, v


def _dithered(plane: NDArray[np.float32], draw: np.random.Generator) -> Picture:
    plane = plane + draw.random(plane.shape, np.float32)
    levels: Picture = np.clip(plane, 0, 255).astype(np.uint8)  # cuts: with the dither, right in the mean
    return levels


def write_clip(pictures: Pictures, path: Path) -> None:
    """H.264 without loss, full range, BT.601, each frame at its own time.

    R, G, B become Y, U, V of 8 bits, with one U and V for four pixels; dither keeps means over skin right.

    Parameters
    ----------
    pictures : Pictures
    path : Path
        Ends in .mp4.

    Raises
    ------
    DatasetError
        If there are fewer or more pictures than times, no picture at all, or they differ in size.
    """
    ticks = np.rint((pictures.time_s - pictures.time_s[0]) * TICKS).astype(np.int64)
    if not (np.diff(ticks) > 0).all():
        raise DatasetError(f"the times of the pictures of {path.stem} do not increase")
    count, size, draw = 0, (0, 0), np.random.default_rng(0)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=30)
        for picture in pictures.frames():
            if count >= len(ticks):
                raise DatasetError(f"{path.stem} has more than {len(ticks)} pictures, but no more times")
            if not count:
                size = (picture.shape[0], picture.shape[1])
                stream.width, stream.height = size[1] - size[1] % 2, size[0] - size[0] % 2
                stream.pix_fmt = "yuv420p"
                stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
                context = stream.codec_context
                context.options = {"preset": "ultrafast", "qp": "0", "x264-params": "keyint=60:bframes=0"}
                context.color_range, context.colorspace = ColorRange.JPEG, Colorspace.ITU601
                context.color_primaries, context.color_trc = 6, 6  # SMPTE 170M, ITU-T H.273
            if picture.shape[:2] != size:
                raise DatasetError(f"the pictures of {path.stem} differ in size")
            frame = av.VideoFrame(stream.width, stream.height, "yuv420p")
            planes = yuv_planes(picture[: stream.height, : stream.width], draw)
            for plane, values in zip(frame.planes, planes, strict=True):
                rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
                rows[: values.shape[0], : values.shape[1]] = values
            frame.pts, frame.time_base = int(ticks[count]), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
            count += 1
        if count != len(ticks) or count < 2:
            raise DatasetError(f"{path.stem} has {count} pictures for {len(ticks)} times")
        container.mux(stream.encode(None))
