"""Segmenters side by side: overlap with the truth, area at the pulse's rate, the pulse's SNR, negatives, speed.

The area of a mask may change at the pulse's rate for two reasons: because what is seen changes (a head that turns, a
codec's keyframes), or because the mask follows the pulse. The second is measured by itself: on the same phantom
without a pulse, with the same key. What is left of the area when that one's is taken off is the pulse's doing.

python bench/segmenters.py [--size 320x240] [--seconds 8] [--only scenes,moving,negatives,clips,speed]

Every clip goes through the stages of a job from `split` to `pulse`, so every segmenter is measured alike. Sections that
are not asked for keep the figures of the run before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from results import RESULTS, save

from media.decode import frames
from media.masks import read_masks
from media.pulse_blob import Pulse
from mesh.blobs import MemoryStore
from mesh.contracts import Job, Plan
from mesh.executor import LocalExecutor
from mesh.graph import blob_name
from mesh.names import upload_name
from mesh.parameters import Parameters
from mesh.stages import Input
from phantom import NEGATIVES, PhantomSettings, masks, write
from segmenter import chroma_key
from segmenter.chroma_key import Key, exposure_of
from segmenter.face import segmenter as face
from segmenter.key_windows import key_windows

CLIPS = Path(__file__).parents[2] / "shared" / "clips"
SECTIONS = ("scenes", "moving", "negatives", "clips", "speed_fps")
# Where a user would click, in parts of the picture
CLICKS = {"face": (0.5, 0.36), "forearm": (0.45, 0.5), "hand": (0.5, 0.62), "face.mp4": (0.5, 0.25)}
SWAY_PX = PhantomSettings().motion  # of what is at rest
FACE_CLIP_BPM, FACE_CLIP_AT = 52.2, "face.mp4"


class Ran:
    """What the stages up to the masks or the pulse left behind."""

    def __init__(self, plan: Plan, skin: dict[str, Any], labels: np.ndarray, pulse: Pulse | None) -> None:
        self.plan, self.skin, self.labels, self.pulse = plan, skin, labels, pulse

    @property
    def rate(self) -> float | None:
        """Of the first person, 1/min; None where it was refused."""
        if self.pulse is None:
            return None
        found = self.pulse.measurements[0].measurements["heart_rate"]
        return found.value if found.status == "ok" else None

    @property
    def snr_db(self) -> float | None:
        """Of the first person's pulse."""
        return None if self.pulse is None else self.pulse.measurements[0].signal.snr_db


def run(clip: Path, pulse: bool = True, **parameters: Any) -> Ran:
    """One job as far as its pulse, or its masks."""

    async def body() -> Ran:
        executor = LocalExecutor(MemoryStore(), 1)
        try:
            await executor.store.create(upload_name("rec"), clip)
            given = Parameters(magnify="none", **parameters)
            job = Job(id="job", recording="rec", parameters=given, created_at=datetime.now(UTC))
            await executor.run(job, before="segment" if pulse else "people")
            read = executor.store.read
            plan = Plan.model_validate_json(await read(blob_name(job, "plan")))
            labels = []
            for chunk in plan.chunks:
                labels += [m.labels for m in read_masks(await read(blob_name(job, "mask", chunk.index))).frames()]
            skin = json.loads(await read(blob_name(job, "skin")))
            found = Pulse.from_bytes(await read(blob_name(job, "pulse"))) if pulse else None
            return Ran(plan, skin, np.stack(labels) > 0, found)
        finally:
            executor.close()

    return asyncio.run(body())


def ways(scene: str, width: int, height: int) -> dict[str, dict[str, Any]]:
    """The segmenters that are compared, as parameters."""
    x, y = CLICKS[scene]
    found: dict[str, dict[str, Any]] = {
        "chroma, automatic": {"segmenter": "chroma"},
        "chroma, click": {"segmenter": "chroma", "skin_point": (x * width, y * height)},
    }
    if scene.startswith("face") and face.available():
        found["face mesh"] = {"segmenter": "face"}
    return found


def areas(labels: np.ndarray) -> np.ndarray:
    """Of all masks, in parts of their mean; 0 where there is none."""
    area = labels.sum(axis=(1, 2)).astype(float)
    return area / area.mean() if area.any() else area


def modulation(area: np.ndarray, times: np.ndarray, hz: float) -> float:
    """Amplitude of the area at a frequency, in per cent of its mean; slow changes are taken off."""
    trend = np.polynomial.Polynomial.fit(times, area, 5)(times)
    window = np.hanning(len(area))
    carrier = np.exp(-2j * np.pi * hz * times)
    return round(float(100 * 2 * abs((window * (area - trend) * carrier).sum()) / window.sum()), 3)


