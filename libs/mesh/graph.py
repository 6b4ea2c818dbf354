"""The build graph: which tasks a job needs, as a pure function of its plan and of the blobs that exist.

A stage's digest covers the parameters that it and its ancestors read, so a job with another gain finds
everything but its segments already there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache

from mesh.contracts import Job, Plan, Task
from mesh.names import BlobName, upload_name
from mesh.parameters import Parameters
from mesh.support import SKIN_SECONDS, Span, fields_travel, mask_support, segment_support

Need = tuple[str, int]  # the kind of a blob and its index


@dataclass(frozen=True)
class Stage:
    """One kind of task.

    Attributes
    ----------
    name, service : str
        Its name, and the service whose worker runs it.
    scatter : bool
        One task a chunk, or one a job.
    reads : tuple of str
        Parameters that it reads itself.
    after : tuple of str
        Stages whose blobs it reads: their digests enter its own.
    inputs : callable
        `(plan, parameters, index) -> needs`; `plan` is None for `split` alone.
    version : int
        Raised when the stage computes something else from the same inputs, so that old blobs are not reused.
    wanted : callable
        Whether a job with these parameters needs the stage at all.
    """

    name: str
    service: str
    scatter: bool
    reads: tuple[str, ...]
    after: tuple[str, ...]
    inputs: Callable[[Plan, Parameters, int], list[Need]]
    version: int = 1
    wanted: Callable[[Parameters], bool] = lambda _: True

    @property
    def kind(self) -> str:
        """Kind of the blob that ends a task of this stage."""
        return "plan" if self.name == "split" else self.name


def _overlapping(plan: Plan, t0: float, t1: float) -> list[int]:
    return [c.index for c in plan.chunks if c.t1 > t0 and c.t0 < t1]


def _around(plan: Plan, index: int, support: Span) -> list[int]:
    chunk = plan.chunks[index]
    return sorted({index, *_overlapping(plan, chunk.t0 - support[0], chunk.t1 + support[1])})


def _all(plan: Plan, kind: str) -> list[Need]:
    return [(kind, c.index) for c in plan.chunks]


def _skin(plan: Plan, parameters: Parameters, index: int) -> list[Need]:
    start = plan.chunks[0].t0
    first = _overlapping(plan, start, start + SKIN_SECONDS)
    if parameters.segmenter == "sam3":
        first = []
    elif parameters.segmenter != "face" and parameters.skin_chroma is None and parameters.skin_point is not None:
        at = start + (parameters.skin_point[2] if len(parameters.skin_point) == 3 else 0.0)
        shown = max(c.index for c in plan.chunks if c.t0 <= max(at, start))
        first = sorted({shown, *_overlapping(plan, at, at + SKIN_SECONDS)})  # what is asked does not depend on the cut
    return [("plan", 0), *(("chunk", k) for k in first)]


def _mask(plan: Plan, parameters: Parameters, index: int) -> list[Need]:
    return [("plan", 0), ("skin", 0), *(("chunk", k) for k in _around(plan, index, mask_support(parameters)))]


def _people(plan: Plan, parameters: Parameters, index: int) -> list[Need]:
    return [("plan", 0), ("skin", 0), *_all(plan, "mask")]


def _trace(plan: Plan, parameters: Parameters, index: int) -> list[Need]:
    return [("plan", 0), ("chunk", index), ("mask", index)]


def _pulse(plan: Plan, parameters: Parameters, index: int) -> list[Need]:
    return [("plan", 0), ("skin", 0), ("people", 0), *_all(plan, "trace")]


def _field(plan: Plan, parameters: Parameters, index: int) -> list[Need]:
    return [("plan", 0), ("chunk", index), ("mask", index)]


def _segment(plan: Plan, parameters: Parameters, index: int) -> list[Need]:
    around = _around(plan, index, segment_support(parameters))
    if fields_travel(parameters):
        return [("plan", 0), ("pulse", 0), ("chunk", index), ("mask", index), *(("field", k) for k in around)]
    return [("plan", 0), ("pulse", 0), *((kind, k) for k in around for kind in ("chunk", "mask"))]


def _map(plan: Plan, parameters: Parameters, index: int) -> list[Need]:
    return [("plan", 0), ("pulse", 0), ("chunk", index), ("mask", index)]


def _maps(plan: Plan, parameters: Parameters, index: int) -> list[Need]:
    # the first mask says over which frame they are drawn
    return [("plan", 0), ("pulse", 0), ("mask", 0), *_all(plan, "map")]


def _overlay(plan: Plan, parameters: Parameters, index: int) -> list[Need]:
    return [("plan", 0), ("pulse", 0), ("maps", 0), ("chunk", index), ("mask", index)]


def maps_wanted(parameters: Parameters) -> bool:
    """Whether a job maps the pulse."""
    return parameters.maps


def maps_overlaid(parameters: Parameters) -> bool:
    """Whether a job draws its maps over the moving picture."""
    return parameters.maps and parameters.overlay


def _audio(plan: Plan) -> list[Need]:
    return [("audio", 0)] if plan.recording.audio else []


def _clip(plan: Plan, parameters: Parameters, index: int) -> list[Need]:
    return [("plan", 0), *_audio(plan), *_all(plan, "segment")]


def _result(plan: Plan, parameters: Parameters, index: int) -> list[Need]:
    mapped: list[Need] = [("maps", 0)] if parameters.maps else []
    laid_over = [*_audio(plan), *_all(plan, "overlay")] if maps_overlaid(parameters) else []
    # the first chunk and its mask are what `skin.jpg` and the maps show
    first: list[Need] = [("plan", 0), ("skin", 0), ("pulse", 0), ("clip", 0), ("chunk", 0), ("mask", 0)]
    return [*first, *mapped, *laid_over]


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("split", "gateway", False, ("chunk_seconds", "capture_fps"), (), lambda *_: [("upload", 0)]),
        Stage(
            "skin",
            "segmenter",
            False,
            ("segmenter", "key", "skin_point", "skin_chroma", "prompt", "chroma_similarity"),
            ("split",),
            _skin,
            version=5,
        ),
        Stage(
            "mask",
            "segmenter",
            True,
            ("sam3_mask", "sam3_score", "sam3_instances", "sam3_cell_s", "sam3_keyframes"),
            ("skin",),
            _mask,
            version=6,
        ),
        Stage("people", "segmenter", False, ("skin_box",), ("mask",), _people, version=3),
        Stage("trace", "ppg", True, ("patch_size",), ("mask",), _trace, version=2),
        Stage(
            "pulse",
            "ppg",
            False,
            (
                "filter",
                "band_low_hz",
                "band_high_hz",
                "n_bg_ma",
                "n_smooth_ma",
                "n_bg_s",
                "n_smooth_s",
                "detrend",
                "detrend_hz",
                "method",
                "rate",
                "rate_window_s",
                "rate_hop_s",
                "stress",
                "stress_sdnn_ms",
                "stress_lf_hf",
                "spo2",
                "spo2_a",
                "spo2_b",
            ),
            ("trace", "people"),
            _pulse,
            version=3,
        ),
        Stage(
            "field",
            "magnifier",
            True,
            ("magnify", "region", "magnify_patch", "pyramid_level", "compat"),
            ("mask",),
            _field,
            wanted=fields_travel,
        ),
        Stage(
            "segment",
            "magnifier",
            True,
            (
                "gain",
                "luma",
                "band",
                "magnify_low_hz",
                "magnify_high_hz",
                "temporal_filter",
                "iir_r1",
                "iir_r2",
                "lambda_c",
                "pyramid",
                "attenuate_others",
                "chrom_attenuation",
                "layout",
                "facehr_delta",
                "facehr_multiplier",
                "crf",
                "lossless",
            ),
            ("pulse", "field"),
            _segment,
        ),
        Stage("clip", "magnifier", False, (), ("segment",), _clip),
        Stage("map", "magnifier", True, ("map_cell",), ("pulse",), _map, version=3, wanted=maps_wanted),
        Stage("maps", "magnifier", False, ("map_delay",), ("map",), _maps, version=3, wanted=maps_wanted),
        Stage("overlay", "magnifier", True, (), ("maps",), _overlay, version=2, wanted=maps_overlaid),
        Stage("result", "magnifier", False, ("maps", "overlay"), ("clip", "overlay"), _result, version=3),
    )
}
DEPTH = {name: depth for depth, name in enumerate(STAGES)}  # order of the table: ancestors first
MAKER = {"chunk": "split", "audio": "split", "video": "clip", "file": "result"} | {
    s.kind: s.name for s in STAGES.values()
}


def _ancestry(stage: str) -> set[str]:
    return {stage}.union(*(_ancestry(parent) for parent in STAGES[stage].after))


# What people wait for, in this order: the numbers, the magnified clip, all the rest
AWAITED = ("pulse", "clip", "result")
TURN = {name: next(k for k, goal in enumerate(AWAITED) if name in _ancestry(goal)) for name in STAGES}


@lru_cache(maxsize=4096)
def digest(stage: str, parameters: Parameters) -> str:
    """Of the parameters that `stage` and its ancestors read, and of their versions: 16 hexadecimal digits."""
    read = {
        name: {key: getattr(parameters, key) for key in STAGES[name].reads} | {"version": STAGES[name].version}
        for name in sorted(_ancestry(stage))
    }
    return hashlib.sha256(json.dumps(read, sort_keys=True).encode()).hexdigest()[:16]


def blob_name(job: Job, kind: str, index: int | str = 0) -> BlobName:
    """Name of a blob of `job`."""
    if kind == "upload":
        return upload_name(job.recording)
    return BlobName(job.recording, kind, digest(MAKER[kind], job.parameters), str(index))


def failure_name(task: Task) -> BlobName:
    """Name of the blob that says why `task` can never end otherwise."""
    output = BlobName.parse(task.output)
    return BlobName(output.recording, "failure", output.digest, f"{task.stage}-{task.index}")


def failures(job: Job, names: Collection[str]) -> list[BlobName]:
    """Failures among `names` that end `job`; one whose task's output exists all the same does not count."""
    found = []
    for text in names:
        if "/failure/" not in text:
            continue
        name = BlobName.parse(text)
        stage, _, index = name.index.partition("-")
        mine = name.recording == job.recording and stage in STAGES and name.digest == digest(stage, job.parameters)
        if mine and str(blob_name(job, STAGES[stage].kind, index)) not in names:
            found.append(name)
    return sorted(found)


