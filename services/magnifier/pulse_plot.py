"""`pulse.png`: the wave, its spectrum and the heart rate over time, or in words why there is none."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.pulse_blob import PersonWaves, Pulse
from mesh.contracts import DISCLAIMER, Measurement, Person

_COLORS = ("#b2182b", "#2166ac", "#1b7837", "#762a83")  # dark enough on white, told apart by colour-blind readers
_GREY, _INK = "#6b6b6b", "#1a1a1a"
_WAVE_SECONDS = 20.0
_SPECTRUM_SECONDS = 20.0
_TITLES = ("Pulse wave", "Spectrum", "Heart rate over time")


def spectrum(wave: NDArray[np.float64], rate_hz: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Power spectral density of a wave by Welch's method (Welch 1967, IEEE Trans. AU-15:70).

    Hann windows of 20 s (the whole wave where it is shorter) that overlap by half, zero-padded eightfold.

    Parameters
    ----------
    wave : float64[n]
        n of at least 8.
    rate_hz : float
        Samples a second.

    Returns
    -------
    frequency : float64[m]
        In Hz.
    density : float64[m]
        Per Hz, in the square of the wave's unit.
    """
    from scipy.signal import welch

    length = min(len(wave), round(_SPECTRUM_SECONDS * rate_hz))
    frequency, density = welch(wave, rate_hz, nperseg=length, nfft=8 * length, detrend="constant")
    return frequency, density


def shown_span(pulse: Pulse, person: Person | None, seconds: float = _WAVE_SECONDS) -> tuple[float, float]:
    """The stretch of the clip whose wave is drawn: all of a short clip, else around the surest rate."""
    start, end = float(pulse.time_s[0]), float(pulse.time_s[-1])
    if end - start <= seconds:
        return start, end
    sure = [p for p in person.heart_rate_over_time if p.heart_rate.status == "ok"] if person is not None else []
    best = max(sure, key=lambda p: p.heart_rate.confidence or 0.0, default=None)
    middle = best.time_s if best is not None else start
    first = min(max(middle - seconds / 2, start), end - seconds)
    return first, first + seconds


def draw_pulse(pulse: Pulse, path: Path, resolution: int = 150) -> None:
    """Draw the three panels into a PNG.

    Parameters
    ----------
    pulse : Pulse
    path : Path
    resolution : int
        Dots per inch of a figure of 9 by 8.4 inches.
    """
    # imported here: a worker that only magnifies never pays for it; figure and canvas are objects, no global state
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 8.4), dpi=resolution, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(3, 1, height_ratios=(1.15, 1, 1)))
    for panel, title in zip(panels, _TITLES, strict=True):
        _style(panel, title)
    figure.suptitle(_headline(pulse), fontsize=13, color=_INK, x=0.01, ha="left", weight="bold")
    if pulse.people and len(pulse.time_s) >= 8:
        measured = {m.id: m for m in pulse.measurements}
        _draw_waves(panels[0], pulse, measured)
        _draw_spectra(panels[1], pulse, measured)
        _draw_rates(panels[2], pulse, measured)
    else:
        reason = _refusal(pulse.measurements[0]) if pulse.measurements else None
        words = (reason or "No skin was found in this clip.", "No wave, so no spectrum.", "No wave, so no heart rate.")
        for panel, text in zip(panels, words, strict=True):
            _say(panel, text)
            panel.set_xticks([])
            panel.set_yticks([])
    # the constrained layout leaves room below for what every result says
    figure.supxlabel("\n".join(textwrap.wrap(DISCLAIMER, 130)), fontsize=7.5, color=_GREY, x=0.01, ha="left")
    figure.savefig(path, format="png", metadata={"Software": "pulsemesh"})


def _style(panel: Any, title: str) -> None:
    panel.set_title(title, loc="left", fontsize=11, color=_INK)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        panel.spines[side].set_color(_GREY)
    panel.tick_params(colors=_GREY, labelcolor=_INK, labelsize=9)
    panel.xaxis.label.set(fontsize=9.5, color=_INK)
    panel.yaxis.label.set(fontsize=9.5, color=_INK)


def _say(panel: Any, text: str) -> None:
    panel.text(
        0.5, 0.5, "\n".join(textwrap.wrap(text, 80)), transform=panel.transAxes, ha="center", va="center",
        fontsize=10.5, color=_INK, zorder=10,
        bbox={"boxstyle": "round,pad=0.6", "facecolor": "#fff7e0", "edgecolor": "#d9b44a"},
    )  # fmt: skip


def _rate(person: Person) -> Measurement | None:
    return person.measurements.get("heart_rate")


def _interval(rate: Measurement) -> tuple[float, float, float]:
    """Value, low and high; NaN where it was refused."""
    if rate.status != "ok" or rate.value is None:
        return np.nan, np.nan, np.nan
    low = rate.value if rate.low is None else rate.low
    high = rate.value if rate.high is None else rate.high
    return rate.value, low, high


def _refusal(person: Person) -> str | None:
    rate = _rate(person)
    if rate is None or rate.status == "ok":
        return None
    return f"Heart rate refused: {rate.reason}"


def _headline(pulse: Pulse) -> str:
    parts = []
    for person in pulse.measurements:
        rate = _rate(person)
        if rate is None or rate.status != "ok" or rate.value is None:
            text = "heart rate refused"
        else:
            text = f"heart rate {rate.value:.1f} {rate.unit}"
            if rate.low is not None and rate.high is not None:
                text += f"  (90 % interval {rate.low:.1f} to {rate.high:.1f})"
        parts.append(text if len(pulse.measurements) == 1 else f"person {person.id}: {text}")
    headline = "; ".join(parts) if pulse.skin_found else "no skin found, nothing measured"
    return headline[0].upper() + headline[1:]


