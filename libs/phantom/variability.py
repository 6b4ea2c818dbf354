"""Variability of the intervals between beats: slow, vasomotor and respiratory parts of set power."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phantom.breathing import breath
from phantom.settings import PhantomSettings

# Bands of the Task Force of the ESC and NASPE 1996 (Circulation 93:1043): VLF below 0.04, LF 0.04-0.15, HF 0.15-0.4
# Hz. As in McSharry et al. 2003 (IEEE TBME 50:289) each has a narrow peak: LF at 0.1 Hz (Mayer waves), HF at the
# breath. The slow part is what remains of SDNN.
_VLF_HZ, _LF_HZ = (0.012, 0.036), (0.075, 0.125)
_HF_BREATHS = (9.0, 24.0)  # breaths a minute that lie in HF
_TONES = 6  # of each random part


def powers(settings: PhantomSettings) -> tuple[float, float, float]:
    """Variance of the slow, vasomotor (LF) and respiratory (HF) parts, s^2.

    They add up to SDNN^2. A part at f Hz adds 2 (1 - cos(2 pi f T)) times its variance to RMSSD^2, T being the mean
    interval. So what is given (lf_hf, rmssd, respiratory_arrhythmia) makes linear equations.

    Parameters
    ----------
    settings : PhantomSettings

    Returns
    -------
    tuple of float
        VLF, LF, HF.

    Raises
    ------
    ValueError
        If too much is given, or no powers above 0 fulfil it.
    """
    arrhythmia = None if settings.respiratory_arrhythmia is None else settings.respiratory_arrhythmia / 1000
    given = {"rmssd": settings.rmssd, "lf_hf": settings.lf_hf, "respiratory_arrhythmia": arrhythmia}
    named = [name for name, value in given.items() if value is not None]
    if settings.sdnn == 0:
        if settings.rmssd or settings.lf_hf is not None:
            raise ValueError(f"{' and '.join(n for n in named if n != 'respiratory_arrhythmia')} needs sdnn above 0")
        return 0.0, 0.0, 0.0 if arrhythmia is None else arrhythmia**2 * _breath_variance()
    if len(named) > 2:
        raise ValueError("of rmssd, lf_hf and respiratory_arrhythmia at most two can be given")
    if settings.lf_hf is not None and not _HF_BREATHS[0] <= settings.breathing_rate <= _HF_BREATHS[1]:
        raise ValueError(f"lf_hf needs a breathing_rate of {_HF_BREATHS[0]:g}-{_HF_BREATHS[1]:g} /min: 0.15-0.4 Hz")
    variance = (settings.sdnn / 1000) ** 2
    rows: list[list[float]] = [[1, 1, 1]]
    right = [variance]
    if settings.rmssd is not None:
        rows.append(list(_difference_factors(settings)))
        right.append((settings.rmssd / 1000) ** 2)
    if arrhythmia is not None:
        rows.append([0, 0, 1])
        right.append(arrhythmia**2 * _breath_variance())
    if settings.lf_hf is not None or not named:
        rows.append([0, 1, -(1.0 if settings.lf_hf is None else settings.lf_hf)])
        right.append(0)
    if len(rows) < 3:  # two parts are enough: no slow one
        rows.append([1, 0, 0])
        right.append(0)
    found = np.linalg.solve(np.array(rows, np.float64), np.array(right))
    if found.min() < -1e-9 * variance:
        low, high = (1000 * np.sqrt(variance * f) for f in (_difference_factors(settings)[0:3:2]))
        raise ValueError(
            f"sdnn {settings.sdnn:g} ms cannot go with {', '.join(f'{n} {getattr(settings, n):g}' for n in named)}"
            f"; at this sdnn rmssd lies in {low:.3g}-{high:.3g} ms"
        )
    slow, vasomotor, respiratory = np.maximum(found, 0).tolist()
    return slow, vasomotor, respiratory


def _difference_factors(settings: PhantomSettings) -> tuple[float, float, float]:
    """By how much each part's variance counts in RMSSD^2."""
    end = settings.heart_rate if settings.heart_rate_end is None else settings.heart_rate_end
    interval = 120 / (settings.heart_rate + end)
    slow, vasomotor = (np.mean(_factor(_tones(band), interval)) for band in (_VLF_HZ, _LF_HZ))
    turn = np.arange(4096) / 4096
    # the breath is not a pure sine: difference of the wave over one interval
    fine = _unit_breath(turn)
    shifted = _unit_breath(turn + interval * settings.breathing_rate / 60)
    return float(slow), float(vasomotor), float(np.mean((shifted - fine) ** 2) / np.var(fine))


def _factor(frequency: NDArray[np.float64], interval: float) -> NDArray[np.float64]:
    factor: NDArray[np.float64] = 2 * (1 - np.cos(2 * np.pi * frequency * interval))
    return factor


def _tones(band: tuple[float, float]) -> NDArray[np.float64]:
    middles: NDArray[np.float64] = band[0] + (band[1] - band[0]) * (np.arange(_TONES) + 0.5) / _TONES
    return middles


def _unit_breath(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    # any settings do: one breath is 60 / rate long, and its start is random
    one = PhantomSettings.model_construct(seed=0, breathing_rate=6.0, breathing_rate_end=None, seconds=10.0)
    return breath(one, turns * 10.0)


def _breath_variance() -> float:
    return float(np.var(_unit_breath(np.arange(4096) / 4096)))


def deviation(settings: PhantomSettings, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much an interval that starts at each time differs from the mean one, s.

    Breathing in shortens it (respiratory sinus arrhythmia).

    Parameters
    ----------
    settings : PhantomSettings
    time_s : float64[n]

    Returns
    -------
    float64[n]
    """
    slow, vasomotor, respiratory = powers(settings)
    draw = np.random.default_rng([settings.seed, 12])
    total = np.zeros(len(time_s))
    for variance, band in ((slow, _VLF_HZ), (vasomotor, _LF_HZ)):
        turn = draw.uniform(0, 2 * np.pi, _TONES)  # drawn even when not used: one part does not change the other
        # each tone somewhere in its own cell of the band, so that records of any length hold about the set variance
        place = _tones(band) + (band[1] - band[0]) / _TONES * draw.uniform(-0.5, 0.5, _TONES)
        if variance > 0:
            waves = np.cos(2 * np.pi * place[:, None] * time_s[None, :] + turn[:, None])
            total += np.sqrt(2 * variance / _TONES) * waves.sum(axis=0)
    if respiratory > 0:
        total -= np.sqrt(respiratory / _breath_variance()) * breath(settings, time_s)
    return total
