"""The sound track: copied where MP4 holds it, else coded as AAC. It is never listened to."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream

from media.container import open_clip, packets
from media.packets import KEY, CodedPacket, Header, PacketsWriter

# What MP4 holds and players play (ISO/IEC 14496-14, the Opus, FLAC and AC-3 mappings)
COPIED = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "alac", "flac"})
_BIT_RATE = 128_000
_MAX_CHANNELS = 2  # of sound that is coded again


def write_audio(source: BinaryIO, file: BinaryIO) -> str | None:
    """Write the clip's first sound track as a container of packets.

    Parameters
    ----------
    source : BinaryIO
        The clip.
    file : BinaryIO
        Where to write.

    Returns
    -------
    str or None
        FFmpeg's name of the codec written, None where there is no sound that can be read; `file` is then of no use.
    """
    with open_clip(source) as container:
        stream = next((s for s in container.streams.audio if s.codec_context is not None), None)
        if stream is None:
            return None
        name = stream.codec_context.codec.canonical_name
        if name in COPIED:
            found = [p for _, p in zip(range(1), packets(container, stream), strict=False)]
            described = _described(stream, found[0]) if found else None
        else:
            described = None
    with open_clip(source) as container:
        stream = next(s for s in container.streams.audio if s.codec_context is not None)
        if described is not None:
            return _copy(container, stream, described, file)
        return _transcode(container, stream, file)


def _described(stream: AudioStream, packet: av.Packet[Any]) -> bytes | None:
    """An MP4 of one packet: what a muxer must know of the track. None where MP4 does not take it."""
    file = io.BytesIO()
    try:
        with av.open(file, "w", format="mp4") as container:
            copy = container.add_stream_from_template(stream)
            one = CodedPacket(bytes(packet), 0, 0, packet.duration or 0, KEY).to_av(packet.time_base)
            one.stream = copy
            container.mux(one)
        with av.open(io.BytesIO(file.getvalue()), format="mp4") as again:
            return file.getvalue() if again.streams.audio else None
    except (av.error.FFmpegError, ValueError):
        return None


def _copy(container: Any, stream: AudioStream, described: bytes, file: BinaryIO) -> str | None:
    writer = PacketsWriter(file)
    last: int | None = None
    for packet in packets(container, stream):
        if packet.pts is None or (last is not None and packet.pts <= last):
            continue  # damaged; a muxer takes only times that increase
        last = packet.pts
        writer.add(CodedPacket(bytes(packet), packet.pts, packet.pts, packet.duration or 0, KEY))
    if not len(writer) or stream.time_base is None:
        return None
    name = stream.codec_context.codec.canonical_name
    base = stream.time_base
    writer.finish(Header(codec=name, time_base=(base.numerator, base.denominator), stream=described))
    return name


def _transcode(container: Any, stream: AudioStream, file: BinaryIO) -> str | None:
    channels = min(len(stream.codec_context.layout.channels) or _MAX_CHANNELS, _MAX_CHANNELS)
    layout = "mono" if channels == 1 else "stereo"
    rate = 48_000
    writer, described = PacketsWriter(file), io.BytesIO()
    resampler = AudioResampler("fltp", layout, rate)
    base = Fraction(1, rate)
    with av.open(described, "w", format="mp4") as shell:
        track = shell.add_stream("aac", rate=rate)
        context = track.codec_context
        assert isinstance(context, AudioCodecContext)
        context.layout, context.format, context.bit_rate = layout, "fltp", _BIT_RATE
        context.time_base = base
        for coded in _coded(container, stream, resampler, track, base):
            writer.add(CodedPacket(bytes(coded), coded.pts, coded.pts, coded.duration or 0, KEY))
            if len(writer) == 1:
                coded.pts = coded.dts = 0
                shell.mux(coded)
    if not len(writer):
        return None
    writer.finish(Header(codec="aac", time_base=(1, rate), stream=described.getvalue()))
    return "aac"


def _coded(
    container: Any, stream: AudioStream, resampler: AudioResampler, track: AudioStream, base: Fraction
) -> Iterator[av.Packet[Any]]:
    """AAC packets; their clock starts at the first sound that decodes, what is damaged is left out."""
    start: int | None = None
    count = 0
    for frame in _heard(container, stream):
        if start is None:
            start = round(float(frame.time or 0.0) / base) if frame.time is not None else 0
        for block in resampler.resample(frame):
            block.pts, block.time_base = start + count, base
            count += block.samples
            yield from track.encode(block)
    if start is not None:
        yield from track.encode(None)


def _heard(container: Any, stream: AudioStream) -> Iterator[av.AudioFrame]:
    for packet in packets(container, stream):
        try:
            yield from stream.decode(packet)
        except av.error.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
