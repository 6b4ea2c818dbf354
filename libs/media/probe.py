"""What a clip is, from its head: quick, and trusting nothing that the file declares of its length or rate."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from media.container import check_pixels, open_clip, packets, video_stream
from media.decode import decode_leniently
from media.limits import Limits
from media.planes import EXACT, bits, full_range, is_rgb
from mesh.contracts import Recording
from mesh.errors import NoFrames, NotMoving, TooLong, TooShort

_DECODE_SECONDS = 1.0  # of work to find the first frames in
_COUNT_SECONDS = 0.5  # of work to count the packets in
_HEAD_FRAMES = 3
_UNSPECIFIED, _SMPTE170M = 2, 6
_PROGRESSIVE = 1  # AVFieldOrder; 0 is unknown
# Values of ITU-T H.273 that mean something for Y, U and V
_MATRICES = frozenset({1, 2, *range(4, 15)})
_PRIMARIES = frozenset({1, 2, *range(4, 13), 22})
_TRANSFERS = frozenset({1, 2, *range(4, 19)})
_MAX_ASPECT = 64  # a pixel aspect beyond it is nonsense


@dataclass(frozen=True)
class Facts:
    """What the head of a clip shows.

    Attributes of the same name mean what they mean in `mesh.contracts.Recording`.

    Attributes
    ----------
    bits : int
        Bits a sample.
    exact : bool
        Frames are 8-bit 4:2:0 and need no conversion.
    interlaced : bool
        The file says that a frame holds two fields.
    frames, seconds : int, float or None
        Counted, where the whole file could be read in the time that a probe has.
    """

    width: int
    height: int
    rotation: int
    codec: str
    container: str
    pixel_format: str
    full_range: bool
    matrix: int
    primaries: int
    transfer: int
    pixel_aspect: tuple[int, int]
    audio: bool
    bits: int
    exact: bool
    interlaced: bool
    frames: int | None = None
    seconds: float | None = None


def recording_of(facts: Facts, fps: float) -> Recording:
    """A recording of which only the head is known: without its length.

    Parameters
    ----------
    facts : Facts
    fps : float
        Frames a second.
    """
    return Recording(
        duration_s=0.0,
        frames=0,
        width=facts.width,
        height=facts.height,
        fps=fps,
        variable_rate=False,
        rotation=facts.rotation,
        codec=facts.codec,
        container=facts.container,
        pixel_format=facts.pixel_format,
        full_range=facts.full_range,
        matrix=facts.matrix,
        primaries=facts.primaries,
        transfer=facts.transfer,
        pixel_aspect=facts.pixel_aspect,
    )


def probe(source: BinaryIO, limits: Limits | None = None) -> Facts:
    """Look at the head of a clip, and count its frames if that is quick.

    Takes less than about two seconds of work whatever the file is. What only reading all of it shows is refused
    by `split`.

    Parameters
    ----------
    source : BinaryIO
        Seekable.
    limits : Limits, optional

    Raises
    ------
    EmptyUpload, UnreadableVideo, NoVideoStream, UnsupportedCodec, TooManyPixels
        As `container.open_clip` and `container.video_stream`.
    NoFrames
        Nothing decodes.
    NotMoving
        A single frame.
    TooShort, TooLong
        Where the length could be counted.
    """
    limits = limits or Limits()
    facts = head_facts(source, limits)
    with open_clip(source) as container:
        return _counted(facts, container, video_stream(container, limits), limits)


def head_facts(source: BinaryIO, limits: Limits, *, patient: bool = False) -> Facts:
    """Decode the first frames and describe the clip.

    Parameters
    ----------
    source : BinaryIO
    limits : Limits
    patient : bool
        Search the whole clip for a frame that decodes, however long it takes.

    Raises
    ------
    NoFrames
        Nothing decodes (in the time allowed, where not patient).
    TooManyPixels
        A frame is larger than the limit.
    EmptyUpload, UnreadableVideo, NoVideoStream, UnsupportedCodec
        As `container.open_clip` and `container.video_stream`.
    """
    until = math.inf if patient else time.thread_time() + _DECODE_SECONDS
    with open_clip(source) as container:
        stream = video_stream(container, limits)
        head = list(islice(head_frames(container, stream, until), _HEAD_FRAMES))
        if not head:
            raise NoFrames("Not one frame of the video could be decoded.")
        for frame in head:
            check_pixels(frame.width, frame.height, limits)
        return described(container, stream, head[0])


def head_frames(container: InputContainer, stream: VideoStream, until: float = math.inf) -> Iterator[av.VideoFrame]:
    """Decoded frames from the start; packets that the decoder refuses are passed over."""
    context = stream.codec_context
    context.thread_count = 1
    for packet in packets(container, stream, until=until):
        yield from decode_leniently(context, packet)
    yield from decode_leniently(context, None)


def described(container: InputContainer, stream: VideoStream, frame: av.VideoFrame) -> Facts:
    """What a frame and its track say of the clip; nothing of its length."""
    name = frame.format.name
    matrix = int(frame.colorspace) if int(frame.colorspace) in _MATRICES else _UNSPECIFIED
    return Facts(
        width=frame.width,
        height=frame.height,
        rotation=_rotation(frame),
        codec=stream.codec_context.codec.canonical_name,
        container=container.format.name,
        pixel_format=name,
        full_range=full_range(frame),
        matrix=_SMPTE170M if is_rgb(name) else matrix,
        primaries=int(frame.color_primaries) if int(frame.color_primaries) in _PRIMARIES else _UNSPECIFIED,
        transfer=int(frame.color_trc) if int(frame.color_trc) in _TRANSFERS else _UNSPECIFIED,
        pixel_aspect=_pixel_aspect(stream),
        audio=bool(container.streams.audio),
        bits=bits(frame.format),
        exact=name in EXACT,
        interlaced=stream.codec_context.field_order > _PROGRESSIVE or frame.interlaced_frame,
    )


def _rotation(frame: av.VideoFrame) -> int:
    """Clockwise quarter turns for display, in degrees. A broken matrix reads as INT_MIN: no turn."""
    turn = int(frame.rotation)  # anticlockwise
    return -round(turn / 90) * 90 % 360 if abs(turn) <= 360 else 0


def _pixel_aspect(stream: VideoStream) -> tuple[int, int]:
    aspect = stream.sample_aspect_ratio
    if not aspect or not 1 / _MAX_ASPECT <= aspect <= _MAX_ASPECT:
        return 1, 1
    return aspect.numerator, aspect.denominator


def _counted(facts: Facts, container: InputContainer, stream: VideoStream, limits: Limits) -> Facts:
    count, low, high = 0, math.inf, -math.inf
    until = time.thread_time() + _COUNT_SECONDS
    for packet in packets(container, stream, until=until):
        count += not packet.is_discard
        if packet.pts is not None and not packet.is_discard:
            low, high = min(low, packet.pts), max(high, packet.pts)
    if time.thread_time() > until:
        return facts
    if count <= 1:
        raise NotMoving("The video has a single frame.")
    if high <= low or stream.time_base is None:
        return replace(facts, frames=count)
    span = float((high - low) * stream.time_base)
    duration = span * count / (count - 1)  # the last frame is shown as long as the others are on average
    check_duration(duration, limits)
    return replace(facts, frames=count, seconds=duration)


def check_duration(duration: float, limits: Limits) -> None:
    """Refuses clips that are too short or too long.

    Parameters
    ----------
    duration : float
        Seconds.
    limits : Limits

    Raises
    ------
    TooShort, TooLong
    """
    if duration < limits.min_seconds:
        raise TooShort(f"The video lasts {duration:.2f} s; at least {limits.min_seconds:g} s are needed.")
    if duration > limits.max_seconds:
        raise TooLong(f"The video lasts {duration / 60:.1f} min; at most {limits.max_seconds / 60:g} min are taken.")
