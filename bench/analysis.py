"""Every method, filter and measure on the signals of 60 s at 30 frames a second: seconds on one core.

The target of the whole analysis (every method, every measure) is 0.5 s. The whole measurement of 10 min follows, with
the peak memory of this process. Imports are not counted; time is the processor's, so that others on the machine do
not count either.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python bench/analysis.py
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from results import save

from mesh.parameters import Parameters
from ppg.detrend import regularization_of, smoothness_priors
from ppg.filters import butterworth, fir, moving_averages_s
from ppg.measure import measure
from ppg.methods import METHODS
from ppg.patches import combined, project, weights
from ppg.resample import resample
from ppg.signals import Signals

RATE, SECONDS, PATCHES = 30.0, 60.0, 64
SIGNATURE = np.array([[0.33], [0.77], [0.53]]) / 0.77


def seconds(work: Callable[[], Any], times: int = 7) -> float:
    """Median of several runs after a first that is not counted."""
    work()
    found = []
    for _ in range(times):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return statistics.median(found)


def main() -> None:
    rng = np.random.default_rng(0)
    grid = np.arange(round(RATE * SECONDS)) / RATE
    pulse = 0.004 * np.sin(2 * np.pi * 1.1 * grid)
    rgb = np.array([[190.0], [140], [115]]) * (1 - SIGNATURE * pulse) + 0.2 * rng.standard_normal((3, len(grid)))
    jitter = grid + rng.uniform(-0.3, 0.3, len(grid)) / RATE
    patches = rgb[None, :, ::2] + 0.5 * rng.standard_normal((PATCHES, 3, len(grid) // 2))
    band_pass = butterworth(0.6, 4.0, RATE)
    figures = {f"method_{name}": seconds(lambda f=f: f(rgb, RATE, band_pass)) for name, f in METHODS.items()}
    strength = regularization_of(0.3, RATE)
    figures |= {
        "filter_butterworth": seconds(lambda: butterworth(0.6, 4.0, RATE)(rgb)),
        "filter_fir": seconds(lambda: fir(0.6, 4.0, RATE)(rgb)),
        "filter_moving_averages": seconds(lambda: moving_averages_s(3.0, 0.2, RATE)(rgb)),
        "detrend": seconds(lambda: smoothness_priors(rgb, strength)),
        "resample": seconds(lambda: resample(rgb, jitter, grid)),
        "patches_64": seconds(lambda: combined(patches, weights(project(patches, RATE / 2), RATE / 2))),
    }
    parts = sum(figures.values())
    asked = Parameters(stress=True, spo2=True, spo2_a=110.0, spo2_b=25.0)
    whole = seconds(lambda: measure(recorded(SECONDS), asked), 3)
    found = measure(recorded(SECONDS), asked).person.measurements
    assert found["heart_rate"].status == "ok", found["heart_rate"].reason
    save(
        "analysis",
        {
            "frames": len(grid),
            "milliseconds": {name: round(1000 * value, 2) for name, value in figures.items()},
            "methods_and_filters_ms": round(1000 * parts, 1),
            "every_measure_ms": round(1000 * whole, 1),
            "together_ms": round(1000 * (parts + whole), 1),
            "target_ms": 500,
            "answered": sorted(name for name, one in found.items() if one.status == "ok"),
            "every_measure_of_10_min_ms": round(1000 * seconds(lambda: measure(recorded(600), asked), 1), 1),
            "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        },
    )


def recorded(length_s: float) -> Signals:
    """Signals of skin in a picture, as `trace` leaves them: patches at half the rate, background, displacement."""
    rng = np.random.default_rng(1)
    time_s = np.arange(round(RATE * length_s)) / RATE
    rate = 1.1 + 0.04 * np.sin(2 * np.pi * 0.25 * time_s) + 0.03 * np.sin(2 * np.pi * 0.1 * time_s)
    phase = 2 * np.pi * np.cumsum(rate) / RATE
    pulse = 0.006 * (1 + 0.1 * np.sin(2 * np.pi * 0.25 * time_s)) * (np.cos(phase) + 0.3 * np.cos(2 * phase))
    skin = np.array([[190.0], [140], [115]]) * (1 - SIGNATURE * pulse)
    return Signals(
        time_s=time_s,
        rgb=skin + 0.05 * rng.standard_normal(skin.shape),
        background=100 + 0.02 * rng.standard_normal(skin.shape),
        patch_time_s=time_s[::2],
        patches=skin[None, :, ::2] + 0.3 * rng.standard_normal((PATCHES, 3, len(time_s[::2]))),
        patch_counts=np.full(PATCHES, 300.0),
        skin_fraction=0.2,
        bits_per_pixel=0.1,
        clipped=0.0,
        displacement=0.05 * rng.standard_normal((2, len(time_s))),
        body=0.3 * np.sin(2 * np.pi * 0.25 * time_s),
        width=640,
        height=480,
    )


if __name__ == "__main__":
    main()
