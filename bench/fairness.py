"""A short clip behind long ones: how much longer than alone it takes.

python bench/fairness.py [--minutes 10]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from results import save

from phantom import PhantomSettings, write
from pulsemesh.embedded import EmbeddedMesh
from pulsemesh_client import Client

WORKERS = 2


def short_job(client: Client, clip: Path) -> float:
    """Seconds from the first byte of the upload to `succeeded`."""
    start = time.perf_counter()
    view = client.wait(client.submit(clip), every_s=0.02)
    if not view.succeeded:
        raise RuntimeError(view.problem)
    took = time.perf_counter() - start
    client.erase(view.recording)
    return took


def behind(client: Client, long: Path, count: int, short: Path, head_start_s: float) -> float:
    """Seconds of the short job while `count` long ones are under way."""
    jobs = [client.submit(long) for _ in range(count)]
    time.sleep(head_start_s)
    took = short_job(client, short)
    states = [client.job(job).state for job in jobs]
    if any(state in ("succeeded", "failed") for state in states):
        raise RuntimeError(f"the long jobs did not last: {states}")
    for job in jobs:
        client.erase(job.recording)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        short, long = Path(name) / "short.mp4", Path(name) / "long.mp4"
        write(PhantomSettings(seconds=10), short)
        write(PhantomSettings(seconds=60 * given.minutes), long)
        figures: dict[str, Any] = {"short_s": 10, "long_s": 60 * given.minutes, "workers": WORKERS}
        with EmbeddedMesh(workers=WORKERS) as mesh, Client(mesh.url) as client:
            short_job(client, short)
            alone = min(short_job(client, short) for _ in range(3))
            figures["alone_s"] = round(alone, 2)
            for count in (1, 5):
                for head_start in (0.0, 15.0):
                    took = behind(client, long, count, short, head_start)
                    figures[f"behind_{count}_after_{head_start:g}_s"] = {
                        "seconds": round(took, 2),
                        "times_alone": round(took / alone, 2),
                    }
                    print(figures, flush=True)
        save("fairness", figures)


if __name__ == "__main__":
    main()
