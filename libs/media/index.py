"""The index of a clip: what every packet is, without its data. It is all that is held of a long clip."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from media.container import packets
from media.keyframes import breaks_order, is_entry, is_shown, nal_length_size
from media.limits import Limits
from media.packets import ENTRY, KEY
from mesh.errors import TooLong

# Streams of these can be cut as they are: their packets carry presentation times, one shown frame each.
CONTAINERS = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"})
CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "mpeg4"})
_CHANGES = frozenset({"new_extradata", "param_change", "palette"})


@dataclass(frozen=True)
class Index:
    """Packets of the video track in decoding order, or why they cannot be cut.

    Attributes
    ----------
    pts : int64[n]
        Presentation times, ticks.
    flags : uint8[n]
        `packets.KEY` and `packets.ENTRY`.
    owns : bool[n]
        Whether the packet holds a frame of the clip. Those before an edit list's start do not.
    size : int
        Bytes of all packets.
    obstacle : str or None
        Why the packets cannot be cut into chunks as they are.
    """

    pts: NDArray[np.int64]
    flags: NDArray[np.uint8]
    owns: NDArray[np.bool_]
    size: int
    obstacle: str | None


def read_index(container: InputContainer, stream: VideoStream, limits: Limits) -> Index:
    """Read all packets of a clip once.

    Raises
    ------
    TooLong
        If it has more frames than the limit, or lasts longer.
    """
    codec = stream.codec_context.codec.canonical_name
    length_size = nal_length_size(codec, stream.codec_context.extradata or b"")
    pts, flags, owns, discarded = array("q"), bytearray(), bytearray(), bytearray()
    size, obstacle = 0, _unfit(container, codec)
    moments: list[int] = []  # the first and the last
    longest = Fraction(limits.max_seconds) / (stream.time_base or 1)
    for packet in packets(container, stream):
        size += packet.size
        if len(pts) >= limits.max_frames:
            raise TooLong(f"The video has more than {limits.max_frames} frames.")
        moment = packet.pts if packet.pts is not None else packet.dts
        if moment is not None and not packet.is_discard:
            moments = [min([moment, *moments]), max([moment, *moments])]
            if moments[1] - moments[0] > longest:
                raise TooLong(f"The video lasts more than {limits.max_seconds / 60:g} min.")
        view = memoryview(packet)
        data = bytes(view) if packet.is_keyframe else bytes(view[:1]) + bytes(view[-1:])
        entry = packet.is_keyframe and is_entry(codec, data, length_size)
        obstacle = obstacle or _hindrance(packet)
        if packet.is_keyframe and pts and breaks_order(codec, data, length_size):
            obstacle = obstacle or "a broken link"
        pts.append(packet.pts if packet.pts is not None else 0)
        flags.append(KEY * packet.is_keyframe | ENTRY * entry)
        owns.append(not packet.is_discard and is_shown(codec, data))
        discarded.append(packet.is_discard)
    stamps = np.array(pts, np.int64)
    marks, own = np.array(flags, np.uint8), np.array(owns, np.bool_)
    obstacle = obstacle or _disorder(stamps, marks, own, np.array(discarded, np.bool_))
    _distrust(stamps, marks)
    return Index(stamps, marks, own, size, obstacle)


def _unfit(container: InputContainer, codec: str) -> str | None:
    if container.format.name not in CONTAINERS:
        return f"the container {container.format.name}"
    return None if codec in CODECS else f"the codec {codec}"


def _hindrance(packet: av.Packet[Any]) -> str | None:
    if packet.pts is None:
        return "packets without a presentation time"
    found = (data.data_type for data in packet.iter_sidedata())
    return next((f"a change of parameters ({kind})" for kind in found if kind in _CHANGES), None)


def _disorder(
    pts: NDArray[np.int64], flags: NDArray[np.uint8], owns: NDArray[np.bool_], discarded: NDArray[np.bool_]
) -> str | None:
    """Why time stamps do not name frames, or decoding does not start at the first packet."""
    if not owns.any():
        return "no packet that is shown"
    if not flags[0] & ENTRY:
        return "a start that is no keyframe"
    # a frame that an edit list hides is decoded all the same: its time must not be that of another one
    decoded = pts[owns | discarded]
    return "time stamps that are not unique" if len(np.unique(decoded)) != len(decoded) else None


def _distrust(pts: NDArray[np.int64], flags: NDArray[np.uint8]) -> None:
    """Take the entry mark from keyframes that are not shown after everything that was coded before them."""
    if len(pts) > 1:
        late = np.concatenate([[True], pts[1:] > np.maximum.accumulate(pts)[:-1]])
        flags[~late] &= 0xFF ^ ENTRY
