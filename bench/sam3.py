"""SAM 3: how fast, how large, and how near carried masks come to those of every frame.

python bench/sam3.py speed                 the full-size model with random weights, on a CUDA device
python bench/sam3.py speed --tiny          a tiny one on whatever there is: checks the script, says nothing of speed
python bench/sam3.py carry                 carried masks against the true ones of phantoms (needs no model)

`speed` builds the model of facebook/sam3 from its configuration: shapes, memory and speed are those of the real
weights, masks are not.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from results import save

from mesh.contracts import Recording
from mesh.errors import OutOfMemory
from phantom import PhantomSettings, masks, render
from segmenter.sam3.carry import moved
from segmenter.sam3.flow import dense_flow, flow_picture
from segmenter.sam3.model import Sam3, Segmentation
from segmenter.sam3.random_weights import TINY_IMAGE, full_configuration, random_model, tiny_configuration
from segmenter.sam3.segmenter import Sam3Segmenter
from segmenter.sam3.settings import Sam3Settings, Wanted
from segmenter.sam3.video import Sam3Tracker

WIDTH, HEIGHT, FPS = 640, 480, 30
MOTIONS: dict[str, dict[str, Any]] = {
    "face_still": {"scene": "face", "motion": "still"},
    "face_talking": {"scene": "face", "motion": "talking"},
    "face_turning_10_deg_s": {"scene": "face", "motion": "rotation10"},
    "face_turning_30_deg_s": {"scene": "face", "motion": "rotation30"},
    "face_turning_20_deg_each_s": {"scene": "face", "motion": "reorient"},
    "forearm_tremor": {"scene": "forearm", "motion": "tremor"},
    "hand_tremor": {"scene": "hand", "motion": "tremor"},
}


def recording(width: int = WIDTH, height: int = HEIGHT) -> Recording:
    """What the segmenter needs to know of a clip."""
    return Recording(
        duration_s=1.0, frames=1, width=width, height=height, fps=FPS, variable_rate=False, codec="rawvideo",
        container="raw", pixel_format="yuv420p",
    )  # fmt: skip


class Bytes:
    """Stands for the tokenizer of the weights: a token a letter."""

    def __init__(self, vocabulary: int) -> None:
        self.start, self.end = vocabulary - 2, vocabulary - 1

    def __call__(self, prompt: str, **_: Any) -> dict[str, Any]:
        """Tokens and their mask, 32 of them."""
        import torch

        letters = [ord(letter) % 256 for letter in prompt]
        ids = torch.tensor([[self.start, *letters, *[self.end] * (31 - len(letters))]])
        return {"input_ids": ids, "attention_mask": (torch.arange(32) < len(letters) + 2).long()[None]}


def timed(run: Callable[[], Any], repeat: int) -> float:
    """Median seconds, after one run that does not count."""
    import torch

    seconds = []
    for number in range(repeat + 1):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        if number:
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def frames_of(settings: PhantomSettings) -> list[Any]:
    """Frames of a phantom with their true masks."""
    return [
        SimpleNamespace(index=frame.index, time=frame.time, y=frame.y, u=frame.u, v=frame.v, truth=truth)
        for frame, truth in zip(render(settings), masks(settings), strict=True)
    ]


def built(given: argparse.Namespace, image_size: int, compiled: bool, batch: int, *, video: bool = False) -> Any:
    """A model with random weights; only the classes and their sizes matter."""
    make = tiny_configuration if given.tiny else full_configuration
    configuration = make(image_size, video=video)
    detector = getattr(configuration, "detector_config", configuration)
    settings = Sam3Settings(image_size=image_size, batch=batch, compile=compiled, device=given.device)
    model, tokenizer = random_model(configuration), Bytes(detector.text_config.vocab_size)
    return Sam3Tracker(model, tokenizer, settings, 4) if video else Sam3(model, tokenizer, settings)


def image_figures(given: argparse.Namespace, image_size: int, compiled: bool, frames: list[Any]) -> dict[str, Any]:
    """Frames a second, latency and memory for each batch, then of a chunk."""
    import torch

    sam3 = built(given, image_size, compiled, max(given.batches))
    clip = recording()
    cuda = sam3.device.type == "cuda"
    figures: dict[str, Any] = {
        "image_size": image_size,
        "compiled": compiled,
        "dtype": str(sam3.dtype).removeprefix("torch."),
        "parameters": sum(parameter.numel() for parameter in sam3._model.parameters()),
        "batches": [],
    }
    start = time.perf_counter()
    sam3.warm_up(clip)
    figures["warm_up_s"] = round(time.perf_counter() - start, 2)
    for batch in given.batches:
        sam3.batch = batch
        if cuda:
            torch.cuda.reset_peak_memory_stats(sam3.device)
        part = [frames[number % len(frames)] for number in range(batch)]
        try:
            seconds = timed(lambda part=part: sam3.segment(part, clip, score=0.0, instances=4), given.repeat)
        except OutOfMemory:
            figures["batches"].append({"batch": batch, "out_of_memory": True})
            break
        entry = {"batch": batch, "latency_s": round(seconds, 4), "frames_per_s": round(batch / seconds, 2)}
        if sam3.batch < batch:
            entry["halved_to"] = sam3.batch
        if cuda:
            entry["peak_memory_mib"] = torch.cuda.max_memory_allocated(sam3.device) >> 20
        figures["batches"].append(entry)
        print(image_size, "compiled" if compiled else "eager", entry, flush=True)
    sam3.batch = min(8, max(given.batches))
    figures["two_prompts_cost"] = round(
        timed(lambda: sam3.segment(frames[:4], clip, ["skin", "Full Face"], score=0.0), given.repeat)
        / timed(lambda: sam3.segment(frames[:4], clip, ["skin"], score=0.0), given.repeat),
        3,
    )
    segmenter = Sam3Segmenter(sam3, Wanted(score=0.0, instances=4))
    times = np.array([frame.time for frame in frames])
    seconds = timed(lambda: list(segmenter.segment(frames, times, clip)), 1)
    figures["chunk"] = {
        "seconds_of_video": round(len(frames) / FPS, 2),
        "latency_s": round(seconds, 3),
        "keyframes": segmenter.keyframes,
        "frames_per_s": round(len(frames) / seconds, 2),
    }
    return figures


def tracker_figures(given: argparse.Namespace, image_size: int, frames: list[Any]) -> dict[str, Any]:
    """Frames a second of the tracker, and the state that it holds half-way and at the end."""
    tracker = built(given, image_size, False, 1, video=True)
    tracker.model.score_threshold_detection = tracker.model.new_det_thresh = 0.0
    track, sizes = tracker.start(recording(), ["skin"]), []
    start = time.perf_counter()
    for frame in frames:
        track.add(frame)
        sizes.append(track.state_bytes())
    seconds = time.perf_counter() - start
    return {
        "image_size": image_size,
        "objects": len(track._session.obj_ids),
        "frames_per_s": round(len(frames) / seconds, 2),
        "state_mib_half_way": round(sizes[len(sizes) // 2] / (1 << 20), 2),
        "state_mib_at_the_end": round(sizes[-1] / (1 << 20), 2),
    }


def speed(given: argparse.Namespace) -> None:
    """All figures of the model."""
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    if not given.tiny and not torch.cuda.is_available():
        raise SystemExit("There is no CUDA device: the full model takes minutes a frame on a CPU. Try --tiny.")
    sizes = [TINY_IMAGE] if given.tiny else given.image_sizes
    seconds = 1.0 if given.tiny else 5.0
    frames = frames_of(PhantomSettings(seconds=seconds, scene="face", motion="talking", fps=FPS))
    modes = [False] if given.tiny else [False, True]
    figures = {
        "tiny": given.tiny,
        "device": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "frame": [WIDTH, HEIGHT],
        "image_model": [freed(image_figures(given, size, mode, frames)) for size in sizes for mode in modes],
        "tracker": [tracker_figures(given, size, frames) for size in sizes],
    }
    save("sam3_tiny" if given.tiny else "sam3", figures)


def freed(figures: dict[str, Any]) -> dict[str, Any]:
    """Figures of a model that is gone by now; its memory is given back."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return figures


