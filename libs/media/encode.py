"""Frames to H.264: segments of the magnified clip, and lossless chunks where a clip cannot be cut as it is."""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from media.packets import ENTRY, KEY, CodedPacket, Header, PacketsWriter
from media.planes import chroma_size
from media.x264 import instructions
from mesh.contracts import Plan, Recording

_FULL, _LIMITED = 2, 1
_KEYFRAME_SECONDS = 1.0  # of lossless chunks: neighbours read a second of them
_KEYFRAME_FRAMES = 250  # of segments: x264's default, so that players can seek


class H264Encoder:
    """x264 with constant rate in and the clip's time stamps out; closed GOPs, parameter sets in the stream.

    The encoder counts frames; the true time stamps are put on the packets. So its rate control does not depend
    on how a clip's clock ticks. Pictures of odd size are padded by repeating the last row or column: 4:2:0
    H.264 codes and crops even sizes only. The header carries the true size, decoders of FFmpeg's family crop to it.

    Parameters
    ----------
    recording : Recording
        Size, rate and colour description.
    time_base : (int, int)
        Seconds per tick of the time stamps.
    crf : int
        x264's constant rate factor, 0-51; not used where lossless.
    lossless : bool
        Decoded samples are bit for bit what was added.
    preset : str
        x264's preset.
    keyframes : int
        Most frames from one keyframe to the next.
    writer : PacketsWriter
        Where the packets go as soon as they are coded.
    threads : int
        More threads change the bits, never the meaning, of a lossy stream.
    """

    def __init__(
        self,
        recording: Recording,
        time_base: tuple[int, int],
        *,
        crf: int,
        lossless: bool,
        preset: str,
        keyframes: int,
        writer: PacketsWriter,
        threads: int = 1,
    ) -> None:
        self._time_base = time_base
        self._width, self._height = recording.width, recording.height
        context = av.CodecContext.create("libx264", "w")
        assert isinstance(context, VideoCodecContext)
        context.width = self._width + self._width % 2
        context.height = self._height + self._height % 2
        context.pix_fmt = "yuv420p"
        rate = Fraction(max(recording.fps, 0.1)).limit_denominator(1001)
        context.framerate, context.time_base = rate, 1 / rate
        context.color_range = _FULL if recording.full_range else _LIMITED
        context.colorspace, context.color_primaries = recording.matrix, recording.primaries
        context.color_trc = recording.transfer
        context.sample_aspect_ratio = Fraction(*recording.pixel_aspect)
        context.thread_count = threads
        context.options = {
            "preset": preset,
            **({"qp": "0"} if lossless else {"crf": str(crf)}),
            "x264-params": ":".join([f"keyint={max(keyframes, 1)}", "open-gop=0", *instructions()]),
        }
        self._context = context
        self._pts: list[int] = []
        self._writer = writer
        self._reorder = 0

    def add(self, pts: int, y: NDArray[np.uint8], u: NDArray[np.uint8], v: NDArray[np.uint8]) -> None:
        """Encode one frame, in presentation order.

        Parameters
        ----------
        pts : int
            In ticks.
        y : uint8[height, width]
        u, v : uint8[ceil(height/2), ceil(width/2)]
        """
        picture = av.VideoFrame(self._context.width, self._context.height, "yuv420p")
        for plane, samples in zip(picture.planes, (y, u, v), strict=True):
            _fill(plane, samples)
        picture.pts, picture.time_base = len(self._pts), self._context.time_base
        self._pts.append(pts)
        self._take(self._context.encode(picture))

    def _take(self, packets: list[av.Packet[Any]]) -> None:
        for packet in packets:
            assert packet.pts is not None  # the encoder's own count
            self._reorder = max(self._reorder, len(self._writer) - packet.pts)
            flags = KEY | ENTRY if packet.is_keyframe else 0  # GOPs are closed
            self._writer.add(CodedPacket(bytes(packet), self._pts[packet.pts], flags=flags))

    def flush(self) -> None:
        """Write what the encoder still holds back; no frame may follow."""
        if self._pts:
            self._take(self._context.encode(None))

    def header(self, first: int, extra: Mapping[str, Any] | None = None) -> Header:
        """What describes the packets that were written.

        Parameters
        ----------
        first : int
            Index in the plan of the first frame that was added.
        extra : mapping, optional
            Goes into the header.
        """
        return Header(
            codec="h264",
            time_base=self._time_base,
            width=self._width,
            height=self._height,
            pixel_format="yuv420p",
            first=first,
            frames=len(self._pts),
            reorder=self._reorder,
            extra=dict(extra or {}),
        )


