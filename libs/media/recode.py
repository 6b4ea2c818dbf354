"""Chunks of a clip that cannot be cut as it is: decoded once, coded again without loss, a keyframe at every cut.

8-bit 4:2:0 stays bit for bit what it was. Everything is streamed: two chunks lie open on disk at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
from av.video.stream import VideoStream

from media.container import check_pixels, open_clip, video_stream
from media.cuts import SHORTEST
from media.encode import H264Encoder, lossless_encoder
from media.limits import Limits
from media.packets import PacketsReader, PacketsWriter
from media.planes import planes_of
from media.probe import Facts, head_frames, recording_of
from mesh.contracts import Recording
from mesh.errors import TooLong

_SANE_RATES = (Fraction(1), Fraction(240))
_DEFAULT_RATE = Fraction(25)
_CLOCKS = {"h264": "counted", "hevc": "counted", "avi": "dts"}  # bare streams have no clock, AVI's is of decoding


@dataclass
class Recoded:
    """What is known when all chunks are written.

    Attributes
    ----------
    pts : list of int
        Of all frames, ticks of `time_base`.
    cuts : list of int
        First frame of each chunk.
    warnings : list of str
    """

    pts: list[int] = field(default_factory=list)
    time_base: tuple[int, int] = (1, 1)
    cuts: list[int] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class _Clock:
    """Time stamps that increase, whatever the file says."""

    def __init__(self, stream: VideoStream, container: str) -> None:
        rate = next((r for r in (stream.average_rate, stream.guessed_rate) if _is_sane(r)), None)
        self.rate = rate or _DEFAULT_RATE
        self.base = stream.time_base or 1 / self.rate
        self.kind = _CLOCKS.get(container)
        self._step = max(round(1 / (self.rate * self.base)), 1)
        self._last: int | None = None

    def tick(self, frame: av.VideoFrame) -> int:
        """The time of the next frame: its own where that is later than the last one, else a frame's length later."""
        if self.kind is None:
            self.kind = "pts" if frame.pts is not None else "dts" if frame.dts is not None else "counted"
        found = {"pts": frame.pts, "dts": frame.dts}.get(self.kind)
        if self._last is None:
            self._last = found or 0
        elif found is not None and found > self._last:
            self._last = found
        else:
            self._last += self._step
        return self._last


def _is_sane(rate: Fraction | None) -> bool:
    return rate is not None and _SANE_RATES[0] <= rate <= _SANE_RATES[1]


class _OpenChunk:
    """A chunk that is being written."""

    def __init__(self, path: Path, first: int, recording: Recording, base: tuple[int, int]) -> None:
        self.path, self.first = path, first
        self._file = path.open("w+b")
        self._writer = PacketsWriter(self._file)
        self.encoder: H264Encoder = lossless_encoder(recording, base, self._writer)
        self._appended = 0

    def finish(self) -> Path:
        header = self.encoder.header(self.first)
        self._writer.finish(replace(header, frames=header.frames + self._appended))
        self._file.close()
        return self.path

    def append(self, other: _OpenChunk) -> None:
        """Take over the packets of the chunk that follows, which was finished."""
        with other.path.open("rb") as file:
            reader = PacketsReader(file)
            for packet in reader.packets():
                self._writer.add(packet)
            self._appended += reader.header.frames
        other.path.unlink()


def recode(
    source: BinaryIO, facts: Facts, chunk_seconds: float, limits: Limits, scratch: Path, found: Recoded
) -> Iterator[Path]:
    """Write the chunks of a clip.

    Parameters
    ----------
    source : BinaryIO
    facts : Facts
    chunk_seconds : float
    limits : Limits
    scratch : Path
        Where the chunks are written.
    found : Recoded
        Filled while chunks are written; whole when the iterator has ended.

    Yields
    ------
    Path
        Chunks in order.

    Raises
    ------
    TooLong
        As soon as the frames that were decoded last too long, or are too many.
    TooManyPixels
        If a frame is too large.
    """
    with open_clip(source) as container:
        stream = video_stream(container, limits)
        clock = _Clock(stream, container.format.name)
        base = found.time_base = (clock.base.numerator, clock.base.denominator)
        recording = recording_of(facts, float(clock.rate))
        before: _OpenChunk | None = None
        now: _OpenChunk | None = None
        due = 0.0
        scaled = 0
        for frame in head_frames(container, stream):
            check_pixels(frame.width, frame.height, limits)
            scaled += (frame.width, frame.height) != (facts.width, facts.height)
            found.pts.append(clock.tick(frame))
            elapsed = float((found.pts[-1] - found.pts[0]) * clock.base)
            if elapsed > limits.max_seconds or len(found.pts) > limits.max_frames:
                raise TooLong(f"The video lasts more than {limits.max_seconds / 60:g} min.")
            if now is None or elapsed >= due - 1e-9:
                if now is not None:
                    now.encoder.flush()
                    if before is not None:
                        yield before.finish()
                    before = now
                now = _OpenChunk(scratch / f"chunk-{len(found.cuts)}", len(found.pts) - 1, recording, base)
                found.cuts.append(now.first)
                due = (elapsed // chunk_seconds + 1) * chunk_seconds
            now.encoder.add(found.pts[-1], *planes_of(frame, facts.width, facts.height))
    if now is not None:
        yield from _last(before, now, found, float(clock.base), chunk_seconds)
    if clock.kind == "counted" and found.pts:
        found.warnings.append(f"The file carries no time stamps; {float(clock.rate):g} frames a second were assumed.")
    if scaled:
        found.warnings.append(f"{scaled} frames have another size; they were scaled to {facts.width}x{facts.height}.")


def _last(before: _OpenChunk | None, now: _OpenChunk, found: Recoded, tick: float, length: float) -> Iterator[Path]:
    """The last two chunks; a short last one joins the one before it."""
    now.encoder.flush()
    path = now.finish()
    if before is None:
        yield path
        return
    step = (found.pts[-1] - found.pts[0]) / max(len(found.pts) - 1, 1)
    if (found.pts[-1] + step - found.pts[now.first]) * tick < SHORTEST * length:
        before.append(now)
        found.cuts.pop()
        yield before.finish()
    else:
        yield before.finish()
        yield path
