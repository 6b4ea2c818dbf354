"""A clip that is still being recorded: pieces of WebM or of fragmented MP4, decoded as they come.

What MediaRecorder gives with a time slice is one stream cut anywhere: its first bytes are the head (tracks, decoder
parameters), then come clusters (WebM) or fragments (MP4), each with its own times. The head and everything from the
last keyframe's cluster on are therefore a clip of their own, and nothing else needs to be kept: whoever has them can
go on, in any process. A short file that is complete in itself is such a stream as well.

Run it in a limited child: demuxers and decoders are attacked with files like these.
"""

from __future__ import annotations

import bisect
import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from media.container import check_pixels, open_clip, packets, video_stream
from media.decode import decode_leniently
from media.limits import Limits
from media.planes import planes_of
from media.probe import described, recording_of
from mesh.contracts import Recording
from mesh.errors import UnreadableVideo

_EBML = b"\x1a\x45\xdf\xa3"  # RFC 8794: how WebM begins
_CLUSTER = b"\x1f\x43\xb6\x75"  # RFC 9559
_BOX = struct.Struct(">I4s")  # ISO/IEC 14496-12: size, type
_SAME_S = 1e-6  # times that differ by less are the same
_LARGE = struct.Struct(">Q")  # a size that does not fit into the first


@dataclass(frozen=True)
class StreamedFrame:
    """One frame of a stream.

    Attributes
    ----------
    time : float
        Seconds, by the stream's own clock.
    y : uint8[height, width]
    u, v : uint8[ceil(height/2), ceil(width/2)]
        Stored samples of yuv420p.
    """

    time: float
    y: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]


def begins_stream(piece: bytes) -> bool:
    """Whether a piece begins a stream of its own: the first bytes of WebM or of MP4. Looks at no more than these."""
    return piece.startswith(_EBML) or piece[4:8] == b"ftyp"


def head_size(data: bytes) -> int | None:
    """Bytes before the first cluster or fragment.

    Parameters
    ----------
    data : bytes
        From the beginning of a stream.

    Returns
    -------
    int or None
        None where it has not come to its first cluster or fragment yet.

    Raises
    ------
    UnreadableVideo
        If it is neither WebM nor MP4.
    """
    if len(data) < _BOX.size:
        return None
    if data.startswith(_EBML):
        found = data.find(_CLUSTER)
        return found if found >= 0 else None
    if not begins_stream(data):
        raise UnreadableVideo(
            "This is no beginning of a WebM or MP4 stream.",
            hint="Send the recorder's first piece first: it holds what decodes the others.",
        )
    return next((box.start for box in _boxes(data) if box.kind in (b"moof", b"mdat")), None)


@dataclass(frozen=True)
class _Box:
    """A box of MP4 at the top: its type, where it begins, and where it ends, which may not have come yet."""

    kind: bytes
    start: int
    end: int


def _boxes(data: bytes) -> Iterator[_Box]:
    place = 0
    while place + _BOX.size <= len(data):
        size, kind = _BOX.unpack_from(data, place)
        if size == 1:
            if place + _BOX.size + _LARGE.size > len(data):
                return
            (size,) = _LARGE.unpack_from(data, place + _BOX.size)
        if size < _BOX.size:
            raise UnreadableVideo("The boxes of this MP4 are damaged.")
        yield _Box(kind, place, place + size)
        place += size


class Stream:
    """The frames of a stream so far.

    Parameters
    ----------
    data : bytes
        Its head and what follows from a cluster or fragment on, up to anywhere.
    limits : Limits, optional

    Attributes
    ----------
    recording : Recording or None
        Size, range, matrix and rotation of the last frame; None before one was decoded.
    restart : int
        Once `frames` is through: from here on the data, behind the head, is enough to go on with.

    Raises
    ------
    UnreadableVideo
        If it is no stream of these kinds, or its head is damaged.
    NoVideoStream, UnsupportedCodec, TooManyPixels
        As `media.container.video_stream`.
    """

    def __init__(self, data: bytes, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        head = head_size(data)
        self.head = head or 0
        self.recording: Recording | None = None
        self.restart = self.head
        self._container = None
        if head is None:
            return
        self._webm = data.startswith(_EBML)
        self._size = len(data)
        if self._webm:
            self._clusters = [found.start() for found in re.finditer(re.escape(_CLUSTER), data)]
        else:
            # the demuxer takes no box in pieces: what has not come whole is left for the next time
            boxes = [box for box in _boxes(data) if box.end <= len(data)]
            self._clusters = [box.start for box in boxes if box.kind == b"moof"]
            self._size = max((box.end for box in boxes if box.kind in (b"moov", b"mdat")), default=0)
            if not {b"moov", b"mdat"} <= {box.kind for box in boxes}:
                return
        self._container = open_clip(io.BytesIO(data[: self._size]))
        self._stream = video_stream(self._container, self._limits)

    def frames(self, after_s: float | None = None) -> Iterator[StreamedFrame]:
        """Frames in order of time, later than `after_s`; none before the first keyframe.

        A packet that has not come whole is left for the next time.

        Raises
        ------
        TooManyPixels
            If a frame is larger than the limit.
        """
        if self._container is None:
            return
        with self._container:
            context = self._stream.codec_context
            context.thread_count = 1
            base = self._stream.time_base or Fraction(1, 1000)
            last = after_s
            for packet in self._needed(after_s, base):
                for decoded in decode_leniently(context, packet):
                    if (frame := self._planes(decoded, base, last)) is not None:
                        last = frame.time
                        yield frame
            for decoded in decode_leniently(context, None):
                if (frame := self._planes(decoded, base, last)) is not None:
                    last = frame.time
                    yield frame
        if not self._clusters:
            self.restart = self._size  # a file complete in itself: nothing follows

    def _needed(self, after_s: float | None, base: Fraction) -> list[av.Packet[Any]]:
        """The packets from the last keyframe on before which nothing is wanted; sets `restart`."""
        assert self._container is not None
        found: list[av.Packet[Any]] = []
        entry = None
        wanted = False  # whether a packet before this one shows a frame that is wanted
        for packet in packets(self._container, self._stream):
            if packet.is_corrupt:
                break
            if packet.is_keyframe:
                self.restart = max(self._cluster_before(packet.pos), self.restart)
                if entry is None or not wanted:
                    entry = len(found)
            if entry is not None:
                wanted = wanted or after_s is None or packet.pts is None or packet.pts * base > after_s + _SAME_S
            found.append(packet)
        return [] if entry is None else found[entry:]

    def _cluster_before(self, place: int | None) -> int:
        """Where the cluster or fragment begins that holds the packet at a place; the head's end where unknown."""
        if place is None or place < 0:
            return self.head
        # of the first packet of a cluster some demuxers name the cluster's own place
        number = bisect.bisect_right(self._clusters, place + len(_CLUSTER))
        return self._clusters[number - 1] if number else self.head

    def _planes(self, frame: av.VideoFrame, base: Fraction, last: float | None) -> StreamedFrame | None:
        if frame.pts is None:
            return None
        time = float(frame.pts * (frame.time_base or base))
        if last is not None and time <= last + _SAME_S:
            return None
        check_pixels(frame.width, frame.height, self._limits)
        seen = self.recording
        if seen is None or (seen.width, seen.height) != (frame.width, frame.height):
            assert self._container is not None
            self.recording = recording_of(described(self._container, self._stream, frame), 0.0)
        return StreamedFrame(time, *planes_of(frame, frame.width, frame.height))
