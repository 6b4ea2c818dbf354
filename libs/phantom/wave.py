"""Time stamps, heart phase and the waves that drive a synthetic recording. All known in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phantom.settings import PhantomSettings

TICKS = 90_000  # ticks a second: holds 24, 25, 30 and 60 frames a second exactly
_JITTER = 0.4  # of a frame: order is kept

# Phase of the second harmonic against the fundamental's peak, from the contact pulse wave of Bousefsaf, Pruski and
# Maaoui 2019 (Applied Sciences 9(20):4364), a two-term Fourier series: atan2(b2, a2) - 2 atan2(b1, a1).
_A1, _B1, _A2, _B2 = -0.334501803331783, -0.198990393984879, -0.050159136439220, 0.099347477830878
_LAG = float(np.arctan2(_B2, _A2) - 2 * np.arctan2(_B1, _A1))


def frame_ticks(settings: PhantomSettings) -> NDArray[np.int64]:
    """Presentation time of every frame.

    Returns
    -------
    int64[n]
        In ticks of 1/90000 s, strictly increasing, the first at 0.
    """
    count = max(round(settings.seconds * settings.fps), 1)
    places = np.arange(count, dtype=np.float64)
    if settings.variable_rate:
        jitter = np.random.default_rng([settings.seed, 1]).uniform(-_JITTER, _JITTER, count)
        jitter[0] = 0.0
        places += jitter
    ticks: NDArray[np.int64] = np.rint(places * TICKS / settings.fps).astype(np.int64)
    return ticks


def heart_rate(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heart rate at each time, per minute."""
    end = settings.heart_rate if settings.heart_rate_end is None else settings.heart_rate_end
    rate: NDArray[np.float64] = settings.heart_rate + (end - settings.heart_rate) * time_s / settings.seconds
    return rate


def heart_phase(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Phase of the heart in radians: the integral of the rate, 0 at time 0."""
    # the rate is linear in time, so its mean over [0, t] is the mean of its ends
    mean = (settings.heart_rate + heart_rate(settings, time_s)) / 2
    phase: NDArray[np.float64] = 2 * np.pi * mean / 60 * time_s
    return phase


def beats(settings: PhantomSettings) -> NDArray[np.float64]:
    """Times in seconds at which the phase passes a whole turn, where the blood volume's fundamental peaks."""
    end = settings.heart_rate if settings.heart_rate_end is None else settings.heart_rate_end
    start, slope = settings.heart_rate / 60, (end - settings.heart_rate) / 60 / settings.seconds
    turns = np.arange(int((start + slope * settings.seconds / 2) * settings.seconds) + 1, dtype=np.float64)
    # start t + slope t^2 / 2 = k; the form that is stable for a slope of 0
    times: NDArray[np.float64] = 2 * turns / (start + np.sqrt(np.maximum(start * start + 2 * slope * turns, 0)))
    return times[times < settings.seconds]


def blood_volume(settings: PhantomSettings, phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """The two-harmonic pulse wave: unit fundamental, peak at phase 0. More blood is darker skin."""
    wave: NDArray[np.float64] = np.cos(phase) + settings.second_harmonic * np.cos(2 * phase - _LAG)
    return wave


def light(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light on the scene, about 1: slow drift, far below any pulse."""
    turn = np.random.default_rng([settings.seed, 2]).uniform(0, 2 * np.pi, 2)
    drift = 0.6 * np.sin(2 * np.pi * 0.031 * time_s + turn[0]) + 0.4 * np.sin(2 * np.pi * 0.083 * time_s + turn[1])
    level: NDArray[np.float64] = 1 + settings.drift * drift
    return level


def displacement(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Displacement of the skin.

    Returns
    -------
    float64[n, 2]
        x and y in luma pixels, at most `motion` each.
    """
    turn = np.random.default_rng([settings.seed, 3]).uniform(0, 2 * np.pi, 4)
    x = 0.7 * np.sin(2 * np.pi * 0.11 * time_s + turn[0]) + 0.3 * np.sin(2 * np.pi * 0.29 * time_s + turn[1])
    y = 0.7 * np.sin(2 * np.pi * 0.07 * time_s + turn[2]) + 0.3 * np.sin(2 * np.pi * 0.23 * time_s + turn[3])
    moved: NDArray[np.float64] = settings.motion * np.stack([x, y], axis=1)
    return moved
