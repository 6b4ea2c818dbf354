"""The segmenter of faces: overlap with the truth, area at the pulse's rate, obstruction, canonical places, speed.

python bench/faces.py [--seconds 4] [--only scenes,obstruction,speed]

Overlap (IoU) is with the skin of the phantom's head, without its neck. Speed is of the segmentation alone, on decoded
frames, in processor time of one thread, the best of several runs, beside that of the bare networks in the same run.
Sections that are not asked for keep the figures of the run before.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from results import RESULTS, save

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "segmenter" / "face"))
from face_kit import all_masks, at_index, face_clip, hand, iou, painted, plan_of, smaller, spots

from media.decode import Frame
from media.planes import planes_of
from mesh.parameters import Parameters
from phantom import PhantomSettings
from segmenter.face import obstruction, segmenter
from segmenter.face.models import WHEEL, Model, ModelName

CLIP = Path(__file__).parents[2] / "shared" / "clips" / "face.mp4"
ROUNDS = 15  # of each measurement of speed, in turn: the machine may be busy
FAST = 40.0  # degrees a second
TURNED = 28.5  # degrees to each side
MOTIONS: dict[str, dict[str, Any]] = {
    **{f"sway, tone {tone}": {"skin_tone": tone} for tone in range(1, 7)},
    "sway of 30 px": {"skin_tone": 3, "motion": 30.0},
    "tremor": {"skin_tone": 3, "motion": "tremor"},
    "talking": {"skin_tone": 3, "motion": "talking"},
    "turning 10 degrees/s": {"skin_tone": 4, "motion": "rotation10", "seconds": 12.0, "fps": 15.0},
    "turning 30 degrees/s": {"skin_tone": 2, "motion": "rotation30", "seconds": 8.0, "fps": 15.0},
    "turned every second": {"skin_tone": 5, "motion": "reorient", "seconds": 8.0, "fps": 15.0},
    "turned every second, 30 frames/s": {"skin_tone": 5, "motion": "reorient", "seconds": 6.0},
    "turned every second, 30 frames/s, tone 2": {"skin_tone": 2, "motion": "reorient", "seconds": 6.0, "seed": 8},
}


def at_rate(values: np.ndarray, rate_hz: float, fps: float) -> float:
    """Amplitude of a wave at a rate, Hann window."""
    n = np.arange(len(values))
    window = np.hanning(len(values))
    return float(2 * abs(np.sum(window * values * np.exp(-2j * np.pi * rate_hz * n / fps))) / window.sum())


def scenes(seconds: float) -> Iterator[dict[str, Any]]:
    """Phantoms of every tone and motion."""
    for name, given in MOTIONS.items():
        clip = {"seconds": seconds, "fps": 30.0} | given
        frames, truth, plan = face_clip(**clip)
        masks = all_masks(plan, frames)
        overlaps = np.array([iou(mask, true) for mask, true in zip(masks, truth, strict=True)])
        area = np.array([(mask.labels > 0).sum() for mask in masks], float)
        faces = [mask.instances[0] for mask in masks if mask.instances]
        yaw = np.array([abs(face.signs["yaw_deg"]) for face in faces])
        seen = np.array([bool(mask.instances) for mask in masks])
        row: dict[str, Any] = {
            "clip": name,
            "iou_mean": round(float(overlaps.mean()), 3),
            "iou_least": round(float(overlaps.min()), 3),
            "frames_without_a_face": int((~seen).sum()),
            "confidence_least": min(face.confidence for face in faces),
            "confidence_mean": round(float(np.mean([face.confidence for face in faces])), 3),
        }
        if yaw.max() > 15:  # the truth's own area changes then
            for low, high in ((0, 15), (15, 30), (30, 45), (45, 90)):
                inside = (yaw >= low) & (yaw < high)
                if inside.any():
                    row[f"iou_at_{low}_to_{high}_degrees"] = round(float(overlaps[seen][inside].mean()), 3)
            fast = np.array([face.signs["turn_deg_s"] for face in faces]) > FAST
            row["iou_while_it_turns_fast"] = round(float(overlaps[seen][fast].mean()), 3) if fast.any() else None
        else:
            row["area_at_the_pulse_percent"] = round(100 * at_rate(area / area.mean() - 1, 1.2, clip["fps"]), 3)
        print(row, flush=True)
        yield row


def places() -> Iterator[dict[str, Any]]:
    """How well skin keeps its place in the canonical face while the head moves: standard deviations, canonical px."""
    for motion in ("rotation30", "reorient", "talking"):
        clip = {"seconds": 4.0, "seed": 0, "skin_tone": 3, "motion": motion, "fps": 30.0}
        yaw, seen = spots(PhantomSettings(scene="face", **clip))
        frames, _, plan = face_clip(**clip)
        ahead = np.abs(yaw) <= TURNED
        transforms = np.array([mask.instances[0].transform for mask in all_masks(plan, frames)])[ahead]
        row: dict[str, Any] = {"motion": motion, "turned_by_degrees": round(float(np.ptp(yaw[ahead])), 1)}
        for name, shown in seen.items():
            stays = np.einsum("nij,nj->ni", transforms[:, :, :2], shown[ahead]) + transforms[:, :, 2]
            row[name] = [round(float(value), 2) for value in stays.std(axis=0)]
        print(row, flush=True)
        yield row


def obstructions() -> Iterator[dict[str, Any]]:
    """What may be in the way of a face, and what is said of it."""
    sources = [("tone 2", face_clip(0.1, skin_tone=2, motion="still")[0][0]),
               ("tone 5", face_clip(0.1, skin_tone=5, motion="still")[0][0])]  # fmt: skip
    for name, frame in sources:
        skin = tuple(float(np.median(plane)) for plane in (frame.y[260:290, 250:280], frame.u[130:145, 125:140],
                                                           frame.v[130:145, 125:140]))  # fmt: skip
        rows, columns = np.indices(frame.y.shape)
        shown: dict[str, Frame] = {
            "nothing": frame,
            "a hand of the face's colour over the mouth": painted(frame, hand(frame, 320, 330, 110), skin),
            "a hand of the face's colour over an eye": painted(frame, hand(frame, 280, 240, 90), skin),
            "a hand of the face's colour over a cheek": painted(frame, hand(frame, 390, 300, 90), skin),
            "a paler hand over a cheek": painted(frame, hand(frame, 390, 300, 90), (200, 121, 134)),
            "a blue mask": painted(frame, (rows > 235) & (rows < 360) & (abs(columns - 320) < 95), (170, 140, 118)),
            "dark glasses": painted(
                frame, np.hypot((abs(columns - 320) - 42) / 34, (rows - 202) / 24) < 1, (30, 128, 128)
            ),
            "a quarter of the size": smaller(frame, 0.25),
            "a seventh of the size": smaller(frame, 0.15),
            "three tenths of the size, in 1920x1080": smaller(frame, 0.3, (1920, 1080)),
        }
        for what, picture in shown.items():
            (mask,) = all_masks(plan_of([picture]), [at_index(picture, 0)])
            found = mask.instances[0] if mask.instances else None
            row = {
                "face": name,
                "before it": what,
                "found": found is not None,
                "confidence": found.confidence if found else 0.0,
                "detection": found.signs["detection"] if found else None,
                "said": obstruction.explain(found.signs) if found else "no face is seen",
            }
            print(row, flush=True)
            yield row


def best(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Least processor time of some runs of each, in turn, s."""
    least: dict[str, float] = {}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.process_time()
            work()
            least[name] = min(time.process_time() - start, least.get(name, float("inf")))
    return least


