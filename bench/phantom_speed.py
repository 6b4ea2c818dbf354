"""How fast synthetic recordings are rendered and written: frames a second, of wall clock and of one core's time.

    python bench/phantom_speed.py [--seconds 20]

The wall clock counts other work on the machine; `per_core` is frames a second of CPU time, rendering and encoding
together. Peak memory is that of a process that renders nothing but a clip of 10 minutes, against one of 20 s.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from results import save

from phantom import PhantomSettings, render, write

SIZES = ((320, 240), (640, 480))
SCENES: dict[str, dict[str, Any]] = {
    "ellipse": {},
    "face": {"scene": "face"},
    "face turning": {"scene": "face", "motion": "rotation30"},
    "face talking": {"scene": "face", "motion": "talking"},
    "three people": {"scene": "face", "further_heart_rates": (60.0, 90.0)},
    "forearm": {"scene": "forearm"},
    "hand, tremor": {"scene": "hand", "motion": "tremor"},
    "photo waved": {"scene": "photo_waved"},
}
_PEAK = """
import resource, sys
from phantom import PhantomSettings, render
for _ in render(PhantomSettings(scene="face", width=320, height=240, seconds=float(sys.argv[1]), sdnn=40)):
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_mib(seconds: float) -> float:
    """Largest resident size of a process that renders so many seconds."""
    done = subprocess.run([sys.executable, "-c", _PEAK, str(seconds)], capture_output=True, text=True, check=True)
    return round(int(done.stdout) / 1024, 1)


def speed(settings: PhantomSettings, folder: Path) -> dict[str, float]:
    """Frames a second rendered, and written as a file with its encoding; and seconds until the first frame."""
    start = time.perf_counter()
    frames = render(settings)
    next(frames)
    first = time.perf_counter() - start
    cpu = time.process_time()
    count = sum(1 for _ in frames)
    rendered = count / (time.process_time() - cpu)
    wall, cpu = time.perf_counter(), time.process_time()
    written = len(write(settings, folder / "clip.mp4").time_s)
    return {
        "first_frame_s": round(first, 3),
        "rendered_per_core": round(rendered),
        "written_per_core": round(written / (time.process_time() - cpu)),
        "written_wall": round(written / (time.perf_counter() - wall)),
    }


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    figures: dict[str, Any] = {"fps of the clip": 30, "crf": 18, "load before": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as folder:
        for width, height in SIZES:
            for name, values in SCENES.items():
                settings = PhantomSettings(width=width, height=height, seconds=given.seconds, **values)
                figures[f"{width}x{height} {name}"] = speed(settings, Path(folder))
                print(f"{width}x{height} {name}", json.dumps(figures[f"{width}x{height} {name}"]), flush=True)
    figures["peak_mib"] = {"20 s": peak_mib(20), "600 s": peak_mib(600)}
    save("phantom", figures)


if __name__ == "__main__":
    main()
