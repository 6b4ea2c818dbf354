"""Every method and filter on the whole-skin trace of 60 s at 30 frames a second: seconds on one core.

The target of the whole analysis (every method, every measure) is 0.5 s; methods and filters together have 0.15 s of
it. Imports are not counted; time is the processor's, so that others on the machine do not count either.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python bench/analysis.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from results import save

from ppg.detrend import regularization_of, smoothness_priors
from ppg.filters import butterworth, fir, moving_averages_s
from ppg.methods import METHODS
from ppg.patches import combined, project, weights
from ppg.resample import resample

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
    total = sum(figures.values())
    save(
        "analysis",
        {
            "frames": len(grid),
            "milliseconds": {name: round(1000 * value, 2) for name, value in figures.items()},
            "together_ms": round(1000 * total, 1),
            "target_ms": 150,
        },
    )


if __name__ == "__main__":
    main()
