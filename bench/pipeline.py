"""The whole way of a clip: floor, one process, embedded mesh; in one run and in turn.

    python bench/pipeline.py [--clip CLIP ...] [--repeats 3]      times
    python bench/pipeline.py --memory                             peak memory for 1 and 10 minutes

Without --clip: a synthetic clip of 60 s, 640x480, 30 fps, and the shared `face.mp4` where it is.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from floor import decode_and_encode
from results import save

from mesh.blobs import MemoryStore
from mesh.contracts import Job
from mesh.executor import LocalExecutor
from mesh.names import upload_name
from mesh.parameters import Parameters
from phantom import PhantomSettings, write
from pulsemesh.embedded import EmbeddedMesh
from pulsemesh_client import Client

SHARED = Path(__file__).parents[1] / ".." / "shared" / "clips"
WORKERS = 2


def one_process(clip: Path, stages: dict[str, float] | None = None) -> float:
    """Seconds of the one-process executor on both cores; imports are excluded by an earlier run."""

    async def run() -> float:
        executor = LocalExecutor(MemoryStore(), WORKERS)
        if stages is not None:
            executor.on_task = lambda task, took: stages.update({task.stage: stages.get(task.stage, 0) + took})
        start = time.perf_counter()
        await executor.store.create(upload_name("rec"), clip)
        job = Job(id="job", recording="rec", parameters=Parameters(), created_at=datetime.now(UTC))
        await executor.run(job)
        took = time.perf_counter() - start
        executor.close()
        return took

    return asyncio.run(run())


def mesh_run(client: Client, clip: Path) -> float:
    """Seconds from the first byte of the upload to `succeeded`."""
    start = time.perf_counter()
    view = client.wait(client.submit(clip), every_s=0.02)
    took = time.perf_counter() - start
    if not view.succeeded:
        raise RuntimeError(f"the job {view.state}: {view.problem}")
    client.erase(view.recording)
    return took


def times(clips: dict[str, Path], repeats: int, folder: Path) -> dict[str, Any]:
    """Floor, one process and mesh in turn, `repeats` times each."""
    warm = folder / "warm.mp4"
    write(PhantomSettings(seconds=6, width=160, height=120), warm)
    figures: dict[str, Any] = {}
    with EmbeddedMesh(workers=WORKERS) as mesh, Client(mesh.url) as client:
        for _ in range(3):
            one_process(warm), mesh_run(client, warm)
        for name, clip in clips.items():
            taken: dict[str, list[float]] = {"floor_s": [], "one_process_s": [], "mesh_s": []}
            stages: dict[str, float] = {}
            for turn in range(repeats):
                taken["floor_s"].append(decode_and_encode(clip, folder / "floor.mp4"))
                taken["one_process_s"].append(one_process(clip, stages if turn == 0 else None))
                taken["mesh_s"].append(mesh_run(client, clip))
            middle = {key: statistics.median(values) for key, values in taken.items()}
            figures[name] = {
                **{key: [round(v, 3) for v in values] for key, values in taken.items()},
                "one_process_per_floor": round(middle["one_process_s"] / middle["floor_s"], 2),
                "mesh_per_one_process": round(middle["mesh_s"] / middle["one_process_s"], 3),
                "mesh_minus_one_process_s": round(middle["mesh_s"] - middle["one_process_s"], 3),
                "one_process_stage_seconds": {k: round(v, 3) for k, v in stages.items()},
            }
            print(name, figures[name], flush=True)
    return figures


def _peak_of_one_process(clip: Path, queue: Any) -> None:
    one_process(clip)
    queue.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def memory(clips: dict[str, Path]) -> dict[str, Any]:
    """Peak resident memory in MB of every process, from the kernel's high-water mark."""
    figures: dict[str, Any] = {}
    context = multiprocessing.get_context("spawn")
    for name, clip in clips.items():
        queue = context.Queue()
        process = context.Process(target=_peak_of_one_process, args=(clip, queue))
        process.start()
        peaks = {"one_process": round(queue.get())}
        process.join()
        with EmbeddedMesh(workers=WORKERS) as mesh, Client(mesh.url) as client:
            mesh_run(client, clip)
            for process_name, pid in mesh.processes().items():
                family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
                marks = [_high_water_mb(p.pid) for p in family]
                peaks[process_name] = max(marks[:1])
                if len(marks) > 1:
                    peaks[f"{process_name} children"] = max(marks[1:])
        figures[name] = {"peak_mb": peaks, "largest_mb": max(peaks.values())}
        print(name, figures[name], flush=True)
    return figures


def _high_water_mb(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM")), "VmHWM: 0")
    return round(int(line.split()[1]) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, action="append")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips: dict[str, Path] = {clip.name: clip for clip in given.clip or []}
        if not clips:
            lengths = {"1 min": 60, "10 min": 600} if given.memory else {"60 s 640x480": 60}
            for label, seconds in lengths.items():
                clips[label] = folder / f"{seconds}.mp4"
                write(PhantomSettings(seconds=seconds), clips[label])
            if (SHARED / "face.mp4").exists() and not given.memory:
                clips["face.mp4"] = SHARED / "face.mp4"
        if given.memory:
            save("pipeline_memory", memory(clips))
        else:
            save("pipeline", times(clips, given.repeats, folder))


if __name__ == "__main__":
    main()
