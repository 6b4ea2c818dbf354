"""Who is who: how often people keep their identity, how fast they are linked, and two rates from one recording.

python bench/people.py link      detections of people who walk, cross, hide and leave: who is taken for whom
python bench/people.py rates     phantoms of two and three people through the whole pipeline, by their colour
python bench/people.py crossings the same while they change places, by their faces and by their colour
python bench/people.py serve     processor time that it costs to hand pictures to SAM 3's process and to get masks back
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from results import save

from media.masks import MaskReader, read_masks
from media.people import People
from mesh.blobs import MemoryStore
from mesh.contracts import Job, Plan, Recording, Result, ResultIndex
from mesh.executor import LocalExecutor
from mesh.graph import blob_name
from mesh.names import BlobName, upload_name
from mesh.parameters import Parameters
from phantom import PhantomSettings, masks, write
from segmenter.people import link_people
from segmenter.sam3.client import SOCKET, RemoteSam3
from segmenter.sam3.server import Server

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "segmenter"))

from moving_people import Filmed, Walker, blobs, film, owners
from sam3_fake_server import Darkness

LIGHT, DARK = (170.0, 112.0, 148.0), (95.0, 118.0, 143.0)
SECONDS = 12


def _scene(kind: str, seed: int, colours: tuple[Any, Any]) -> Filmed:
    rng = np.random.default_rng(seed)
    speed = rng.uniform(25, 160)
    start = 320 - speed * SECONDS / 2 + rng.uniform(-40, 40)
    lift = rng.uniform(-15, 15)

    def there(t: float) -> tuple[float, float]:
        return start + speed * t, 235 + 8 * np.sin(5 * t)

    def back(t: float) -> tuple[float, float]:
        return 640 - start - speed * t, 240 + lift + 6 * np.sin(4 * t + 1)

    def apart(t: float) -> bool:
        return abs(there(t)[0] - back(t)[0]) > 55

    def touching(t: float) -> bool:
        return abs(there(t)[0] - back(t)[0]) < 95

    if kind == "standing":
        people = [Walker(lambda t, x=x: (x + 6 * np.sin(t + x), 240.0), 90) for x in (100, 260, 420, 580)]
        return film(people, SECONDS, seed=seed, with_colour=colours[0] is not None)
    if kind == "lost":
        gone, away = rng.uniform(2, 8), rng.uniform(0.1, 3.0)
        people = [
            Walker(lambda t: (180 + 6 * np.sin(t), 240.0), 100, colours[0] or LIGHT,
                   lambda t: not gone < t < gone + away),
            Walker(lambda t: (460 + 6 * np.cos(t), 250.0), 90, colours[1] or LIGHT),
        ]  # fmt: skip
        return film(people, SECONDS, seed=seed, with_colour=colours[0] is not None)
    hides = apart if kind == "crossing, one hidden" else lambda t: True
    merge = touching if kind == "crossing, one piece" else lambda t: False
    people = [Walker(there, 100, colours[0] or LIGHT), Walker(back, 95, colours[1] or LIGHT, hides)]
    return film(people, SECONDS, seed=seed, with_colour=colours[0] is not None, merge=merge)


def link(given: argparse.Namespace) -> dict[str, Any]:
    """Frames that belong to the one whom a track mostly shows, over many random scenes."""
    kinds = ["standing", "lost", "crossing, both seen", "crossing, one hidden", "crossing, one piece"]
    looks: dict[str, tuple[Any, Any]] = {
        "two tones of skin": (LIGHT, DARK),
        "one tone of skin": (LIGHT, (168.0, 112.5, 147.5)),
        "no colour known": (None, None),
    }
    found: dict[str, Any] = {}
    for kind in kinds:
        for look, colours in looks.items():
            right = scenes = wrong = frames = 0
            for seed in range(given.seeds):
                filmed = _scene(kind, seed, colours)
                counts = owners(link_people(blobs(filmed.frames), filmed.times), filmed)
                walkers = {who for truth in filmed.truth for who in truth.values()}
                main = [max(count, key=lambda who: count[who]) for count in counts]
                right += sorted(main) == sorted(walkers)
                wrong += sum(sum(count.values()) - max(count.values()) for count in counts)
                frames += sum(sum(count.values()) for count in counts)
                scenes += 1
            found[f"{kind}; {look}"] = {
                "scenes": scenes,
                "everybody_found_once": round(right / scenes, 3),
                "frames_of_somebody_else_percent": round(100 * wrong / frames, 2),
            }
            print(kind, look, found[f"{kind}; {look}"], flush=True)
    filmed = _scene("standing", 0, (LIGHT, LIGHT))
    headers = blobs(filmed.frames)
    best = min(_spent(lambda: link_people(headers, filmed.times)) for _ in range(5))
    speed = {
        "people": 4,
        "frames": len(filmed.times),
        "frames_per_s_of_processor_time": round(len(filmed.times) / best),
    }
    return {"scenes": found, "speed": speed}


def _spent(run: Any) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


async def _people_of(clip: Path, **parameters: Any) -> tuple[Result, People, list[MaskReader]]:
    """Result, people and masks of a clip."""
    executor = LocalExecutor(MemoryStore(), 2)
    try:
        await executor.store.create(upload_name("rec"), clip)
        job = Job(id="j", recording="rec", parameters=Parameters(**parameters), created_at=datetime.now(UTC))
        await executor.run(job)
        index = ResultIndex.model_validate_json(await executor.store.read(blob_name(job, "result")))
        file = next(file for file in index.files if file.name == "result.json")
        result = Result.model_validate_json(await executor.store.read(BlobName.parse(file.blob)))
        people = People.from_bytes(await executor.store.read(blob_name(job, "people")))
        plan = Plan.model_validate_json(await executor.store.read(blob_name(job, "plan")))
        blob_names = [blob_name(job, "mask", chunk.index) for chunk in plan.chunks]
        return result, people, [read_masks(await executor.store.read(name)) for name in blob_names]
    finally:
        executor.close()


def rates(given: argparse.Namespace) -> dict[str, Any]:
    """The rates of everybody, against the truth, for a few tones, motions and lengths of chunks."""
    scenes: dict[str, dict[str, Any]] = {
        "two, still": {"motion": "still", "heart_rate": 66, "further_heart_rates": (88,)},
        "two, one light and one dark": {
            "heart_rate": 58, "further_heart_rates": (95,), "skin_tone": 1, "further_skin_tones": (6,), "seed": 5,
        },
        "two, heads turning 10 degrees/s": {
            "heart_rate": 58, "further_heart_rates": (95,), "skin_tone": 2, "further_skin_tones": (4,),
            "motion": "rotation10", "seed": 5,
        },
        "three, talking": {
            "heart_rate": 58, "further_heart_rates": (75, 100), "motion": "talking", "seed": 3,
        },
    }  # fmt: skip
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, changes in scenes.items():
            settings = PhantomSettings(scene="face", seconds=10, **changes)
            clip = Path(folder) / "clip.mp4"
            clip.unlink(missing_ok=True)
            write(settings, clip)
            truth = sorted([settings.heart_rate, *settings.further_heart_rates])
            entry: dict[str, Any] = {"truth": truth}
            for chunk_seconds in given.chunk_seconds:
                result, _, _ = asyncio.run(
                    _people_of(clip, segmenter=given.segmenter, magnify="none", chunk_seconds=chunk_seconds)
                )
                said = [person.measurements["heart_rate"] for person in result.people]
                entry[f"chunks_of_{chunk_seconds:g}_s"] = sorted(
                    round(rate.value, 2) if rate.value is not None else "refused" for rate in said
                )
            found[name] = entry
            print(name, entry, flush=True)
    return {"segmenter": given.segmenter, "scenes": found}


def crossings(given: argparse.Namespace) -> dict[str, Any]:
    """People who stand, change places and stand again: 20 s of 640x480 at CRF 18, in chunks of 2.5 s."""
    alike, unlike = {"skin_tone": 3, "further_skin_tones": (3,)}, {"skin_tone": 2, "further_skin_tones": (5,)}
    three = {"further_heart_rates": (88, 104), "skin_tone": 3, "further_skin_tones": (3, 3)}
    kinds: list[tuple[str, dict[str, Any], int]] = [
        ("two of one tone, 120 px/s", alike, 3),
        ("two of tones 2 and 5, 120 px/s", unlike, 3),
        ("two of one tone, 60 px/s", alike | {"walking_speed": 60}, 1),
        ("two of one tone, 160 px/s", alike | {"walking_speed": 160}, 1),
        ("two of one tone, 25 px/s: 13 s on the way", alike | {"walking_speed": 25}, 1),
        ("three of one tone, 120 px/s", three, 1),
    ]
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "crossing.mp4"
        for name, changes, seeds in kinds:
            found[name] = {"face": [], "chroma": []}
            for seed in range(1, seeds + 1):
                chosen: dict[str, Any] = {"heart_rate": 62, "further_heart_rates": (88,), "seed": seed} | changes
                settings = PhantomSettings(scene="face", motion="crossing", seconds=20, crf=18, **chosen)
                clip.unlink(missing_ok=True)
                write(settings, clip)
                truth = list(masks(settings))
                for segmenter, seen in found[name].items():
                    seen.append(_crossed(settings, clip, truth, segmenter))
                    print(name, segmenter, seed, seen[-1], flush=True)
            save("people_crossings", {"scenes": found})  # it takes half an hour
    return {"scenes": found}


def _crossed(settings: PhantomSettings, clip: Path, truth: list[Any], segmenter: str) -> dict[str, Any]:
    """Whose skin each person's mostly is, frame by frame, and their rates."""
    result, people, readers = asyncio.run(_people_of(clip, segmenter=segmenter, magnify="none", chunk_seconds=2.5))
    frames = [mask for reader in readers for mask in reader.frames()]
    rates = [settings.heart_rate, *settings.further_heart_rates]
    who, frames_of, wrong, mixed, said = [], [], 0, 0, {}
    for person, measured in zip(people.people, result.people, strict=False):  # nobody has a refusal
        counts = np.zeros(len(rates), int)
        skin = []
        for first, stop, label in person.spans:
            for frame in range(first, stop):
                inside = truth[frame][frames[frame].labels == label]
                skin.append(np.bincount(inside, minlength=len(rates) + 1)[1:])
                counts[int(skin[-1].argmax())] += 1
        owner = int(counts.argmax())
        who.append(owner)
        frames_of.append(int(counts.sum()))
        wrong += int(counts.sum() - counts[owner])
        mixed += sum(int(each[owner]) < 0.95 * int(each.sum()) for each in skin)
        rate = measured.measurements["heart_rate"]
        said[f"{rates[owner]:g}"] = round(rate.value, 2) if rate.value is not None else f"refused: {rate.reason}"
    return {
        "seed": settings.seed,
        "everybody_found_once": sorted(who) == list(range(len(rates))),
        "frames_of_somebody_else_percent": round(100 * wrong / max(sum(frames_of), 1), 2),
        "frames_with_more_than_5_percent_of_anothers_skin": mixed,
        "frames": frames_of,
        "measured_at_truth": said,
        "refused": None if people.people else result.people[0].measurements["heart_rate"].reason,
        "warnings": people.warnings,
    }


