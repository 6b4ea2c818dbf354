"""Skin that moves, followed: how true its transforms are, what maps gain by them, and what they cost.

    python bench/follow.py phantoms|arteries|rest|magnified|speed|all [--folder CLIPS]

Clips are phantoms of 640x480, 30 frames a second, 20 s, amplitude 0.5 %, x264 CRF 18, found by their colour and run
through the stages of a job: once with skin followed however little it moves, once as if it rested. A phantom's hand or
arm moves without turning, so its truth is a shift in every frame. Maps are judged in the coordinates that they have:
the truth is put where the skin lies there; for skin that is not followed, at its mean place.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import av
import numpy as np
from maps import COMMON, patch_means, pooled
from results import save
from scipy import ndimage

from magnifier.maps.canonical import canonical_sums
from magnifier.maps.cells import cell_sums, skin_cells, whole_box
from magnifier.maps.person_maps import RecordingMaps
from magnifier.stages import CLIP
from media.color import opencv_chroma_scale
from media.decode import frames
from media.masks import MaskReader, read_masks
from media.pulse_blob import Pulse
from mesh.contracts import Job, Plan
from mesh.executor import LocalExecutor
from mesh.graph import blob_name
from mesh.names import file_index, upload_name
from mesh.parameters import Parameters
from mesh.stages import Input
from phantom import PhantomSettings, maps_of, truth_of, write
from phantom.render import masks as true_masks
from phantom.render import render
from phantom.scenes.wrist import ARTERY_WIDTH, profile, vessels
from segmenter.anchored.anchor import Anchor
from segmenter.anchored.follower import Follower
from segmenter.anchored.moments import Moments
from segmenter.chroma_key import Key, exposure_of, segment
from segmenter.key_windows import key_windows

CASES = (
    ("forearm", "tremor"), ("wrist", "tremor"), ("hand", "tremor"),
    ("forearm", 1.5), ("wrist", 1.5), ("hand", 1.5),
    ("forearm", 3.0), ("wrist", 3.0), ("hand", 3.0),
    ("forearm", 10.0), ("wrist", 10.0), ("hand", 10.0),
    ("forearm", 20.0), ("wrist", 20.0), ("hand", 20.0),
    ("forearm", 30.0), ("wrist", 30.0), ("hand", 30.0),
)  # fmt: skip
SEED = 301  # nothing was chosen on it
WRISTS = tuple(range(311, 317))
PATCH = 16  # px


@dataclass(frozen=True)
class Run:
    """What a job made of a clip."""

    plan: Plan
    skin: dict[str, Any]
    masks: list[MaskReader]
    pulse: Pulse
    maps: RecordingMaps
    chunks: dict[int, Input]


@contextmanager
def following(wanted: bool) -> Iterator[None]:
    """All skin is followed, however little it moves; or none is, as if it rested."""
    if not wanted:
        with patch.object(Moments, "anchor", lambda *_, **__: None):
            yield
        return
    with patch("segmenter.anchored.anchor.REST_PX", 0.0), patch("segmenter.anchored.anchor.REST", 0.0):
        yield


def run(path: Path, *, follow: bool, before: str = "overlay", **parameters: Any) -> Run:
    async def work() -> Run:
        executor = LocalExecutor(workers=1)
        try:
            await executor.store.create(upload_name("rec"), path)
            given = Parameters(segmenter="chroma", **parameters)
            job = Job(id="job", recording="rec", parameters=given, created_at=datetime(2026, 1, 1, tzinfo=UTC))
            await executor.run(job, before=before)
            read = executor.store.read
            plan = Plan.model_validate_json(await read(blob_name(job, "plan")))
            masks = [read_masks(await read(blob_name(job, "mask", chunk.index))) for chunk in plan.chunks]
            chunks = {}
            for chunk in plan.chunks:
                name = blob_name(job, "chunk", chunk.index)
                chunks[chunk.index] = Input(name, await read(name))
            return Run(
                plan, json.loads(await read(blob_name(job, "skin"))), masks,
                Pulse.from_bytes(await read(blob_name(job, "pulse"))),
                RecordingMaps.from_bytes(await read(blob_name(job, "maps"))), chunks,
            )  # fmt: skip
        finally:
            executor.close()

    with following(follow):
        return asyncio.run(work())


def clip(settings: PhantomSettings, folder: Path) -> Path:
    content = json.dumps(settings.model_dump(), sort_keys=True)
    path = folder / f"{hashlib.sha256(content.encode()).hexdigest()[:16]}.mp4"
    if not path.exists():
        write(settings, path)
    return path


def transforms(done: Run) -> list[Any]:
    """Of the largest instance of every frame; None where it has none."""
    found = []
    for chunk in done.masks:
        for instances in chunk.instances:
            one = max(instances, key=lambda i: (i.box[2] - i.box[0]) * (i.box[3] - i.box[1]), default=None)
            found.append(None if one is None else one.transform)
    return found


def registration(done: Run, settings: PhantomSettings) -> dict[str, Any]:
    """How far from its place in the anchor each frame puts the skin, luma pixels, without the error of the anchor."""
    truth = truth_of(settings)
    moved = np.array(truth.displacement)
    rms = float(np.sqrt(np.square(moved - moved.mean(axis=0)).sum(axis=1).mean()))
    found = transforms(done)
    known = np.array([t is not None for t in found])
    if not known.any():
        return {"moved_px": round(rms, 2), "followed": 0.0}
    matrices = np.array([t for t in found if t is not None])
    labels = maps_of(settings).labels > 0
    rows, columns = np.nonzero(labels)
    chosen = np.linspace(0, len(rows) - 1, 200).astype(int)
    rest = 2 * np.stack([columns[chosen], rows[chosen]]) + 0.5
    places = rest[None] + moved[known][:, :, None]
    error = matrices[:, :, :2] @ places + matrices[:, :, 2:] - rest[None]
    error -= error.mean(axis=0)
    times = np.array(truth.time_s)[known]
    middle = error.mean(axis=2)
    return {
        "moved_px": round(rms, 2),
        "followed": round(float(known.mean()), 3),
        "error_px": round(float(np.sqrt(np.square(error).sum(axis=1).mean())), 3),
        "error_middle_px": round(float(np.sqrt(np.square(middle).sum(axis=1).mean())), 3),
        "at_pulse_px": round(float(max(amplitude_at(times, axis, settings.heart_rate / 60) for axis in middle.T)), 4),
        "beside_pulse_px": round(
            float(
                max(np.median([amplitude_at(times, axis, f) for f in np.arange(0.7, 3.0, 0.05)]) for axis in middle.T)
            ),
            4,
        ),
    }


def amplitude_at(times: np.ndarray, values: np.ndarray, frequency: float) -> float:
    taper = np.hanning(len(times) + 2)[1:-1]
    return float(
        2 * abs((taper * (values - values.mean()) * np.exp(-2j * np.pi * frequency * times)).sum()) / taper.sum()
    )


def offset(done: Run, settings: PhantomSettings) -> np.ndarray:
    """Where a place at rest lies in the coordinates of the maps, less the place: x, y in luma pixels."""
    moved = np.array(truth_of(settings).displacement)
    found = transforms(done)
    if not done.maps.drawn or not done.maps.drawn[0].canonical:
        return moved.mean(axis=0)
    middle = np.array([settings.width / 2, settings.height / 2])
    put = [
        np.array(t)[:, :2] @ (middle + d) + np.array(t)[:, 2] - middle
        for t, d in zip(found, moved, strict=True)
        if t is not None
    ]
    return np.mean(put, axis=0)


def judged(done: Run, settings: PhantomSettings) -> dict[str, Any]:
    """Amplitude and delay of patches of 16 px against the truth, as bench/maps.py does."""
    rate = done.pulse.measurements[0].measurements["heart_rate"] if done.pulse.measurements else None
    result: dict[str, Any] = {
        "rate_bpm": rate.value if rate else None,
        "snr_db": done.pulse.measurements[0].signal.snr_db if rate else None,
    }
    if not done.maps.drawn:
        return result | {"maps": done.maps.people[0].reason if done.maps.people else "nobody"}
    person = done.maps.drawn[0]
    box = person.box
    assert box is not None
    across, down = offset(done, settings) / 2
    truth = maps_of(settings)
    inside = (truth.labels > 0).astype(float)
    strong = np.where(truth.labels > 0, truth.amplitude, 0).astype(float)
    late = np.where(truth.labels > 0, np.nan_to_num(truth.delay_s), 0) * strong
    inside, strong, late = (ndimage.shift(a, (down, across), order=1) for a in (inside, strong, late))
    cells = box.side // 2
    y, x = box.row * cells, box.column * cells
    shape = (box.rows * cells, box.columns * cells)

    def placed(values: np.ndarray) -> np.ndarray:
        whole = np.zeros((y + shape[0], x + shape[1]))
        rows, columns = min(whole.shape[0], values.shape[0]), min(whole.shape[1], values.shape[1])
        whole[:rows, :columns] = values[:rows, :columns]
        return pooled(whole[y:, x:], PATCH // 2)

    area, strong, late = (placed(a) for a in (inside, strong, late))
    delay = late / np.maximum(strong, 1e-9)
    strong = strong / np.maximum(area, 1e-9)
    here, share = patch_means(person.maps["amplitude"].astype(float), PATCH // box.side)
    there, timed = patch_means(person.maps["delay"].astype(float), PATCH // box.side)
    sure, known = (area > 0.8) & (share > 0.5), (area > 0.8) & (timed > 0.5)
    skin = area > 0.8
    result["amplitude_kept"] = round(float(sure.sum() / skin.sum()), 3)
    result["delay_kept"] = round(float(known.sum() / skin.sum()), 3)
    if sure.sum() > 4:
        result["amplitude_correlation"] = round(float(np.corrcoef(here[sure], strong[sure])[0, 1]), 3)
    if known.sum() > 4:
        off = (there - 1000 * delay)[known]
        result["delay_rmse_ms"] = round(float(np.sqrt(np.mean((off - off.mean()) ** 2))), 1)
    return result


def run_phantoms(folder: Path) -> dict[str, Any]:
    rows = {}
    for scene, motion in CASES:
        settings = PhantomSettings(scene=scene, seed=SEED, motion=motion, **COMMON)
        path = clip(settings, folder)
        followed, not_followed = run(path, follow=True), run(path, follow=False)
        row: dict[str, Any] = {"registration": registration(followed, settings)}
        row |= {"followed": judged(followed, settings), "not_followed": judged(not_followed, settings)}
        rows[f"{scene} {SEED}, motion {motion}"] = row
        print(scene, motion, json.dumps(row), flush=True)
    return {"phantoms": rows}


def arteries(done: Run, settings: PhantomSettings) -> dict[str, Any]:
    """Precision and recall over cells with one cell of tolerance, as bench/maps.py does."""
    if not done.maps.drawn:
        return {"precision": None, "recall": 0.0, "found": 0}
    person = done.maps.drawn[0]
    box = person.box
    assert box is not None
    across, down = offset(done, settings)
    y, x = ((np.arange(n) + o + 0.5) * box.side - 0.5 for n, o in ((box.rows, box.row), (box.columns, box.column)))
    size = (settings.width, settings.height)
    places = (x - across)[None], (y - down)[:, None]
    seen = sum(profile(settings, v, ARTERY_WIDTH, size, *places) for v in vessels(settings)[0])
    skin = person.maps["skin"] > 0
    true = (np.asarray(seen) > 0.5) & skin
    found = [n for n, v in enumerate(person.candidates, start=1) if v.kind == "artery-like"]
    marked = np.isin(person.maps["vessels"], found)
    beside = np.ones((3, 3), bool)
    return {
        "found": len(found),
        "veins": len(person.candidates) - len(found),
        "precision": round(float((marked & ndimage.binary_dilation(true, beside)).sum() / max(marked.sum(), 1)), 3),
        "recall": round(float((true & ndimage.binary_dilation(marked, beside)).sum() / max(true.sum(), 1)), 3),
    }


def run_arteries(folder: Path) -> dict[str, Any]:
    rows = {}
    for seed in WRISTS:
        for motion in ("tremor", 20.0):
            settings = PhantomSettings(scene="wrist", seed=seed, motion=motion, **COMMON)
            path = clip(settings, folder)
            rows[f"wrist {seed}, motion {motion}"] = row = {
                name: arteries(run(path, follow=follow), settings)
                for name, follow in (("followed", True), ("not_followed", False))
            }
            print(seed, motion, json.dumps(row), flush=True)
    return {
        "wrists": rows,
        "mean": {
            f"{motion}, {name}, {what}": round(
                float(np.mean([row[name][what] or 0 for key, row in rows.items() if key.endswith(str(motion))])), 3
            )
            for motion in ("tremor", 20.0)
            for name in ("followed", "not_followed")
            for what in ("precision", "recall")
        },
    }


def run_rest(folder: Path) -> dict[str, Any]:
    """Skin at rest, which no job follows: what its transforms would be."""
    rows = {}
    for scene in ("forearm", "wrist", "hand"):
        settings = PhantomSettings(scene=scene, seed=SEED, motion="still", **COMMON)
        path = clip(settings, folder)
        forced = run(path, follow=True)
        rows[f"{scene} {SEED}, still"] = registration(forced, settings)
        print(scene, rows[f"{scene} {SEED}, still"], flush=True)
    return {"still": rows}


def magnified(path: Path, *, follow: bool, **parameters: Any) -> bytes:
    """The magnified clip of a job."""

    async def work() -> bytes:
        executor = LocalExecutor(workers=1)
        try:
            await executor.store.create(upload_name("rec"), path)
            given = Parameters(segmenter="chroma", maps=False, luma=True, **parameters)
            job = Job(id="job", recording="rec", parameters=given, created_at=datetime(2026, 1, 1, tzinfo=UTC))
            await executor.run(job)
            return await executor.store.read(blob_name(job, "video", file_index(CLIP)))
        finally:
            executor.close()

    with following(follow):
        return asyncio.run(work())


def run_magnified(folder: Path) -> dict[str, Any]:
    """A hand that sways by 20 px, magnified: PSNR over its skin against the ideal, 3 s in the middle of 8."""
    settings = PhantomSettings(scene="hand", seed=SEED, motion=20.0, **COMMON | {"seconds": 8})
    path, gain = clip(settings, folder), 20.0
    shown = range(75, 165)
    ideal = [frame.y for frame in render(settings, gain) if frame.index in shown]
    skin = [mask.repeat(2, axis=0).repeat(2, axis=1) > 0 for n, mask in enumerate(true_masks(settings)) if n in shown]

    def apart(source: Any) -> float:
        with av.open(source) as container:
            luma = [f.to_ndarray()[: settings.height] for n, f in enumerate(container.decode(video=0)) if n in shown]
        square = [np.square(a.astype(float) - b)[s].mean() for a, b, s in zip(luma, ideal, skin, strict=True)]
        return round(float(10 * np.log10(255**2 / np.mean(square))), 2)

    rows = {"nothing done": apart(str(path))}
    for method in ("uniform", "patch", "eulerian-colour"):
        for follow in (True, False):
            name = f"{method}, {'followed' if follow else 'not followed'}"
            rows[name] = apart(BytesIO(magnified(path, follow=follow, magnify=method, gain=gain)))
            print(name, rows[name], flush=True)
    return {"gain": gain, "psnr_db_over_skin": rows}


def run_speed(folder: Path) -> dict[str, Any]:
    """Masks and sums of ten seconds at 640x480 without decoding, processor time, best of fifteen interleaved runs."""
    settings = PhantomSettings(scene="wrist", seed=SEED, motion=20.0, **COMMON)
    done = run(clip(settings, folder), follow=True)
    plan, skin = done.plan, done.skin
    times = np.array(plan.pts) / 90000
    shown = list(frames(plan, done.chunks, None, 10.0))
    anchor = Anchor.from_json(skin["anchor"])
    key = Key(
        *skin["stored"],
        *opencv_chroma_scale(plan.recording),
        skin["similarity"],
        exposure_of(plan.recording),
        clean=True,
    )
    windows = key_windows(times[: len(shown)], 1.0, 3 * 320 * 240)
    best = dict.fromkeys(("key", "key_and_following", "following_alone", "sums_at_rest", "sums_followed"), np.inf)
    labels = next(iter(done.masks[0].frames())).labels
    box = whole_box(settings.width, settings.height, 4)
    rest, turned = skin_cells(labels, box), ((1.001, 0.002, 3.3), (-0.002, 1.001, -5.2))
    size = (settings.width, settings.height)
    for _ in range(15):
        start = time.process_time()
        for _ in segment(iter(shown), windows, 0, len(shown), key):
            pass
        best["key"] = min(best["key"], time.process_time() - start)
        start = time.process_time()
        follower = Follower(anchor, size)
        for _ in segment(follower.frames(iter(shown), 0, len(shown)), windows, 0, len(shown), key):
            pass
        best["key_and_following"] = min(best["key_and_following"], time.process_time() - start)
        start = time.process_time()
        follower = Follower(anchor, size)
        for _ in follower.frames(iter(shown), 0, len(shown)):
            pass
        best["following_alone"] = min(best["following_alone"], time.process_time() - start)
        start = time.process_time()
        for frame in shown:
            cell_sums(frame.y, frame.u, frame.v, rest)
        best["sums_at_rest"] = min(best["sums_at_rest"], time.process_time() - start)
        start = time.process_time()
        for frame in shown:
            canonical_sums(frame.y, frame.u, frame.v, labels, turned, box)
        best["sums_followed"] = min(best["sums_followed"], time.process_time() - start)
    return {
        "best_of": 15,
        "threads_of_blas": os.environ.get("OPENBLAS_NUM_THREADS"),
        "frames": len(shown),
        "frames_a_second": {name: round(len(shown) / seconds) for name, seconds in best.items()},
        "following_over_key": round(best["following_alone"] / best["key"], 3),
        "sums_followed_over_key": round(best["sums_followed"] / best["key"], 3),
        "sums_at_rest_over_key": round(best["sums_at_rest"] / best["key"], 3),
        "anchor_bytes": len(json.dumps(skin["anchor"])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["phantoms", "arteries", "rest", "magnified", "speed", "all"])
    parser.add_argument("--folder", type=Path, help="where to put the clips while they are needed")
    given = parser.parse_args()
    runs = {
        "phantoms": run_phantoms, "arteries": run_arteries, "rest": run_rest, "magnified": run_magnified,
        "speed": run_speed,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        for name, work in runs.items():
            if given.what in (name, "all"):
                save(f"follow_{name}", work(given.folder or Path(scratch)))


if __name__ == "__main__":
    main()
