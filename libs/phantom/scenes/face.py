"""Heads before a wall: people with neck and shoulders, or a shop-window mannequin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phantom.scenes.ellipse import WALL_RGB, grain, wall
from phantom.settings import PhantomSettings
from phantom.sheet import Grid, Head, Part, Sheet, over, painted
from phantom.skin import skin_rgb
from phantom.texture import Plane, bump, ramp, soft
from phantom.walking import depths, stature

_CLOTHES = ((72.0, 92.0, 128.0), (96.0, 108.0, 88.0), (64.0, 64.0, 72.0), (140.0, 142.0, 150.0))
_HAIR = ((58.0, 44.0, 36.0), (36.0, 30.0, 28.0), (92.0, 70.0, 48.0), (110.0, 108.0, 106.0))
_ASPECT = 1.36  # height of a head over its width

# When the pulse arrives, seconds after the carotid artery in the neck: the facial artery reaches the cheeks first, the
# forehead is supplied by longer and thinner vessels. Differences of some tens of ms over the face are what Kamshilin
# et al. 2011 (Biomed. Opt. Express 2:996) and Moço et al. 2016 saw; the exact pattern is ours.
_CAROTID, _CHEEK, _FACE, _FOREHEAD, _NECK = 0.0, 0.022, 0.030, 0.040, 0.026


def _profile(height: NDArray[np.float64]) -> NDArray[np.float64]:
    """Radius of a head at a height from -1 (top) to 1 (chin): an egg, narrower below."""
    egg = np.sqrt(np.maximum(1 - np.abs(height) ** 2.3, 0))
    narrow: NDArray[np.float64] = egg * (1 - 0.17 * ramp(height, 0.05, 1.0).astype(np.float64))
    return narrow


def _forward(height: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far before the neck the middle of a head lies at each height: below the eyes its front is upright.

    So the chin turns with the nose. Of a face fitted by the mesh of Kartynnik et al. 2019 (arXiv 1907.06724) the
    jaw's edge at the heights 0.72, 0.80, 0.87, 0.94 lies 0.31, 0.47, 0.61, 0.83 before the ears, in half widths.
    """
    lower: NDArray[np.float64] = np.where(height > 0, np.minimum(1 - _profile(np.minimum(height, 1.0)), 0.9), 0.0)
    return lower


def heads_at_rest(settings: PhantomSettings, width: int, height: int) -> list[Head]:
    """The head of each person where it is before anything moves, in a picture as it is seen."""
    count = len(settings.people())
    spacing = width / count
    half = min(0.215 * height, 0.31 * spacing)
    if settings.motion == "crossing":  # room to walk
        half = min(0.17 * height, 0.26 * spacing)
    found = []
    for number in range(count):
        size, lower = stature(settings, number)
        middle = (spacing * (number + 0.5) - 0.5, (0.445 + lower) * height)
        found.append(Head(middle, (size * half, _ASPECT * (size * half)), _profile, _forward))
    return found


def _head_sheet(
    settings: PhantomSettings, rng: np.random.Generator, number: int, longitude: Grid, v: Grid, living: bool
) -> Sheet:
    """A face on longitude and height. Features lie where they are seen from the front, at s = x over half width."""
    front = np.cos(longitude) > 0
    s = np.sin(longitude) * _profile(v)  # [h, l]
    s = np.where(front, s, np.sign(longitude) * 3.0)
    side = np.abs(longitude)
    whole = np.ones(s.shape, np.float32)
    if not living:
        rgb = painted(skin_rgb(settings) * 0.97 + 4, whole * np.float32(1.0))
        return _painted_face(rgb, s, v, whole)
    fine = _unpinched(grain(settings, rng, whole), longitude, v)
    cheeks = bump(np.abs(s) - 0.50, 0.17) * bump(v - 0.20, 0.16)
    forehead = bump(s, 0.45) * ramp(-v, 0.22, 0.36)
    rgb = painted(skin_rgb(settings), fine)
    rgb *= 1 + np.array([0.015, -0.035, -0.025], np.float32)[:, None, None] * cheeks[None]
    ridge = bump(s, 0.055) * bump(v - 0.06, 0.17)
    flank = bump(np.abs(s) - 0.155, 0.05) * bump(v - 0.17, 0.13)
    below = bump(s, 0.13) * bump(v - 0.335, 0.025) + bump(s, 0.30) * bump(v - 0.635, 0.03)
    rgb *= (1 + 0.06 * ridge - 0.10 * flank - 0.16 * below - 0.12 * _socket(s, v))[None]

    hair_line = -0.56 + 0.30 * ramp(side, 0.95, 1.25) + 0.55 * ramp(side, 1.15, 1.42) + 0.35 * ramp(side, 1.6, 2.2)
    hair_line = hair_line + 0.05 * np.sin(9 * longitude + number)
    hair = soft(v - hair_line, 0.035)
    ear = soft(np.hypot((side - 1.62) / 0.17, (v - 0.06) / 0.20) - 1, 0.12)
    hair *= 1 - ear
    dark = np.array(_HAIR[number % len(_HAIR)])
    strands = 1 + 0.16 * np.sin(43 * longitude + 6 * v + 3 * fine) + 0.5 * (fine - 1)
    brow = soft(np.hypot((np.abs(s) - 0.40) / 0.19, (v + 0.235 + 0.35 * (np.abs(s) - 0.38) ** 2) / 0.036) - 1, 0.25)
    nostril = soft(np.hypot((np.abs(s) - 0.085) / 0.045, (v - 0.305) / 0.022) - 1, 0.5)
    eye, lips = _eye(s, v), _lips(s, v)
    rgb = _features(rgb, s, v, dark, eye, lips)
    rgb = over(rgb, dark * 1.1, 0.85 * brow)
    rgb = over(rgb, np.array([70.0, 42.0, 36.0]), 0.8 * nostril)
    rgb = over(rgb, np.array([70.0, 42.0, 36.0]), 0.5 * ear * bump(side - 1.60, 0.05) * bump(v - 0.05, 0.08))
    rgb = rgb * (1 - hair) + dark.astype(np.float32)[:, None, None] * (strands.astype(np.float32) * hair)[None]
    skin = (1 - hair) * (1 - brow) * (1 - eye) * (1 - lips) * (1 - nostril)
    # Cheeks and forehead pulse strongest: Kwon, Kim, Lee and Park 2015 (IEEE EMBC), Verkruysse et al. 2008 (Opt.
    # Express 16:21434). The sizes are ours.
    nose = bump(s, 0.14) * bump(v - 0.12, 0.2)
    mouth = bump(s, 0.30) * bump(v - 0.52, 0.12)
    strength = 0.85 + 0.75 * cheeks + 0.45 * forehead - 0.25 * nose - 0.2 * mouth
    delay = _FACE + (_CHEEK - _FACE) * cheeks + (_FOREHEAD - _FACE) * forehead
    return Sheet(rgb, whole, skin, strength, delay.astype(np.float32))


