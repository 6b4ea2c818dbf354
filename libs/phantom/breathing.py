"""The breath: its phase and wave, known in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phantom.settings import PhantomSettings

# In quiet breathing breathing in takes about 40 % of a breath (Benchetrit 2000, Respiration Physiology 122:123, on
# the breathing pattern of adults); a sine whose phase runs ahead by this many radians has that shape.
_SKEW = 0.35


def breathing_rate(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Breathing rate at each time, 1/min; linear from start to end."""
    end = settings.breathing_rate if settings.breathing_rate_end is None else settings.breathing_rate_end
    rate: NDArray[np.float64] = settings.breathing_rate + (end - settings.breathing_rate) * time_s / settings.seconds
    return rate


def breathing_phase(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Phase in radians, the integral of the rate; a random start from the seed. Breathing in starts at whole turns."""
    start = np.random.default_rng([settings.seed, 11]).uniform(0, 2 * np.pi)
    mean = (settings.breathing_rate + breathing_rate(settings, time_s)) / 2
    phase: NDArray[np.float64] = start + 2 * np.pi * mean / 60 * time_s
    return phase


def breath(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """The breath, -1 (out) to 1 (in); rises faster than it falls.

    Parameters
    ----------
    settings : PhantomSettings
    time_s : float64[n]

    Returns
    -------
    float64[n]
    """
    phase = breathing_phase(settings, time_s)
    wave: NDArray[np.float64] = -np.cos(phase + _SKEW * np.sin(phase))
    return wave


def breaths(settings: PhantomSettings) -> NDArray[np.float64]:
    """Times in seconds at which breathing in starts, 0 to `seconds`."""
    ends = breathing_phase(settings, np.array([0.0, settings.seconds])) / (2 * np.pi)
    turns = np.arange(np.ceil(ends[0]), ends[1])
    fine = np.linspace(0, settings.seconds, max(int(settings.seconds * 50), 2))
    times: NDArray[np.float64] = np.interp(turns, breathing_phase(settings, fine) / (2 * np.pi), fine)
    return times
