"""Time stamps, heart phase and pulse wave of a synthetic recording: all known, nothing measured."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from phantom.breathing import breath
from phantom.settings import PhantomSettings
from phantom.variability import deviation, powers

TICKS = 90_000  # ticks a second: holds 24, 25, 30 and 60 frames a second exactly
_JITTER = 0.4  # of a frame: order is kept
_EARLY = 0.3  # of an interval: how much a premature beat comes early

# Phase of the second harmonic against the fundamental's peak, from the contact pulse wave of Bousefsaf, Pruski and
# Maaoui 2019 (Applied Sciences 9(20):4364), a two-term Fourier series: atan2(b2, a2) - 2 atan2(b1, a1).
_A1, _B1, _A2, _B2 = -0.334501803331783, -0.198990393984879, -0.050159136439220, 0.099347477830878
_LAG = float(np.arctan2(_B2, _A2) - 2 * np.arctan2(_B1, _A1))
# Two Gaussians in phase, systolic and diastolic, as in Tang, Chen, Ward and Elgendi 2020 (Scientific Reports
# 10:13883). Widths and distance in turns, chosen for the wave of a young adult at rest.
_SYSTOLIC_WIDTH, _DIASTOLIC_WIDTH, _DIASTOLIC_AFTER = 0.095, 0.14, 0.34
_HARMONICS = 8


def frame_ticks(settings: PhantomSettings) -> NDArray[np.int64]:
    """Presentation time of every frame that arrives.

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
    if settings.dropped_frames > 0:
        kept = np.random.default_rng([settings.seed, 6]).uniform(size=count) >= settings.dropped_frames
        kept[0] = True
        places = places[kept]
    ticks: NDArray[np.int64] = np.rint(places * TICKS / settings.fps).astype(np.int64)
    return ticks