def _unpinched(fine: Plane, longitude: Grid, v: Grid) -> Plane:
    """A texture whose grain is as wide near crown and chin, where the head is narrow, as in the middle."""
    columns = fine.shape[1]
    place = (columns - 1) / 2 + (np.arange(columns)[None, :] - (columns - 1) / 2) * np.maximum(_profile(v), 0.02)
    left = np.minimum(place.astype(np.intp), columns - 2)
    part = (place - left).astype(np.float32)
    low, high = np.take_along_axis(fine, left, axis=1), np.take_along_axis(fine, left + 1, axis=1)
    mixed: Plane = low + (high - low) * part
    return mixed


def _socket(s: Grid, v: Grid) -> Plane:
    hollow: Plane = bump(np.abs(s) - 0.40, 0.17) * bump(v + 0.10, 0.075)
    return hollow


def _eye(s: Grid, v: Grid) -> Plane:
    return soft(np.hypot((np.abs(s) - 0.40) / 0.155, (v + 0.085) / 0.05) - 1, 0.2)


def _lips(s: Grid, v: Grid) -> Plane:
    return soft(np.hypot(s / 0.29, (v - 0.50) / 0.068) - 1 + 0.25 * bump(s, 0.04) * (v < 0.5), 0.15)


def _features(rgb: Plane, s: Grid, v: Grid, dark: NDArray[np.float64], eye: Plane, lips: Plane) -> Plane:
    iris = soft(np.hypot(np.abs(s) - 0.40, (v + 0.087) * _ASPECT) / 0.062 - 1, 0.25)
    pupil = soft(np.hypot(np.abs(s) - 0.40, (v + 0.087) * _ASPECT) / 0.026 - 1, 0.4)
    lid = soft(np.hypot((np.abs(s) - 0.40) / 0.165, (v + 0.10) / 0.055) - 1, 0.2) * (1 - eye)
    mouth_line = soft(np.hypot(s / 0.24, (v - 0.50) / 0.012) - 1, 0.4)
    rgb = over(rgb, dark * 0.8, 0.7 * lid * (v < -0.08))
    rgb = over(rgb, np.array([208.0, 204.0, 200.0]), eye)
    rgb = over(rgb, np.array([84.0, 72.0, 62.0]), iris * eye)
    rgb = over(rgb, np.array([16.0, 14.0, 14.0]), pupil * eye)
    reddish = rgb * np.array([0.88, 0.66, 0.70], np.float32)[:, None, None]
    rgb = rgb + (reddish - rgb) * lips[None]
    return over(rgb, np.array([62.0, 30.0, 30.0]), mouth_line)


def _painted_face(rgb: Plane, s: Grid, v: Grid, whole: Plane) -> Sheet:
    """The mannequin: smooth plastic, painted eyes and mouth, no hair, no blood."""
    flank = bump(np.abs(s) - 0.155, 0.05) * bump(v - 0.17, 0.13)
    rgb = rgb * (1 + 0.07 * bump(s, 0.055) * bump(v - 0.06, 0.17) - 0.09 * flank - 0.13 * _socket(s, v))[None]
    rgb = rgb * (1 - 0.14 * bump(s, 0.13) * bump(v - 0.335, 0.025))[None]
    dark = np.array([90.0, 70.0, 60.0])
    rgb = _features(rgb, s, v, dark, 0.9 * _eye(s, v), _lips(s, v))
    return Sheet.plain(rgb.astype(np.float32), whole)


