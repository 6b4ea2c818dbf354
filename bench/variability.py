"""Beat times and variability on still phantoms: amplitude 0.5 % and more, CRF 18 and less, 30 frames/s.

    python bench/variability.py [--clips 24] [--seconds 60]

The camera sees the pulse a constant time after the beat that the phantom names (the shape of the wave, the way to the
skin): the median difference of each clip is taken off.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phantom_matrix import be_nice
from results import save

from evaluation.extraction import signals_of_clip
from evaluation.measurer import installed
from evaluation.metrics import Estimate, jackknife
from mesh.parameters import Parameters
from phantom import PhantomSettings, write

TARGET = {"beat_time_rmse_ms": 8.0, "sdnn_error_ms": 5.0}
SEED = 3_000_000
SHOWN = ("clip", "beats", "missed", "extra", "sdnn_ms", "sdnn_true_ms", "rmssd_ms", "rmssd_true_ms", "sdnn_reason")


def settings(number: int, seconds: float) -> PhantomSettings:
    """A still recording: rate, variability, scene, tone, amplitude and CRF drawn at random."""
    draw = np.random.default_rng(SEED + number)
    rate = float(draw.uniform(48, 110))
    return PhantomSettings(
        seconds=seconds, width=320, height=240, fps=30.0, seed=SEED + number, motion="still",
        scene=("face", "forearm", "hand")[number % 3],
        heart_rate=round(rate, 1),
        sdnn=round(float(draw.uniform(0.02, 0.06)) * 60_000 / rate, 1),
        lf_hf=round(float(draw.uniform(0.5, 3)), 2),
        breathing_rate=round(float(draw.uniform(10, 20)), 1),
        breathing_amplitude=round(float(draw.uniform(0, 0.2)), 2),
        pulse_shape=str(draw.choice(["harmonics", "waves"])),
        skin_tone=int(draw.integers(1, 4)),
        amplitude=round(float(draw.uniform(0.0075, 0.015)), 5),
        drift=0.005,
        crf=int(draw.integers(10, 19)),
    )  # fmt: skip


def matched(found: NDArray[np.float64], truth: NDArray[np.float64]) -> tuple[NDArray[np.float64], int, int]:
    """Differences of beats to the nearest true one, constant offset removed.

    Parameters
    ----------
    found, truth : float64
        Beat times, s. `truth` is cut to where beats could be found.

    Returns
    -------
    difference : float64[k]
        Of the pairs that are nearest to each other and less than a third of an interval apart, s.
    missed, extra : int
        True beats without one found, and beats found without a true one.
    """
    if len(found) < 3 or len(truth) < 3:
        return np.zeros(0), len(truth), len(found)
    offset = 0.0
    for _ in range(5):  # the offset decides who is nearest, and the nearest decide the offset
        nearest = np.abs(found[:, None] - offset - truth[None, :]).argmin(axis=1)
        offset = float(np.median(found - truth[nearest]))
    back = np.abs(found[:, None] - offset - truth[None, :]).argmin(axis=0)
    pairs = [(k, n) for k, n in enumerate(nearest.tolist()) if back[n] == k]
    limit = float(np.median(np.diff(truth))) / 3
    difference = np.array([found[k] - truth[n] - offset for k, n in pairs])
    near = np.abs(difference) < limit
    kept = {n for (_, n), good in zip(pairs, near.tolist(), strict=True) if good}
    # at the ends a beat may lie outside of what was filmed
    inside = [n for n in range(len(truth)) if found[0] - limit < truth[n] + offset < found[-1] + limit]
    return difference[near], len([n for n in inside if n not in kept]), len(found) - int(near.sum())


def measure_one(work: tuple[int, float]) -> dict[str, Any]:
    """Beats and variability of one clip against its truth."""
    number, seconds = work
    with tempfile.TemporaryDirectory(prefix="pulsemesh-variability-") as folder:
        clip = Path(folder) / "clip.mp4"
        truth = write(settings(number, seconds), clip)
        (signals,) = signals_of_clip(clip, Parameters(), installed(), workers=1)
    analysis = installed().measure(signals, Parameters())
    beats = np.asarray(analysis.beats_s, np.float64)  # type: ignore[attr-defined]
    difference, missed, extra = matched(beats, np.array(truth.beats_s))
    measured = analysis.person.measurements
    first, last = (float(beats[0]) - 0.5, float(beats[-1]) + 0.5) if len(beats) else (0.0, seconds)
    true_intervals = 1000 * np.diff([beat for beat in truth.beats_s if first <= beat <= last])
    true = {
        "sdnn": float(true_intervals.std(ddof=1)),
        "rmssd": float(np.sqrt(np.mean(np.diff(true_intervals) ** 2))),
    }
    return {
        "clip": number, "beats": len(difference), "missed": missed, "extra": extra,
        "difference_ms": (1000 * difference).tolist(),
        "amplitude": truth.amplitude_rgb[1],
        **{f"{name}_true_ms": value for name, value in true.items()},
        **{f"{name}_ms": measured[name].value for name in true},
        **{f"{name}_holds": _holds(measured[name].low, value, measured[name].high) for name, value in true.items()},
        **{f"{name}_reason": measured[name].reason for name in true},
    }  # fmt: skip


def _holds(low: float | None, value: float, high: float | None) -> bool | None:
    return None if low is None or high is None else low <= value <= high


def errors(clips: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Root mean square and mean absolute error of a measure over the clips that were answered."""
    pairs = np.array([(c[f"{name}_ms"], c[f"{name}_true_ms"]) for c in clips if c[f"{name}_ms"] is not None])
    if not len(pairs):
        return {"clips": 0, "of": len(clips)}
    difference = pairs[:, 0] - pairs[:, 1]
    one = jackknife(lambda d: math.sqrt(float(np.mean(d**2))), np.arange(len(pairs)), difference)
    return {
        "rms_ms": one.value, "standard_error": one.standard_error,
        "mean_absolute_ms": float(np.abs(difference).mean()), "largest_ms": float(np.abs(difference).max()),
        "bias_ms": float(difference.mean()), "clips": len(pairs), "of": len(clips),
        "interval_holds": float(np.mean([c[f"{name}_holds"] for c in clips if c[f"{name}_holds"] is not None])),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    with multiprocessing.get_context("spawn").Pool(given.processes, be_nice) as pool:
        clips = pool.map(measure_one, [(number, given.seconds) for number in range(given.clips)], chunksize=1)
    cluster = np.concatenate([np.full(len(c["difference_ms"]), c["clip"]) for c in clips])
    difference = np.concatenate([np.array(c["difference_ms"], np.float64) for c in clips])
    beat: Estimate = jackknife(lambda d: math.sqrt(float(np.mean(d**2))), cluster, difference)
    sdnn = errors(clips, "sdnn")
    worst = sdnn.get("rms_ms")
    save(
        "variability",
        {
            "targets": {
                "beat_time_rmse_ms": {
                    "value": beat.value, "standard_error": beat.standard_error, "target": TARGET["beat_time_rmse_ms"],
                    "met": beat.value is not None and beat.value <= TARGET["beat_time_rmse_ms"],
                },
                "sdnn_error_ms": {
                    "value": worst, "standard_error": sdnn.get("standard_error"), "target": TARGET["sdnn_error_ms"],
                    "met": worst is not None and worst <= TARGET["sdnn_error_ms"],
                },
            },
            "seconds": given.seconds,
            "beats": {
                "matched": len(difference),
                "missed": sum(c["missed"] for c in clips),
                "extra": sum(c["extra"] for c in clips),
            },
            "sdnn": sdnn,
            "rmssd": errors(clips, "rmssd"),
            "clips": [
                {
                    **{key: c[key] for key in SHOWN},
                    "beat_time_rmse_ms": float(np.sqrt(np.mean(np.square(c["difference_ms"])))) if c["beats"] else None,
                }
                for c in clips
            ],
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
