"""Segments to one MP4, without re-encoding."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.stream import VideoStream

from media.packets import PacketsReader
from media.timeline import last_duration
from mesh.contracts import Plan
from mesh.stages import Input

_FULL, _LIMITED = 2, 1
_AHEAD = 0.5  # seconds that audio may run ahead of video in the file


def join(plan: Plan, segments: Iterable[Input], audio: Input | None, path: Path) -> None:
    """Write the segments as one MP4.

    Time stamps are the plan's. Decode time stamps are rewritten over the whole file: a frame is decoded at the
    presentation time of the frame that stands `reorder` places before it, so they increase across the seams.
    The index stands at the front (faststart). Segments are read one by one.

    Parameters
    ----------
    plan : Plan
    segments : iterable of Input
        Non-empty segment blobs of `encode.SegmentEncoder`, in order, owning all frames of the plan.
    audio : Input or None
        The audio blob of `split`.
    path : Path
        The file to write.

    Raises
    ------
    ValueError
        If there is no segment, or the segments are not all frames of the plan in order.
    """
    blobs = list(segments)
    if not blobs:
        raise ValueError("there is no segment to join")
    depth = 0
    for blob in blobs:
        with blob.open() as file:
            depth = max(depth, PacketsReader(file).header.reorder)
    origin = _origin(plan, audio)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = _video_stream(container, plan, blobs[0])
        track = _audio_stream(container, audio) if audio is not None else None
        moved = origin * Fraction(*plan.time_base)
        sound = _audio_packets(audio, track, moved) if audio is not None and track is not None else iter(())
        waiting = next(sound, None)
        for moment, packet in _video_packets(plan, blobs, depth, video, origin):
            # both tracks grow together, so the muxer holds back little
            while waiting is not None and waiting[0] <= moment + _AHEAD:
                container.mux(waiting[1])
                waiting = next(sound, None)
            container.mux(packet)
        while waiting is not None:
            container.mux(waiting[1])
            waiting = next(sound, None)


def _origin(plan: Plan, audio: Input | None) -> int:
    """Ticks of the video's clock that become zero.

    A clip that starts near zero keeps its clock; one that starts later (a cut from a broadcast) is moved there.
    Sound before zero is the encoder's priming and stays negative, which MP4 tells players to skip.
    """
    base = Fraction(*plan.time_base)
    start = plan.pts[0] * base
    if audio is not None:
        with audio.open() as file:
            reader = PacketsReader(file)
        if len(reader):
            start = min(start, max(int(reader.index["pts"][0]) * Fraction(*reader.header.time_base), Fraction(0)))
    return int(start // base)


def _video_stream(container: av.container.OutputContainer, plan: Plan, segment: Input) -> VideoStream:
    """The track, described by the parameter sets of our own first keyframe and by the plan."""
    with segment.open() as file:
        head = next(PacketsReader(file).packets())
    recording = plan.recording
    with av.open(io.BytesIO(head.data), format="h264") as source:
        stream = container.add_stream_from_template(source.streams.video[0], opaque=True)
        context = stream.codec_context
        context.width, context.height = recording.width, recording.height
        context.color_range = _FULL if recording.full_range else _LIMITED
        context.colorspace, context.color_primaries = recording.matrix, recording.primaries
        context.color_trc = recording.transfer
        context.sample_aspect_ratio = Fraction(*recording.pixel_aspect)
    stream.time_base = Fraction(*plan.time_base)
    if recording.rotation:
        stream.set_display_rotation(-recording.rotation)  # a display matrix turns anticlockwise
    return stream


def _video_packets(
    plan: Plan, blobs: list[Input], depth: int, stream: VideoStream, origin: int
) -> Iterator[tuple[float, av.Packet[Any]]]:
    """All packets with their decode times in seconds."""
    pts = np.asarray(plan.pts, np.int64) - origin
    step = last_duration(pts)
    base = Fraction(*plan.time_base)
    position = 0
    for blob in blobs:
        with blob.open() as file:
            reader = PacketsReader(file)
            if reader.header.first != position:
                raise ValueError(f"a segment starts at frame {reader.header.first} where {position} was due")
            for coded in reader.packets():
                assert coded.pts is not None
                shown = coded.pts - origin
                rank = int(np.searchsorted(pts, shown))
                packet = coded.to_av(base)
                packet.pts = shown
                place = position - depth
                packet.dts = int(pts[place]) if place >= 0 else int(pts[0]) + place * step
                packet.duration = int(pts[rank + 1]) - shown if rank + 1 < len(pts) else step
                packet.stream = stream
                position += 1
                yield float(packet.dts * base), packet
    if position != len(pts):
        raise ValueError(f"the segments hold {position} of {len(pts)} frames")


def _audio_stream(container: av.container.OutputContainer, audio: Input) -> Any:
    with audio.open() as file:
        header = PacketsReader(file).header
    with av.open(io.BytesIO(header.stream), format="mp4") as source:
        stream = container.add_stream_from_template(source.streams.audio[0])
    stream.time_base = Fraction(*header.time_base)
    return stream


def _audio_packets(audio: Input, stream: Any, origin: Fraction) -> Iterator[tuple[float, av.Packet[Any]]]:
    with audio.open() as file:
        reader = PacketsReader(file)
        base = Fraction(*reader.header.time_base)
        shift = round(origin / base)
        for coded in reader.packets():
            packet = coded.to_av(base)
            packet.pts = packet.dts = (coded.pts or 0) - shift
            packet.stream = stream
            yield float(packet.pts * base), packet
