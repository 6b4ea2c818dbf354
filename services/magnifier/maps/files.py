"""The files of the maps, and what `result.json` says of them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from magnifier.maps.drawing import NEEDLE, draw_maps
from magnifier.maps.person_maps import UNITS, PersonMaps, RecordingMaps
from media.decode import frames
from media.join import join
from media.timeline import frame_times
from mesh.contracts import Maps, Measurement, PersonMapSummary, Plan
from mesh.stages import Inputs

WARNING = f"Relative pulsatile amplitude, not blood flow: it depends on light, skin and compression as well. {NEEDLE}"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP file can name


def read_maps(inputs: Inputs) -> RecordingMaps | None:
    """The maps that the job asked for; None where it asked for none."""
    blob = next(iter(inputs.of("maps").values()), None)
    return None if blob is None else RecordingMaps.from_bytes(blob.read())


def write_maps(found: RecordingMaps, plan: Plan, inputs: Inputs, folder: Path) -> list[str]:
    """Write pictures, arrays and the overlay; the names of the files, none where nobody has maps.

    Parameters
    ----------
    found : RecordingMaps
    plan : Plan
    inputs : Inputs
        Of the stage `result`: the first chunk, the segments of the overlay.
    folder : Path
    """
    if not found.drawn:
        return []
    start = float(frame_times(plan)[found.frame])
    decoded = frames(plan, {0: inputs.of("chunk")[0]}, start, None)
    frame = next(f for f in decoded if f.index == found.frame)
    names = [path.name for path in draw_maps(found, (frame.y, frame.u, frame.v), plan.recording, folder)]
    write_arrays(found, plan, folder / "maps.npz")
    names.append("maps.npz")
    segments = [blob for blob in inputs.of("overlay").values() if not blob.empty]
    if segments:
        join(plan, segments, next(iter(inputs.of("audio").values()), None), folder / "overlay.mp4")
        names.append("overlay.mp4")
    return names


def write_arrays(found: RecordingMaps, plan: Plan, path: Path) -> None:
    """Write `maps.npz`: an array a person and map, and `about`, a string of JSON with units and geometry.

    The same maps always give the same bytes: the archive names no time.

    Parameters
    ----------
    found : RecordingMaps
    plan : Plan
    path : Path
    """
    about = {
        "units": UNITS,
        "geometry": "cell (r, c) of a map covers luma pixels of the stored picture (of canonical coordinates of the "
        "skin where canonical is true): y from (box[0] + r) * cell_px, x from (box[1] + c) * cell_px, cell_px wide; "
        "of rate patches of patch_px from the same corner. transform takes x, y of the stored frame to canonical "
        "coordinates. regions are polygons in canonical coordinates; right and left are the person's.",
        "picture": [plan.recording.width, plan.recording.height],
        "rotation": plan.recording.rotation,
        **found.header(),
    }
    arrays = {**found.arrays(), "about": np.array(json.dumps(about))}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)


def maps_summary(found: RecordingMaps, plan: Plan) -> Maps:
    """What `result.json` says of the maps."""
    return Maps(
        frame_s=round(float(frame_times(plan)[found.frame]), 6),
        span_s=found.span_s,
        people=[_summary(person) for person in found.people],
        warning=WARNING,
    )


def _summary(person: PersonMaps) -> PersonMapSummary:
    if person.reason is not None:
        return PersonMapSummary(
            id=person.id,
            status="refused",
            reason=person.reason,
            amplitude=Measurement.refused("%", person.reason),
            delay_spread=Measurement.refused("ms", person.reason),
        )
    assert person.box is not None
    skin = float(person.maps["skin"].sum())
    amplitude, delay = (values[np.isfinite(values)] for values in (person.maps["amplitude"], person.maps["delay"]))
    weak = "no place of the skin has delays that are sure enough; longer clips and less compression help"
    spread = Measurement.refused("ms", weak)
    if delay.size:
        low, high = (float(q) for q in np.quantile(delay, (0.05, 0.95)))
        spread = Measurement(value=round(high - low, 2), unit="ms", low=round(low, 2), high=round(high, 2), status="ok")
    low, middle, high = (round(float(q), 4) for q in np.quantile(amplitude, (0.05, 0.5, 0.95)))
    return PersonMapSummary(
        id=person.id,
        status="ok",
        amplitude=Measurement(value=middle, unit="%", low=low, high=high, status="ok"),
        delay_spread=spread,
        amplitude_mapped=round(amplitude.size / skin, 4),
        delay_mapped=round(delay.size / skin, 4),
        cell_px=person.box.side,
        regions=person.regions,
        candidates=person.candidates,
    )
