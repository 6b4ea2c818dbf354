"""Fields of colour: for each frame the means of Y, U and V over the samples of a coarse grid, over skin alone.

Where skin is followed (an instance carries a transform) its field lies in the canonical skin coordinates, so that a
sample is the same piece of skin in every frame; else in those of the picture. A mean over the skin around a sample is a
normalised convolution (Knutsson and Westin 1993, CVPR): what is no skin has no weight. Fields are kept in 1/256 of a
level, a small part of what the noise of a camera leaves in such a mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magnifier.canonical_frame import canonical_samples
from magnifier.grid import FieldGrid, Kind, field_grid, luma_at_chroma
from media.array_blob import pack, unpack
from media.decode import Frame
from media.masks import FrameMask, Transform
from mesh.contracts import Recording
from mesh.parameters import Parameters

Samples = NDArray[np.uint16]
Plane = NDArray[np.uint8]
Levels = NDArray[np.float32]
PICTURE = 0  # the layer in coordinates of the picture; others have the label of their instance
SCALE = 256  # stored units a level; 0 is a sample without skin
COVERED = 0.125  # part of a sample's surroundings that must be skin


def grid_kind(parameters: Parameters) -> tuple[Kind, int]:
    """Kind and size of the grid that a method asks for."""
    if parameters.magnify == "patch":
        return "patch", parameters.magnify_patch
    return "pyramid", parameters.pyramid_level


class FieldMaker:
    """Makes the fields of frames one by one; nothing but the last mask's coverage goes from one to the next.

    Parameters
    ----------
    recording : Recording
    parameters : Parameters
        `magnify`, `region` and the size of the grid.
    canonical : tuple of int, optional
        Width and height of the canonical frame, in luma pixels.
    """

    def __init__(self, recording: Recording, parameters: Parameters, canonical: tuple[int, int] | None = None) -> None:
        kind, size = grid_kind(parameters)
        released = parameters.compat == "2012"
        self.grid = field_grid(recording.height, recording.width, kind, size, released)
        self.skin = parameters.region == "skin"
        self.canonical: FieldGrid | None = None
        if canonical is not None and self.skin:
            self.canonical = field_grid(canonical[1], canonical[0], kind, size)
        self._kept: tuple[NDArray[np.uint8], NDArray[np.float32], Levels] | None = None

    def fields(self, frame: Frame, mask: FrameMask) -> dict[int, Samples]:
        """Of each layer that the frame shows; uint16[3, rows, columns]."""
        planes = np.stack([luma_at_chroma(frame.y), frame.u.astype(np.float32), frame.v.astype(np.float32)])
        if not self.skin:
            return {PICTURE: _stored(self.grid.reduce(planes), None)}
        found: dict[int, Samples] = {}
        still = mask.labels
        if self.canonical is not None:
            for instance in mask.instances:
                if instance.transform is not None:
                    mine = (mask.labels == instance.id).astype(np.float32)
                    found[instance.id] = self._followed(planes, mine, instance.transform, self.canonical)
            if found:
                still = np.where(np.isin(mask.labels, list(found)), np.uint8(0), mask.labels)
        if still.any():
            skin, cover = self.coverage(still)
            found[PICTURE] = _stored(self.grid.reduce(planes * skin), cover)
        return found

    def coverage(self, labels: NDArray[np.uint8]) -> tuple[Levels, Levels]:
        """Skin of the picture layer as 0 and 1, and the part of each sample's surroundings that is skin."""
        if self._kept is None or not np.array_equal(self._kept[0], labels):
            skin = (labels > 0).astype(np.float32)
            self._kept = (labels, skin, self.grid.reduce(skin[None])[0])
        return self._kept[1], self._kept[2]

    def _followed(self, planes: Levels, skin: Levels, transform: Transform, grid: FieldGrid) -> Samples:
        """The field of one instance, its skin put where it lies in the canonical frame."""
        every = warped(np.concatenate([planes * skin, skin[None]]), transform, grid)
        return _stored(every[:3], every[3])


def _stored(means: Levels, cover: Levels | None) -> Samples:
    scaled = means * np.float32(SCALE)
    if cover is not None:
        scaled /= np.maximum(cover, np.float32(1e-6))
    stored: Samples = np.clip(scaled + np.float32(0.5), 1, 65535).astype(np.uint16)
    if cover is not None:
        stored[:, cover < COVERED] = 0
    return stored


def warped(planes: Levels, transform: Transform, grid: FieldGrid) -> Levels:
    """Planes of the picture as fields in canonical coordinates.

    Parameters
    ----------
    planes : float32[c, h, w]
        At chroma resolution.
    transform : Transform
        From the picture to the canonical frame.
    grid : FieldGrid
        Of the canonical frame.

    Returns
    -------
    float32[c, rows, columns]
    """
    rows, columns = grid.rows.fine.shape[0], grid.columns.fine.shape[0]
    return grid.reduce(canonical_samples(planes, transform, ((rows + 1) // 2, (columns + 1) // 2)))


@dataclass(frozen=True)
class FieldBlob:
    """The fields of one chunk.

    Attributes
    ----------
    first, frames : int
        Its frames in the plan.
    layers : dict of int to (int32[m], uint16[m, 3, rows, columns])
        By layer: the frames (counted from `first`) that show it, and its field in each of them.
    """

    first: int
    frames: int
    layers: dict[int, tuple[NDArray[np.int32], Samples]]

    def to_bytes(self) -> bytes:
        """The blob; the same fields always give the same bytes."""
        arrays: dict[str, NDArray[Any]] = {}
        for layer, (at, fields) in sorted(self.layers.items()):
            arrays[f"{layer}.at"], arrays[f"{layer}.fields"] = at, fields
        return pack(arrays, {"first": self.first, "frames": self.frames, "layers": sorted(self.layers)})

    @classmethod
    def from_bytes(cls, data: bytes) -> FieldBlob:
        """What `to_bytes` wrote.

        Raises
        ------
        ValueError
            If `data` is no such blob.
        """
        arrays, header = unpack(data)
        layers = {n: (arrays[f"{n}.at"], arrays[f"{n}.fields"]) for n in header["layers"]}
        return cls(header["first"], header["frames"], layers)

    def of(self, frame: int) -> dict[int, Samples]:
        """The layers of one frame of the plan."""
        found = {}
        for layer, (at, fields) in self.layers.items():
            place = int(np.searchsorted(at, frame - self.first))
            if place < len(at) and at[place] == frame - self.first:
                found[layer] = fields[place]
        return found


def gathered(first: int, made: list[dict[int, Samples]]) -> FieldBlob:
    """The blob of a chunk from the layers of its frames in order."""
    layers = {}
    for layer in sorted({name for fields in made for name in fields}):
        at = [n for n, fields in enumerate(made) if layer in fields]
        layers[layer] = (np.array(at, np.int32), np.stack([made[n][layer] for n in at]))
    return FieldBlob(first, len(made), layers)