def _body_sheet(
    settings: PhantomSettings, rng: np.random.Generator, number: int, head: Head, x: Grid, y: Grid, living: bool
) -> Sheet:
    """Neck, shoulders and a shirt; of a mannequin the bust."""
    a = head.half[0]
    across, down = (x - head.middle[0]) / a, (y - head.middle[1]) / a  # in half widths of the head
    out = np.abs(across)
    base = 1.28 * _ASPECT  # where neck and shoulders meet
    neck_half = 0.56 - 0.05 * bump(down - 1.0 * _ASPECT, 0.25) + 0.10 * ramp(down, 1.12 * _ASPECT, base)
    neck = soft((out - neck_half) * a, 1.5) * soft((0.5 * _ASPECT - down) * a, 1.5)
    slope = (
        base
        - 0.16
        + 0.30 * ramp(out, 0.55, 1.5)
        + 0.16 * np.maximum(out - 1.0, 0) ** 2
        + 1.6 * np.maximum(out - 1.75, 0) ** 2
    )
    shoulder = soft((slope - down) * a, 1.5) * soft((out - 2.25) * a, 2.0)
    cover = np.maximum(neck, shoulder)
    fine = grain(settings, rng, cover) if living else np.ones_like(cover)
    round_neck = np.sqrt(np.maximum(1 - (across / 0.66) ** 2, 0.0))
    shade = np.where(neck > shoulder, 0.62 + 0.38 * round_neck, 0.90 - 0.10 * ramp(out, 0.8, 2.2))
    chin = 1 - 0.30 * ramp(-down, -1.18 * _ASPECT, -0.98 * _ASPECT) * bump(across, 0.6)
    shade = (shade * chin * fine).astype(np.float32)
    rgb = painted(skin_rgb(settings), shade)
    if not living:
        return Sheet.plain(rgb, cover)
    collar = base - 0.10 + 0.34 * np.sqrt(np.maximum(1 - (across / 0.80) ** 2, 0.0))
    shirt = soft((collar - down) * a, 1.5) * ramp(down, base - 0.35, base - 0.2)
    weave = 1 + 0.05 * np.sin(2 * np.pi * (x + 0.35 * y) / max(0.12 * a, 4.0)) + 0.4 * (fine - 1)
    fold = 1 - 0.22 * bump(out - 1.45, 0.12) * ramp(down, base + 0.5, base + 1.2) - 0.12 * ramp(out, 1.2, 2.2)
    edge = 1 - 0.35 * bump((collar - down), 0.03)
    cloth = painted(_CLOTHES[number % len(_CLOTHES)], (weave * fold * edge).astype(np.float32))
    rgb = rgb + (cloth - rgb) * shirt[None]
    # the carotid arteries lie on both sides of the windpipe, strong and early: pulsation of the neck's skin
    carotid = bump(out - 0.36, 0.085) * ramp(down, 0.9 * _ASPECT, 1.05 * _ASPECT)
    strength = 0.7 + 1.9 * carotid
    delay = (_NECK + (_CAROTID - _NECK) * carotid).astype(np.float32)
    return Sheet(rgb, cover, 1 - shirt, strength, delay)


def face_parts(settings: PhantomSettings, width: int, height: int, rng: np.random.Generator) -> list[Part]:
    """One to four people side by side, each with a body and a head that can turn."""
    return [wall(settings, rng, WALL_RGB), *_figures(settings, width, height, rng, living=True)]


def mannequin_parts(settings: PhantomSettings, width: int, height: int, rng: np.random.Generator) -> list[Part]:
    """A mannequin of skin-coloured plastic."""
    return [wall(settings, rng, WALL_RGB), *_figures(settings, width, height, rng, living=False)]


def _figures(settings: PhantomSettings, width: int, height: int, rng: np.random.Generator, living: bool) -> list[Part]:
    found: list[list[Part]] = []
    people = settings.people()
    for number, (person, head) in enumerate(zip(people, heads_at_rest(settings, width, height), strict=True)):
        own = np.random.default_rng(int(rng.integers(2**62)))
        who = number if living else None

        def body(x: Grid, y: Grid, p: PhantomSettings = person, n: int = number, h: Head = head,
                 r: np.random.Generator = own) -> Sheet:  # fmt: skip
            return _body_sheet(p, r, n, h, x, y, living)

        def face(x: Grid, y: Grid, p: PhantomSettings = person, n: int = number,
                 r: np.random.Generator = own) -> Sheet:  # fmt: skip
            return _head_sheet(p, r, n, x, y, living)

        found.append([Part(who, "body", body), Part(who, "head", face, head)])
    return [part for number in depths(settings) for part in found[number]]