def _set_rate(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rate without variability, 1/min."""
    end = settings.heart_rate if settings.heart_rate_end is None else settings.heart_rate_end
    if settings.heart_rate_change == "step":
        return np.where(time_s < settings.seconds / 2, settings.heart_rate, end)
    rate: NDArray[np.float64] = settings.heart_rate + (end - settings.heart_rate) * time_s / settings.seconds
    return rate


def _set_turns(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """The integral of `_set_rate`, in beats, 0 at time 0."""
    start = settings.heart_rate
    end = start if settings.heart_rate_end is None else settings.heart_rate_end
    if settings.heart_rate_change == "step":
        turns: NDArray[np.float64] = (
            start * time_s + (end - start) * np.maximum(time_s - settings.seconds / 2, 0)
        ) / 60
        return turns
    # the rate is linear in time, so its mean over [0, t] is the mean of its ends
    turns = (start + _set_rate(settings, time_s)) / 2 / 60 * time_s
    return turns


def _time_of(settings: PhantomSettings, turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of `_set_turns`."""
    start = settings.heart_rate / 60
    end = start if settings.heart_rate_end is None else settings.heart_rate_end / 60
    if settings.heart_rate_change == "step":
        half = settings.seconds / 2
        times: NDArray[np.float64] = np.where(turns < start * half, turns / start, half + (turns - start * half) / end)
        return times
    slope = (end - start) / settings.seconds
    # start t + slope t^2 / 2 = k; the form that is stable for a slope of 0
    times = 2 * turns / (start + np.sqrt(np.maximum(start * start + 2 * slope * turns, 0)))
    return times


@functools.lru_cache(maxsize=16)
def _beat_turns(settings: PhantomSettings) -> NDArray[np.float64]:
    """Where each beat lies on the scale of `_set_turns`; without variability at 0, 1, 2, ...

    The first is at 0; one more than the recording needs is there, to interpolate.
    """
    last = float(_set_turns(settings, np.array([settings.seconds]))[0])
    if max(powers(settings)) == 0 and settings.premature_beats == 0:
        return np.arange(int(last) + 4, dtype=np.float64)
    # the deviations are smooth over time: a table, so that the loop over beats stays cheap
    grid = np.arange(0, settings.seconds + 8, 0.02)
    table = deviation(settings, grid)
    draw = np.random.default_rng([settings.seed, 13])
    found, owed = [0.0], 0.0
    while found[-1] < last + 3:
        now = float(_time_of(settings, np.array([min(found[-1], last)]))[0])
        rate = float(_set_rate(settings, np.array([now]))[0]) / 60
        step = 1 + float(np.interp(now, grid, table)) * rate
        early = owed == 0 and draw.uniform() < settings.premature_beats
        step += owed - _EARLY * early  # the pause after a premature beat makes up for it
        owed = _EARLY if early else 0.0
        found.append(found[-1] + max(step, 0.25))
    return np.array(found)


def heart_rate(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heart rate at each time, 1/min: with variability that of the beat under way."""
    turns = _beat_turns(settings)
    place = _set_turns(settings, time_s)
    before = np.clip(np.searchsorted(turns, place, side="right") - 1, 0, len(turns) - 2)
    rate: NDArray[np.float64] = _set_rate(settings, time_s) / (turns[before + 1] - turns[before])
    return rate


def heart_phase(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Phase of the heart in radians: a whole turn at every beat, 0 at time 0, linear between beats."""
    turns = _beat_turns(settings)
    place = _set_turns(settings, time_s)
    # before the first beat, which only tissue ahead of the mean shows, the heart beats evenly
    phase: NDArray[np.float64] = (
        2 * np.pi * np.where(place < 0, place, np.interp(place, turns, np.arange(len(turns), dtype=np.float64)))
    )
    return phase


def beats(settings: PhantomSettings) -> NDArray[np.float64]:
    """Times in seconds at which the phase passes a whole turn, where the blood volume's fundamental peaks."""
    times = _time_of(settings, _beat_turns(settings))
    return times[times < settings.seconds]


def harmonics(settings: PhantomSettings) -> NDArray[np.complex128]:
    """Fourier coefficients of one beat: the wave is the real part of sum h_k exp(i k phase), k from 1.

    The fundamental is 1: unit amplitude, peak at phase 0.
    """
    if settings.pulse_shape == "harmonics":
        return np.array([1.0, settings.second_harmonic * np.exp(-1j * _LAG)])
    order = np.arange(1, _HARMONICS + 1)
    # a Gaussian of width s, wrapped on the circle, has the coefficients s exp(-2 (pi k s)^2)
    systolic = _SYSTOLIC_WIDTH * np.exp(-2 * (np.pi * order * _SYSTOLIC_WIDTH) ** 2)
    diastolic = _DIASTOLIC_WIDTH * np.exp(-2 * (np.pi * order * _DIASTOLIC_WIDTH) ** 2)
    both = systolic + settings.diastolic_wave * diastolic * np.exp(-2j * np.pi * order * _DIASTOLIC_AFTER)
    turned: NDArray[np.complex128] = both * np.exp(-1j * order * np.angle(both[0])) / np.abs(both[0])
    return turned


def blood_volume(settings: PhantomSettings, phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """The pulse wave: unit fundamental, its peak at phase 0. More blood is darker skin."""
    wave = np.zeros(len(phase))
    for order, part in enumerate(harmonics(settings), start=1):
        wave += abs(part) * np.cos(order * phase + np.angle(part))
    return wave


def blood(settings: PhantomSettings, time_s: NDArray[np.float64], delay_s: float = 0.0) -> NDArray[np.float64]:
    """Blood volume in tissue that the pulse reaches `delay_s` after the mean, the breath's part with it.

    The breath changes the amplitude of the pulse and the baseline (Charlton et al. 2018, IEEE Reviews in Biomedical
    Engineering 11:2, on respiratory-induced amplitude and intensity variation).

    Parameters
    ----------
    settings : PhantomSettings
    time_s : float64[n]
    delay_s : float
        In seconds; negative is earlier.

    Returns
    -------
    float64[n]
        In units of the amplitude of the fundamental.
    """
    wave = blood_volume(settings, heart_phase(settings, time_s - delay_s))
    if settings.breathing_amplitude or settings.breathing_baseline:
        breathing = breath(settings, time_s)
        wave = wave * (1 + settings.breathing_amplitude * breathing) + settings.breathing_baseline * breathing
    return wave


def interval_statistics(settings: PhantomSettings) -> tuple[float, float] | None:
    """SDNN and RMSSD of the intervals that the recording holds, ms; None with fewer than three beats."""
    intervals = np.diff(beats(settings)) * 1000
    if len(intervals) < 2:
        return None
    return float(np.std(intervals, ddof=1)), float(np.sqrt(np.mean(np.diff(intervals) ** 2)))
