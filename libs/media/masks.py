"""Masks of skin at chroma resolution: the compact, lossless blob that every stage after the segmenter reads.

A frame's labels are cut into bit planes, packed, and written as the difference (XOR) to the frame before, all
frames through one Zstandard window: masks change little from frame to frame, so a face at 640x480 takes a few
hundred bytes a frame. Areas, boxes and transforms stand in the header and are read without unpacking labels.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import zstandard
from numpy.typing import NDArray

_MAGIC = b"PMMASKS1"
_LEVEL = 3
Transform = tuple[tuple[float, float, float], tuple[float, float, float]]
Regions = Mapping[str, tuple[tuple[float, float], ...]]


@dataclass(frozen=True)
class Instance:
    """One connected or tracked piece of skin in a frame.

    Attributes
    ----------
    id : int
        Its label in this frame, 1-255.
    box : tuple of int
        x0, y0, x1, y1 in luma pixels of the stored picture; x1 and y1 lie outside.
    confidence : float
        0-1.
    transform : tuple of 2 rows of 3 floats, optional
        Takes (x, y, 1) in luma pixels of the stored picture to this instance's canonical skin coordinates, the same
        piece of skin always to the same place. None where skin is not followed: then these are the picture's.
    signs : dict of str to float
        What the segmenter knows of this instance in this frame and a measurement may use, such as the pose of a head
        in degrees. Names carry the unit.
    """

    id: int
    box: tuple[int, int, int, int]
    confidence: float = 1.0
    transform: Transform | None = None
    signs: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class FrameMask:
    """The skin of one frame.

    Attributes
    ----------
    labels : uint8[h, w]
        At chroma resolution: 0 is no skin, 1, 2, … the instance that a sample belongs to in this frame.
    instances : list of Instance
    """

    labels: NDArray[np.uint8]
    instances: list[Instance] = field(default_factory=list)


def frame_mask(labels: NDArray[np.uint8], size: tuple[int, int] | None = None) -> FrameMask:
    """A mask with one instance: everything that is labelled 1.

    Parameters
    ----------
    labels : uint8[h, w]
        0 and 1, at chroma resolution.
    size : tuple of int, optional
        Width and height of the luma plane, which boxes are kept inside; twice the labels' if not given.

    Returns
    -------
    FrameMask
        Without an instance where nothing is labelled.
    """
    rows = np.flatnonzero(labels.any(axis=1))
    if not rows.size:
        return FrameMask(labels)
    columns = np.flatnonzero(labels.any(axis=0))
    width, height = size or (2 * labels.shape[1], 2 * labels.shape[0])
    box = (
        2 * int(columns[0]),
        2 * int(rows[0]),
        min(2 * int(columns[-1]) + 2, width),
        min(2 * int(rows[-1]) + 2, height),
    )
    return FrameMask(labels, [Instance(1, box)])


class MaskWriter:
    """Writes the masks of one chunk, frame by frame; holds compressed bytes only.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the chroma planes.
    canonical : tuple of int, optional
        Width and height of the canonical frame that the instances' transforms lead into; None where there is none.
    regions : dict of str to polygon, optional
        Parts of the canonical frame that have a name: x, y of the corners of each in order, canonical px.

    Raises
    ------
    ValueError
        If there are regions without a canonical frame that they could lie in.
    """

    def __init__(
        self, shape: tuple[int, int], canonical: tuple[int, int] | None = None, regions: Regions | None = None
    ) -> None:
        if regions and canonical is None:
            raise ValueError("named regions lie in a canonical frame, and there is none")
        self.shape = (int(shape[0]), int(shape[1]))
        self.canonical = canonical
        self.regions: Regions = regions or {}
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL).compressobj()
        self._parts: list[bytes] = []
        self._before: list[NDArray[np.uint8]] = []
        self._planes: list[int] = []
        self._areas: list[int] = []
        self._instances: list[list[list[Any]]] = []

    def add(self, mask: FrameMask) -> None:
        """Append the mask of the next frame.

        Raises
        ------
        ValueError
            If its labels are not uint8 of the shape of this writer.
        """
        labels = mask.labels
        if labels.shape != self.shape or labels.dtype != np.uint8:
            raise ValueError(f"labels are {labels.dtype}{labels.shape}, wanted uint8{self.shape}")
        planes = int(labels.max(initial=0)).bit_length()
        # one plane (0 and 1) is the usual case and needs no masking of bits
        packed = [
            np.packbits(labels if planes == 1 else labels & np.uint8(1 << bit), axis=None) for bit in range(planes)
        ]
        for bit, plane in enumerate(packed):
            change = plane ^ self._before[bit] if bit < len(self._before) else plane
            self._parts.append(self._compressor.compress(change.tobytes()))
        self._before = packed
        self._planes.append(planes)
        self._areas.append(int(np.count_nonzero(labels)))
        self._instances.append([[i.id, i.box, i.confidence, i.transform, i.signs] for i in mask.instances])

    def finish(self) -> bytes:
        """The blob; the writer is of no use afterwards."""
        body = b"".join([*self._parts, self._compressor.flush()])
        head = json.dumps(
            {
                "shape": self.shape,
                "canonical": self.canonical,
                "planes": self._planes,
                "areas": self._areas,
                "instances": self._instances,
                **({"regions": dict(self.regions)} if self.regions else {}),
            },
            separators=(",", ":"),
        ).encode()
        head = zstandard.ZstdCompressor(level=_LEVEL).compress(head)
        return b"".join([_MAGIC, struct.pack("<I", len(head)), head, body])


def _instance(
    label: int, box: list[int], confidence: float, transform: list[list[float]] | None, signs: dict[str, float]
) -> Instance:
    rows = None if transform is None else (tuple(transform[0]), tuple(transform[1]))
    return Instance(label, (box[0], box[1], box[2], box[3]), confidence, cast(Transform | None, rows), signs)


class MaskReader:
    """Masks of one chunk.

    Attributes
    ----------
    shape : tuple of int
        Height and width of the chroma planes.
    areas : int64[n]
        Samples of skin in each frame, at chroma resolution.
    instances : list of list of Instance
        Of each frame.
    canonical : tuple of int or None
        Width and height of the canonical frame of the transforms.
    regions : dict of str to polygon
        Parts of the canonical frame that have a name, as `MaskWriter` was given them; empty where there are none.
    """

    def __init__(self, data: bytes) -> None:
        start = len(_MAGIC) + 4
        if data[: len(_MAGIC)] != _MAGIC or len(data) < start:
            raise ValueError("this is not a blob of masks")
        (size,) = struct.unpack_from("<I", data, len(_MAGIC))
        try:
            head = json.loads(zstandard.ZstdDecompressor().decompress(data[start : start + size]))
        except zstandard.ZstdError as error:
            raise ValueError("this blob of masks is damaged") from error
        self.shape: tuple[int, int] = (head["shape"][0], head["shape"][1])
        self.areas: NDArray[np.int64] = np.array(head["areas"], np.int64)
        self.canonical: tuple[int, int] | None = tuple(head["canonical"]) if head["canonical"] else None
        self.regions: Regions = {
            name: tuple((x, y) for x, y in polygon) for name, polygon in head.get("regions", {}).items()
        }
        self.instances = [[_instance(*given) for given in instances] for instances in head["instances"]]
        self._planes: list[int] = head["planes"]
        self._data, self._body = data, start + size

    def __len__(self) -> int:
        """How many frames there are."""
        return len(self.areas)

    @property
    def empty(self) -> bool:
        """Whether no frame has any skin."""
        return not self.areas.any()

    def frames(self) -> Iterator[FrameMask]:
        """The masks in order; every `labels` is an array of its own.

        Raises
        ------
        ValueError
            If the blob is damaged or cut short.
        """
        height, width = self.shape
        samples = height * width
        size = (samples + 7) // 8
        reader = zstandard.ZstdDecompressor().stream_reader(memoryview(self._data)[self._body :])
        before: list[NDArray[np.uint8]] = []
        for index, planes in enumerate(self._planes):
            packed = []
            for bit in range(planes):
                try:
                    content = reader.read(size)
                except zstandard.ZstdError as error:
                    raise ValueError("this blob of masks is damaged") from error
                if len(content) != size:
                    raise ValueError("this blob of masks is cut short")
                plane = np.frombuffer(content, np.uint8)
                packed.append(plane ^ before[bit] if bit < len(before) else plane)
            before = packed
            labels = np.zeros(samples, np.uint8)
            for bit, plane in enumerate(packed):
                bits = np.unpackbits(plane, count=samples)
                labels = bits if planes == 1 else labels | bits << np.uint8(bit)
            yield FrameMask(labels.reshape(height, width), self.instances[index])


def read_masks(data: bytes) -> MaskReader:
    """The masks that a `MaskWriter` wrote.

    Raises
    ------
    ValueError
        If `data` is no such blob.
    """
    return MaskReader(data)


def empty_masks(shape: tuple[int, int], frames: int) -> bytes:
    """A blob of `frames` masks without any skin."""
    writer = MaskWriter(shape)
    nothing = FrameMask(np.zeros(writer.shape, np.uint8))
    for _ in range(frames):
        writer.add(nothing)
    return writer.finish()