def decoded(path: Path, count: int) -> list[Frame]:
    """The first frames of a clip."""
    found: list[Frame] = []
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index == count:
                break
            found.append(Frame(index, index / 30, *planes_of(frame, frame.width, frame.height)))
    return found


def speed() -> Iterator[dict[str, Any]]:
    """Frames a second of one thread, and what of the time the networks take."""
    names: tuple[ModelName, ...] = ("short_range", "full_range", "mesh")
    works: dict[str, Callable[[], object]] = {}
    for name in names:
        model = Model(name)
        picture = np.zeros((model.side, model.side, 3), np.float32)
        works[name] = lambda model=model, picture=picture: [model(picture) for _ in range(20)]  # type: ignore[misc]
    clips = {
        "phantom 640x480": face_clip(3.0, skin_tone=3)[0],
        "phantom 640x480, turned every second": face_clip(3.0, skin_tone=3, motion="reorient")[0],
        "phantom 640x480, always turning": face_clip(3.0, skin_tone=3, motion="rotation30")[0],
    }
    if CLIP.exists():
        clips["face.mp4 528x592"] = decoded(CLIP, 90)
    plans = {name: plan_of(frames) for name, frames in clips.items()}
    for name, frames in clips.items():
        works[name] = lambda plan=plans[name], frames=frames: list(  # type: ignore[misc]
            segmenter.masks(plan, frames, 0, len(frames), Parameters())
        )
    took = best(works, ROUNDS)
    networks = {name: took[name] / 20 for name in names}
    for name, frames in clips.items():
        samples = -(-len(frames) // 3)  # of a head at rest: one that moves is looked at more often
        row: dict[str, Any] = {
            "clip": name,
            "frames_per_second": round(len(frames) / took[name], 1),
            "short_range_per_second": round(1 / networks["short_range"]),
            "full_range_per_second": round(1 / networks["full_range"]),
            "mesh_per_second": round(1 / networks["mesh"]),
        }
        if "turn" not in name:
            busy = samples * (networks["short_range"] + 2 * networks["mesh"])
            row["of_it_the_networks"] = round(busy / took[name], 3)
        print(row, flush=True)
        yield row


def main() -> None:
    """Measure what is asked for."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=4.0)
    arguments.add_argument("--only", default="scenes,places,obstruction,speed")
    given = arguments.parse_args()
    work: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        "scenes": lambda: scenes(given.seconds), "places": places, "obstruction": obstructions, "speed": speed,
    }  # fmt: skip
    made = {name: list(work[name]()) for name in given.only.split(",")}
    path = RESULTS / "faces.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    figures = {name: made.get(name, kept.get(name)) for name in work if name in made or name in kept}
    save("faces", {"models": WHEEL, **figures})


if __name__ == "__main__":
    main()