class TrueModel:
    """Every frame's own mask is known: this one hands out those of keyframes."""

    batch = 8

    def segment(self, pictures: list[Any], *_: Any, **__: Any) -> list[list[Segmentation]]:
        """The truth, as if it were a model's answer."""
        return [[self._one(picture.truth)] for picture in pictures]

    @staticmethod
    def _one(truth: NDArray[np.uint8]) -> Segmentation:
        people = [number for number in np.unique(truth).tolist() if number]
        instances = np.stack([truth == number for number in people]).astype(np.float32)
        return Segmentation(instances.max(axis=0), instances, np.ones(len(people)), np.zeros((len(people), 4)))


def carried(name: str, changes: dict[str, Any], seconds: float) -> Iterator[tuple[str, Any]]:
    """Carried masks of one phantom against its true ones."""
    settings = PhantomSettings(seconds=seconds, fps=FPS, **changes)
    frames = frames_of(settings)
    times = np.array([frame.time for frame in frames])
    segmenter = Sam3Segmenter(TrueModel())
    start = time.process_time()
    found = list(segmenter.segment(frames, times, recording(settings.width, settings.height)))
    spent = time.process_time() - start
    truth = [frame.truth > 0 for frame in frames]
    overlap = [iou(mask.labels > 0, true) for mask, true in zip(found, truth, strict=True)]
    opening = {}
    for index, moment in enumerate(times):
        opening.setdefault(int(moment + 1e-9), index)
    frozen = [iou(truth[opening[int(moment + 1e-9)]], true) for moment, true in zip(times, truth, strict=True)]
    flow = dense_flow(flow_picture(frames[0].y), flow_picture(frames[FPS].y))
    area = np.array([np.count_nonzero(mask.labels) for mask in found], np.float64)
    true_area = np.array([np.count_nonzero(true) for true in truth], np.float64)
    at_pulse = np.exp(-2j * np.pi * settings.heart_rate / 60 * times) * np.hanning(len(times))
    modulation = 4 * abs(((area / true_area / np.mean(area / true_area) - 1) * at_pulse).mean())
    yield "iou_mean", round(float(np.mean(overlap)), 4)
    yield "iou_5th_percentile", round(float(np.percentile(overlap, 5)), 4)
    yield "iou_least", round(min(overlap), 4)
    yield "iou_mean_of_masks_held_for_a_cell", round(float(np.mean(frozen)), 4)
    yield "drift_iou_mean_as_reported", round(float(np.mean([one.iou for one in segmenter.drift])), 4)
    yield "keyframes_per_s", round(segmenter.keyframes / seconds, 2)
    yield "moved_in_the_first_second_of_the_longer_side", round(moved(flow), 3)
    yield "area_modulation_at_the_pulse_percent", round(100 * modulation, 3)
    yield "processor_ms_per_frame", round(1000 * spent / len(frames), 1)
    print(name, "done", flush=True)


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Intersection over union."""
    return float(np.count_nonzero(first & second) / max(np.count_nonzero(first | second), 1))


def carry(given: argparse.Namespace) -> None:
    """Carried masks of every phantom."""
    save(
        "sam3_carry",
        {
            "seconds": given.seconds,
            "frame": [WIDTH, HEIGHT],
            "phantoms": {name: dict(carried(name, changes, given.seconds)) for name, changes in MOTIONS.items()},
        },
    )


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    part = parts.add_parser("speed")
    part.add_argument("--tiny", action="store_true")
    part.add_argument("--device", default="auto")
    part.add_argument("--image-sizes", type=int, nargs="+", default=[1008, 560])
    part.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    part.add_argument("--repeat", type=int, default=5)
    part.set_defaults(run=speed)
    part = parts.add_parser("carry")
    part.add_argument("--seconds", type=float, default=8.0)
    part.set_defaults(run=carry)
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
