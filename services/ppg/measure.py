"""The measurement: from the signals of one person's skin to waves, heart rate and all that hangs on it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.arrays import to_device, to_host
from mesh.contracts import Grid, Measurement, Person, RatePoint, Signal
from mesh.parameters import Parameters
from ppg.band_pass import detrended, make_filter
from ppg.beats import GOOD_BEAT, Beats
from ppg.candidates import AGREE_HZ, METHODS_ASKED, Candidate, candidates
from ppg.filters import Filter, usable_band
from ppg.interval import MeanRate, shares
from ppg.methods import METHODS
from ppg.methods.windows import relative
from ppg.physiology import physiology
from ppg.quality import Evidence, gate_of, probability, recording_at_fault, refusal, rival
from ppg.rate import peaks, snr
from ppg.resample import fill_gaps, grid_times, resample
from ppg.signals import Signals

Floats = NDArray[np.float64]

UNIT = "bpm"
_LEAST_INTERVALS = 3
_LEAST_WINDOW_DB = -3.0  # SNR below which a single window shows no pulse


@dataclass(frozen=True)
class Analysis:
    """What was measured of one person.

    Attributes
    ----------
    person : Person
        `id` "1".
    grid : Grid
        Uniform times of all waves.
    waves : dict of str to float64[samples]
        `pulse` (the chosen method's), and each method that was asked, by its name.
    rgb, filtered : float64[3, samples]
        Mean colour, and through the band-pass.
    band_pass : Filter or None
        None where the band does not fit the frame rate.
    rate_hz : float or None
        The heart rate; None where it is refused.
    heart_hz : float64[samples]
        The heart rate over time, of the fitted wave; NaN where it is refused.
    beats_s : float64[k]
    warnings : list of str
    """

    person: Person
    grid: Grid
    waves: dict[str, Floats]
    rgb: Floats
    filtered: Floats
    band_pass: Filter | None
    rate_hz: float | None
    heart_hz: Floats
    beats_s: Floats
    warnings: list[str]


def grid_of(signals: Signals) -> Grid:
    """A uniform grid over the frames, at their median distance."""
    if len(signals.time_s) < 2:
        return Grid(origin_s=float(signals.time_s[0]), rate_hz=1.0, samples=1)
    step = float(np.median(np.diff(signals.time_s)))
    span = float(signals.time_s[-1] - signals.time_s[0])
    return Grid(origin_s=float(signals.time_s[0]), rate_hz=1 / step, samples=int(span / step + 1.000001))


@dataclass(frozen=True)
class Asked:
    """What the methods say of signals.

    Attributes
    ----------
    grid : Grid
    rgb, filtered : float64[3, samples]
    band_pass : Filter
    waves : dict of str to float64[samples]
        By method.
    candidates : list of Candidate
        The most likely first; empty where nothing has a spectrum.
    trust : list of float
        How likely each is right.
    """

    grid: Grid
    rgb: Floats
    filtered: Floats
    band_pass: Filter
    waves: dict[str, Floats]
    candidates: list[Candidate]
    trust: list[float]


def on_grid(values: Floats, time_s: Floats, grid: Grid) -> Floats:
    """Values float64[..., n] at the grid's times, gaps bridged."""
    return resample(fill_gaps(values), time_s, grid_times(grid.origin_s, grid.rate_hz, grid.samples))


def ask(signals: Signals, parameters: Parameters, grid: Grid | None = None) -> Asked | None:
    """What each method takes for the heart rate, and what speaks for it.

    Parameters
    ----------
    signals : Signals
    parameters : Parameters
    grid : Grid, optional

    Returns
    -------
    Asked or None
        None where the band does not fit the signals.
    """
    grid = grid_of(signals) if grid is None else grid
    rate, rgb = grid.rate_hz, on_grid(signals.rgb, signals.time_s, grid)
    try:
        band_pass = make_filter(parameters, rate)
        band = usable_band(parameters.band_low_hz, parameters.band_high_hz, rate)
    except ValueError:
        return None
    device = to_device(detrended(parameters, rgb, rate))
    filtered = to_host(band_pass(device))
    waves = {
        name: to_host(METHODS[name](device, rate, band_pass)) for name in sorted({*METHODS_ASKED, parameters.method})
    }
    normal = to_host(band_pass(relative(device)))
    around = None
    if signals.background is not None and np.isfinite(signals.background).any():
        around = to_host(band_pass(relative(to_device(on_grid(signals.background, signals.time_s, grid)))))
    found = candidates(
        signals,
        waves,
        normal,
        rate,
        parameters.rate_window_s,
        parameters.rate_hop_s,
        band,
        grid.origin_s,
        band_pass,
        around,
    )
    gate = gate_of(signals)
    trusted = [(probability(one.evidence, gate), one) for one in found]
    trusted.sort(key=lambda one: -one[0])
    return Asked(
        grid, rgb, filtered, band_pass, waves, [one for _, one in trusted], [trust for trust, _ in trusted]
    )  # fmt: skip


def evidence_of(asked: Asked, signals: Signals, fps: float, skin_frames: float) -> Evidence:
    """What speaks for the most likely candidate, and what against it.

    Parameters
    ----------
    asked : Asked
    signals : Signals
    fps : float
        Frames a second.
    skin_frames : float
        Part of the frames in which skin was seen.
    """
    best = asked.candidates[0] if asked.candidates else None
    return Evidence(
        seconds=signals.duration_s,
        fps=fps,
        skin_frames=skin_frames,
        rgb=asked.rgb.mean(axis=1),
        signs=best.evidence if best is not None else {},
        bits_per_pixel=signals.bits_per_pixel,
        clipped=signals.clipped,
        gate=gate_of(signals),
        others=[one.evidence for one in asked.candidates[1:]],
        against=rival(np.array([one.mean.hz for one in asked.candidates]), np.array(asked.trust)) if best else 0.0,
    )


def common(found: Sequence[Candidate], trust: Sequence[float]) -> MeanRate:
    """The one rate of all candidates that agree with the first.

    Parameters
    ----------
    found : sequence of Candidate
        The most likely first; at least one.
    trust : sequence of float
        How likely each is right.
    """
    means = [one.mean for one in found]
    weight = shares(
        np.array([one.hz for one in means]),
        np.array([one.deviation_hz for one in means]),
        np.array(trust),
    )
    return MeanRate(
        hz=float(sum(part * one.hz for part, one in zip(weight, means, strict=True))),
        deviation_hz=float(sum(part * one.deviation_hz for part, one in zip(weight, means, strict=True) if part)),
        fit=means[0].fit,
        rate_hz=np.asarray(sum(part * one.rate_hz for part, one in zip(weight, means, strict=True))),
    )


def clearest(asked: Asked, least: float) -> Candidate:
    """Whose wave beats are read from: of those that are as sure of the same rate, the one that holds least else.

    Once several methods are sure, which of them is surest by a hair says nothing of how exact its beats are.

    Parameters
    ----------
    asked : Asked
        At least one candidate, the most likely first.
    least : float
        How likely a candidate has to be right.
    """
    best = asked.candidates[0]
    agreeing = [
        one
        for one, trust in zip(asked.candidates, asked.trust, strict=True)
        if one.first and trust >= least and abs(one.mean.hz - best.mean.hz) <= AGREE_HZ
    ]
    return max(agreeing, key=lambda one: one.mean.fit, default=best)


def measure(signals: Signals, parameters: Parameters, grid: Grid | None = None) -> Analysis:
    """Everything that can be measured of one person's skin.

    Parameters
    ----------
    signals : Signals
    parameters : Parameters
    grid : Grid, optional
        Of the recording; made from the frames' times if not given.

    Returns
    -------
    Analysis
        Refused measurements say why.
    """
    grid = grid_of(signals) if grid is None else grid
    seen = float(np.isfinite(signals.rgb[0]).mean())
    asked = ask(signals, parameters, grid)
    if asked is None:
        fault = recording_at_fault(signals.duration_s, grid.rate_hz, seen) or "the band does not fit the clip"
        return _nothing(signals, parameters, grid, on_grid(signals.rgb, signals.time_s, grid), fault)
    best = asked.candidates[0] if asked.candidates else None
    evidence = evidence_of(asked, signals, grid.rate_hz, seen)
    why = refusal(evidence)
    given = best if why is None else None
    if given is None:
        heart_rate = Measurement.refused(UNIT, why or "no pulse")
        heart_hz = np.full(grid.samples, np.nan)
    else:
        mean, trust = common(asked.candidates, asked.trust), evidence.probability
        heart_rate = _answer(mean.hz, evidence.gate.half_width(mean.deviation_hz, trust, mean.hz), trust)
        heart_hz = mean.rate_hz
    pulse = asked.waves[parameters.method]
    shown = None if given is None else clearest(asked, evidence.gate.least_probability)
    beating = parameters if shown is None else parameters.model_copy(update={"method": shown.method})
    wave = pulse if shown is None else asked.waves[shown.method]
    rest = physiology(signals, wave, grid.rate_hz, heart_hz, heart_rate, beating, origin_s=grid.origin_s)
    details = _details(evidence, signals, asked) | rest.details
    if given is not None:
        beats = beat_rate(rest.beats)
        details |= {} if beats is None else {f"beats_{UNIT}": 60 * beats}
        heart_rate = _as_asked(heart_rate, mean.hz, given, beats, parameters)
    person = Person(
        id="1",
        measurements={"heart_rate": heart_rate} | rest.measurements,
        heart_rate_over_time=_over_time(best, asked, evidence, why),
        signal=Signal(
            snr_db=round(evidence.signs["snr_db"], 3) if best is not None else None,
            skin_fraction=signals.skin_fraction,
            details={key: round(value, 4) for key, value in details.items()},
        ),
    )
    return Analysis(
        person=person,
        grid=grid,
        waves=asked.waves | {"pulse": pulse if best is not None else np.zeros(grid.samples)},
        rgb=asked.rgb,
        filtered=asked.filtered,
        band_pass=asked.band_pass,
        rate_hz=None if given is None else mean.hz,
        heart_hz=heart_hz,
        beats_s=rest.beats_s,
        warnings=rest.warnings,
    )


def _nothing(signals: Signals, parameters: Parameters, grid: Grid, rgb: Floats, why: str) -> Analysis:
    zeros = np.zeros(grid.samples)
    refused = Measurement.refused(UNIT, why)
    unknown = np.full(grid.samples, np.nan)
    rest = physiology(signals, zeros, grid.rate_hz, unknown, refused, parameters)
    person = Person(
        id="1",
        measurements={"heart_rate": refused} | rest.measurements,
        heart_rate_over_time=[],
        signal=Signal(snr_db=None, skin_fraction=signals.skin_fraction),
    )
    waves = {name: zeros for name in ("pulse", parameters.method)}
    return Analysis(person, grid, waves, rgb, np.stack([zeros] * 3), None, None, unknown, rest.beats_s, [])


def beat_rate(beats: Beats) -> float | None:
    """Beats a second: one over the mean of the intervals between neighbours that both look like beats.

    Parameters
    ----------
    beats : Beats

    Returns
    -------
    float or None
        None with fewer than three intervals.
    """
    good = beats.quality >= GOOD_BEAT
    length = np.diff(beats.time_s)
    # a missed beat leaves a gap, which is no interval
    whole = good[1:] & good[:-1] & (length < 1.5 * beats.interval_s[1:]) if len(length) else np.zeros(0, np.bool_)
    return float(1 / length[whole].mean()) if whole.sum() >= _LEAST_INTERVALS else None


def _as_asked(found: Measurement, fitted: float, best: Candidate, beats: float | None,
              parameters: Parameters) -> Measurement:  # fmt: skip
    """The same measurement, read as the parameters ask; its interval is widened by what the two readings differ."""
    readings = {"fit": fitted, "welch": float(best.track_hz.mean()), "fft": best.whole_hz, "beats": beats}
    hz = readings[parameters.rate]
    if hz is None:
        return Measurement.refused(UNIT, "too few beats can be told apart; record longer, or use another rate")
    if parameters.rate == "fit" or found.low is None or found.high is None:
        return found
    half = (found.high - found.low) / 120 + abs(hz - fitted)
    return _answer(hz, half, found.confidence or 0.0)


def _details(evidence: Evidence, signals: Signals, asked: Asked) -> dict[str, float]:
    """The evidence, and each method's rate by Welch's windows (`pos_bpm`), by its fit (`pos_fit_bpm`) and by FFT."""
    found = {"patches": float(len(signals.patches)), "skin_frames": evidence.skin_frames}
    if signals.displacement is not None and "log_motion" in evidence.signs:
        found["motion_px"] = 10 ** evidence.signs["log_motion"]
    if evidence.signs:
        found |= {"probability": evidence.probability, "rival": evidence.against} | dict(evidence.signs)
        found["agreement"], found["coherence"] = evidence.signs["agreeing"], evidence.signs["patches_colour"]
    for one in (one for one in asked.candidates if one.first):
        found[f"{one.method}_{UNIT}"] = 60 * float(one.track_hz.mean())
        found[f"{one.method}_fit_{UNIT}"] = 60 * one.mean.hz
        found[f"{one.method}_fft_{UNIT}"] = 60 * one.whole_hz
    return found


def _answer(hz: float, half: float, trust: float) -> Measurement:
    return Measurement(
        value=round(60 * hz, 2),
        unit=UNIT,
        low=round(60 * max(hz - half, 0.0), 2),
        high=round(60 * (hz + half), 2),
        confidence=round(trust, 3),
        status="ok",
    )


def _over_time(best: Candidate | None, asked: Asked, evidence: Evidence, why: str | None) -> list[RatePoint]:
    """One measurement a window: refused where the clip's is, or where the window alone does not show it."""
    if best is None:
        return []
    spectra, rates, grid, trust = best.spectra, best.track_hz, asked.grid, evidence.probability
    alone, ratios = np.abs(peaks(spectra) - rates), snr(spectra, rates)
    # ends of a window are timed as well as those of the clip, but lie nearer
    own = best.mean.deviation_hz * max(evidence.seconds / spectra.window_s, 1.0)
    at = np.arange(grid.samples) / grid.rate_hz
    points = []
    for row, centre in enumerate(spectra.centre_s):
        if why is not None:
            value = Measurement.refused(UNIT, "the heart rate of the whole clip is refused")
        elif alone[row] > AGREE_HZ or ratios[row] < 10 ** (_LEAST_WINDOW_DB / 10):
            value = Measurement.refused(UNIT, "no clear pulse in this window")
        else:
            inside = np.abs(at - centre) <= spectra.window_s / 2
            hz = float(best.mean.rate_hz[inside].mean())
            value = _answer(hz, evidence.gate.half_width(own, trust, hz), trust)
        points.append(RatePoint(time_s=round(grid.origin_s + float(centre), 4), heart_rate=value))
    return points
