"""Pieces of coded video as a browser's recorder hands them out while it records: for live sessions of the bench."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

_TICK = Fraction(1, 1000)
_MUXERS = {
    "webm": {"live": "1", "cluster_time_limit": "200", "flush_packets": "1"},
    "mp4": {"movflags": "frag_every_frame+empty_moov+default_base_moof"},
}
_CODERS = {
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    "libx264": {"preset": "veryfast", "tune": "zerolatency"},
}


class _Sink(io.RawIOBase):
    """A file that cannot be sought in, as the page that takes the pieces is."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: Any) -> int:
        self.data += bytes(data)
        return len(data)

    def writable(self) -> bool:
        return True


def pieces_of(
    clip: Path,
    *,
    container: str = "webm",
    codec: str = "libvpx",
    bits_per_s: int = 2_000_000,
    keyframe_frames: int = 30,
    piece_s: float = 0.5,
    size: tuple[int, int] | None = None,
) -> list[tuple[float, bytes]]:
    """A clip coded again, cut after each so many seconds wherever the bytes are then.

    Parameters
    ----------
    clip : Path
    container : "webm" or "mp4"
    codec : "libvpx", "libvpx-vp9" or "libx264"
    bits_per_s : int
    keyframe_frames : int
        From one keyframe to the next.
    piece_s : float
        The recorder's time slice.
    size : tuple of int, optional
        Width and height; the clip's own if not given.

    Returns
    -------
    list of (float, bytes)
        When each piece is handed out, in seconds of the clip, and what it is; all together are the stream.
    """
    found: list[tuple[float, bytes]] = []
    sink, given = _Sink(), 0
    with av.open(str(clip)) as source, av.open(sink, "w", format=container, options=_MUXERS[container]) as muxer:
        video = source.streams.video[0]
        stream: Any = muxer.add_stream(codec, rate=Fraction(video.average_rate or 30))
        stream.width, stream.height = size or (video.width, video.height)
        stream.pix_fmt, stream.bit_rate, stream.options = "yuv420p", bits_per_s, _CODERS[codec]
        stream.codec_context.gop_size, stream.codec_context.time_base = keyframe_frames, _TICK
        due = piece_s
        for frame in source.decode(video):
            time = float(frame.time or 0.0)
            while time >= due:
                found.append((due, bytes(sink.data[given:])))
                given, due = len(sink.data), due + piece_s
            shown = frame.reformat(stream.width, stream.height, format="yuv420p")
            shown.pts, shown.time_base, shown.pict_type = round(time / _TICK), _TICK, 0
            muxer.mux(stream.encode(shown))
        muxer.mux(stream.encode(None))
    found.append((due, bytes(sink.data[given:])))
    return found


def picture_clip(path: Path, pictures: NDArray[np.uint8], fps: int = 30) -> Path:
    """A lossless clip of pictures uint8[n, h, w, 3], to be made pieces of."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt, stream.options = "yuv420p", {"qp": "0", "preset": "ultrafast"}
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path
