"""The scene made ready for rendering: for each plane of the picture, layers with the pulse at every sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phantom.color import stored_color
from phantom.geometry import REST, Flat, Pose, Revolved, longitudes
from phantom.motion import Poses
from phantom.scenes import parts_of
from phantom.settings import PhantomSettings
from phantom.sheet import Part, Sheet
from phantom.skin import amplitude_rgb
from phantom.texture import Plane, blurred, halved
from phantom.wave import harmonics

_TOLERANCE = 0.005  # of the amplitude: what the interpolation over delays may miss
_MOST_NODES = 8
_PAPER_LIGHT = 0.12


@dataclass
class Layer:
    """One part in one plane (Y, U or V).

    Attributes
    ----------
    geometry : Flat or Revolved
    person : int or None
    cover : float32 canvas
        Part of each sample that it covers.
    gain : float32 canvas or None
        What the warped texture is multiplied with (shade and cover of a head); None where `still` holds it already.
    still : float32
        Texture without the pulse, stored levels.
    pulses : float32[k, ...]
        What one unit of blood adds, for blood at each node of the delays.
    """

    geometry: Flat
    person: int | None
    follows: str
    cover: Plane
    gain: Plane | None
    still: Plane
    pulses: Plane

    def seen(self, blood: NDArray[np.float64], pose: Pose) -> tuple[Plane, Plane]:
        """Cover and colour, cut to the layer's box.

        Parameters
        ----------
        blood : float64[k]
            Blood volume at each node of the delays.
        pose : Pose
        """
        texture = self.still
        if len(self.pulses):
            texture = self.pulses[0] * np.float32(blood[0])
            for number in range(1, len(self.pulses)):
                texture += self.pulses[number] * np.float32(blood[number])
            texture += self.still
        cover = self.cover
        if self.gain is not None:
            texture = self.geometry.warp(texture, pose)
            texture *= self.gain
        elif pose.tilt:
            texture, cover = self.geometry.warp(texture, pose), self.geometry.warp(cover, pose)
            texture *= np.float32(1 - _PAPER_LIGHT * math.sin(pose.tilt))  # turned to the light or away from it
        return self.geometry.move(cover, pose), self.geometry.move(texture, pose)


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


@dataclass
class Stage:
    """The whole scene.

    Attributes
    ----------
    planes : list of list of Layer
        For Y, U, V, the farthest first; the first covers the picture.
    nodes_s : list of float64[k]
        For each person, the delays at which its blood is needed.
    """

    planes: list[list[Layer]]
    nodes_s: list[NDArray[np.float64]]
    placed: list[Placed]
    maps: Maps


def _reach(moved: NDArray[np.float64]) -> int:
    return math.ceil(float(np.abs(moved).max(initial=0.0))) + 2


def place(settings: PhantomSettings, parts: list[Part], poses: Poses | None, width: int, height: int) -> list[Placed]:
    """Draw every part and find the box that it can reach."""
    found = []
    for part in parts:
        reach = 0 if poses is None or part.follows == "nothing" else _reach(getattr(poses, part.follows))
        pad = reach // 2 + 2 if part.follows != "nothing" else 0  # of chroma; of luma twice that
        whole = Flat(2, (0, height // 2, 0, width // 2), pad)
        if part.head is None:
            x = np.arange(-2 * pad, width + 2 * pad, dtype=np.float64)[None, :]
            y = np.arange(-2 * pad, height + 2 * pad, dtype=np.float64)[:, None]
            sheet = part.draw(x, y)
            _blur(settings, sheet)
            whole.axis = float((width - 1) / 2 / 2 + pad)
            found.append(Placed(part, sheet, _doubled(whole), whole))
            continue
        (cx, cy), (a, b) = part.head.middle, part.head.half
        y0, y1 = max(math.floor((cy - b) / 2) - 2, 0), min(math.ceil((cy + b) / 2) + 3, height // 2)
        x0, x1 = max(math.floor((cx - a) / 2) - 2, 0), min(math.ceil((cx + a) / 2) + 3, width // 2)
        box = Flat(2, (y0 - pad, y1 + pad, x0 - pad, x1 + pad), pad)
        box.box = _cut(box.box, width, height)
        columns = longitudes(a)
        luma = Revolved(_doubled(box), columns, part.head.middle, part.head.half, part.head.radius)
        pairs = (columns[0::2] + columns[1::2]) / 2
        chroma = Revolved(box, pairs, part.head.middle, part.head.half, part.head.radius)
        sheet = part.draw(columns[None, :], luma.rows[:, None])
        _blur(settings, sheet)
        found.append(Placed(part, sheet, luma, chroma))
    return found


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


def _head_cover(geometry: Revolved) -> Plane:
    """Part of each sample of the canvas that a head covers."""
    distance = (np.abs(geometry.across)[None, :] - geometry.wide[:, None]) / geometry.step
    cover: Plane = (np.clip(0.5 - distance, 0, 1) * (np.abs(geometry.rows) < 1)[:, None]).astype(np.float32)
    return cover


def _head_shade(geometry: Revolved, side_light: float) -> Plane:
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
        cover = _head_cover(geometry)
        skin, strength, delay = (geometry.warp(p, REST) for p in (skin, strength, delay))
    else:
        cover = halved(sheet.cover)
    a, b, c, d = (geometry.move(p, REST) for p in (cover, skin, strength, delay))
    return a, b, c, d


def _survey(placed: list[Placed], width: int, height: int) -> tuple[Maps, Plane]:
    """Labels, strength and delay of what is seen at rest; the delay 0 where there is no skin."""
    shape = (height // 2, width // 2)
    labels, strength, delay = np.zeros(shape, np.uint8), np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for one in placed:
        y0, y1, x0, x1 = one.chroma.box
        cover, skin, strong, late = _fields(one)
        lives = (cover > 0.5) & (skin > 0.5)
        here = (slice(y0, y1), slice(x0, x1))
        labels[here] = np.where(cover > 0.5, 0, labels[here])
        if one.part.person is not None:
            labels[here] = np.where(lives, one.part.person + 1, labels[here])
            strength[here] = np.where(lives, strong, strength[here])
            delay[here] = np.where(lives, late, delay[here])
    return Maps(np.where(labels > 0, strength, np.float32(0)), delay, labels), delay


def build_stage(settings: PhantomSettings, poses: Poses, width: int, height: int, balance: float = 0.0) -> Stage:
    """Everything that does not change from frame to frame; memory is some tens of times that of one plane.

    Parameters
    ----------
    settings : PhantomSettings
    poses : Poses
        Of all frames: they say how much of each part beyond the picture's edge is needed.
    width, height : int
        Of the picture as it is seen.
    balance : float
        White balance: red up and blue down by so much, relative.
    """
    parts = parts_of(settings, width, height)
    placed = place(settings, parts, poses, width, height)
    maps, delay = _survey(placed, width, height)
    people = settings.people()
    shifts, nodes = [], []
    for number, person in enumerate(people, start=1):
        own = maps.labels == number
        if not settings.spatial:
            for one in placed:
                if one.part.person == number - 1:
                    one.sheet.strength, one.sheet.delay = np.ones_like(one.sheet.skin), np.zeros_like(one.sheet.skin)
            maps.amplitude[own], delay[own] = 1, 0
        mean = float(maps.amplitude[own].mean()) if own.any() else 1.0
        weighed = float((maps.amplitude[own] * delay[own]).sum()) / (mean * own.sum()) if own.any() else 0.0
        maps.amplitude[own] /= mean
        delay[own] -= weighed
        for one in placed:
            if one.part.person == number - 1:
                one.sheet.strength = one.sheet.strength / np.float32(mean)
                one.sheet.delay = one.sheet.delay - np.float32(weighed)
        shifts.append(weighed)
        nodes.append(_nodes(person, placed, number - 1))
    maps = Maps(maps.amplitude, np.where(maps.labels > 0, delay, np.float32(np.nan)), maps.labels)
    gains = np.array([1 + balance, 1.0, 1 - balance])
    planes: list[list[Layer]] = [[], [], []]
    moving = bool(poses.yaw.any() or poses.jaw.any())
    for one in placed:
        who = one.part.person
        for plane, layer in enumerate(
            _layers(one, people[who or 0], None if who is None else nodes[who], gains, moving)
        ):
            planes[plane].append(layer)
    return Stage(planes, nodes, placed, maps)


def _nodes(person: PhantomSettings, placed: list[Placed], number: int) -> NDArray[np.float64]:
    """Chebyshev nodes over the person's delays: so many that the wave is met within the tolerance.

    The error of polynomial interpolation over a span of half width d is at most max |w^(n)| d^n / (n! 2^(n-1)).
    """
    delays = [one.sheet.delay[one.sheet.skin > 0] for one in placed if one.part.person == number]
    low = min((float(d.min()) for d in delays if d.size), default=0.0)
    high = max((float(d.max()) for d in delays if d.size), default=0.0)
    half = (high - low) / 2
    if half < 1e-5:
        return np.array([(low + high) / 2])
    fastest = max(person.heart_rate, person.heart_rate_end or 0) / 60
    parts = np.abs(harmonics(person))
    rates = 2 * np.pi * fastest * np.arange(1, len(parts) + 1) * half
    count = 2
    while count < _MOST_NODES:
        error = float(np.sum(parts * rates**count)) / (math.factorial(count) * 2 ** (count - 1))
        if error < _TOLERANCE:
            break
        count += 1
    places: NDArray[np.float64] = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    return (low + high) / 2 + half * places


def _shares(nodes: NDArray[np.float64], delay: Plane) -> Plane:
    """How much of the blood at each node makes up that at each delay: Lagrange's polynomials; float32[k, h, w]."""
    shares = np.ones((len(nodes), *delay.shape), np.float64)
    for one, node in enumerate(nodes):
        for other in np.delete(nodes, one):
            shares[one] *= (delay - other) / (node - other)
    return shares.astype(np.float32)


