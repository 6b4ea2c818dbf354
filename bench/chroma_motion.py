"""From how far off its average a sample's colour has moved: what the chroma key's threshold is chosen by.

python bench/chroma_motion.py [--seconds 8]

Of phantoms of 320x240, with the key that is found on the same skin at rest: how far the present colour lies from its
average over +- 1 s inside resting skin, and where the average is wrong and the present colour is not; and for each
threshold, from 0 (the present colour alone) to infinity (the average alone), the overlap with the truth and what of
the area's change at the pulse's rate the pulse causes (`segmenters.py`), with the same at rates beside it: a codec
writes what has no pulse differently, too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from results import save
from scipy import ndimage
from segmenters import areas, modulation, overlaps

from media.color import opencv_chroma_scale
from media.decode import Frame, frames
from mesh.blobs import MemoryStore
from mesh.contracts import Job, Plan
from mesh.executor import LocalExecutor
from mesh.graph import blob_name
from mesh.names import upload_name
from mesh.parameters import Parameters
from mesh.stages import Input
from phantom import PhantomSettings, masks, write
from segmenter import chroma_key
from segmenter.chroma_key import BRIGHTNESS, Key, exposure_of, halved
from segmenter.key_windows import KeyWindows, key_windows

BESIDE_HZ = (-0.4, -0.25, 0.25, 0.4)  # from the pulse's rate
THRESHOLDS = (0.0, 2.0, 3.0, 4.0, 5.0, 7.0, np.inf)
AT_REST: dict[str, dict[str, Any]] = {
    "face": {"scene": "face"},
    "hand": {"scene": "hand"},
    "face, CRF 28": {"scene": "face", "crf": 28},
    "hand, CRF 28": {"scene": "hand", "crf": 28},
    "face, pulse of 2 %": {"scene": "face", "amplitude": 0.02},
    "face, noise of 4 levels": {"scene": "face", "read_noise": 4.0},
    "face, dark, noise of 6 levels": {"scene": "face", "read_noise": 6.0, "exposure": 0.6},
}
MOVING: dict[str, dict[str, Any]] = {
    "face, rotation30": {"scene": "face", "motion": "rotation30"},
    "face, reorient": {"scene": "face", "motion": "reorient"},
    "face, talking": {"scene": "face", "motion": "talking"},
    "hand, sways": {"scene": "hand", "motion": 32.0},
}


def decoded(settings: PhantomSettings, folder: Path, before: str = "mask") -> tuple[Plan, dict[str, Any], list[Frame]]:
    """Plan, skin (of the key that is found by itself; none before `skin`) and frames of a phantom's file."""
    write(settings, folder / "clip.mp4")

    async def body() -> tuple[Plan, dict[str, Any], dict[int, Input]]:
        executor = LocalExecutor(MemoryStore(), 1)
        try:
            read = executor.store.read
            await executor.store.create(upload_name("rec"), folder / "clip.mp4")
            given = Parameters(chunk_seconds=60, magnify="none", segmenter="chroma")
            job = Job(id="job", recording="rec", parameters=given, created_at=datetime.now(UTC))
            await executor.run(job, before=before)
            plan = Plan.model_validate_json(await read(blob_name(job, "plan")))
            skin = json.loads(await read(blob_name(job, "skin"))) if before == "mask" else {}
            name = blob_name(job, "chunk", 0)
            return plan, skin, {0: Input(name, await read(name))}
        finally:
            executor.close()

    plan, skin, content = asyncio.run(body())
    return plan, skin, list(frames(plan, content))


def means(planes: np.ndarray, windows: KeyWindows, near: bool) -> np.ndarray:
    """The averages of all frames, float32[n, h, w]: over +- 1 s, or of the present colour."""
    reach = windows.near_reach if near else windows.reach
    weights = np.maximum(reach - np.abs(windows.ticks[None] - windows.at[:, None]), 0).astype(np.float32)
    summed = np.zeros((len(planes), len(planes)), np.float32)
    np.add.at(summed.T, windows.frames, weights.T)
    summed /= summed.sum(axis=1, keepdims=True)
    return (summed @ planes.reshape(len(planes), -1).astype(np.float32)).reshape(planes.shape)


