"""Skin that is no face: a forearm with its arteries, an open hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phantom.scenes.ellipse import WALL_RGB, grain, wall
from phantom.settings import PhantomSettings
from phantom.sheet import Grid, Part, Sheet, painted
from phantom.skin import skin_rgb
from phantom.texture import bump, ramp, soft

# The pulse travels along arteries of the arm at about 8 m/s (carotid-radial pulse wave velocity of healthy adults);
# skin between them follows later, through small vessels. A forearm in the picture is about 0.25 m long.
_VELOCITY = 8.0
_FOREARM_M, _HAND_M = 0.25, 0.19
_SKIN_LATER = 0.028  # s: skin after the artery beneath it; tens of ms, as with the face


def forearm_parts(settings: PhantomSettings, width: int, height: int, rng: np.random.Generator) -> list[Part]:
    """The inner side of a forearm with the wrist, the elbow at the left, the thumb's side above."""

    def draw(x: Grid, y: Grid) -> Sheet:
        along = x / width  # 0 elbow, 0.70 wrist, 1 palm
        half = height * (0.34 - 0.10 * ramp(along, 0.0, 0.68) + 0.13 * ramp(along, 0.76, 0.98))
        middle = height * (0.50 + 0.02 * np.sin(2.2 * along))
        q = (y - middle) / half  # -1 the thumb's side, 1 the little finger's
        cover = soft((np.abs(q) - 1) * half, 1.5)
        fine = grain(settings, rng, cover)
        tendon = bump(q + 0.08, 0.035) + 0.8 * bump(q - 0.07, 0.03)
        crease = bump(along - 0.745 - 0.008 * q, 0.004) + 0.8 * bump(along - 0.77 + 0.01 * q**2, 0.004)
        vein = bump(q - 0.30 - 0.16 * np.sin(5.5 * along + 0.5), 0.025) + 0.8 * bump(
            q + 0.28 - 0.12 * np.sin(4.3 * along + 2.0), 0.022
        )
        vein = vein * (1 - ramp(along, 0.70, 0.78))
        shade = (0.60 + 0.40 * np.sqrt(np.maximum(1 - q**2, 0))) * fine
        shade = shade * (1 + 0.025 * tendon * ramp(along, 0.35, 0.7)) * (1 - 0.16 * crease)
        rgb = painted(skin_rgb(settings), shade.astype(np.float32))
        rgb *= 1 - np.array([0.075, 0.03, 0.015], np.float32)[:, None, None] * vein.astype(np.float32)[None]
        # radial and ulnar artery come near the surface towards the wrist, where the pulse is felt
        shallow = ramp(along, 0.1, 0.66) * (1 - 0.7 * ramp(along, 0.80, 0.92))
        radial = bump(q + 0.56, 0.075) * (0.25 + 0.75 * shallow)
        ulnar = bump(q - 0.60, 0.075) * (0.25 + 0.75 * shallow)
        palm = ramp(along, 0.74, 0.9)
        strength = 0.8 + 2.6 * radial + 1.8 * ulnar + 0.6 * palm
        artery = np.minimum(radial + ulnar, 1)
        delay = along * _FOREARM_M / _VELOCITY + _SKIN_LATER * (1 - artery)
        return Sheet(
            rgb, cover, np.ones_like(cover), strength.astype(np.float32), (delay * np.ones_like(q)).astype(np.float32)
        )

    return [wall(settings, rng, WALL_RGB), Part(0, "head", draw)]