def _color(number: int, person: Person | None) -> str:
    """A person's colour; grey where the rate was refused, so that nobody takes the wave for a pulse."""
    if person is not None and _refusal(person) is not None:
        return _GREY
    return _COLORS[number % len(_COLORS)]


def _label(pulse: Pulse, person: PersonWaves) -> str | None:
    return f"person {person.id}" if len(pulse.people) > 1 else None


def _sampling_rate(pulse: Pulse) -> float:
    return (len(pulse.time_s) - 1) / float(pulse.time_s[-1] - pulse.time_s[0])


def _draw_waves(panel: Any, pulse: Pulse, measured: dict[str, Person]) -> None:
    first, last = shown_span(pulse, measured.get(pulse.people[0].id))
    shown = (pulse.time_s >= first) & (pulse.time_s <= last)
    for number, person in enumerate(pulse.people):
        color = _color(number, measured.get(person.id))
        panel.plot(
            pulse.time_s[shown], 100 * person.pulse[shown], color=color, linewidth=1.2,
            label=_label(pulse, person),
        )  # fmt: skip
    panel.axhline(0, color=_GREY, linewidth=0.5, zorder=0)
    panel.set_xlim(first, last)
    panel.set_xlabel("time (s)")
    panel.set_ylabel("pulse (% of brightness)")
    whole = float(pulse.time_s[-1] - pulse.time_s[0])
    notes = [f"{last - first:.0f} s of {whole:.0f} s"] if last - first < whole - 1e-6 else []
    if any(_refusal(person) for person in pulse.measurements):
        notes.append("grey: refused, what is seen may be noise")
    panel.set_title("; ".join(notes), loc="right", fontsize=9, color=_GREY)
    if len(pulse.people) > 1:
        panel.legend(frameon=False, fontsize=9, loc="upper right", ncols=4)


def _draw_spectra(panel: Any, pulse: Pulse, measured: dict[str, Person]) -> None:
    low, high = pulse.band_hz
    for number, person in enumerate(pulse.people):
        color = _color(number, measured.get(person.id))
        frequency, density = spectrum(person.pulse, _sampling_rate(pulse))
        shown = (frequency >= 0.5 * low) & (frequency <= min(1.25 * high, frequency[-1]))
        peak = float(density[shown].max(initial=0.0))
        if peak > 0:
            panel.plot(60 * frequency[shown], density[shown] / peak, color=color, linewidth=1.2)
        rate = _rate(measured[person.id]) if person.id in measured else None
        if rate is not None and rate.status == "ok" and rate.value is not None:
            if rate.low is not None and rate.high is not None:
                panel.axvspan(rate.low, rate.high, color=color, alpha=0.15, linewidth=0)
            panel.axvline(rate.value, color=color, linewidth=1, linestyle="--")
            panel.annotate(
                f"{rate.value:.1f}", (rate.value, 1.0), xytext=(4, 0), textcoords="offset points", fontsize=9,
                color=color, va="top",
            )  # fmt: skip
    panel.axvspan(60 * low, 60 * high, color="#000000", alpha=0.03, linewidth=0, zorder=0)
    panel.set_title(f"grey: pass band, {low:g} to {high:g} Hz", loc="right", fontsize=9, color=_GREY)
    panel.set_xlim(30 * low, 75 * high)
    panel.set_ylim(0, 1.08)
    panel.set_xlabel("frequency (bpm)")
    panel.set_ylabel("power (of the largest)")


def _draw_rates(panel: Any, pulse: Pulse, measured: dict[str, Person]) -> None:
    panel.set_xlim(float(pulse.time_s[0]), float(pulse.time_s[-1]))
    panel.set_xlabel("time (s)")
    panel.set_ylabel("heart rate (bpm)")
    values: list[float] = []
    refused: list[float] = []
    for number, waves in enumerate(pulse.people):
        color = _color(number, measured.get(waves.id))
        points = measured[waves.id].heart_rate_over_time if waves.id in measured else []
        rows = [(p.time_s, *_interval(p.heart_rate)) for p in points]
        refused += [p.time_s for p in points if p.heart_rate.status != "ok"]
        if not rows:
            continue
        time, rate, low, high = np.array(rows, np.float64).T
        panel.fill_between(time, low, high, color=color, alpha=0.18, linewidth=0)
        panel.plot(time, rate, color=color, linewidth=1.4, marker="o", markersize=3.5)
        if len(rows) == 1:  # one window: an interval without width is drawn as a bar
            panel.vlines(time, low, high, color=color, alpha=0.4, linewidth=6)
        values += [v for v in (*low, *high) if np.isfinite(v)]
    if values:
        middle, reach = (min(values) + max(values)) / 2, max((max(values) - min(values)) * 0.65, 6.0)
        panel.set_ylim(middle - reach, middle + reach)
        panel.set_title(
            "band: 90 % interval" + ("; grey ticks: refused windows" if refused else ""), loc="right", fontsize=9,
            color=_GREY,
        )  # fmt: skip
        panel.vlines(refused, middle - reach, middle - 0.93 * reach, color=_GREY, linewidth=1.5)
        return
    panel.set_yticks([])
    panel.set_ylabel("")
    reason = next((r for r in map(_refusal, pulse.measurements) if r), "No window gave a heart rate.")
    _say(panel, reason)
