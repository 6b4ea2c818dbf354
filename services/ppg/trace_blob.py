"""The trace blob: exact sums of one chunk's frames over the patches of every instance's skin."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import zstandard
from numpy.typing import NDArray

from media.array_blob import pack, unpack
from ppg.traces import PatchGrid


@dataclass(frozen=True)
class Trace:
    """Sums of one chunk.

    Attributes
    ----------
    grid : PatchGrid
    first : int
        Index of the first frame in the plan.
    frames : int
    concealed : int
        Frames that could not be decoded and repeat the one before.
    sums : dict of int to uint32[frames, 4, patches]
        For each label in the masks: count, sum of Y, U and V. A label that never occurs is not there.
    """

    grid: PatchGrid
    first: int
    frames: int
    concealed: int = 0
    sums: dict[int, NDArray[np.uint32]] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The blob; the same sums always give the same content."""
        header = {
            "shape": list(self.grid.shape),
            "side": self.grid.side,
            "first": self.first,
            "frames": self.frames,
            "concealed": self.concealed,
        }
        arrays = {str(label): self.sums[label].astype(np.uint32) for label in sorted(self.sums)}
        return zstandard.ZstdCompressor(level=1).compress(pack(arrays, header))

    @classmethod
    def from_bytes(cls, data: bytes) -> Trace:
        """What `to_bytes` wrote.

        Raises
        ------
        ValueError
            If `data` is no such blob, or is damaged.
        """
        try:
            arrays, header = unpack(zstandard.ZstdDecompressor().decompress(data))
        except zstandard.ZstdError as error:
            raise ValueError("this is not a blob of traces") from error
        grid = PatchGrid((header["shape"][0], header["shape"][1]), header["side"])
        sums = {int(label): array for label, array in arrays.items()}
        return cls(grid, header["first"], header["frames"], header["concealed"], sums)
