"""How head, hand and body move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phantom.breathing import breath
from phantom.settings import PhantomSettings
from phantom.walking import Walks, walks

_ARC = 120.0  # degrees: the head turns to half of it on each side
_STEP = 20.0  # degrees from one orientation to the next
_SWAY = 1.5  # px at a width of 640, where the motion is named and not still
_TURN_SECONDS = 0.45  # from one orientation to the next
_TREMOR_HZ = (8.0, 12.0)  # physiological tremor of the hand: Elble and Randall 1978, EEG Clin. Neurophysiol. 44:72
_TREMOR = 0.0016  # of the width
_SYLLABLES_HZ = 4.5  # Ding et al. 2017, Neurosci. Biobehav. Rev. 81:181: speech is modulated at 4-5 Hz
_WAVE_HZ = (0.9, 2.2)  # a photograph waved by hand: on purpose where a pulse could be
_HEAD_RISE = 0.15  # of the chest's rise with the breath


@dataclass(frozen=True)
class Poses:
    """Where things are in every frame.

    Attributes
    ----------
    head, body, paper : float64[n, 2]
        Displacement along x and y in luma pixels.
    yaw : float64[n]
        Rotation of the head about the vertical axis, radians.
    jaw : float64[n]
        Opening of the mouth, 0-1.
    tilt : float64[n]
        Rotation of the paper about its vertical axis, radians.
    walks : Walks
        Of each person, on top of what all heads and bodies do.
    """

    head: NDArray[np.float64]
    body: NDArray[np.float64]
    paper: NDArray[np.float64]
    yaw: NDArray[np.float64]
    jaw: NDArray[np.float64]
    tilt: NDArray[np.float64]
    walks: Walks


def displacement(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slow sway.

    Returns
    -------
    float64[n, 2]
        x and y in luma pixels, at most `sway` each.
    """
    turn = np.random.default_rng([settings.seed, 3]).uniform(0, 2 * np.pi, 4)
    x = 0.7 * np.sin(2 * np.pi * 0.11 * time_s + turn[0]) + 0.3 * np.sin(2 * np.pi * 0.29 * time_s + turn[1])
    y = 0.7 * np.sin(2 * np.pi * 0.07 * time_s + turn[2]) + 0.3 * np.sin(2 * np.pi * 0.23 * time_s + turn[3])
    moved: NDArray[np.float64] = sway(settings) * np.stack([x, y], axis=1)
    return moved


def sway(settings: PhantomSettings) -> float:
    """Largest excursion of the slow sway, luma pixels."""
    if settings.motion == "still":
        return 0.0
    if isinstance(settings.motion, str):
        return _SWAY * settings.width / 640
    return settings.motion


def yaw(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation of the head, radians, -60 to 60 degrees.

    The tasks follow Estepp, Blackford and Meier 2014 (IEEE SMC, "Recovering pulse rate during motion artifact with a
    multi-imager array"), which DeepMag (Chen and McDuff 2020, ACM TOG 39(6)) takes up: still, turning at a constant
    speed, and a new random orientation every second.
    """
    draw = np.random.default_rng([settings.seed, 31])
    half = _ARC / 2
    if settings.motion in ("rotation10", "rotation30"):
        speed = 10.0 if settings.motion == "rotation10" else 30.0
        way = draw.uniform(0, 2 * _ARC) + speed * time_s
        degrees = half - np.abs(way % (2 * _ARC) - _ARC)
        turned: NDArray[np.float64] = np.deg2rad(degrees)
        return turned
    if settings.motion == "reorient":
        places = np.arange(-half, half + 1, _STEP)
        count = int(np.ceil(settings.seconds)) + 2
        chosen = [int(draw.integers(len(places)))]
        for _ in range(count):  # never where it is already
            chosen.append(int((chosen[-1] + draw.integers(1, len(places))) % len(places)))
        goals = places[chosen]
        second = np.minimum(time_s.astype(np.intp), count - 1)
        part = np.clip((time_s - second) / _TURN_SECONDS, 0, 1)
        smooth = part**3 * (10 - 15 * part + 6 * part**2)  # minimum jerk: Flash and Hogan 1985, J. Neurosci. 5:1688
        turned = np.deg2rad(goals[second] + (goals[second + 1] - goals[second]) * smooth)
        return turned
    return np.zeros(len(time_s))


def jaw(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Opening of the mouth, 0-1: syllables in phrases of about two seconds."""
    if settings.motion != "talking":
        return np.zeros(len(time_s))
    turn = np.random.default_rng([settings.seed, 32]).uniform(0, 2 * np.pi, 4)
    syllables = np.sin(2 * np.pi * _SYLLABLES_HZ * time_s + 1.5 * np.sin(2 * np.pi * 0.9 * time_s + turn[0]))
    phrase = np.sin(2 * np.pi * 0.37 * time_s + turn[1]) + 0.5 * np.sin(2 * np.pi * 0.83 * time_s + turn[2]) + 0.6
    opened: NDArray[np.float64] = np.clip(phrase, 0, 1) * np.maximum(0.5 + 0.5 * syllables, 0)
    return opened


def poses(settings: PhantomSettings, time_s: NDArray[np.float64], width: int, height: int) -> Poses:
    """Everything that moves, in every frame.

    Parameters
    ----------
    settings : PhantomSettings
    time_s : float64[n]
    width, height : int
        Of the picture as it is seen, luma pixels.
    """
    moved = displacement(settings, time_s)
    turn = np.random.default_rng([settings.seed, 33]).uniform(0, 2 * np.pi, 8)
    if settings.motion == "tremor":
        for axis in (0, 1):
            for tone, frequency in enumerate(np.linspace(*_TREMOR_HZ, 3)):
                phase = turn[3 * axis + tone] + 0.8 * np.sin(2 * np.pi * 0.31 * time_s + turn[6 + axis])
                moved[:, axis] += _TREMOR * settings.width / 1.7 * np.sin(2 * np.pi * frequency * time_s + phase)
    rise = np.zeros_like(moved)
    if settings.scene == "face":
        rise[:, 1] = -settings.breathing_motion * height * breath(settings, time_s)
    opened = jaw(settings, time_s)
    head = moved + _HEAD_RISE * rise
    if settings.motion == "talking":  # who speaks nods
        head[:, 1] += 0.006 * height * np.sin(2 * np.pi * 0.7 * time_s + turn[0]) * np.minimum(opened + 0.4, 1)
        head[:, 0] += 0.004 * height * np.sin(2 * np.pi * 0.43 * time_s + turn[1])
    paper, tilt = np.zeros_like(moved), np.zeros(len(time_s))
    if settings.scene == "photo_waved":
        frequency = np.random.default_rng([settings.seed, 34]).uniform(*_WAVE_HZ)
        swing = 2 * np.pi * frequency * time_s + 0.7 * np.sin(2 * np.pi * 0.17 * time_s + turn[2]) + turn[3]
        paper[:, 0] = 0.05 * height * np.sin(swing) + 2 * moved[:, 0]
        paper[:, 1] = 0.02 * height * np.sin(swing / 2 + turn[4]) + 2 * moved[:, 1]
        tilt = np.deg2rad(22) * np.sin(swing + 0.6) + np.deg2rad(6) * np.sin(2 * np.pi * 0.4 * time_s + turn[5])
    walked = walks(settings, time_s, width, height)
    return Poses(head, moved + rise, paper, yaw(settings, time_s), opened, tilt, walked)