def overlaps(labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Intersection over union, every tenth frame."""
    one, other = labels[::10], truth[::10]
    return (one & other).sum(axis=(1, 2)) / np.maximum((one | other).sum(axis=(1, 2)), 1)


def without_pulse(settings: PhantomSettings, clip: Path, parameters: dict[str, Any], ran: Ran) -> np.ndarray:
    """Areas of the masks of the same phantom without a pulse, with the same key."""
    if parameters["segmenter"] == "chroma":
        similarity = parameters.get("chroma_similarity", ran.skin["similarity"])
        parameters = {"segmenter": "chroma", "skin_chroma": ran.skin["chroma"], "chroma_similarity": similarity}
    write(settings.model_copy(update={"amplitude": 0.0}), clip)
    return areas(run(clip, pulse=False, **parameters).labels)


def measured(settings: PhantomSettings, clip: Path, parameters: dict[str, Any]) -> dict[str, Any]:
    """Figures of one segmenter on one phantom; `clip` is where that is."""
    write(settings, clip)
    ran = run(clip, **parameters)
    if not ran.labels.any():
        return {"no_skin": ran.skin["reason"]}
    times = np.arange(len(ran.labels)) / ran.plan.recording.fps
    truth = np.stack(list(masks(settings, heads=parameters["segmenter"] == "face"))) > 0
    overlap, area, hz = overlaps(ran.labels, truth), areas(ran.labels), settings.heart_rate / 60
    still, rate = without_pulse(settings, clip, parameters, ran), ran.rate
    return {
        "iou": round(float(overlap.mean()), 3),
        "iou_least": round(float(overlap.min()), 3),
        "area_modulation_percent": modulation(area, times, hz),
        "area_modulation_of_the_truth_percent": modulation(areas(truth), times, hz),
        "area_modulation_by_the_pulse_percent": modulation(area - still, times, hz),
        "snr_db": None if ran.snr_db is None else round(ran.snr_db, 1),
        "rate_error_bpm": None if rate is None else round(abs(rate - settings.heart_rate), 2),
    }


def compare(settings: Sequence[PhantomSettings], folder: Path, tones: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The automatic key on some phantoms, all others on those of some tones and on what sways; the figures so far."""
    found: dict[str, Any] = {}
    for one in settings:
        sways = isinstance(one.motion, float) and one.motion != SWAY_PX
        name = f"{one.scene}, tone {one.skin_tone}"
        name += ", sways" if sways else "" if one.motion == SWAY_PX else f", {one.motion}"
        for way, parameters in ways(one.scene, one.width, one.height).items():
            # what sways shows a pulse to a click sooner than by itself
            if way == "chroma, automatic" or one.skin_tone in tones or sways:
                found.setdefault(way, {})[name] = measured(one, folder / "clip.mp4", parameters)
                print(name, way, found[way][name], flush=True)
        yield {way: _summary(figures) | {"clips": figures} for way, figures in found.items()}


def _summary(figures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    rows = [row for row in figures.values() if "no_skin" not in row]
    if not rows:
        return {"skin_found": 0, "of": len(figures)}
    snr = [row["snr_db"] for row in rows if row["snr_db"] is not None]
    return {
        "skin_found": len(rows),
        "iou_mean": round(float(np.mean([row["iou"] for row in rows])), 3),
        "iou_least_of_a_clip": min(row["iou"] for row in rows),
        "area_modulation_most_percent": max(row["area_modulation_percent"] for row in rows),
        "area_modulation_by_the_pulse_most_percent": max(row["area_modulation_by_the_pulse_percent"] for row in rows),
        "snr_db_median": round(float(np.median(snr)), 1) if snr else None,
        "answered": sum(row["rate_error_bpm"] is not None for row in rows),
        "of": len(figures),
    }


def negatives(base: dict[str, Any], folder: Path, seeds: int) -> dict[str, Any]:
    """What the automatic key makes of what has no blood."""
    found: dict[str, Any] = {}
    for scene in sorted(NEGATIVES):
        kept, numbers = 0, 0
        for seed in range(seeds):
            clip = folder / "clip.mp4"
            write(PhantomSettings(scene=scene, seed=seed, skin_tone=1 + seed % 6, **base), clip)
            ran = run(clip, segmenter="chroma")
            kept += bool(ran.labels.any())
            numbers += ran.rate is not None
        found[scene] = {"clips": seeds, "skin_kept": kept, "numbers": numbers}
        print(scene, found[scene], flush=True)
    return found


def clips() -> dict[str, Any]:
    """The shared clips, where they are there."""
    found: dict[str, Any] = {}
    for name in ("face.mp4", "wrist.mp4", "baby.mp4"):
        if not (CLIPS / name).exists():
            continue
        size = (528, 592)
        listed = ways(name, *size) if name == FACE_CLIP_AT else {"chroma, automatic": {"segmenter": "chroma"}}
        for way, parameters in listed.items():
            ran = run(CLIPS / name, **parameters)
            times = np.arange(len(ran.labels)) / ran.plan.recording.fps
            rate = None if ran.rate is None else round(ran.rate, 1)
            figures = {
                "rate_bpm": rate,
                "snr_db": None if ran.snr_db is None else round(ran.snr_db, 1),
                "skin_fraction": round(float(ran.labels.mean()), 3),
                "warning": ran.skin.get("warning"),
                "reason": ran.skin.get("reason"),
            }
            if name == FACE_CLIP_AT:
                figures["area_modulation_percent"] = modulation(areas(ran.labels), times, FACE_CLIP_BPM / 60)
            found[f"{name}, {way}"] = figures
            print(name, way, figures, flush=True)
    return found


def speed(folder: Path, rounds: int) -> dict[str, Any]:
    """Frames a second of processor time at 640x480, decode apart; the fastest of several rounds, in turn."""
    clip = folder / "clip.mp4"
    write(PhantomSettings(scene="face", skin_tone=3, seconds=6), clip)
    held: list[Any] = []
    best: dict[str, float] = {}

    def timed(name: str, work: Iterator[Any]) -> list[Any]:
        start = time.process_time()
        made = list(work)
        best[name] = max(best.get(name, 0.0), len(made) / (time.process_time() - start))
        return made

    async def chunks() -> tuple[Plan, dict[int, Any]]:
        executor = LocalExecutor(MemoryStore(), 1)
        await executor.store.create(upload_name("rec"), clip)
        given = Parameters(chunk_seconds=60, magnify="none")
        job = Job(id="job", recording="rec", parameters=given, created_at=datetime.now(UTC))
        await executor.run(job, before="skin")
        plan = Plan.model_validate_json(await executor.store.read(blob_name(job, "plan")))
        name = blob_name(job, "chunk", 0)
        content = {0: Input(name, await executor.store.read(name))}
        executor.close()
        return plan, content

    plan, content = asyncio.run(chunks())
    recording = plan.recording
    for _ in range(rounds):
        held = timed("decode", frames(plan, content))
        times = np.array([frame.time for frame in held])
        shape = held[0].u.shape
        for name, half_width, exposure, clean in (
            ("chroma key, steady, with exposure and cleaning (the default)", 1.0, exposure_of(recording), True),
            ("chroma key, steady, bare", 1.0, None, False),
            ("chroma key, on single frames", 0.0, None, False),
        ):
            key = Key(110.0, 148.6, 0.99, 1.4, 115.0, exposure, clean)
            windows = key_windows(times, half_width, 3 * shape[0] * shape[1])
            timed(name, chroma_key.segment(held, windows, 0, len(held), key))
        if face.available():
            timed("face mesh", face.masks(plan, iter(held), 0, len(held), Parameters(segmenter="face")))
    return {name: round(figure) for name, figure in best.items()}


def keep(figures: dict[str, Any]) -> None:
    """Save the figures beside those of sections and clips that were measured before."""
    file = RESULTS / "segmenters.json"
    before = json.loads(file.read_text()) if file.exists() else {}
    merged = {name: before[name] for name in SECTIONS if name in before} | figures
    for section in ("scenes", "moving"):
        for way, old in before.get(section, {}).items():
            listed = old["clips"] | merged[section].get(way, {}).get("clips", {})
            merged[section] = merged[section] | {way: _summary(listed) | {"clips": listed}}
    save("segmenters", merged)


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tones", default="1,2,3,4,5,6")
    parser.add_argument("--scenes", default="face,forearm,hand")
    parser.add_argument("--only", default="scenes,moving,negatives,clips,speed")
    given = parser.parse_args()
    width, height = (int(part) for part in given.size.split("x"))
    tones, scenes = [int(tone) for tone in given.tones.split(",")], given.scenes.split(",")
    base = {"width": width, "height": height, "seconds": given.seconds}
    wanted = set(given.only.split(","))
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "speed" in wanted:
            figures["speed_fps"] = speed(folder, given.rounds)
        if "clips" in wanted:
            figures["clips"] = clips()
        if "scenes" in wanted:
            still = [PhantomSettings(scene=s, skin_tone=t, seed=t, **base) for s in scenes for t in tones]  # type: ignore[arg-type]
            for figures["scenes"] in compare(still, folder, tones=(2, 5)):
                keep(figures)
        if "moving" in wanted:
            heads = [("face", m) for m in ("rotation30", "reorient", "talking", "tremor", "rotation10")]
            limbs = [("forearm", "tremor"), ("hand", "tremor"), ("hand", width / 10)]
            moving = [
                PhantomSettings(scene=s, motion=m, skin_tone=t, seed=t, **base)
                for t in tones
                for s, m in heads + limbs  # type: ignore[arg-type]
                if s in scenes
            ]
            for figures["moving"] in compare(moving, folder, tones=(5,)):
                keep(figures)
        if "negatives" in wanted:
            figures["negatives"] = negatives(base, folder, given.seeds)
    keep(figures)


if __name__ == "__main__":
    main()