def _layers(
    one: Placed, person: PhantomSettings, nodes: NDArray[np.float64] | None, gains: NDArray[np.float64], moving: bool
) -> list[Layer]:
    sheet = one.sheet
    rgb = sheet.rgb.astype(np.float64) * gains[:, None, None]
    settings = person
    pulses: list[Plane] = []
    if nodes is not None and settings.pulsing:
        # more blood is darker skin, green most
        colored = -rgb * amplitude_rgb(person)[:, None, None] * (sheet.skin * sheet.strength)[None]
        shares = _shares(nodes, sheet.delay)
        pulses = [stored_color(settings, colored * share[None]).astype(np.float32) for share in shares]
    still = stored_color(settings, rgb).astype(np.float32)
    layers = []
    for plane in range(3):
        geometry = one.luma if plane == 0 else one.chroma
        if isinstance(geometry, Revolved):
            layers.append(_head_layer(one, geometry, plane, still, pulses, moving, settings.side_light))
        else:
            layers.append(_flat_layer(one, geometry, plane, still, pulses))
    return layers


def _stack(pulses: list[Plane]) -> Plane:
    return np.stack(pulses) if pulses else np.zeros((0, 1, 1), np.float32)


def _flat_layer(one: Placed, geometry: Flat, plane: int, still: Plane, pulses: list[Plane]) -> Layer:
    """Cut to what the part covers and can reach."""
    cover = one.sheet.cover
    texture = still[plane] * cover
    waves = [p[plane] * cover for p in pulses]
    if plane:
        cover, texture, waves = halved(cover), halved(texture), [halved(w) for w in waves]
    y0, y1, x0, x1 = geometry.box
    pad = geometry.pad
    rows, columns = np.flatnonzero(cover.max(axis=1) > 0), np.flatnonzero(cover.max(axis=0) > 0)
    axis = geometry.axis
    if len(rows) and one.part.follows != "nothing":
        top, left = max(int(rows[0]) - 2 * pad, 0), max(int(columns[0]) - 2 * pad, 0)
        bottom = min(int(rows[-1]) + 1, cover.shape[0] - 2 * pad)
        right = min(int(columns[-1]) + 1, cover.shape[1] - 2 * pad)
        if bottom > top and right > left:
            part = (slice(top, bottom + 2 * pad), slice(left, right + 2 * pad))
            cover, texture, waves = cover[part], texture[part], [w[part] for w in waves]
            y0, y1, x0, x1 = y0 + top, y0 + bottom, x0 + left, x0 + right
            axis -= left
    box = Flat(geometry.step, (y0, y1, x0, x1), pad, axis)
    still_here = np.ascontiguousarray(texture)
    return Layer(
        box, one.part.person, one.part.follows, np.ascontiguousarray(cover), None, still_here,
        _stack([np.ascontiguousarray(w) for w in waves]),
    )  # fmt: skip


