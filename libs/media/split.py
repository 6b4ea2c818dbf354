"""Cuts a clip into chunks that decode alone, and writes the plan that everybody works from.

Most clips are cut as they are: packets are copied, nothing is decoded. The others (see `index`, `cuts` and
`recode`) are decoded once and coded again without loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from media.audio import write_audio
from media.container import open_clip, packets, video_stream
from media.cuts import Span, spans
from media.decode import decode_leniently
from media.index import Index, read_index
from media.limits import Limits
from media.packets import ENTRY, CodedPacket, Header, PacketsWriter
from media.probe import Facts, check_duration, head_facts, recording_of
from media.recode import Recoded, recode
from media.timeline import is_variable, last_duration, mean_rate, seconds, uniform_grid
from mesh.contracts import Chunk, Plan
from mesh.errors import NoFrames, NotMoving
from mesh.parameters import Parameters
from mesh.stages import Output

_HDR = {16: "PQ", 18: "HLG"}  # transfer characteristics of ITU-T H.273
_MAX_REORDER = 16  # frames that any decoder holds back


@dataclass(frozen=True)
class Source:
    """What both ways of splitting find out.

    Attributes
    ----------
    pts : int64[n]
        Of all frames in presentation order, ticks.
    time_base : (int, int)
    cuts : list of int
        First frame of each chunk.
    size : int
        Bytes of the coded video.
    warnings : list of str
    """

    pts: NDArray[np.int64]
    time_base: tuple[int, int]
    cuts: list[int]
    size: int
    warnings: list[str]


def split(source: BinaryIO, parameters: Parameters, scratch: Path, limits: Limits | None = None) -> Iterator[Output]:
    """Split a clip.

    Memory does not grow with the clip but for its index: some 20 bytes a frame.

    Parameters
    ----------
    source : BinaryIO
        Seekable.
    parameters : Parameters
        `chunk_seconds` (of the file's own time) and `capture_fps` are read.
    scratch : Path
        A folder for the files that are yielded.
    limits : Limits, optional

    Yields
    ------
    Output
        Of kind `chunk`, in order; then `audio` if there is any; then `plan`.

    Raises
    ------
    RecordingFailure
        The one that says why the clip cannot be used; as `probe.probe`, but for the whole clip.
    """
    limits = limits or Limits()
    facts = head_facts(source, limits, patient=True)
    with open_clip(source) as container:
        stream = video_stream(container, limits)
        index = read_index(container, stream, limits)
        base = stream.time_base
    obstacle = index.obstacle or _unlike(facts)
    found: Source | None = None
    if obstacle is None and base is not None:
        owns = _without_lost_head(source, index, limits)
        entries = index.flags & ENTRY != 0
        cut = spans(index.pts, owns, entries, float(base), parameters.chunk_seconds)
        if cut is not None:
            shown = np.sort(index.pts[owns])
            _check(shown, (base.numerator, base.denominator), limits)
            yield from _copied(source, index, cut, limits, scratch)
            found = Source(shown, (base.numerator, base.denominator), [s.first for s in cut], index.size, [])
    if found is None:
        recoded = Recoded()
        for number, path in enumerate(recode(source, facts, parameters.chunk_seconds, limits, scratch, recoded)):
            yield Output("chunk", str(number), path)
        pts = np.array(recoded.pts, np.int64)
        _check(pts, recoded.time_base, limits)
        warnings = [*_conversions(facts), *recoded.warnings]
        if not facts.interlaced and len(pts) < (expected := int(index.owns.sum())):
            warnings.append(f"{expected - len(pts)} of {expected} frames could not be decoded and are missing.")
        found = Source(pts, recoded.time_base, recoded.cuts, index.size, warnings)
    path = scratch / "audio"
    with path.open("wb") as file:
        sound = write_audio(source, file)
    if sound is not None:
        yield Output("audio", "0", path)
    plan = make_plan(facts, found, parameters, audio=sound is not None)
    yield Output("plan", "0", plan.model_dump_json().encode())


def _unlike(facts: Facts) -> str | None:
    if facts.interlaced:
        return "interlaced"
    return None if facts.exact else f"the pixel format {facts.pixel_format}"


def _conversions(facts: Facts) -> list[str]:
    """What the frames went through to become 8-bit 4:2:0."""
    found = []
    if facts.bits > 8:
        found.append(f"The video has {facts.bits} bits a sample; it was reduced to 8.")
    elif not facts.exact:
        found.append(f"The video is stored as {facts.pixel_format}; it was converted to yuv420p.")
    if facts.interlaced:
        found.append("The video is interlaced; both fields are used as one picture.")
    return found


def _check(pts: NDArray[np.int64], base: tuple[int, int], limits: Limits) -> None:
    if len(pts) == 0:
        raise NoFrames("Not one frame of the video could be decoded.")
    if len(pts) == 1:
        raise NotMoving("The video has a single frame.")
    check_duration(float((pts[-1] - pts[0] + last_duration(pts)) * base[0] / base[1]), limits)


def _without_lost_head(source: BinaryIO, index: Index, limits: Limits) -> NDArray[np.bool_]:
    """Which packets own a frame, without the leading pictures of the first keyframe that decoders drop.

    They refer to frames that were cut away. Whether they decode all the same is tried.
    """
    ahead = np.flatnonzero(index.owns & (index.pts < index.pts[0]))
    if not ahead.size:
        return index.owns
    shown: set[int] = set()
    with open_clip(source) as container:
        stream = video_stream(container, limits)
        stream.codec_context.thread_count = 1
        for number, packet in enumerate(packets(container, stream)):
            if number > ahead[-1]:
                break
            shown.update(f.pts for f in decode_leniently(stream.codec_context, packet) if f.pts is not None)
        shown.update(f.pts for f in decode_leniently(stream.codec_context, None) if f.pts is not None)
    owns = index.owns.copy()
    owns[ahead] = np.isin(index.pts[ahead], list(shown))
    return owns


def _copied(source: BinaryIO, index: Index, cut: list[Span], limits: Limits, scratch: Path) -> Iterator[Output]:
    """Write the packets into their chunks; one packet may be in several."""
    with open_clip(source) as container:
        stream = video_stream(container, limits)
        header = _header(stream, index)
        opened: dict[int, tuple[Path, BinaryIO, PacketsWriter]] = {}
        due = done = 0
        for number, packet in enumerate(packets(container, stream)):
            if number >= len(index.pts) or packet.pts != index.pts[number]:
                raise OSError("the clip changed while it was read")
            while due < len(cut) and cut[due].begin <= number:
                path = scratch / f"chunk-{due}"
                file: BinaryIO = path.open("w+b")
                opened[due] = (path, file, PacketsWriter(file))
                due += 1
            coded = CodedPacket(bytes(packet), packet.pts, packet.dts, packet.duration or 0, int(index.flags[number]))
            for k, (_, _, writer) in opened.items():
                if number < cut[k].end:
                    writer.add(coded)
            while done in opened and cut[done].end <= number + 1:
                path, file, writer = opened.pop(done)
                writer.finish(replace(header, first=cut[done].first, frames=cut[done].stop - cut[done].first))
                file.close()
                yield Output("chunk", str(done), path)
                done += 1
        if done != len(cut):
            raise OSError("the clip changed while it was read")


def _header(stream: VideoStream, index: Index) -> Header:
    context, base = stream.codec_context, stream.time_base
    assert base is not None
    # frames that are decoded before one that is shown earlier
    decoded = index.pts[index.owns]
    places = np.empty(len(decoded), np.int64)
    places[np.argsort(decoded, kind="stable")] = np.arange(len(decoded))
    needed = int(np.max(np.arange(len(decoded)) - places, initial=0))
    return Header(
        codec=context.codec.name,
        time_base=(base.numerator, base.denominator),
        extradata=context.extradata or b"",
        tag=context.codec_tag if context.codec_tag.isprintable() else "",
        width=context.width,
        height=context.height,
        pixel_format=context.pix_fmt or "",
        reorder=min(max(context.reorder_depth, needed), _MAX_REORDER),
    )


def make_plan(facts: Facts, found: Source, parameters: Parameters, *, audio: bool) -> Plan:
    """The plan of a clip that was split.

    Parameters
    ----------
    facts : Facts
    found : Source
    parameters : Parameters
        `capture_fps` makes the time scale of slow motion: the file's mean rate over the rate of capture.
    audio : bool
        Whether a sound track was written.
    """
    plain = seconds(found.pts, found.time_base, 1.0)
    scale = mean_rate(plain) / parameters.capture_fps if parameters.capture_fps else 1.0
    times = seconds(found.pts, found.time_base, scale)
    end = float(times[-1]) + last_duration(found.pts) * found.time_base[0] / found.time_base[1] * scale
    stops = [*found.cuts[1:], len(times)]
    chunks = [
        Chunk(
            index=k,
            first=first,
            frames=stop - first,
            t0=float(times[first]),
            t1=float(times[stop]) if stop < len(times) else end,
        )
        for k, (first, stop) in enumerate(zip(found.cuts, stops, strict=True))
    ]
    recording = recording_of(facts, fps=mean_rate(times)).model_copy(
        update={
            "duration_s": end,
            "frames": len(times),
            "variable_rate": is_variable(found.pts),
            "audio": audio,
            "bits_per_pixel": 8 * found.size / (facts.width * facts.height * len(times)),
        }
    )
    warnings = list(found.warnings)
    if facts.transfer in _HDR:
        kind = _HDR[facts.transfer]
        warnings.append(f"The video is HDR ({kind}): its levels follow another curve than those of ordinary video.")
    return Plan(
        recording=recording,
        time_base=found.time_base,
        pts=found.pts.tolist(),
        time_scale=scale,
        chunks=chunks,
        grid=uniform_grid(times),
        warnings=warnings,
    )
