"""People who change places: they walk across the picture, and the nearer passes before the farther."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phantom.settings import PhantomSettings

_START_S = 0.5  # from standing to walking, and back
_TURN = np.deg2rad(25.0)  # the head turns to where it walks, so far that the face is still seen
# The head rises and falls with every step (Hirasaki et al. 1999, Exp. Brain Res. 127:117); here at an easy walk. The
# sizes are ours.
_STEPS_HZ, _STEP_RISE = 1.5, 0.012  # of the picture's height
_FARTHER = 0.09  # so much smaller is each who stands behind another
_TALLER = 0.025  # of the picture's height: by so much people differ


@dataclass(frozen=True)
class Walks:
    """Where people are, in every frame, against the places where they stood first.

    Attributes
    ----------
    shift : float64[people, n, 2]
        x, y in luma pixels.
    yaw : float64[people, n]
        Rotation of the head about the vertical axis beside that of `motion.yaw`, radians.
    """

    shift: NDArray[np.float64]
    yaw: NDArray[np.float64]


def depths(settings: PhantomSettings) -> list[int]:
    """People from the farthest to the nearest; who passes before whom is the seed's choice."""
    count = len(settings.people())
    if settings.motion != "crossing":
        return list(range(count))
    order: list[int] = np.random.default_rng([settings.seed, 35]).permutation(count).tolist()
    return order


def stature(settings: PhantomSettings, person: int) -> tuple[float, float]:
    """Size of a person relative to the nearest one, and how much lower they stand, in parts of the height."""
    if settings.motion != "crossing":
        return 1.0, 0.0
    order = depths(settings)
    lower = np.random.default_rng([settings.seed, 36]).uniform(-_TALLER, _TALLER, len(order))
    return (1 - _FARTHER) ** (len(order) - 1 - order.index(person)), float(lower[person])


def walks(settings: PhantomSettings, time_s: NDArray[np.float64], width: int, height: int) -> Walks:
    """The way of everybody.

    With the motion `crossing` who is on the left and who is on the right change places about half-way through the
    recording, at `walking_speed`; one in the middle stays. All others stay where they are.

    Parameters
    ----------
    settings : PhantomSettings
    time_s : float64[n]
    width, height : int
        Of the picture as it is seen, luma pixels.
    """
    count = len(settings.people())
    shift, yaw = np.zeros((count, len(time_s), 2)), np.zeros((count, len(time_s)))
    if settings.motion != "crossing":
        return Walks(shift, yaw)
    draw = np.random.default_rng([settings.seed, 37])
    middle = settings.seconds * (0.5 + draw.uniform(-0.05, 0.05))
    for person in range(count):
        way = width / count * (count - 1 - 2 * person)
        when, step = middle + draw.uniform(-0.25, 0.25), draw.uniform(0, 2 * np.pi)
        if way == 0:
            continue
        speed = settings.walking_speed
        # from standing to walking and back takes half of _START_S each more than at full speed
        start = min(_START_S, abs(way) / speed)
        walking = time_s - when + (abs(way) / speed + start) / 2
        rise, fall = _risen(walking, start), _risen(walking - abs(way) / speed, start)
        shift[person, :, 0] = np.sign(way) * speed * (rise[0] - fall[0])
        pace = rise[1] - fall[1]
        lifted = (1 - np.cos(2 * np.pi * _STEPS_HZ * time_s + step)) / 2
        shift[person, :, 1] = -_STEP_RISE * height * pace * lifted
        yaw[person] = np.sign(way) * _TURN * pace
    return Walks(shift, yaw)


def _risen(time_s: NDArray[np.float64], length: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A smooth step from 0 to 1 that takes `length` seconds, and its integral: integral, step."""
    part = np.clip(time_s / length, 0, 1)
    step = part * part * (3 - 2 * part)
    integral = length * (part**3 - part**4 / 2) + np.maximum(time_s - length, 0)
    return integral, step
