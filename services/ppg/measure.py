"""The measurement: from the signals of one person's skin to waves, heart rate and all that hangs on it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesh.contracts import Grid, Measurement, Person, RatePoint, Signal
from mesh.parameters import Parameters
from ppg.arrays import to_device, to_host
from ppg.band_pass import detrended, make_filter
from ppg.filters import Filter, usable_band
from ppg.methods import METHODS
from ppg.patches import coherence, project
from ppg.physiology import physiology
from ppg.quality import Evidence, agrees, confidence, consistency, least_snr_db, recording_at_fault, refusal
from ppg.rate import Spectra, estimate, peaks, sliding_spectra, snr, track
from ppg.resample import fill_gaps, grid_times, resample
from ppg.signals import Signals

Floats = NDArray[np.float64]

UNIT = "bpm"
_CHECKS = ("pos", "chrom", "green")  # methods that are asked whether they agree


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
    beats_s: Floats
    warnings: list[str]


def grid_of(signals: Signals) -> Grid:
    """A uniform grid over the frames, at their median distance."""
    if len(signals.time_s) < 2:
        return Grid(origin_s=float(signals.time_s[0]), rate_hz=1.0, samples=1)
    step = float(np.median(np.diff(signals.time_s)))
    span = float(signals.time_s[-1] - signals.time_s[0])
    return Grid(origin_s=float(signals.time_s[0]), rate_hz=1 / step, samples=int(span / step + 1.000001))


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
    rate = grid.rate_hz
    times = grid_times(grid.origin_s, rate, grid.samples)
    rgb = resample(fill_gaps(signals.rgb), signals.time_s, times)
    seen = float(np.isfinite(signals.rgb[0]).mean())
    zeros = np.zeros(grid.samples)
    try:
        band_pass = make_filter(parameters, rate)
        band = usable_band(parameters.band_low_hz, parameters.band_high_hz, rate)
    except ValueError:
        fault = recording_at_fault(signals.duration_s, rate, seen) or "the band does not fit the clip"
        return _nothing(signals, parameters, grid, rgb, fault)
    device = to_device(detrended(parameters, rgb, rate))
    filtered = to_host(band_pass(device))
    waves = {name: to_host(METHODS[name](device, rate, band_pass)) for name in sorted({*_CHECKS, parameters.method})}
    spectra = {name: sliding_spectra(wave, rate, parameters.rate_window_s, band) for name, wave in waves.items()}
    tracks = {name: track(found) for name, found in spectra.items()}
    chosen, rates = spectra[parameters.method], tracks[parameters.method]
    valid = bool(np.isfinite(rates).all())
    ratios = snr(chosen, rates) if valid else np.zeros(len(rates))
    evidence = _evidence(signals, rgb, rate, seen, parameters.method, chosen, tracks, ratios, valid)
    why = refusal(evidence)
    heart_rate = Measurement.refused(UNIT, why) if why else _heart_rate(chosen, rates, ratios, confidence(evidence))
    heart_hz = np.interp(times, grid.origin_s + chosen.centre_s, rates) if not why else np.full(grid.samples, np.nan)
    pulse = waves[parameters.method]
    rest = physiology(signals, pulse, rate, heart_hz, heart_rate, parameters, origin_s=grid.origin_s)
    details = _details(evidence, signals) | rest.details
    if valid:
        details |= {f"{name}_{UNIT}": 60 * float(found.mean()) for name, found in sorted(tracks.items())}
    person = Person(
        id="1",
        measurements={"heart_rate": heart_rate} | rest.measurements,
        heart_rate_over_time=_over_time(chosen, rates, ratios, why, grid.origin_s),
        signal=Signal(
            snr_db=round(evidence.snr_db, 3) if valid else None,
            skin_fraction=signals.skin_fraction,
            details={key: round(value, 4) for key, value in details.items()},
        ),
    )
    return Analysis(
        person=person,
        grid=grid,
        waves=waves | {"pulse": pulse if valid else zeros},
        rgb=rgb,
        filtered=filtered,
        band_pass=band_pass,
        rate_hz=None if why else float(rates.mean()),
        beats_s=rest.beats_s,
        warnings=rest.warnings,
    )


def _nothing(signals: Signals, parameters: Parameters, grid: Grid, rgb: Floats, why: str) -> Analysis:
    zeros = np.zeros(grid.samples)
    refused = Measurement.refused(UNIT, why)
    rest = physiology(signals, zeros, grid.rate_hz, np.full(grid.samples, np.nan), refused, parameters)
    person = Person(
        id="1",
        measurements={"heart_rate": refused} | rest.measurements,
        heart_rate_over_time=[],
        signal=Signal(snr_db=None, skin_fraction=signals.skin_fraction),
    )
    waves = {name: zeros for name in ("pulse", parameters.method)}
    return Analysis(person, grid, waves, rgb, np.stack([zeros] * 3), None, None, rest.beats_s, [])


def _evidence(signals: Signals, rgb: Floats, rate: float, seen: float, method: str, chosen: Spectra,
              tracks: dict[str, Floats], ratios: Floats, valid: bool) -> Evidence:  # fmt: skip
    rates = tracks[method]
    others = [name for name in _CHECKS if name != method]
    patch_rate = len(signals.patch_time_s) / signals.duration_s if signals.duration_s else rate
    known = valid and len(signals.patches) > 0 and len(signals.patch_time_s) > 1
    waves = project(fill_gaps(signals.patches), patch_rate) if known else np.zeros((0, 2))
    return Evidence(
        seconds=signals.duration_s,
        fps=rate,
        skin_frames=seen,
        snr=float(ratios.mean()),
        consistency=consistency(chosen, rates) if valid else 0.0,
        coherence=coherence(waves, patch_rate, chosen, rates) if valid else None,
        agreement=float(np.mean([agrees(rates, tracks[name]) for name in others])) if valid else 0.0,
        rgb=rgb.mean(axis=1),
        rate_hz=float(rates.mean()) if valid else math.inf,
        bits_per_pixel=signals.bits_per_pixel,
    )


def _details(evidence: Evidence, signals: Signals) -> dict[str, float]:
    found = {
        "consistency": evidence.consistency,
        "agreement": evidence.agreement,
        "patches": float(len(signals.patches)),
        "skin_frames": evidence.skin_frames,
    }
    if evidence.coherence is not None:
        found["coherence"] = evidence.coherence
    return found


def _heart_rate(spectra: Spectra, rates: Floats, ratios: Floats, trust: float) -> Measurement:
    found = estimate(spectra, rates, ratios)
    return Measurement(
        value=round(60 * found.hz, 2),
        unit=UNIT,
        low=round(60 * found.low_hz, 2),
        high=round(60 * found.high_hz, 2),
        confidence=round(trust, 3),
        status="ok",
    )


def _over_time(spectra: Spectra, rates: Floats, ratios: Floats, why: str | None, origin_s: float) -> list[RatePoint]:
    """One measurement a window; refused where the clip's is, or where the window alone does not show it."""
    alone = np.abs(peaks(spectra) - rates)
    least = 10 ** (least_snr_db(np.inf) / 10)
    points = []
    for row, centre in enumerate(spectra.centre_s):
        if why is not None:
            value = Measurement.refused(UNIT, "the heart rate of the whole clip is refused")
        elif alone[row] > 0.1 or ratios[row] < least:
            value = Measurement.refused(UNIT, "no clear pulse in this window")
        else:
            one = Spectra(
                spectra.centre_s[row : row + 1], spectra.frequency_hz, spectra.power[row : row + 1], spectra.window_s
            )
            trust = float(ratios[row] / (1 + ratios[row]))
            value = _heart_rate(one, rates[row : row + 1], ratios[row : row + 1], trust)
        points.append(RatePoint(time_s=round(origin_s + float(centre), 4), heart_rate=value))
    return points
