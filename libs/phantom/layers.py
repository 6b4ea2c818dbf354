"""The scene made ready for rendering: for each plane of the picture, layers with the pulse at every sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phantom.color import stored_color
from phantom.geometry import REST, Flat, Pose, Revolved
from phantom.motion import Poses
from phantom.placement import Maps, Placed, head_cover, head_shade, place, survey
from phantom.scenes import parts_of
from phantom.settings import PhantomSettings
from phantom.skin import amplitude_rgb
from phantom.texture import Plane, halved
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
    maps, delay = survey(placed, width, height)
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
    moving = bool(poses.yaw.any() or poses.jaw.any() or poses.walks.yaw.any())
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
    cover = head_cover(geometry)
    gain = head_shade(geometry, side_light) * cover
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