def missing(
    job: Job, plan: Plan | None, names: Collection[str], width: int = 2, before: str | None = None
) -> list[Task]:
    """Tasks of `job` that can run now and must be queued: what is awaited first, then the deepest stage, then by index.

    Pure: calling it again, late, or after lost or repeated events does no harm. Walks back from the result, so
    it names nothing that the result does not need. What is awaited later (`AWAITED`) gets no more than
    the slots that a service's tasks for what is awaited sooner leave free: maps do not keep the clip waiting.

    Parameters
    ----------
    job : Job
    plan : Plan or None
        None as long as the clip is not split.
    names : collection of str
        Names of the recording's blobs that exist.
    width : int
        Most tasks of one stage that may be queued at a time.
    before : str, optional
        Only what this stage reads is wanted, not the result: what can run next is not run.

    Returns
    -------
    list of Task
        Those that are queued or running already are among them: publishing them again is refused by subject.
        Empty when the job has ended.
    """
    if job.outcome is not None or failures(job, names):
        return []
    prefixes: dict[str, str] = {}

    def text(kind: str, index: int) -> str:  # asked for thousands of times, so no `BlobName` is made
        if kind not in prefixes:
            prefixes[kind] = str(blob_name(job, kind)).removesuffix("0")
        return f"{prefixes[kind]}{index}"

    if text("result", 0) in names:
        return []
    ready: dict[tuple[str, int], list[Need]] = {}  # stage and index of each task -> what it reads
    seen: set[Need] = set()
    walk: list[Need] = [("result", 0)] if plan is not None else [("plan", 0)]
    if plan is not None and before is not None:
        walk = [need for need in STAGES[before].inputs(plan, job.parameters, 0) if text(*need) not in names]
    while walk:
        need = walk.pop()
        if need in seen:
            continue
        seen.add(need)
        stage = STAGES.get(MAKER.get(need[0], ""))
        if stage is None:  # an upload that is gone: nothing can make it
            return []
        index = need[1] if stage.scatter else 0
        inputs = stage.inputs(plan, job.parameters, index) if plan else [("upload", 0)]
        absent = [n for n in inputs if text(*n) not in names]
        if absent:
            walk.extend(absent)
        else:
            ready[(stage.name, index)] = inputs
    counts: dict[str, int] = {}  # of a stage, and of a service's tasks of one turn
    queued = []
    for name, index in sorted(ready, key=lambda task: (TURN[task[0]], -DEPTH[task[0]], task[1])):
        service, turn = STAGES[name].service, TURN[name]
        sooner = sum(counts.get(f"{service} {earlier}", 0) for earlier in range(turn))
        room = (width + 1) // 2 - sooner if sooner else width  # half of what is queued runs, the other half waits
        if counts.get(name, 0) < room:
            for key in (name, f"{service} {turn}"):
                counts[key] = counts.get(key, 0) + 1
            task = Task(
                job=job.id,
                recording=job.recording,
                stage=name,
                index=index,
                inputs=[text(*n) for n in ready[(name, index)]],
                output=text(STAGES[name].kind, index),
                parameters=job.parameters,
            )
            queued.append(task)
    return queued
