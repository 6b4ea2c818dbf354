"""Light on the scene and what the camera's automatics make of it, over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phantom.settings import PhantomSettings

_HZ = {"mains": 100.0, "lamp": 1.4}
_SHUTTER = 0.4  # of a frame: how long each row sees the light
_READOUT = 0.7  # of a frame: from the first row of a rolling shutter to the last


def light(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light and exposure, about `exposure`, alike for all rows: slow drift, a lamp's flicker, steps of exposure."""
    turn = np.random.default_rng([settings.seed, 2]).uniform(0, 2 * np.pi, 2)
    drift = 0.6 * np.sin(2 * np.pi * 0.031 * time_s + turn[0]) + 0.4 * np.sin(2 * np.pi * 0.083 * time_s + turn[1])
    level: NDArray[np.float64] = settings.exposure * (1 + settings.drift * drift)
    if lamp(settings) == "lamp":
        level *= 1 + settings.flicker_depth * np.sin(2 * np.pi * flicker_hz(settings) * time_s + _start(settings))
    if settings.exposure_step:
        level *= 1 + settings.exposure_step * stepped(settings, time_s)
    return level


def lamp(settings: PhantomSettings) -> str:
    """Which flicker there is; the scene `lamp` always has one."""
    return "lamp" if settings.scene == "lamp" and settings.flicker == "none" else settings.flicker


def flicker_hz(settings: PhantomSettings) -> float:
    """Frequency of the flickering light, Hz."""
    return settings.flicker_hz if settings.flicker_hz is not None else _HZ.get(lamp(settings), 0.0)


def _start(settings: PhantomSettings) -> float:
    return float(np.random.default_rng([settings.seed, 21]).uniform(0, 2 * np.pi))


def row_light(settings: PhantomSettings, time: float, rows: int) -> NDArray[np.float64]:
    """Mains flicker on every row of one frame: each sees the light over the shutter's time, one after the other.

    A sine of frequency f, averaged over the shutter's time T, keeps sinc(f T) of its amplitude.

    Returns
    -------
    float64[rows]
        About 1.
    """
    frequency = flicker_hz(settings)
    at = time + _READOUT / settings.fps * (np.arange(rows) + 0.5) / rows
    depth = settings.flicker_depth * np.sinc(frequency * _SHUTTER / settings.fps)
    level: NDArray[np.float64] = 1 + depth * np.sin(2 * np.pi * frequency * at + _start(settings))
    return level


def column_light(settings: PhantomSettings, columns: int) -> NDArray[np.float64]:
    """Steady light on every column: a window at the left; about 1.

    Parameters
    ----------
    settings : PhantomSettings
    columns : int
        Of the picture as it is seen.

    Returns
    -------
    float64[columns]
    """
    strength = 0.0 if settings.scene == "ellipse" else settings.side_light
    level: NDArray[np.float64] = 1 + strength * (0.5 - (np.arange(columns) + 0.5) / columns)
    return level


def stepped(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 or 1 in turn, changing every `step_seconds`."""
    state: NDArray[np.float64] = np.floor_divide(time_s, settings.step_seconds) % 2
    return state
