"""A clip whose keyframes lie farther apart than its chunks: packets copied with their leading frames, or coded anew.

python bench/keyframes.py [--seconds 60] [--repeat 2]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from results import save

import media.cuts
from mesh.blobs import MemoryStore
from mesh.contracts import Job
from mesh.executor import LocalExecutor
from mesh.names import upload_name
from mesh.parameters import Parameters
from phantom import PhantomSettings, write

# where cuts move to keyframes, and how many chunks may lead
CHOICES = {"coded_anew": (0.25, 1.0), "copied": (0.25, 2.0), "copied_and_moved": (0.35, 2.0)}


async def run(clip: Path) -> dict[str, float]:
    """Seconds of processor and of wall clock in one process."""
    executor = LocalExecutor(MemoryStore(), 2)
    split = 0.0

    def ended(task: Any, seconds: float) -> None:
        nonlocal split
        split += seconds if task.stage == "split" else 0.0

    executor.on_task = ended
    await executor.store.create(upload_name("rec"), clip)
    job = Job(id="job", recording="rec", parameters=Parameters(), created_at=datetime(2026, 1, 1, tzinfo=UTC))
    wall, processor = time.perf_counter(), time.process_time()
    await executor.run(job)
    found = {"wall_s": time.perf_counter() - wall, "processor_s": time.process_time() - processor, "split_s": split}
    executor.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--repeat", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        clip = Path(name) / "clip.mp4"
        write(PhantomSettings(seconds=given.seconds, keyframe_interval=250), clip)  # x264's default: 8.3 s
        runs: dict[str, list[dict[str, float]]] = {choice: [] for choice in CHOICES}
        for _ in range(given.repeat):
            for choice, (snap, lead) in CHOICES.items():  # in turn, so that a busy machine is busy for all
                media.cuts.SNAP, media.cuts.LEAD = snap, lead
                runs[choice].append(asyncio.run(run(clip)))
                print(choice, runs[choice][-1], flush=True)
    figures: dict[str, Any] = {"seconds": given.seconds, "keyframe_interval": 250}
    for choice, found in runs.items():
        figures[choice] = {key: round(statistics.median(one[key] for one in found), 2) for key in found[0]}
    save("keyframes", figures)


if __name__ == "__main__":
    main()
