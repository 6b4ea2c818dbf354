"""Filter every chroma sample of 640x480 (320x240 samples, Y, U and V) along time, streamed in tiles, against a floor.

The floor is SciPy's `sosfiltfilt` of the same band on the same samples in the same run, on one tile for the whole time
(its time over the part of the samples that it filters), and a copy of it. Time is the processor's on one core, so that
others on the machine do not count. With --gpu the same is done with CuPy, by the clock.

    python bench/filters.py [--seconds 60] [--channels 3] [--minutes 10] [--gpu]
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from results import save
from scipy import signal

from ppg.filters import Filter, butterworth
from ppg.streams import stream

RATE, WIDTH, HEIGHT, BLOCK = 30.0, 320, 240, 300


def blocks(frames: int, channels: int, xp: Any = np) -> Iterator[Any]:
    """Noise about skin, uint8, from a seed: a pool of frames that is repeated."""
    pool = xp.asarray(np.random.default_rng(0).integers(90, 160, (BLOCK, channels, HEIGHT, WIDTH), np.uint8))
    for start in range(0, frames, BLOCK):
        yield pool[: min(BLOCK, frames - start)]


def streamed(band_pass: Filter, frames: int, channels: int, xp: Any = np) -> float:
    clock = time.process_time if xp is np else time.perf_counter
    start = clock()
    count = 0
    for part in stream(band_pass, blocks(frames, channels, xp), tile=4096 if xp is np else 1 << 17):
        count += len(part)
    if xp is not np:
        xp.cuda.Stream.null.synchronize()
    assert count == frames
    return clock() - start


def floor(frames: int, channels: int) -> tuple[float, float]:
    """Seconds of `sosfiltfilt` and of a copy, for all samples; measured on 4096 of them."""
    tile = np.random.default_rng(0).integers(90, 160, (4096, frames)).astype(np.float64)
    sections = signal.butter(2, [0.6, 4.0], "bandpass", fs=RATE, output="sos")
    times = []
    for work in (lambda: signal.sosfiltfilt(sections, tile), tile.copy):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    scale = channels * WIDTH * HEIGHT / 4096
    return times[0] * scale, times[1] * scale


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=0.0, help="also one channel for so long, for the memory")
    parser.add_argument("--gpu", action="store_true")
    options = parser.parse_args()
    frames = round(options.seconds * RATE)
    band_pass = butterworth(0.6, 4.0, RATE)
    figures: dict[str, Any] = {"frames": frames, "samples": options.channels * WIDTH * HEIGHT, "cores": 1}
    seconds = streamed(band_pass, frames, options.channels)
    sos, copy = floor(frames, options.channels)
    figures |= {
        "numpy_s": round(seconds, 2),
        "sosfiltfilt_s": round(sos, 2),
        "numpy_over_sosfiltfilt": round(seconds / sos, 2),
        "numpy_over_float64_copy": round(seconds / copy, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    if options.minutes:
        streamed(band_pass, round(60 * options.minutes * RATE), 1)
        figures["peak_mib_after_minutes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        figures["minutes"] = options.minutes
    if options.gpu:
        import cupy

        streamed(band_pass, 600, options.channels, cupy)  # compiles
        found = streamed(band_pass, frames, options.channels, cupy)
        figures |= {"cupy_s": round(found, 3), "numpy_over_cupy": round(seconds / found, 1)}
    save("filters", figures)


if __name__ == "__main__":
    main()
