"""Breathing rate from the fingertip recordings, 30 s windows, against the capnograph.

    python bench/breathing.py [FOLDER]

Tilts, weights and thresholds of `ppg.breathing` were chosen on subjects 100001 and 100002; 100003 and 100004 say what
they are worth.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from results import save

from evaluation.datasets.fingertip import find, read
from evaluation.recordings import Samples
from mesh.contracts import Measurement
from mesh.parameters import Parameters
from ppg.filters import butterworth
from ppg.physiology import BEAT_BAND_HZ, physiology
from ppg.rate import sliding_spectra, track

SHARED = Path(__file__).parents[1] / ".." / "shared" / "fingertip"
WINDOW_S, FPS = 30, 30.0
CHOSEN_ON = ("100001", "100002")


class Window:
    """What `physiology` reads of the signals of one window."""

    def __init__(self, rgb: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        self.time_s = np.arange(rgb.shape[1]) / FPS
        self.rgb = rgb
        self.body = None


def main() -> None:
    """Print and save the errors."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED
    ok = Measurement(value=60, unit="bpm", status="ok")
    found: dict[str, list[tuple[float, float, bool]]] = {"chosen_on": [], "held_out": []}
    windows = {"chosen_on": 0, "held_out": 0}
    for path in find(folder):
        recording = read(path)
        assert isinstance(recording.source, Samples)
        rgb, truth = recording.source.rgb, recording.reference.respiration_rate
        assert truth is not None
        half = "chosen_on" if recording.subject in CHOSEN_ON else "held_out"
        size = int(WINDOW_S * FPS)
        for k in range(rgb.shape[1] // size):
            inside = (truth.time_s >= WINDOW_S * k) & (truth.time_s < WINDOW_S * (k + 1))
            if np.isfinite(truth.value[inside]).sum() < 0.8 * WINDOW_S:
                continue
            windows[half] += 1
            seen = Window(rgb[:, size * k : size * (k + 1)])
            wave = butterworth(*BEAT_BAND_HZ, FPS)(-seen.rgb[2])
            spectra = sliding_spectra(wave, FPS, 8.53, (0.6, 4.0))
            heart = np.interp(seen.time_s, spectra.centre_s, track(spectra))
            got = physiology(seen, wave, FPS, heart, ok, Parameters(method="green")).measurements["respiration_rate"]
            if got.value is not None and got.low is not None and got.high is not None:
                true = float(np.nanmean(truth.value[inside]))
                found[half].append((got.value, true, got.low <= true <= got.high))
    report = {}
    for half, rows in found.items():
        value, true, held = np.array(rows, np.float64).T
        report[half] = {
            "windows": windows[half],
            "coverage": round(len(rows) / windows[half], 3),
            "mae": round(float(np.abs(value - true).mean()), 2),
            "rmse": round(float(np.sqrt(((value - true) ** 2).mean())), 2),
            "interval_coverage": round(float(held.mean()), 3),
        }
    save("breathing", report)


if __name__ == "__main__":
    main()
