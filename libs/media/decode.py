"""Chunks to frames. The frames of all chunks, put together, are bit for bit the frames of the clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from media.limits import Limits
from media.packets import CodedPacket, Header, PacketsReader
from media.planes import Planes, neutral_planes, planes_of
from media.timeline import frame_range, frame_times
from mesh.contracts import Chunk, Plan
from mesh.stages import Input


@dataclass(frozen=True)
class Frame:
    """One frame of the clip.

    Attributes
    ----------
    index : int
        In `plan.pts`.
    time : float
        Seconds, as `timeline.frame_times` has it.
    y : uint8[height, width]
    u, v : uint8[ceil(height/2), ceil(width/2)]
        Stored samples of yuv420p. Contiguous arrays of their own, so they may be kept; a concealed frame shares
        those of the frame that it repeats.
    concealed : bool
        It could not be decoded: it repeats the frame before it (the one after it, at the start of a chunk).
    """

    index: int
    time: float
    y: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]
    concealed: bool = False


def open_decoder(header: Header, *, threads: int = 1, max_pixels: int | None = None) -> VideoCodecContext:
    """A decoder for the packets of a container, without a demuxer.

    Parameters
    ----------
    header : Header
    threads : int
        1 decodes in the calling thread; more decode several frames at once, which changes no sample.
    max_pixels : int, optional
        Pictures of more are refused by the decoder; a little above the clip's own size if not given.
    """
    context = av.CodecContext.create(header.codec, "r")
    assert isinstance(context, VideoCodecContext)
    context.extradata = header.extradata or None
    if header.tag:
        context.codec_tag = header.tag
    # the container's size crops what the coded picture has too much
    context.width, context.height = header.width, header.height
    # without it a decoder guesses, and drops frames until it has guessed right
    context.reorder_depth = header.reorder
    context.thread_count = threads
    context.thread_type = "SLICE" if threads == 1 else "AUTO"
    allowed = max_pixels or max(Limits().decoder_pixels, 2 * header.width * header.height)
    context.options = {"max_pixels": str(allowed)}
    return context


def decode_packets(
    context: VideoCodecContext, packets: Iterator[CodedPacket], time_base: Fraction
) -> Iterator[av.VideoFrame]:
    """Decoded frames in presentation order; packets that the decoder refuses are passed over."""
    try:
        for coded in packets:
            yield from decode_leniently(context, coded.to_av(time_base))
        yield from decode_leniently(context, None)
    finally:
        # PyAV frees a decoder while it holds the interpreter lock, which the decoder's threads need to let go of
        # a packet: let them come to rest first
        context.flush_buffers()


def decode_leniently(context: VideoCodecContext, packet: av.Packet[av.stream.Stream] | None) -> list[av.VideoFrame]:
    """Frames that come out for a packet (None flushes); none where the decoder refuses it."""
    try:
        return context.decode(packet)
    except av.error.FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        return []


def frames(
    plan: Plan,
    chunks: Mapping[int, Input],
    t0: float | None = None,
    t1: float | None = None,
    *,
    threads: int = 1,
) -> Iterator[Frame]:
    """Frames of a span of time, read across chunks.

    Parameters
    ----------
    plan : Plan
    chunks : mapping of int to Input
        Chunk blobs by index. Frames that none of them owns are not yielded.
    t0, t1 : float, optional
        Frames with t0 <= time < t1, in seconds of `timeline.frame_times`; None is the clip's start or end.
    threads : int
        Of the decoder; see `open_decoder`.

    Yields
    ------
    Frame
        Every planned frame of the span exactly once, in order. What is yielded for a frame does not depend on
        the span, nor on which other chunks are given.

    Raises
    ------
    ValueError
        If a chunk is no container of packets, or not the one of this plan.
    """
    times = frame_times(plan)
    first, stop = frame_range(times, t0, t1)
    for index, blob in sorted(chunks.items()):
        chunk = plan.chunks[index]
        begin, end = max(first, chunk.first), min(stop, chunk.first + chunk.frames)
        if begin >= end:
            continue
        with blob.open() as file:
            reader = PacketsReader(file)
            if (reader.header.first, reader.header.frames) != (chunk.first, chunk.frames):
                raise ValueError(f"chunk {index} is not the one of this plan")
            yield from _chunk_frames(plan, chunk, reader, begin, end, times, threads)


def _chunk_frames(
    plan: Plan,
    chunk: Chunk,
    reader: PacketsReader,
    begin: int,
    end: int,
    times: NDArray[np.float64],
    threads: int,
) -> Iterator[Frame]:
    """Frames `begin` to `end` of one chunk; what is missing is concealed from this chunk alone."""
    width, height = plan.recording.width, plan.recording.height
    due = begin
    before: av.VideoFrame | None = None  # the last one that was decoded, its planes made only when needed
    planes: Planes | None = None
    for number, decoded in _decoded(plan, chunk, reader, begin, threads):
        if number < begin:
            before = decoded
            continue
        if due < number and planes is None and before is not None:
            planes = planes_of(before, width, height)
        here = planes_of(decoded, width, height)
        while due < min(number, end):
            yield Frame(due, float(times[due]), *(planes or here), concealed=True)
            due += 1
        planes = here
        if number == due < end:
            yield Frame(due, float(times[due]), *here)
            due += 1
        if due >= end:
            return
    if planes is None:
        planes = planes_of(before, width, height) if before is not None else neutral_planes(width, height)
    while due < end:
        yield Frame(due, float(times[due]), *planes, concealed=True)
        due += 1


def _decoded(
    plan: Plan, chunk: Chunk, reader: PacketsReader, begin: int, threads: int
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Number and picture of the frames that the chunk owns and that decode, from the one at or before `begin` on."""
    entry = reader.entry(plan.pts[begin])
    found = _decoded_from(plan, chunk, reader, entry, threads)
    head = next(found, None)
    if entry > 0 and (head is None or head[0] > begin):
        # a missing frame is concealed with the same one whoever reads it: look at all that comes before
        found = _decoded_from(plan, chunk, reader, 0, threads)
        head = next(found, None)
    if head is not None:
        yield head
        yield from found


def _decoded_from(
    plan: Plan, chunk: Chunk, reader: PacketsReader, entry: int, threads: int
) -> Iterator[tuple[int, av.VideoFrame]]:
    owned = np.asarray(plan.pts[chunk.first : chunk.first + chunk.frames], np.int64)
    context = open_decoder(reader.header, threads=threads)
    for frame in decode_packets(context, reader.packets(entry), Fraction(*reader.header.time_base)):
        if frame.pts is None:
            continue
        position = int(np.searchsorted(owned, frame.pts))
        if position < len(owned) and owned[position] == frame.pts:
            yield chunk.first + position, frame