def _head_layer(
    one: Placed, geometry: Revolved, plane: int, still: Plane, pulses: list[Plane], moving: bool, side_light: float
) -> Layer:
    texture, waves = still[plane], [p[plane] for p in pulses]
    if plane:
        texture, waves = halved(texture), [halved(w) for w in waves]
    cover = _head_cover(geometry)
    gain = _head_shade(geometry, side_light) * cover
    if moving:
        return Layer(
            geometry, one.part.person, one.part.follows, cover, gain, np.ascontiguousarray(texture),
            _stack([np.ascontiguousarray(w) for w in waves]),
        )  # fmt: skip
    flat = Flat(geometry.step, geometry.box, geometry.pad)
    return Layer(
        flat, one.part.person, one.part.follows, cover, None, geometry.warp(texture, REST) * gain,
        _stack([geometry.warp(w, REST) * gain for w in waves]),
    )  # fmt: skip


def still_picture(settings: PhantomSettings, parts: list[Part], width: int, height: int) -> Plane:
    """The scene at rest without a pulse, light or noise: float32[3, height, width], R, G, B."""
    picture = np.zeros((3, height, width), np.float32)
    for one in place(settings, parts, None, width, height):
        geometry = one.luma
        y0, y1, x0, x1 = geometry.box
        gain = one.sheet.cover
        if isinstance(geometry, Revolved):
            gain = _head_cover(geometry)
        cover = geometry.move(gain, REST)
        if isinstance(geometry, Revolved):
            gain = gain * _head_shade(geometry, settings.side_light)
        for plane in range(3):
            texture = geometry.warp(np.ascontiguousarray(one.sheet.rgb[plane]), REST) * gain
            here = picture[plane, y0:y1, x0:x1]
            here *= 1 - cover
            here += geometry.move(texture, REST)
    return picture


def label_layers(stage: Stage) -> list[tuple[Placed, Plane, Plane]]:
    """For each part its cover and its skin at chroma resolution, to be warped and moved: the masks of any frame."""
    found = []
    for one in stage.placed:
        geometry = one.chroma
        cover = _head_cover(geometry) if isinstance(geometry, Revolved) else halved(one.sheet.cover)
        found.append((one, cover, halved(one.sheet.skin)))
    return found
