"""The measurement while it goes on: what the seconds until now show, by the functions that measure whole clips. Pure.

Causal: a reading looks at nothing but the frames that have come, and each looks again at the last 20 s, so the wave at
the newest edge, where the filter has one side only, is corrected by the readings that follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.array_blob import unpack
from mesh.contracts import Grid, Measurement
from mesh.errors import BadRequest
from mesh.live import LiveReading
from mesh.parameters import Parameters
from ppg.measure import UNIT, ask, common, evidence_of
from ppg.patches import group_length
from ppg.quality import LEAST_SECONDS, refusal
from ppg.signals import Signals

Floats = NDArray[np.float64]

GRID_HZ = 15.0  # nearly four samples a cycle at 240 bpm; half the work of 30
WAVE_S = 10.0  # of wave in a reading
GONE_S = 2.0  # without skin for this long there is none
WIDE_BPM = 5.0  # half an interval that is no steady rate
APART_BPM = 8.0  # between readings of one steady heart
DEFAULTS = Parameters()


def reading(time_s: Floats, patches: Floats, recent_bpm: Sequence[float] = ()) -> LiveReading:
    """What the seconds until now show.

    Parameters
    ----------
    time_s : float64[n]
        Times of the frames in seconds, increasing.
    patches : float64[n, p, 3]
        Mean R, G, B of each patch of skin, 0-255; NaN where there is no skin. Four or more are asked whether they
        share a pulse, as living skin does.
    recent_bpm : sequence of float
        Rates of the readings just before.

    Returns
    -------
    LiveReading
    """
    seen = _seen(patches)
    frames = np.flatnonzero(seen.any(axis=1))
    if len(frames) < 2 or time_s[-1] - time_s[frames[-1]] > GONE_S:
        return _without("waiting", "no skin is seen: bring the face or the hand into the frame", 0.0)
    first = _unbroken(time_s[frames])
    frames = frames[first:]
    start, stop = int(frames[0]), int(frames[-1]) + 1
    time_s, patches = time_s[start:stop], patches[start:stop]
    seen = _seen(patches)
    seconds = float(time_s[-1] - time_s[0])
    if seconds < LEAST_SECONDS:
        return _without("short", f"{seconds:.0f} s of {LEAST_SECONDS:.0f} s: hold still", seconds)
    # a patch that comes and goes would put its own colour into the mean: those that stay are taken, all if none does
    steady: NDArray[np.bool_] = np.asarray(np.mean(seen, axis=0) > 0.9)
    kept = patches[:, steady] if steady.any() else patches
    weights = _seen(kept)[..., None]
    count = weights.sum(axis=1)
    total = np.where(weights, kept, 0.0).sum(axis=1)
    rgb = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    moments, colours = _grouped(time_s, kept)
    signals = Signals(
        time_s, np.ascontiguousarray(rgb.T), patch_time_s=moments, patches=colours, patch_counts=np.ones(len(colours))
    )
    fps = min(GRID_HZ, (len(time_s) - 1) / seconds)
    grid = Grid(origin_s=float(time_s[0]), rate_hz=fps, samples=int(seconds * fps + 1.000001))
    asked = ask(signals, DEFAULTS, grid)
    if asked is None:
        return _without("bad", "too few frames a second: more light, or a smaller picture", seconds)
    best = asked.candidates[0] if asked.candidates else None
    evidence = evidence_of(asked, signals, signals.fps, float(seen.any(axis=1).mean()))
    why = refusal(evidence)
    wave_time, wave = _wave(asked.waves[best.method if best is not None else DEFAULTS.method], grid)
    snr_db = round(evidence.signs["snr_db"], 2) if best is not None else None
    if best is None or why is not None:
        found = _without("bad", why or "no pulse", seconds)
        return found.model_copy(update={"snr_db": snr_db, "wave_time_s": wave_time, "wave": wave})
    mean, trust = common(asked.candidates, asked.trust), evidence.probability
    bpm, half = 60 * mean.hz, 60 * evidence.gate.half_width(mean.deviation_hz, trust, mean.hz)
    steady_rate = half <= WIDE_BPM and all(abs(bpm - other) <= APART_BPM for other in recent_bpm)
    return LiveReading(
        state="good" if steady_rate else "unstable",
        heart_rate=Measurement(
            value=round(bpm, 1), unit=UNIT, low=round(max(bpm - half, 0.0), 1), high=round(bpm + half, 1),
            confidence=round(trust, 3), status="ok",
        ),
        snr_db=snr_db,
        seconds=round(seconds, 2),
        wave_time_s=wave_time,
        wave=wave,
    )  # fmt: skip


def _grouped(time_s: Floats, patches: Floats) -> tuple[Floats, Floats]:
    """Patches as signals have them: times float64[m] and colours float64[p, 3, m] of a few frames each, NaN unseen."""
    length = group_length((len(time_s) - 1) / (time_s[-1] - time_s[0]))
    many = len(time_s) // length * length
    seen = _seen(patches[:many]).reshape(-1, length, patches.shape[1], 1)
    count = seen.sum(axis=1)
    total = np.where(seen, patches[:many].reshape(-1, length, *patches.shape[1:]), 0.0).sum(axis=1)
    means = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return time_s[:many].reshape(-1, length).mean(axis=1), np.ascontiguousarray(means.transpose(1, 2, 0))


def _seen(patches: Floats) -> NDArray[np.bool_]:
    """Where there is skin, bool[n, p]."""
    return np.asarray(np.isfinite(patches).all(axis=2), np.bool_)


def _unbroken(seen_s: Floats) -> int:
    """Index of the first time after the last gap of `GONE_S`: what was before is another signal."""
    gaps = np.flatnonzero(np.diff(seen_s) > GONE_S)
    return int(gaps[-1]) + 1 if len(gaps) else 0


def _wave(wave: Floats, grid: Grid) -> tuple[list[float], list[float]]:
    shown = wave[-round(WAVE_S * grid.rate_hz) :]
    first = grid.samples - len(shown)
    spread = float(shown.std())
    values = (shown - shown.mean()) / spread if spread else np.zeros(len(shown))
    times = grid.origin_s + (first + np.arange(len(shown))) / grid.rate_hz
    return [round(float(t), 3) for t in times], [round(float(v), 3) for v in values]


def _without(state: Any, reason: str, seconds: float) -> LiveReading:
    return LiveReading(state=state, heart_rate=Measurement.refused(UNIT, reason), seconds=round(seconds, 2))


def answer(request: bytes) -> dict[str, Any]:
    """The reading that a request of the gateway asks for, as JSON values; runs in a child.

    Raises
    ------
    BadRequest
        If it is no such request.
    """
    try:
        arrays, header = unpack(request)
        time_s, patches = arrays["time_s"].astype(np.float64), arrays["patches"].astype(np.float64)
        recent = [float(rate) for rate in header["recent_bpm"]]
        if patches.shape != (len(time_s), *patches.shape[1:2], 3) or (np.diff(time_s) <= 0).any():
            raise ValueError("shapes")
    except (ValueError, KeyError, TypeError):
        raise BadRequest("this is no window of a live session") from None
    return reading(time_s, patches, recent).model_dump(mode="json")