def _capsule(x: Grid, y: Grid, start: tuple[float, float], end: tuple[float, float], r0: float, r1: float) -> Grid:
    """Distance to a rod with round ends whose radius goes from r0 to r1; negative inside."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    part = np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy), 0, 1)
    distance: Grid = np.hypot(x - start[0] - part * dx, y - start[1] - part * dy) - (r0 + (r1 - r0) * part)
    return distance


# Fingers of a right hand, palm to the camera: base, tip (in heights, from the middle), radius at base and tip
_FINGERS = (
    ((-0.135, -0.02), (-0.205, -0.285), 0.036, 0.028),
    ((-0.050, -0.06), (-0.070, -0.385), 0.039, 0.031),
    ((0.038, -0.06), (0.055, -0.395), 0.040, 0.031),
    ((0.120, -0.03), (0.165, -0.335), 0.038, 0.030),
    ((0.130, 0.20), (0.300, 0.015), 0.052, 0.036),
)


def _hand_distance(x: Grid, y: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance to the hand and how far along towards a fingertip (0-1), all in heights of the picture."""
    corner = np.hypot(np.maximum(np.abs(x + 0.005) - 0.095, 0), np.maximum(np.abs(y - 0.12) - 0.12, 0)) - 0.075
    arm = _capsule(x, y, (-0.005, 0.25), (-0.015, 0.75), 0.105, 0.115)
    palm = np.minimum(corner, arm).astype(np.float64)
    tips = np.zeros_like(palm)
    for start, end, r0, r1 in _FINGERS:
        finger = _capsule(x, y, start, end, r0, r1)
        dx, dy = end[0] - start[0], end[1] - start[1]
        part = np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy), 0, 1)
        tips = np.where(finger < 0.0, np.maximum(tips, part * (finger < palm)), tips)
        palm = np.minimum(palm, finger)
    return palm, tips


def hand_parts(settings: PhantomSettings, width: int, height: int, rng: np.random.Generator) -> list[Part]:
    """An open hand, the palm to the camera, the wrist below."""

    def draw(x: Grid, y: Grid) -> Sheet:
        side = min(height, width)
        px, py = (x - (width - 1) / 2) / side, (y - 0.5 * height) / side
        distance, tip = _hand_distance(px, py)
        cover = soft(distance * side, 1.5)
        fine = grain(settings, rng, cover)
        deep = np.clip(-distance / 0.045, 0, 1)
        shade = (0.64 + 0.36 * np.sqrt(1 - (1 - deep) ** 2)) * fine
        heart_line = bump(py - 0.045 - 0.5 * (px + 0.12) ** 2, 0.005) * (np.abs(px) < 0.13)
        life_line = bump(np.hypot(px - 0.16, (py - 0.20) * 0.85) - 0.125, 0.005) * (px < 0.14)
        joints = (bump(tip - 0.42, 0.02) + bump(tip - 0.72, 0.02) + bump(tip - 0.10, 0.025)) * (tip > 0)
        wrist = bump(py - 0.335, 0.004)
        shade = shade * (1 - 0.13 * heart_line - 0.13 * life_line - 0.12 * joints - 0.12 * wrist)
        rgb = painted(skin_rgb(settings), shade.astype(np.float32))
        red = ramp(tip, 0.6, 1.0) + 0.6 * bump(np.hypot(px - 0.09, py - 0.16), 0.06)
        rgb *= 1 + np.array([0.01, -0.035, -0.025], np.float32)[:, None, None] * red[None]
        # fingertips and palm are rich in vessels near the surface; the wave goes from the wrist to the tips
        strength = 0.7 + 0.4 * ramp(-py, -0.40, -0.15) + 0.8 * ramp(tip, 0.3, 1.0)
        from_wrist = np.clip(0.36 - py, 0, None) / 0.75 * _HAND_M
        delay = from_wrist / _VELOCITY + _SKIN_LATER * (0.6 + 0.4 * (1 - ramp(tip, 0.5, 1.0)))
        radial = bump(px - 0.075, 0.018) * ramp(py, 0.34, 0.42)  # where the pulse is felt
        strength = strength + 1.6 * radial
        delay = delay - _SKIN_LATER * 0.9 * radial
        return Sheet(rgb, cover, np.ones_like(cover), strength.astype(np.float32), delay.astype(np.float32))

    return [wall(settings, rng, WALL_RGB), Part(0, "head", draw)]
