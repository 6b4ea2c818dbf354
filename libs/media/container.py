"""Opening a file from outside: the allowed demuxers only, and a typed refusal for everything else.

Run it in a limited child: demuxers and decoders are attacked with files like these.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from media.limits import Limits
from mesh.errors import (
    EmptyUpload,
    NotMoving,
    NoVideoStream,
    TooManyPixels,
    UnreadableVideo,
    UnsupportedCodec,
)

# No concat, HLS, DASH or image2: they open other files.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,h264,hevc,mpegts"

_HEAD = 64
_PICTURES = re.compile(
    rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|BM.{4}\0\0\0\0|II\*\0|MM\0\*|RIFF.{4}WEBP|.{4}ftyp(?:heic|heix|mif1|msf1|avif|avis)",
    re.DOTALL,
)
_SEQUENCE_BRANDS = frozenset({b"msf1", b"avis"})  # image sequences: the demuxer may take them as video
_SOUNDS = re.compile(rb"ID3|RIFF.{4}WAVE|fLaC|OggS|FORM.{4}AIF|\xff[\xfb\xf3\xf2\xf1\xf9]", re.DOTALL)
_DEMUX_ERRORS = 16  # a file whose demuxer fails more often has no more to give


def _refuse_io(*_: object, **__: object) -> NoReturn:
    raise PermissionError("a clip may open no other file")


def open_clip(source: BinaryIO) -> InputContainer:
    """Open a clip with an allowed demuxer.

    Parameters
    ----------
    source : BinaryIO
        Seekable.

    Raises
    ------
    EmptyUpload
        No bytes.
    NotMoving
        The bytes of a picture: PNG, JPEG, GIF, BMP, TIFF, WebP, HEIC, AVIF.
    NoVideoStream
        The bytes of a sound file.
    UnreadableVideo
        No allowed demuxer can read it: text, a playlist, a truncated or foreign file.
    """
    source.seek(0, os.SEEK_END)
    if source.tell() == 0:
        raise EmptyUpload("The file holds no bytes.")
    source.seek(0)
    head = source.read(_HEAD)
    source.seek(0)
    picture = _PICTURES.match(head)
    if picture and head[8:12] not in _SEQUENCE_BRANDS:
        raise NotMoving("The file is a still picture.")
    if _SOUNDS.match(head):
        raise NoVideoStream("The file holds sound only.")
    try:
        return av.open(
            source,
            "r",
            options={"format_whitelist": FORMATS},
            metadata_errors="replace",
            io_open=_refuse_io,
        )
    except MemoryError:
        raise
    except Exception as error:
        raise UnreadableVideo("No demuxer can read the file: it is cut short, damaged, or no video.") from error


def video_stream(container: InputContainer, limits: Limits) -> VideoStream:
    """The track with moving pictures, its decoder limited in size.

    The one that is marked as the default, else the largest.

    Raises
    ------
    NoVideoStream
        There is none.
    UnsupportedCodec
        There is no decoder for it.
    TooManyPixels
        Its frames are declared larger than the limit.
    """
    tracks = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not tracks:
        raise NoVideoStream("There is no track with moving pictures in the file.")
    known = [s for s in tracks if s.codec_context is not None]
    if not known:
        raise UnsupportedCodec("There is no decoder for the codec of this video.")
    stream = max(
        known,
        key=lambda s: (
            bool(s.disposition & av.stream.Disposition.default),
            s.codec_context.width * s.codec_context.height,
            -s.index,
        ),
    )
    context = stream.codec_context
    check_pixels(context.width, context.height, limits)
    context.options = {"max_pixels": str(limits.decoder_pixels)}
    return stream


def check_pixels(width: int, height: int, limits: Limits) -> None:
    """Refuses frames of more pixels than are allowed.

    Raises
    ------
    TooManyPixels
    """
    if width * height > limits.max_pixels:
        raise TooManyPixels(f"The frames have {width}x{height} pixels; at most {limits.max_pixels} pixels are taken.")


def packets(container: InputContainer, *streams: Any, until: float | None = None) -> Iterator[av.Packet[Any]]:
    """Packets that hold data, in the order of the file, going on after damage where the demuxer can.

    Parameters
    ----------
    container : InputContainer
    *streams : Stream
        Tracks to read; the others are skipped.
    until : float, optional
        A moment of `time.thread_time()` after which nothing more is read: work counts, not waiting.
    """
    wanted = {stream.index for stream in streams}
    for stream in container.streams:
        if stream.index not in wanted:
            stream.discard = av.stream.Discard.all
    for _ in range(_DEMUX_ERRORS):
        try:
            for packet in container.demux(*streams):
                if until is not None and time.thread_time() > until:
                    return
                if packet.size:
                    yield packet
        except av.error.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            continue
        return
