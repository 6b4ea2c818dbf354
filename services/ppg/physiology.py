"""What hangs on the heart rate: beats, their variability, breathing, and on request stress and oxygen saturation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mesh.contracts import Measurement
from mesh.parameters import Parameters
from ppg.beats import GOOD_BEAT, PULSE_BAND_HZ, Beats, find_beats, no_beats
from ppg.breathing import LEAST_BEATS, SAMPLED_HZ, Breathing, at_beats, breathing, lowered
from ppg.filters import butterworth
from ppg.methods import METHODS
from ppg.oxygen import oxygen_saturation, ratio_of_ratios
from ppg.resample import fill_gaps, resample
from ppg.stress import stress_index
from ppg.variability import UNITS, Estimate, Intervals, intervals, variability

Floats = NDArray[np.float64]

BEAT_BAND_HZ = (0.6, 8.0)  # wider than the rate's: the sharper the wave, the surer a beat's time
RESPIRATION_UNIT = "1/min"
_DIGITS = {"sdnn": 2, "rmssd": 2, "pnn50": 2, "lf": 1, "hf": 1, "lf_hf": 3}
_LEAST_RATE_HZ = 20.0
_LEAST_BODY = 0.9  # part of the frames in which the body must be seen


class Seen(Protocol):
    """What is read of the signals of one person (`ppg.signals.Signals`)."""

    @property
    def time_s(self) -> Floats: ...
    @property
    def rgb(self) -> Floats: ...
    @property
    def body(self) -> Floats | None: ...


@dataclass(frozen=True)
class Physiology:
    """Measurements of one person beside the heart rate.

    Attributes
    ----------
    measurements : dict of str to Measurement
        `sdnn`, `rmssd` (ms), `pnn50` (%), `lf`, `hf` (ms^2), `lf_hf`, `respiration_rate` (1/min); on request
        `stress_indication` (0-1) and `spo2` (%).
    beats_s : float64[k]
        Times of the beats that look like beats, s.
    warnings : list of str
    beats : Beats
        All that were found, with their quality.
    details : dict of str to float
        `beats`, `beat_jitter_ms`, `odd_intervals`, and those of breathing with `breathing_` before them.
    """

    measurements: dict[str, Measurement]
    beats_s: Floats
    warnings: list[str]
    beats: Beats = field(default_factory=no_beats)
    details: dict[str, float] = field(default_factory=dict)


def physiology(
    signals: Seen,
    wave: Floats,
    rate_hz: float,
    heart_hz: Floats,
    heart_rate: Measurement,
    parameters: Parameters,
    *,
    origin_s: float | None = None,
) -> Physiology:
    """Everything that hangs on the heart rate; refused with its cause where that is refused.

    Parameters
    ----------
    signals : Signals
        Of one person.
    wave : float64[n]
        Pulse wave on the grid, blood up.
    rate_hz : float
        Samples a second of the grid.
    heart_hz : float64[n]
        Heart rate on the grid; NaN where it is refused.
    heart_rate : Measurement
        Of the whole clip.
    parameters : Parameters
    origin_s : float, optional
        Time of the grid's first sample; the first frame's if not given.

    Returns
    -------
    Physiology

    Raises
    ------
    ValueError
        If wave and heart_hz differ in length.
    """
    if heart_rate.status == "refused" or not np.isfinite(heart_hz).any():
        return _refused(f"the heart rate is refused: {heart_rate.reason or 'no window shows it'}", parameters)
    start = float(signals.time_s[0]) if origin_s is None else origin_s
    grid = start + np.arange(len(wave)) / rate_hz
    rgb = resample(fill_gaps(signals.rgb), signals.time_s, grid)
    beats = best_beats(wave, rgb, rate_hz, heart_hz, parameters, start)
    good = beats.quality >= GOOD_BEAT
    between = intervals(beats.time_s, good, beats.jitter_s)
    found = variability(between)
    breath = _breathing(signals, rgb, rate_hz, grid, beats, good, between)
    warnings: list[str] = []
    if rate_hz < _LEAST_RATE_HZ:
        why = f"{rate_hz:.0f} frames a second are too few to time beats; record {_LEAST_RATE_HZ:.0f} or more"
        found = {name: Estimate(refused=why) for name in found}
    measurements = {name: _measurement(one, UNITS[name], _DIGITS[name]) for name, one in found.items()}
    measurements["respiration_rate"] = _respiration(breath)
    if parameters.stress:
        index = stress_index(found["sdnn"], found["lf_hf"], parameters.stress_sdnn_ms, parameters.stress_lf_hf)
        measurements["stress_indication"] = _measurement(index, "", 3)
        if index.refused is None:
            warnings.append(_stress_words(index, found, parameters))
    if parameters.spo2:
        measurements["spo2"] = _oxygen(rgb, wave, rate_hz, parameters)
        warnings.append(
            "spo2 is experimental; its interval holds the scatter of the signal, not the calibration's error"
        )
    details = {"beats": float(good.sum()), "odd_intervals": round(between.odd, 4)}
    if math.isfinite(beats.jitter_s):
        details["beat_jitter_ms"] = round(1000 * beats.jitter_s, 3)
    details |= {f"breathing_{name}": round(value, 4) for name, value in breath.details.items()}
    return Physiology(measurements, beats.time_s[good], warnings, beats, details)


def best_beats(
    wave: Floats, rgb: Floats, rate_hz: float, heart_hz: Floats, parameters: Parameters, origin_s: float = 0.0
) -> Beats:
    """Beats from the wave as it is, or from the colours through a wider band where that makes them surer.

    Parameters
    ----------
    wave : float64[n]
    rgb : float64[3, n]
        On the grid, without NaN.
    rate_hz : float
    heart_hz : float64[n]
    parameters : Parameters
    origin_s : float
    """
    narrow = (
        (parameters.band_low_hz, parameters.band_high_hz) if parameters.filter != "moving_average" else PULSE_BAND_HZ
    )
    first = find_beats(wave, rate_hz, heart_hz, origin_s=origin_s, band_hz=narrow)
    high = min(BEAT_BAND_HZ[1], 0.45 * rate_hz)
    if high <= narrow[1]:
        return first
    try:
        band_pass = butterworth(BEAT_BAND_HZ[0], high, rate_hz)
        wide = np.asarray(METHODS[parameters.method](rgb, rate_hz, band_pass), np.float64)
    except ValueError:  # the band does not fit so short a clip
        return first
    if wide.shape != wave.shape or not np.isfinite(wide).all():
        return first
    second = find_beats(wide, rate_hz, heart_hz, origin_s=origin_s, band_hz=(BEAT_BAND_HZ[0], high))
    return second if _uncertainty(second) < _uncertainty(first) else first


def _uncertainty(beats: Beats) -> float:
    """Jitter, and the more the fewer beats look like beats."""
    if not math.isfinite(beats.jitter_s):
        return math.inf
    return beats.jitter_s / max(float((beats.quality >= GOOD_BEAT).mean()), 1e-3)


def _breathing(signals: Seen, rgb: Floats, rate_hz: float, grid: Floats, beats: Beats,
               good: NDArray[np.bool_], between: Intervals) -> Breathing:  # fmt: skip
    wanted = np.arange(grid[0], grid[-1] + 0.5 / rate_hz, 1 / SAMPLED_HZ)
    sources = {}
    # blue and green carry it alike; their sum has less noise than either
    brightness = (rgb[1:] / np.maximum(rgb[1:].mean(axis=1, keepdims=True), 1e-9)).sum(axis=0)
    sources["baseline"] = lowered(brightness, rate_hz, grid, wanted)
    if good.sum() >= LEAST_BEATS:
        sources["amplitude"] = at_beats(beats.time_s[good], beats.amplitude[good], wanted)
    if between.normal.sum() >= LEAST_BEATS:
        middle = between.time_s - between.length_s / 2
        sources["interval"] = at_beats(middle[between.normal], between.length_s[between.normal], wanted)
    body = signals.body
    if body is not None and np.isfinite(body).mean() >= _LEAST_BODY:
        sources["body"] = lowered(resample(fill_gaps(body), signals.time_s, grid), rate_hz, grid, wanted)
    return breathing(sources)


def _respiration(found: Breathing) -> Measurement:
    if found.refused is not None:
        return Measurement.refused(RESPIRATION_UNIT, found.refused)
    return Measurement(
        value=round(60 * found.hz, 2),
        unit=RESPIRATION_UNIT,
        low=round(60 * found.low_hz, 2),
        high=round(60 * found.high_hz, 2),
        confidence=found.confidence,
        status="ok",
    )


def _measurement(found: Estimate, unit: str, digits: int) -> Measurement:
    if found.refused is not None:
        return Measurement.refused(unit, found.refused)
    return Measurement(
        value=round(found.value, digits),
        unit=unit,
        low=round(found.low, digits),
        high=round(found.high, digits),
        confidence=min(max(found.confidence, 0.0), 1.0),
        status="ok",
    )


def _stress_words(index: Estimate, found: dict[str, Estimate], parameters: Parameters) -> str:
    said = "an indication of stress" if index.value >= 0.5 else "no indication of stress"
    return (
        f"stress: {said} from SDNN {found['sdnn'].value:.0f} ms (threshold {parameters.stress_sdnn_ms:g}) and LF/HF "
        f"{found['lf_hf'].value:.1f} (threshold {parameters.stress_lf_hf:g}); no diagnosis"
    )


def _oxygen(rgb: Floats, wave: Floats, rate_hz: float, parameters: Parameters) -> Measurement:
    if parameters.spo2_a is None or parameters.spo2_b is None:
        found = oxygen_saturation(np.zeros(0), 0.0, None, None)
    else:
        try:
            band_pass = butterworth(parameters.band_low_hz, parameters.band_high_hz, rate_hz)
        except ValueError:
            return Measurement.refused("%", "the band does not fit the clip; record for longer")
        ratios, correlation = ratio_of_ratios(rgb, np.asarray(band_pass(rgb), np.float64), wave, rate_hz)
        found = oxygen_saturation(ratios, correlation, parameters.spo2_a, parameters.spo2_b)
    return _measurement(found, "%", 1)


def _refused(why: str, parameters: Parameters) -> Physiology:
    measurements = {name: Measurement.refused(unit, why) for name, unit in UNITS.items()}
    measurements["respiration_rate"] = Measurement.refused(RESPIRATION_UNIT, why)
    if parameters.stress:
        measurements["stress_indication"] = Measurement.refused("", why)
    if parameters.spo2:
        measurements["spo2"] = Measurement.refused("%", why)
    return Physiology(measurements, np.zeros(0), [])