def serve(given: argparse.Namespace) -> dict[str, Any]:
    """Both sides of a hand-over, less the model's own time: planes in, masks of skin and of two instances out."""
    return {f"{width}x{height}": _handed_over(width, height) for width, height in ((640, 480), (1920, 1080))}


def _handed_over(width: int, height: int) -> dict[str, Any]:
    clip = Recording(
        duration_s=1.0, frames=1, width=width, height=height, fps=30, variable_rate=False, codec="h264",
        container="mp4", pixel_format="yuv420p",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    y = rng.integers(0, 255, (height, width)).astype(np.uint8)
    u = rng.integers(0, 255, (height // 2, width // 2)).astype(np.uint8)
    pictures, model = [SimpleNamespace(y=y, u=u, v=u)] * 8, Darkness()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(model, Path(folder) / "s")
        os.environ[SOCKET] = str(Path(folder) / "s")
        own, over = [], []
        with RemoteSam3.connect() as remote:
            for _ in range(15):  # by turns: the machine may have other work
                own.append(_spent(lambda: model.segment(pictures, clip, ["skin"], score=0.5, instances=8)))
                over.append(_spent(lambda: remote.segment(pictures, clip)))
        server.close()
    figures = {"processor_ms_a_picture_on_top_of_the_model": round(1000 * (min(over) - min(own)) / 8, 2)}
    print(width, height, figures, flush=True)
    return figures


def main() -> None:
    """Measure one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["link", "rates", "crossings", "serve"])
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--segmenter", default="chroma")
    parser.add_argument("--chunk-seconds", type=float, nargs="+", default=[60.0, 2.5])
    given = parser.parse_args()
    parts = {"link": link, "rates": rates, "crossings": crossings, "serve": serve}
    save(f"people_{given.part}", parts[given.part](given))


if __name__ == "__main__":
    main()
