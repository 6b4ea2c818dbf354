"""The floor: decode and encode a clip, nothing in between, with the same library and settings as the mesh."""

from __future__ import annotations

import os
import time
from pathlib import Path

import av


def decode_and_encode(clip: Path, out: Path, *, crf: int = 18, cores: int | None = None) -> float:
    """Seconds to decode `clip` and encode it again with x264 veryfast, on all cores; imports are excluded."""
    cores = cores or os.cpu_count() or 1
    start = time.perf_counter()
    with av.open(str(clip)) as source, av.open(str(out), "w", options={"movflags": "+faststart"}) as sink:
        video = source.streams.video[0]
        video.thread_count, video.thread_type = cores, "AUTO"
        stream = sink.add_stream("libx264", rate=video.average_rate)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        stream.time_base = video.time_base
        stream.thread_count = cores
        stream.options = {"preset": "veryfast", "crf": str(crf)}
        for frame in source.decode(video):
            frame.pict_type = 0
            sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))
    return time.perf_counter() - start
