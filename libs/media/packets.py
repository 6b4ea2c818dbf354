"""Our own container for coded packets: what chunks, segments and audio tracks are stored in.

A worker that reads it opens no demuxer. Layout, all little endian:

    magic (8 bytes) | position of the tail (uint64) | data of the packets, one after the other |
    tail: length of the header (uint32), header (JSON), number of packets (uint32), index

The index stands at the end, so that a writer streams and a reader finds its keyframe without reading the data.
"""

from __future__ import annotations

import base64
import io
import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from types import TracebackType
from typing import Any, BinaryIO, Self

import av
import numpy as np
from numpy.typing import NDArray

_MAGIC = b"PMPACK01"
_START = len(_MAGIC) + 8
NO_TIME = np.iinfo(np.int64).min  # a time stamp that is not known

KEY = 1  # the container's keyframe flag
ENTRY = 2  # decoding may start here: everything from this frame on in presentation order comes out right

INDEX = np.dtype([("pts", "<i8"), ("dts", "<i8"), ("duration", "<i8"), ("size", "<u4"), ("flags", "u1")])


@dataclass(frozen=True)
class Header:
    """What a decoder or a muxer must know of the packets.

    Attributes
    ----------
    codec : str
        FFmpeg's name of the decoder.
    time_base : (int, int)
        Seconds per tick of all time stamps as a fraction.
    extradata : bytes
        Parameter sets that are not in the packets.
    tag : str
        FourCC of the track, where the decoder's behaviour depends on it.
    width, height : int
        Picture size as the container tells it, px; 0 for audio.
    pixel_format : str
        FFmpeg's name.
    first, frames : int
        The frames that the packets own: `plan.pts[first : first + frames]`. Other frames only help decoding.
    reorder : int
        Frames that a decoder must hold back to bring them into presentation order.
    stream : bytes
        For audio: a one-packet MP4 from which a muxer copies what else is known of the track.
    extra : dict
        Anything that JSON can hold, of the one who wrote it.
    """

    codec: str
    time_base: tuple[int, int]
    extradata: bytes = field(default=b"", repr=False)
    tag: str = ""
    width: int = 0
    height: int = 0
    pixel_format: str = ""
    first: int = 0
    frames: int = 0
    reorder: int = 0
    stream: bytes = field(default=b"", repr=False)
    extra: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """The same bytes for the same header."""
        content = asdict(self)
        for name in ("extradata", "stream"):
            content[name] = base64.b64encode(content[name]).decode()
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Header:
        """What `to_json` wrote."""
        content = json.loads(data)
        for name in ("extradata", "stream"):
            content[name] = base64.b64decode(content[name])
        content["time_base"] = tuple(content["time_base"])
        return cls(**content)


@dataclass(frozen=True)
class CodedPacket:
    """One packet. Time stamps in ticks, None where not known."""

    data: bytes = field(repr=False)
    pts: int | None
    dts: int | None = None
    duration: int = 0
    flags: int = 0

    def to_av(self, time_base: Fraction) -> av.Packet[Any]:
        """The packet in memory of FFmpeg's own.

        Decoders read a little beyond the end of a packet, where FFmpeg puts zeros. Memory lent by Python has none:
        what is decoded from it depends on what lies behind it.
        """
        packet: av.Packet[Any] = av.Packet(len(self.data))
        packet.update(self.data)
        packet.pts, packet.dts, packet.duration = self.pts, self.dts, self.duration
        packet.time_base, packet.is_keyframe = time_base, self.is_key
        return packet

    @property
    def is_key(self) -> bool:
        """The container's keyframe flag."""
        return bool(self.flags & KEY)


def _tick(value: int | None) -> int:
    return NO_TIME if value is None else value


class PacketsWriter:
    """Streams packets into a seekable file; the header is given last, when all is known."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._rows: list[tuple[int, int, int, int, int]] = []
        self._position = _START
        file.write(_MAGIC + struct.pack("<Q", 0))

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, packet: CodedPacket) -> None:
        """Append one packet, in decoding order."""
        self._file.write(packet.data)
        self._position += len(packet.data)
        size = len(packet.data)
        self._rows.append((_tick(packet.pts), _tick(packet.dts), packet.duration, size, packet.flags))

    def finish(self, header: Header) -> None:
        """Write header and index. The file stays open."""
        head = header.to_json()
        index = np.array(self._rows, INDEX)
        self._file.write(struct.pack("<I", len(head)) + head + struct.pack("<I", len(index)) + index.tobytes())
        self._file.seek(len(_MAGIC))
        self._file.write(struct.pack("<Q", self._position))
        self._file.seek(0, io.SEEK_END)


def pack(header: Header, packets: list[CodedPacket]) -> bytes:
    """A whole container in memory."""
    file = io.BytesIO()
    writer = PacketsWriter(file)
    for packet in packets:
        writer.add(packet)
    writer.finish(header)
    return file.getvalue()


class PacketsReader:
    """Reads a container; holds its header and index, never its data.

    Attributes
    ----------
    header : Header
    index : structured array[n]
        Fields pts, dts, duration (ticks), size (bytes), flags, in decoding order.

    Raises
    ------
    ValueError
        On opening, if the file is no such container or is cut short.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.header, self.index = _read_tail(file)
        sizes = self.index["size"].astype(np.int64)
        self._offsets: NDArray[np.int64] = np.concatenate([[0], np.cumsum(sizes)]) + _START

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self.index)

    def packets(self, start: int = 0, stop: int | None = None) -> Iterator[CodedPacket]:
        """Packets `start` to `stop` in decoding order, read one by one."""
        stop = len(self) if stop is None else stop
        self._file.seek(int(self._offsets[start]))
        for row in self.index[start:stop]:
            size = int(row["size"])
            data = self._file.read(size)
            if len(data) != size:
                raise ValueError("a container of packets is cut short")
            pts, dts = int(row["pts"]), int(row["dts"])
            yield CodedPacket(
                data,
                None if pts == NO_TIME else pts,
                None if dts == NO_TIME else dts,
                int(row["duration"]),
                int(row["flags"]),
            )

    def entry(self, pts: int) -> int:
        """Position of the last packet from which the frame at `pts` and all later ones decode; 0 if there is none."""
        fit = np.flatnonzero((self.index["flags"] & ENTRY != 0) & (self.index["pts"] <= pts))
        return int(fit[-1]) if fit.size else 0


def _read_tail(file: BinaryIO) -> tuple[Header, NDArray[Any]]:
    file.seek(0)
    start = file.read(_START)
    if len(start) != _START or start[: len(_MAGIC)] != _MAGIC:
        raise ValueError("this is not a container of packets")
    (tail,) = struct.unpack_from("<Q", start, len(_MAGIC))
    if tail < _START:
        raise ValueError("a container of packets was never finished")
    file.seek(tail)
    head = Header.from_json(_exactly(file, struct.unpack("<I", _exactly(file, 4))[0]))
    (count,) = struct.unpack("<I", _exactly(file, 4))
    return head, np.frombuffer(_exactly(file, count * INDEX.itemsize), INDEX)


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ValueError("a container of packets is cut short")
    return data


def read_header(source: BinaryIO) -> Header:
    """The header of a container, without its packets.

    Raises
    ------
    ValueError
        If the file is no such container.
    """
    return _read_tail(source)[0]
