"""Stage handlers for tests of the gateway: the graph of a clip of three chunks, at no cost.

They run in child processes of its worker. Files in the folder `PULSEMESH_TEST_CONTROL` steer them: `hold-<stage>` makes
a stage wait, `fail-<stage>` makes it fail with the class that the file names. Each run is noted in `runs`.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from mesh import errors
from mesh.contracts import Chunk, Grid, MagnifiedClip, Plan, Recording, Result, ResultFile, ResultIndex, Task
from mesh.names import BlobName, file_index
from mesh.stages import Inputs, Output

CHUNKS = 3
CLIP = bytes(range(256)) * (12 << 10)  # 3 MiB: several parts in the store


def control() -> Path:
    return Path(os.environ["PULSEMESH_TEST_CONTROL"])


def _enter(task: Task) -> None:
    with (control() / "runs").open("a") as file:
        file.write(f"{task.stage}-{task.index} {task.recording}\n")
    while (control() / f"hold-{task.stage}").exists():
        time.sleep(0.02)
    failing = control() / f"fail-{task.stage}"
    if failing.exists():
        raise getattr(errors, failing.read_text())("as the test asked")


def _recording() -> Recording:
    return Recording(
        duration_s=3.0, frames=30, width=160, height=120, fps=10.0, variable_rate=False, codec="h264",
        container="mp4", pixel_format="yuv420p",
    )  # fmt: skip


def split(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Three chunks of a second each."""
    _enter(task)
    assert inputs.one("upload").read()
    for index in range(CHUNKS):
        yield Output("chunk", str(index), bytes([index]) * 1000)
    plan = Plan(
        recording=_recording(),
        time_base=(1, 10),
        pts=list(range(30)),
        chunks=[Chunk(index=k, first=10 * k, frames=10, t0=float(k), t1=k + 1.0) for k in range(CHUNKS)],
        grid=Grid(origin_s=0.0, rate_hz=10.0, samples=30),
    )
    yield Output("plan", "0", plan.model_dump_json().encode())


def stage(task: Task, inputs: Inputs) -> Iterator[Output]:
    """A digest of what it read."""
    _enter(task)
    name = BlobName.parse(task.output)
    yield Output(name.kind, name.index, hashlib.sha256(b"".join(blob.read() for blob in inputs.blobs)).digest())


def _file(task: Task, kind: str, name: str, content: bytes) -> ResultFile:
    return ResultFile(
        name=name,
        media_type="application/json" if name.endswith("json") else "video/mp4",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        blob=str(BlobName(task.recording, kind, BlobName.parse(task.output).digest, file_index(name))),
    )


def clip(task: Task, inputs: Inputs) -> Iterator[Output]:
    """The magnified clip."""
    _enter(task)
    yield Output("video", file_index("magnified.mp4"), CLIP)
    made = MagnifiedClip(file=_file(task, "video", "magnified.mp4", CLIP))
    yield Output("clip", "0", made.model_dump_json().encode())


def result(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Two files, one of them made before."""
    _enter(task)
    report = Result(
        job=task.job, version="0", recording=_recording(), parameters=task.parameters, people=[], warnings=[]
    )
    content = report.model_dump_json().encode()
    yield Output("file", file_index("result.json"), content)
    magnified = MagnifiedClip.model_validate_json(inputs.one("clip").read()).file
    assert magnified is not None
    files = [_file(task, "file", "result.json", content), magnified]
    yield Output("result", "0", ResultIndex(files=files).model_dump_json().encode())
