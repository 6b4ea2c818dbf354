"""The maps of a recording as one blob: what `maps.npz` holds, and what pictures and the overlay are drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from magnifier.maps.cells import CellBox
from media.array_blob import pack, unpack
from media.masks import Regions, Transform
from mesh.contracts import RegionPulse, VesselCandidate

Map = NDArray[np.float32]

UNITS = {
    "amplitude": "% of the mean level: relative pulsatile amplitude, as green shows it",
    "amplitude_rgb": "% of the mean level, of R, G and B",
    "amplitude_error": "% of the mean level, standard error",
    "delay": "ms after the pulse of the whole skin",
    "delay_error": "ms, standard error",
    "quality": "dB: 20 log10 of amplitude over its standard error",
    "rate": "beats a minute, of patches",
    "vessel_score": "standard deviations of the scatter over the skin; positive artery-like, negative vein-like",
    "vessels": "number of the candidate that covers the cell, from 1; 0 none",
    "skin": "whether the cell is skin",
}
_MAPS = tuple(UNITS)


@dataclass(frozen=True)
class PersonMaps:
    """The maps of one person.

    Attributes
    ----------
    id : str
    reason : str or None
        Why there are none; then `maps` is empty.
    box : CellBox or None
        Cells of all maps but `rate`.
    patch_px : int
        Side of the patches of `rate`, whose box begins where `box` does.
    canonical : bool
        Whether coordinates are canonical ones of the skin, not the picture's.
    transform : 2 rows of 3 floats, optional
        From the picture of the frame that the maps are drawn over to their coordinates; None where they are the same.
    shown : bool
        Whether that frame shows the person.
    rate_hz : float
    maps : dict of str to array
        By the names of `UNITS`: amplitude_rgb float32[3, rows, columns], skin bool, vessels uint8, others float32;
        NaN where there is no skin or the evidence is too weak.
    candidates : list of VesselCandidate
    regions : dict of str to RegionPulse
        By name; empty where the skin has no named regions.
    """

    id: str
    reason: str | None = None
    box: CellBox | None = None
    patch_px: int = 16
    canonical: bool = False
    transform: Transform | None = None
    shown: bool = True
    rate_hz: float = 0.0
    maps: dict[str, NDArray[Any]] = field(default_factory=dict)
    candidates: list[VesselCandidate] = field(default_factory=list)
    regions: dict[str, RegionPulse] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordingMaps:
    """The maps of everybody.

    Attributes
    ----------
    frame : int
        Of the plan: what the maps are drawn over.
    span_s : tuple of float
        Stretch of the clip that they were made of.
    people : list of PersonMaps
    warnings : list of str
    regions : dict of str to polygon
        Named regions of the skin in canonical coordinates; empty where there are none.
    """

    frame: int
    span_s: tuple[float, float]
    people: list[PersonMaps]
    warnings: list[str] = field(default_factory=list)
    regions: Regions = field(default_factory=dict)

    @property
    def drawn(self) -> list[PersonMaps]:
        """Those who have maps."""
        return [person for person in self.people if person.reason is None]

    def header(self) -> dict[str, Any]:
        """All but the arrays, for JSON."""
        people = []
        for person in self.people:
            box = person.box
            people.append(
                {
                    "id": person.id,
                    "reason": person.reason,
                    "cell_px": None if box is None else box.side,
                    "box": None if box is None else [box.row, box.column, box.rows, box.columns],
                    "patch_px": person.patch_px,
                    "canonical": person.canonical,
                    "transform": person.transform,
                    "shown": person.shown,
                    "rate_hz": person.rate_hz,
                    "candidates": [candidate.model_dump() for candidate in person.candidates],
                    "regions": {name: pulse.model_dump() for name, pulse in person.regions.items()},
                }
            )
        return {
            "frame": self.frame,
            "span_s": list(self.span_s),
            "people": people,
            "warnings": self.warnings,
            "regions": dict(self.regions),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All maps, named `<person>.<map>`."""
        return {f"{p.id}.{name}": p.maps[name] for p in self.drawn for name in _MAPS}

    def to_bytes(self) -> bytes:
        """The blob; the same maps always give the same bytes."""
        return pack(self.arrays(), self.header())

    @classmethod
    def from_bytes(cls, data: bytes) -> RecordingMaps:
        """What `to_bytes` wrote.

        Raises
        ------
        ValueError
            If `data` is no such blob.
        """
        arrays, header = unpack(data)
        people = []
        for entry in header["people"]:
            name, rows = entry["id"], entry["transform"]
            known = entry["reason"] is None
            transform = None if rows is None else cast(Transform, tuple(tuple(row) for row in rows))
            people.append(
                PersonMaps(
                    id=name,
                    reason=entry["reason"],
                    box=CellBox(entry["cell_px"], *entry["box"]) if known else None,
                    patch_px=entry["patch_px"],
                    canonical=entry["canonical"],
                    transform=transform,
                    shown=entry["shown"],
                    rate_hz=entry["rate_hz"],
                    maps={key: arrays[f"{name}.{key}"] for key in _MAPS} if known else {},
                    candidates=[VesselCandidate.model_validate(c) for c in entry["candidates"]],
                    regions={name: RegionPulse.model_validate(p) for name, p in entry["regions"].items()},
                )
            )
        first, stop = header["span_s"]
        regions = {name: tuple((x, y) for x, y in polygon) for name, polygon in header["regions"].items()}
        return cls(header["frame"], (first, stop), people, header["warnings"], regions)