def distances(shown: list[Frame], windows: KeyWindows, key: Key, truth: np.ndarray) -> dict[str, Any]:
    """How far the present colour lies from the average, inside skin that stays and where the average is wrong."""
    apart, near_key = np.zeros(truth.shape, np.float32), []
    planes = [[frame.u for frame in shown], [frame.v for frame in shown], [halved(f.y, f.u.shape) for f in shown]]
    both = [[means(np.stack(plane), windows, near) for plane in planes] for near in (False, True)]
    for slow, now, scale in zip(*both, (key.scale_u, key.scale_v, BRIGHTNESS), strict=True):
        apart += (scale * (now - slow)) ** 2
    for u, v, _ in both:
        near_key.append(((u - key.u) * key.scale_u) ** 2 + ((v - key.v) * key.scale_v) ** 2 < key.similarity)
    apart = np.sqrt(apart)
    border = ndimage.binary_dilation(truth.any(axis=0) ^ truth.all(axis=0), iterations=3)
    wrong = (near_key[0] != truth) & (near_key[1] == truth)
    inside = np.quantile(apart[:, truth.all(axis=0) & ~border], (0.5, 0.99, 0.999))
    return {
        "inside_median_99_and_99.9_percent": [round(float(level), 2) for level in inside],
        "average_wrong_percent_of_samples": round(100 * float(wrong.mean()), 2),
        "where_it_is_wrong_median": round(float(np.median(apart[wrong])), 2),
    }


def swept(name: str, settings: PhantomSettings, folder: Path) -> dict[str, Any]:
    """Figures of one phantom for every threshold."""
    rest = settings.model_copy(update={"motion": PhantomSettings().motion, "crf": 18})
    recording, skin, _ = decoded(rest, folder)
    if skin["stored"] is None:
        return {"refused": skin["reason"]}
    key = Key(
        *skin["stored"], *opencv_chroma_scale(recording.recording), skin["similarity"],
        exposure_of(recording.recording), clean=True,
    )  # fmt: skip
    shown = decoded(settings, folder, "skin")[2]
    still = decoded(settings.model_copy(update={"amplitude": 0.0}), folder, "skin")[2]
    truth = np.stack(list(masks(settings))) > 0
    times = np.array([frame.time for frame in shown])
    windows = key_windows(times, 1.0, 3 * truth[0].size)
    found: dict[str, Any] = {"similarity": key.similarity, **distances(shown, windows, key, truth), "thresholds": {}}
    kept = chroma_key.MOVED
    try:
        for threshold in THRESHOLDS:
            chroma_key.MOVED = threshold
            one, other = (
                np.stack(list(chroma_key.segment(clip, windows, 0, len(clip), key))) > 0 for clip in (shown, still)
            )
            overlap = overlaps(one, truth)
            changed, hz = areas(one) - areas(other), settings.heart_rate / 60
            beside = [modulation(changed, times, hz + apart) for apart in BESIDE_HZ]
            found["thresholds"][str(threshold)] = {
                "iou": round(float(overlap.mean()), 3),
                "iou_least": round(float(overlap.min()), 3),
                "area_modulation_by_the_pulse_percent": modulation(changed, times, hz),
                "area_modulation_beside_percent": round(float(np.mean(beside)), 3),
            }
    finally:
        chroma_key.MOVED = kept
    print(name, found, flush=True)
    return found


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--tones", default="2,5")
    given = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for tone in (int(tone) for tone in given.tones.split(",")):
            base = {"width": 320, "height": 240, "seconds": given.seconds, "skin_tone": tone, "seed": tone}
            for name, changes in (AT_REST | MOVING).items():
                label = f"{name}, tone {tone}"
                found[label] = swept(label, PhantomSettings(**base, **changes), Path(folder))
    save("chroma_motion", found)


if __name__ == "__main__":
    main()
