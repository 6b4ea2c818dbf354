"""The pictures of the maps: amplitude, delay, rate, quality and candidates for vessels, over the first frame."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magnifier.maps.canonical import drawn_back
from magnifier.maps.cells import CellBox, Plane8
from magnifier.maps.fields import LEAST_QUALITY_DB, MOST_DELAY_ERROR_S
from magnifier.maps.figure import Backdrop, Figure, Line, Scale, draw
from magnifier.maps.person_maps import PersonMaps, RecordingMaps
from magnifier.maps.vessels import WEAK
from media.color import rgb_from_yuv
from mesh.contracts import Recording

_THREADS = 2
NEEDLE = "It guides the eye; it is no guide for a needle and shows no vessel directly."
_TITLES = {
    "amplitude": "Relative pulsatile amplitude",
    "delay": "Delay of the pulse",
    "rate": "Heart rate of each patch",
    "quality": "Quality of the pulse",
    "vessel_score": "Candidates for vessels",
}
FILES = {
    "amplitude": "amplitude.png",
    "delay": "delay.png",
    "rate": "rate.png",
    "quality": "quality.png",
    "vessel_score": "vessels.png",
}


def shown_planes(planes: tuple[Plane8, Plane8, Plane8], recording: Recording) -> NDArray[np.uint8]:
    """A frame in R, G, B at chroma resolution or, where that is small, at luma resolution; not yet turned.

    Parameters
    ----------
    planes : tuple of uint8[h, w]
        Y, U, V as stored.
    recording : Recording

    Returns
    -------
    uint8[h, w, 3]
    """
    y, u, v = planes
    u, v = (p.repeat(2, axis=0).repeat(2, axis=1)[: y.shape[0], : y.shape[1]] for p in (u, v))
    matrix, offset = rgb_from_yuv(recording)
    stored = np.stack([y, u, v], axis=2).astype(np.float32)
    rgb = stored @ matrix.T.astype(np.float32) + offset.astype(np.float32)
    picture: NDArray[np.uint8] = np.clip(rgb + 0.5, 0, 255).astype(np.uint8)
    return picture


def turned(picture: NDArray[Any], recording: Recording) -> NDArray[Any]:
    """A picture as it is shown: turned by the recording's rotation."""
    return np.ascontiguousarray(np.rot90(picture, -(recording.rotation // 90)))


def _on_picture(person: PersonMaps, name: str, shape: tuple[int, int]) -> NDArray[np.float32]:
    """A map of one person in the chroma samples of the frame."""
    assert person.box is not None
    box = person.box
    if name == "rate":
        many = person.patch_px // box.side
        box = CellBox(person.patch_px, box.row // many, box.column // many, box.rows // many, box.columns // many)
    values = person.maps[name].astype(np.float32)
    return drawn_back(values, box, person.transform, shape, order=0 if name in ("rate", "skin") else 1)


def on_picture(maps: RecordingMaps, name: str, shape: tuple[int, int]) -> NDArray[np.float32]:
    """A map of everybody in the chroma samples of the frame that it is drawn over.

    Parameters
    ----------
    maps : RecordingMaps
    name : str
        One of `person_maps.UNITS` with two axes.
    shape : tuple of int
        Height and width of the chroma planes.

    Returns
    -------
    float32[h, w]
        NaN where there is none.
    """
    result = np.full(shape, np.nan, np.float32)
    for person in maps.drawn:
        if person.shown:
            here = _on_picture(person, name, shape)
            result = np.where(np.isfinite(here), here, result)
    return result


def _spread(values: NDArray[np.float32], low: float, high: float) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    return float(np.quantile(known, low)), float(np.quantile(known, high))


def _scale(name: str, values: NDArray[np.float32]) -> Scale:
    if name == "amplitude":
        return Scale(0.0, max(_spread(values, 0, 0.995)[1], 1e-3), "inferno", "%")
    if name == "delay":
        low, high = _spread(values, 0.02, 0.98)
        reach = max(abs(low), abs(high), 5.0)
        return Scale(-reach, reach, "diverging", "ms", ("later", "earlier"))
    if name == "rate":
        low, high = _spread(values, 0.02, 0.98)
        reach = max((high - low) / 2, 3.0)
        return Scale((low + high) / 2 - reach, (low + high) / 2 + reach, "plasma", "bpm")
    if name == "quality":
        return Scale(0.0, max(_spread(values, 0, 0.995)[1], 20.0), "viridis", "dB")
    reach = max(_spread(np.abs(values), 0, 0.995)[1], 6.0)
    return Scale(-reach, reach, "diverging_reversed", "score", ("artery-like", "vein-like"))


def _caption(name: str, maps: RecordingMaps) -> str:
    first, last = maps.span_s
    rates = ", ".join(f"{60 * p.rate_hz:.1f}" for p in maps.drawn)
    said = {
        "amplitude": "Amplitude of the pulse (its fundamental) over the mean brightness of the skin, as green shows "
        "it. It is relative: not blood flow, not perfusion. Hatched: evidence too weak (below "
        f"{LEAST_QUALITY_DB:g} dB).",
        "delay": "When the pulse arrives, against the pulse of the whole skin: red is earlier, blue is later. Hatched: "
        f"evidence too weak (standard error above {1000 * MOST_DELAY_ERROR_S:g} ms).",
        "rate": "The strongest frequency of each patch of skin by itself. Patches that disagree with the person pulse "
        "with something else, such as a lamp. Hatched: nothing stands out.",
        "quality": f"Amplitude over its standard error, 20 log10. Below {LEAST_QUALITY_DB:g} dB nothing is mapped.",
        "vessel_score": "Lines along which the pulse is stronger and earlier than around them (artery-like, solid), or "
        f"weaker and later (vein-like, dashed), with their scores; colours from {WEAK:g} on. {NEEDLE}",
    }[name]
    hidden = [p.id for p in maps.drawn if not p.shown]
    absent = f" Not in this picture: person {', '.join(hidden)}." if hidden else ""
    return f"{said} From {first:.1f} to {last:.1f} s, heart rate {rates} bpm.{absent}"


def _lines(maps: RecordingMaps) -> list[Line]:
    lines = []
    for person in maps.drawn:
        if not person.shown:
            continue
        for number, candidate in enumerate(person.candidates, start=1):
            artery = candidate.kind == "artery-like"
            label = f"{'A' if artery else 'V'}{number}  {candidate.score:.1f}"
            lines.append(Line(candidate.points, label, dashed=not artery))
    return lines


def figures(
    maps: RecordingMaps, planes: tuple[Plane8, Plane8, Plane8], recording: Recording
) -> Iterator[tuple[str, Figure]]:
    """File name and figure of every map.

    Parameters
    ----------
    maps : RecordingMaps
        Somebody in it has maps.
    planes : tuple of uint8[h, w]
        Of the frame `maps.frame`.
    recording : Recording
    """
    picture = _square_pixels(turned(shown_planes(planes, recording), recording), recording)
    shape = planes[1].shape
    flat = (shape[0], shape[1])
    skin = turned(np.nan_to_num(on_picture(maps, "skin", flat)) > 0.5, recording)
    backdrop = Backdrop(picture, skin)
    pixels = (recording.width if recording.rotation % 180 == 0 else recording.height) / picture.shape[1]
    for name, file in FILES.items():
        values = turned(on_picture(maps, name, flat), recording)
        candidates = name == "vessel_score"
        scale, lines = _scale(name, values), []
        if candidates:  # only what stands out: the rest is skin, not refused
            values = np.where(np.abs(values) >= WEAK, values, np.float32(np.nan))
            lines = _lines(maps)
        caption = _caption(name, maps)
        yield file, Figure(_TITLES[name], caption, backdrop, values, scale, pixels, lines, hatched=not candidates)


def _square_pixels(picture: NDArray[np.uint8], recording: Recording) -> NDArray[np.uint8]:
    across, down = recording.pixel_aspect
    if across == down or across <= 0 or down <= 0:
        return picture
    from PIL import Image

    height, width = picture.shape[:2]
    size = (
        (round(width * across / down), height)
        if recording.rotation % 180 == 0
        else (width, round(height * across / down))
    )
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def draw_maps(
    maps: RecordingMaps, planes: tuple[Plane8, Plane8, Plane8], recording: Recording, folder: Path
) -> list[Path]:
    """Draw every map into a folder; the paths of the pictures."""
    drawn = dict(figures(maps, planes, recording))
    paths = [folder / file for file in drawn]
    with ThreadPoolExecutor(_THREADS) as pool:  # resizing and packing leave the interpreter's lock alone
        list(pool.map(draw, drawn.values(), paths))
    return paths