def _fill(plane: Any, samples: NDArray[np.uint8]) -> None:
    """Copy samples into a plane of the encoder, repeating the edge where it is larger."""
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
    height, width = samples.shape
    rows[:height, :width] = samples
    if width < plane.width:
        rows[:height, width:] = samples[:, -1:]
    if height < plane.height:
        rows[height:] = rows[height - 1]


class SegmentEncoder:
    """Codes the frames of one chunk of the magnified clip.

    Size, time stamps, range, matrix, primaries, transfer and pixel aspect are the recording's. Segments of one
    plan and one setting can be put one after the other without re-encoding (`media.join`).

    Parameters
    ----------
    plan : Plan
    crf : int
        x264's constant rate factor.
    lossless : bool
        Decoded samples are bit for bit what was added.
    threads : int
        Of the encoder. The same frames and the same number of threads always give the same bytes.
    """

    def __init__(self, plan: Plan, *, crf: int, lossless: bool, threads: int = 1) -> None:
        self._plan = plan
        self._next: int | None = None
        self._first = 0
        self._file = io.BytesIO()
        self._writer = PacketsWriter(self._file)
        self._encoder = H264Encoder(
            plan.recording,
            plan.time_base,
            crf=crf,
            lossless=lossless,
            preset="veryfast",
            keyframes=_KEYFRAME_FRAMES,
            writer=self._writer,
            threads=threads,
        )

    def add(self, frame_index: int, y: NDArray[np.uint8], u: NDArray[np.uint8], v: NDArray[np.uint8]) -> None:
        """Encode the next frame.

        Parameters
        ----------
        frame_index : int
            In `plan.pts`; each call the next one.
        y : uint8[height, width]
        u, v : uint8[ceil(height/2), ceil(width/2)]

        Raises
        ------
        ValueError
            If a frame is left out, or a plane has another shape.
        """
        if self._next is None:
            self._first = frame_index
        elif frame_index != self._next:
            raise ValueError(f"frame {frame_index} came where {self._next} was due")
        columns, rows = chroma_size(self._plan.recording.width, self._plan.recording.height)
        wanted = ((self._plan.recording.height, self._plan.recording.width), (rows, columns), (rows, columns))
        if (y.shape, u.shape, v.shape) != wanted:
            raise ValueError(f"planes of {y.shape}, {u.shape}, {v.shape} came where {wanted} were due")
        self._next = frame_index + 1
        self._encoder.add(self._plan.pts[frame_index], y, u, v)

    def finish(self, extra: Mapping[str, Any] | None = None) -> bytes:
        """The segment blob.

        Parameters
        ----------
        extra : mapping, optional
            What JSON can hold; kept in the header's `extra`.
        """
        self._encoder.flush()
        self._writer.finish(self._encoder.header(self._first, extra))
        return self._file.getvalue()


def lossless_encoder(
    recording: Recording, time_base: tuple[int, int], writer: PacketsWriter, threads: int = 1
) -> H264Encoder:
    """The encoder of chunks of a clip that cannot be cut as it is: fast, bit for bit, a keyframe a second."""
    return H264Encoder(
        recording,
        time_base,
        crf=0,
        lossless=True,
        preset="ultrafast",
        keyframes=max(round(recording.fps * _KEYFRAME_SECONDS), 1),
        writer=writer,
        threads=threads,
    )
