"""How fast, how small and how right colour magnification is, file to file.

    OPENBLAS_NUM_THREADS=1 python bench/magnify.py CLIP [--repeats 7]     times, memory and gain on a clip
    OPENBLAS_NUM_THREADS=1 python bench/magnify.py --phantom              gain and leakage on still synthetic skin
    OPENBLAS_NUM_THREADS=1 python bench/magnify.py --tasks                likeness to the ideal clip, motion tasks A-D

Times are of the clip's own stages (split, field, segment, join; no skin is looked for: region=picture), in one process
with two tasks at a time, in turn with the floor: decoding and encoding the clip with the same library and settings.
Imports are excluded. BLAS runs in the thread that calls it, as it does in a worker.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import numpy as np
from floor import decode_and_encode
from magnify_phantom import GAIN, TASKS, still_figures, task_figures
from results import save

from magnifier.stages import field, segment
from media.join import join
from media.masks import empty_masks
from media.pulse_blob import Pulse
from mesh.contracts import Job, Plan, ResultIndex, Task
from mesh.executor import LocalExecutor
from mesh.graph import blob_name
from mesh.names import BlobName, upload_name
from mesh.parameters import Parameters
from mesh.stages import Handler, Input, Inputs, load_handler, run_handler
from mesh.support import fields_travel, segment_support
from phantom import PhantomSettings, write

CORES = 2
FOREHEAD = (slice(90, 150), slice(190, 340))  # of the released clip `face`
PULSE_HZ = 0.88
SHOWN: dict[str, dict[str, Any]] = {
    "eulerian-colour 0.7-1.2 Hz": {"magnify": "eulerian-colour", "magnify_low_hz": 0.7, "magnify_high_hz": 1.2},
    "the same, ideal": {
        "magnify": "eulerian-colour", "magnify_low_hz": 0.7, "magnify_high_hz": 1.2, "temporal_filter": "ideal",
    },
    "the same, Butterworth": {
        "magnify": "eulerian-colour", "magnify_low_hz": 0.7, "magnify_high_hz": 1.2, "temporal_filter": "butterworth",
    },
    "the same, compat=2012": {
        "magnify": "eulerian-colour", "magnify_low_hz": 0.7, "magnify_high_hz": 1.2, "compat": "2012",
    },
    "evm-face": {"preset": "evm-face"},
    "evm-face, compat=2012": {"preset": "evm-face", "compat": "2012"},
    "patch, 0.7-1.2 Hz": {"magnify": "patch", "band": "fixed", "magnify_low_hz": 0.7, "magnify_high_hz": 1.2},
}  # fmt: skip


class Pipeline:
    """The stages of one clip, without a mesh."""

    def __init__(self, folder: Path, parameters: dict[str, Any]) -> None:
        self.folder = folder
        self.parameters = Parameters(**{"region": "picture"} | parameters)
        self.blobs: dict[str, Input] = {}

    def run(self, handler: Handler, stage: str, index: int, *needs: tuple[str, int]) -> None:
        """Run one task."""
        output = str(BlobName("rec", "plan" if stage == "split" else stage, "0", str(index)))
        inputs = [self.blobs[f"{kind}/{number}"] for kind, number in needs]
        task = Task(
            job="job", recording="rec", stage=stage, index=index, inputs=[str(i.name) for i in inputs], output=output,
            parameters=self.parameters,
        )  # fmt: skip
        scratch = Path(tempfile.mkdtemp(dir=self.folder))
        for name, source in run_handler(handler, task, Inputs(inputs, scratch)):
            self.blobs[f"{name.kind}/{name.index}"] = Input(name, source)

    def file_to_file(self, clip: Path, out: Path) -> dict[str, float]:
        """Magnify `clip` into `out`; seconds of each part."""
        marks = [time.perf_counter()]
        self.blobs["upload/0"] = Input(BlobName("rec", "upload", "0", "0"), clip)
        self.run(load_handler("split"), "split", 0, ("upload", 0))
        plan = Plan.model_validate_json(self.blobs["plan/0"].read())
        marks.append(time.perf_counter())
        nobody = Pulse(False, np.zeros(0), [], [])
        self.blobs["pulse/0"] = Input(BlobName("rec", "pulse", "0", "0"), nobody.to_bytes())
        shape = ((plan.recording.height + 1) // 2, (plan.recording.width + 1) // 2)
        for chunk in plan.chunks:
            name = BlobName("rec", "mask", "0", str(chunk.index))
            self.blobs[f"mask/{chunk.index}"] = Input(name, empty_masks(shape, chunk.frames))
        every = [c.index for c in plan.chunks]
        with ThreadPoolExecutor(CORES) as pool:
            if fields_travel(self.parameters):
                list(pool.map(lambda k: self.run(field, "field", k, ("plan", 0), ("chunk", k), ("mask", k)), every))
            marks.append(time.perf_counter())
            list(pool.map(lambda k: self._segment(plan, k), every))
        marks.append(time.perf_counter())
        audio = self.blobs.get("audio/0")
        join(plan, [self.blobs[f"segment/{k}"] for k in every], audio, out)
        marks.append(time.perf_counter())
        parts = dict(zip(("split", "field", "segment", "join"), np.diff(marks).tolist(), strict=True))
        return parts | {"all": marks[-1] - marks[0]}

    def _segment(self, plan: Plan, index: int) -> None:
        before, after = segment_support(self.parameters)
        chunk = plan.chunks[index]
        around = [c.index for c in plan.chunks if c.t1 > chunk.t0 - before - 1e-3 and c.t0 < chunk.t1 + after + 1e-3]
        if fields_travel(self.parameters):
            needs = [("chunk", index), ("mask", index), *(("field", k) for k in around)]
        else:
            needs = [(kind, k) for k in around for kind in ("chunk", "mask")]
        self.run(segment, "segment", index, ("plan", 0), ("pulse", 0), *needs)


def green(path: Path, frames: int | None = None, box: tuple[slice, slice] = FOREHEAD) -> np.ndarray:
    """Mean of green (BT.601, limited range) in a box, over the first `frames` frames."""
    found = []
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == frames:
                break
            planes = frame.to_ndarray()
            height, width = frame.height, frame.width
            y, rest = planes[:height], planes[height:].reshape(2, -1)
            half = tuple(slice(part.start // 2, part.stop // 2) for part in box)
            u, v = (plane.reshape(height // 2, width // 2)[half].mean() - 128 for plane in rest)
            found.append(255 / 219 * (y[box].mean() - 16) - 255 / 224 * (0.344136 * u + 0.714136 * v))
    return np.array(found)


def amplitude(wave: np.ndarray, frequency_hz: float, rate_hz: float) -> float:
    """Of a sinusoid, with a Hann window."""
    window = np.hanning(len(wave))
    turned = np.exp(-2j * np.pi * frequency_hz * np.arange(len(wave)) / rate_hz)
    return float(2 * abs(np.sum((wave - wave.mean()) * window * turned)) / window.sum())


async def gains(clip: Path, folder: Path) -> dict[str, Any]:
    """(1 + gain) as it is found in the decoded clip: output over input, green of the forehead at the pulse.

    Whole jobs: the filter's response is divided out at the rate that `pulse` measured.
    """
    figures: dict[str, Any] = {}
    executor = LocalExecutor(workers=CORES)
    await executor.store.create(upload_name("rec"), clip)
    for name, given in SHOWN.items():
        parameters = Parameters(**{"region": "picture", "maps": False} | given)
        job = Job(id="job", recording="rec", parameters=parameters, created_at=datetime.now(UTC))
        await executor.run(job)
        index = ResultIndex.model_validate_json(await executor.store.read(blob_name(job, "result")))
        out = folder / "out.mp4"
        written = next(f for f in index.files if f.name == "magnified.mp4")
        out.write_bytes(await executor.store.read(BlobName.parse(written.blob)))
        frames = 291 if given.get("preset") == "evm-face" else None  # what the released code writes
        levels = [amplitude(green(path, frames), PULSE_HZ, 30.0) for path in (clip, out)]
        figures[name] = {"input_levels": round(levels[0], 3), "ratio": round(levels[1] / levels[0], 2)}
        print(name, figures[name], flush=True)
    executor.close()
    return figures


def times(clip: Path, folder: Path, repeats: int) -> dict[str, Any]:
    """Best of several runs, in turn with the floor."""
    parameters = SHOWN["eulerian-colour 0.7-1.2 Hz"]
    taken: dict[str, list[float]] = {"floor_s": [], "magnify_s": [], "floor_cpu_s": [], "magnify_cpu_s": []}
    best: dict[str, float] = {}

    def timed(key: str, work: Callable[[], dict[str, float] | float]) -> dict[str, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        parts = work()
        taken[f"{key}_s"].append(time.perf_counter() - wall)
        taken[f"{key}_cpu_s"].append(time.process_time() - cpu)
        return parts if isinstance(parts, dict) else {}

    for _ in range(repeats):
        timed("floor", lambda: decode_and_encode(clip, folder / "floor.mp4", cores=CORES))
        parts = timed("magnify", lambda: Pipeline(folder, parameters).file_to_file(clip, folder / "out.mp4"))
        if not best or parts["all"] < best["all"]:
            best = parts
    least = {key: min(values) for key, values in taken.items()}
    pairs = zip(taken["magnify_s"], taken["floor_s"], strict=True)
    return {
        **{key: round(value, 3) for key, value in least.items()},
        "ratio": round(least["magnify_s"] / least["floor_s"], 2),
        "ratio_of_each_turn": [round(a / b, 2) for a, b in pairs],
        "cpu_ratio": round(least["magnify_cpu_s"] / least["floor_cpu_s"], 2),
        "parts_of_the_best_s": {key: round(value, 3) for key, value in best.items()},
    }


def _peak(clip: str, queue: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        Pipeline(Path(name), SHOWN["eulerian-colour 0.7-1.2 Hz"]).file_to_file(Path(clip), Path(name) / "out.mp4")
    queue.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def peak_mb(clip: Path) -> int:
    """Largest resident size of a fresh process that magnifies the clip, imports included."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_peak, args=(str(clip), queue))
    process.start()
    found = round(queue.get())
    process.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--phantom", action="store_true")
    parser.add_argument("--tasks", action="store_true")
    parser.add_argument("--only", choices=["times", "gains", "memory"])
    given = parser.parse_args()
    if given.phantom:
        save("magnify_phantom", {"gain": GAIN, "still": still_figures()})
    if given.tasks:
        save("magnify_tasks", {"gain": GAIN, "against_the_ideal_clip": {task: task_figures(task) for task in TASKS}})
    if given.clip is None:
        return
    wanted = [given.only] if given.only else ["times", "gains", "memory"]
    stem = f"magnify_{given.clip.stem}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "gains" in wanted:
            save(f"{stem}_gains", {"clip": given.clip.name, "gain_50": asyncio.run(gains(given.clip, folder))})
        if "times" in wanted:
            save(f"{stem}_times", {"clip": given.clip.name, "times": times(given.clip, folder, given.repeats)})
        if "memory" in wanted:
            peaks = {given.clip.name: peak_mb(given.clip)}
            for seconds in (10, 60):
                made = folder / f"{seconds}.mp4"
                write(PhantomSettings(seconds=seconds), made)
                peaks[f"{seconds} s of 640x480"] = peak_mb(made)
            save(f"{stem}_memory", {"peak_mb": peaks})


if __name__ == "__main__":
    main()
