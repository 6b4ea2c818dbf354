"""The trace blob: exact sums of one chunk's frames over the patches of every instance's skin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from media.array_blob import pack, unpack
from ppg.profiles import BINS, STRIPS
from ppg.traces import PatchGrid

_CLIPPED = "clipped/"
_PROFILES = "profiles"
_BACKGROUND = "background"


def _no_profiles() -> NDArray[np.uint16]:
    return np.zeros((0, 2, STRIPS, BINS), np.uint16)


def _no_background() -> NDArray[np.int64]:
    return np.zeros((0, 4), np.int64)


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
    clipped : dict of int to uint32[frames]
        For each label, samples at a limit of the range.
    profiles : uint16[frames, 2, STRIPS, BINS]
        Of each frame's brightness (`ppg.profiles`); no rows where no frame was decoded.
    background : int64[frames, 4]
        Count, Y, U, V as in `sums` of all that is nobody's skin; no rows where no frame was decoded.
    """

    grid: PatchGrid
    first: int
    frames: int
    concealed: int = 0
    sums: dict[int, NDArray[np.uint32]] = field(default_factory=dict)
    clipped: dict[int, NDArray[np.uint32]] = field(default_factory=dict)
    profiles: NDArray[np.uint16] = field(default_factory=_no_profiles)
    background: NDArray[np.int64] = field(default_factory=_no_background)

    def to_bytes(self) -> bytes:
        """The blob; the same sums always give the same content."""
        header = {
            "shape": list(self.grid.shape),
            "side": self.grid.side,
            "first": self.first,
            "frames": self.frames,
            "concealed": self.concealed,
        }
        arrays: dict[str, NDArray[Any]] = {
            str(label): self.sums[label].astype(np.uint32) for label in sorted(self.sums)
        }
        arrays |= {f"{_CLIPPED}{label}": self.clipped[label].astype(np.uint32) for label in sorted(self.clipped)}
        arrays |= {_PROFILES: self.profiles, _BACKGROUND: self.background}
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
        profiles, background = arrays.pop(_PROFILES, None), arrays.pop(_BACKGROUND, None)
        if profiles is None or background is None:
            raise ValueError("this blob of traces is of an older form")
        clipped = {
            int(name.removeprefix(_CLIPPED)): array for name, array in arrays.items() if name.startswith(_CLIPPED)
        }
        sums = {int(name): array for name, array in arrays.items() if not name.startswith(_CLIPPED)}
        return cls(grid, header["first"], header["frames"], header["concealed"], sums, clipped, profiles, background)
