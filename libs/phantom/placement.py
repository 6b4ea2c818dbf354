"""Parts drawn and put where they belong: what is seen at rest, the maps that are true of it, and masks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phantom.geometry import REST, Flat, Revolved, longitudes
from phantom.motion import Poses
from phantom.settings import PhantomSettings
from phantom.sheet import Part, Sheet
from phantom.texture import Plane, blurred, halved


@dataclass
class Placed:
    """A part with its picture, and its geometry at luma and chroma resolution."""

    part: Part
    sheet: Sheet
    luma: Flat
    chroma: Flat


@dataclass(frozen=True)
class Maps:
    """What is true of every place, at rest, at chroma resolution (half the picture's).

    Attributes
    ----------
    amplitude : float32[h, w]
        Amplitude of the pulse relative to the mean over the person's skin; 0 where there is none.
    delay_s : float32[h, w]
        When the pulse arrives after the mean of the person's skin, s; NaN where there is none.
    labels : uint8[h, w]
        0 no skin, k: skin of person k, from 1.
    """

    amplitude: Plane
    delay_s: Plane
    labels: NDArray[np.uint8]


def _reach(moved: NDArray[np.float64]) -> int:
    return math.ceil(float(np.abs(moved).max(initial=0.0))) + 2


def place(settings: PhantomSettings, parts: list[Part], poses: Poses | None, width: int, height: int) -> list[Placed]:
    """Draw every part and find the box that it can reach."""
    found = []
    for part in parts:
        reach = 0 if poses is None or part.follows == "nothing" else _reach(getattr(poses, part.follows))
        pad = reach // 2 + 2 if part.follows != "nothing" else 0  # of chroma; of luma twice that
        ahead = _ahead(poses, part)  # of chroma: who walks in from there is drawn beyond the picture's edge too
        whole = Flat(2, (-ahead[1], height // 2 + ahead[1], -ahead[0], width // 2 + ahead[0]), pad)
        if part.head is None:
            right, down = 2 * (pad + ahead[0]), 2 * (pad + ahead[1])
            x = np.arange(-right, width + right, dtype=np.float64)[None, :]
            y = np.arange(-down, height + down, dtype=np.float64)[:, None]
            sheet = part.draw(x, y)
            _blur(settings, sheet)
            whole.axis = float((width - 1) / 2 / 2 + pad + ahead[0])
            found.append(Placed(part, sheet, _doubled(whole), whole))
            continue
        (cx, cy), (a, b) = part.head.middle, part.head.half
        y0, y1 = max(math.floor((cy - b) / 2) - 2, 0), min(math.ceil((cy + b) / 2) + 3, height // 2)
        x0, x1 = max(math.floor((cx - a) / 2) - 2, 0), min(math.ceil((cx + a) / 2) + 3, width // 2)
        box = Flat(2, (y0 - pad, y1 + pad, x0 - pad, x1 + pad), pad)
        box.box = _cut(box.box, width, height)
        columns = longitudes(a)
        luma = Revolved(_doubled(box), columns, part.head)
        pairs = (columns[0::2] + columns[1::2]) / 2
        chroma = Revolved(box, pairs, part.head)
        sheet = part.draw(columns[None, :], luma.rows[:, None])
        _blur(settings, sheet)
        found.append(Placed(part, sheet, luma, chroma))
    return found


def _ahead(poses: Poses | None, part: Part) -> tuple[int, int]:
    """How far somebody walks at most along x and y, in samples of chroma."""
    if poses is None or part.person is None or not poses.walks.shift[part.person].any():
        return 0, 0
    x, y = np.ceil(np.abs(poses.walks.shift[part.person]).max(axis=0) / 2).astype(int).tolist()
    return int(x) + 1, int(y) + 1


def _cut(box: tuple[int, int, int, int], width: int, height: int) -> tuple[int, int, int, int]:
    return max(box[0], 0), min(box[1], height // 2), max(box[2], 0), min(box[3], width // 2)


def _doubled(flat: Flat) -> Flat:
    y0, y1, x0, x1 = flat.box
    return Flat(1, (2 * y0, 2 * y1, 2 * x0, 2 * x1), 2 * flat.pad, 2 * flat.axis + 0.5)


def _blur(settings: PhantomSettings, sheet: Sheet) -> None:
    """A lens blurs colour and edges alike; where skin lives and when it pulses stays."""
    if settings.blur > 0:
        sheet.rgb = blurred(sheet.rgb * sheet.cover, settings.blur)
        sheet.cover = blurred(sheet.cover, settings.blur)
        sheet.rgb /= np.maximum(sheet.cover, 1e-3)


def head_cover(geometry: Revolved) -> Plane:
    """Part of each sample of the canvas that a head covers."""
    distance = (np.abs(geometry.across)[None, :] - geometry.wide[:, None]) / geometry.step
    cover: Plane = (np.clip(0.5 - distance, 0, 1) * (np.abs(geometry.rows) < 1)[:, None]).astype(np.float32)
    return cover


def head_shade(geometry: Revolved, side_light: float) -> Plane:
    """Light from the front and above, and from the left. It stays while the head turns."""
    facing = np.sqrt(np.maximum(1 - geometry.sine.astype(np.float64) ** 2, 0))
    shade: Plane = (
        0.60 + 0.44 * facing**0.8 - 0.5 * side_light * geometry.sine - 0.04 * geometry.rows[:, None]
    ).astype(np.float32)
    return shade


def _fields(placed: Placed) -> tuple[Plane, Plane, Plane, Plane]:
    """Cover, skin, strength and delay at chroma resolution, at rest, on the part's box."""
    sheet, geometry = placed.sheet, placed.chroma
    skin, strength, delay = (halved(p) for p in (sheet.skin, sheet.strength, sheet.delay))
    if isinstance(geometry, Revolved):
        cover = head_cover(geometry)
        skin, strength, delay = (geometry.warp(p, REST) for p in (skin, strength, delay))
    else:
        cover = halved(sheet.cover)
    a, b, c, d = (geometry.move(p, REST) for p in (cover, skin, strength, delay))
    return a, b, c, d


def survey(placed: list[Placed], width: int, height: int) -> tuple[Maps, Plane]:
    """Labels, strength and delay of what is seen at rest; the delay 0 where there is no skin."""
    shape = (height // 2, width // 2)
    labels, strength, delay = np.zeros(shape, np.uint8), np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for one in placed:
        here, own = one.chroma.spot(REST, shape)
        cover, skin, strong, late = (field[own] for field in _fields(one))
        lives = (cover > 0.5) & (skin > 0.5)
        labels[here] = np.where(cover > 0.5, 0, labels[here])
        if one.part.person is not None:
            labels[here] = np.where(lives, one.part.person + 1, labels[here])
            strength[here] = np.where(lives, strong, strength[here])
            delay[here] = np.where(lives, late, delay[here])
    return Maps(np.where(labels > 0, strength, np.float32(0)), delay, labels), delay


def still_picture(settings: PhantomSettings, parts: list[Part], width: int, height: int) -> Plane:
    """The scene at rest without a pulse, light or noise: float32[3, height, width], R, G, B."""
    picture = np.zeros((3, height, width), np.float32)
    for one in place(settings, parts, None, width, height):
        geometry = one.luma
        y0, y1, x0, x1 = geometry.box
        gain = one.sheet.cover
        if isinstance(geometry, Revolved):
            gain = head_cover(geometry)
        cover = geometry.move(gain, REST)
        if isinstance(geometry, Revolved):
            gain = gain * head_shade(geometry, settings.side_light)
        for plane in range(3):
            texture = geometry.warp(np.ascontiguousarray(one.sheet.rgb[plane]), REST) * gain
            here = picture[plane, y0:y1, x0:x1]
            here *= 1 - cover
            here += geometry.move(texture, REST)
    return picture


def label_layers(placed: list[Placed]) -> list[tuple[Placed, Plane, Plane]]:
    """For each part its cover and its skin at chroma resolution, to be warped and moved: the masks of any frame."""
    found = []
    for one in placed:
        geometry = one.chroma
        cover = head_cover(geometry) if isinstance(geometry, Revolved) else halved(one.sheet.cover)
        found.append((one, cover, halved(one.sheet.skin)))
    return found
