"""The trace stage on one chunk of a 640x480 clip: what profiles and clipped samples cost of it, in one run.

python bench/traces.py [--repeats 7]
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from results import save

import ppg.stages
from mesh.blobs import MemoryStore
from mesh.contracts import Job
from mesh.executor import LocalExecutor
from mesh.names import upload_name
from mesh.parameters import Parameters
from phantom import PhantomSettings, write
from ppg.profiles import BINS, STRIPS

NOTHING = np.zeros((2, STRIPS, BINS), np.uint16)


def seconds_in_trace(clip: Path) -> float:
    """CPU time of the trace stage's loop over frames, in one run of the whole graph in this process."""
    took = 0.0
    frames = ppg.stages.frames

    def timed(*given: Any) -> Iterator[Any]:
        nonlocal took
        start = time.process_time()
        yield from frames(*given)
        took += time.process_time() - start

    async def run() -> None:
        executor = LocalExecutor(MemoryStore(), 1)
        await executor.store.create(upload_name("rec"), clip)
        parameters = Parameters(magnify="none")
        await executor.run(Job(id="job", recording="rec", parameters=parameters, created_at=datetime.now(UTC)))
        executor.close()

    ppg.stages.frames = timed
    try:
        asyncio.run(run())
    finally:
        ppg.stages.frames = frames
    return took


def main() -> None:
    """Print and save the ratio; both forms in turn, the fastest run of each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    profiles, clipped = ppg.stages.frame_profiles, ppg.stages.clipped
    best: dict[str, float] = {"with": np.inf, "without": np.inf}

    def no_profiles(luma: Any) -> Any:
        return NOTHING

    def not_clipped(luma: Any, u: Any, v: Any, full_range: bool) -> Any:
        return False

    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write(PhantomSettings(width=640, height=480, seconds=10, fps=30), clip)
        for _ in range(repeats):
            for name in best:
                whole = name == "with"
                ppg.stages.frame_profiles = profiles if whole else no_profiles
                ppg.stages.clipped = clipped if whole else not_clipped
                best[name] = min(best[name], seconds_in_trace(clip))
    figures = {f"milliseconds_a_frame_{name}": round(1000 * took / 300, 4) for name, took in best.items()}
    save("traces", figures | {"ratio": round(best["with"] / best["without"], 3)})


if __name__ == "__main__":
    main()
