"""Pictures of a dataset as a video file without loss, so that they go the way of every other clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from evaluation.errors import DatasetError
from evaluation.recordings import Pictures

TICKS = 90_000  # a second


def write_clip(pictures: Pictures, path: Path) -> None:
    """H.264 without loss, full range, BT.601, each frame at its own time.

    R, G, B become Y, U, V of 8 bits, with one U and V for four pixels: what a mean over skin loses by that lies far
    below a level, since texture and noise are the dither.

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
    count, size = 0, (0, 0)
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
            even = np.ascontiguousarray(picture[: stream.height, : stream.width])
            frame = av.VideoFrame.from_ndarray(even, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.JPEG
            )
            frame.pts, frame.time_base = int(ticks[count]), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
            count += 1
        if count != len(ticks) or count < 2:
            raise DatasetError(f"{path.stem} has {count} pictures for {len(ticks)} times")
        container.mux(stream.encode(None))
