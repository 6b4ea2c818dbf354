"""Whole jobs through the one-process executor, and what they leave behind in a form that can be compared."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from media.masks import read_masks
from mesh.blobs import BlobStore, MemoryStore
from mesh.contracts import Job, Plan, Result, ResultIndex
from mesh.executor import LocalExecutor
from mesh.graph import blob_name
from mesh.names import BlobName, upload_name
from mesh.parameters import Parameters

SHARED = Path(__file__).parents[2] / ".." / "shared"


@dataclass
class Products:
    """What one job left behind."""

    plan: Plan
    labels: NDArray[np.uint8]
    trace_blobs: list[bytes]
    pulse: bytes
    result: Result
    files: dict[str, bytes]
    ran: list[tuple[str, int]]

    def frames(self) -> list[bytes]:
        """The decoded planes of the magnified clip, a digest a frame."""
        return decoded(self.files["magnified.mp4"])


def decoded(content: bytes | Path) -> list[bytes]:
    """A digest of the planes of each frame of a clip."""
    source = io.BytesIO(content) if isinstance(content, bytes) else str(content)
    with av.open(source) as container:
        return [hashlib.sha256(f.to_ndarray().tobytes()).digest() for f in container.decode(video=0)]


def process(clip: Path, *, workers: int = 2, executor: LocalExecutor | None = None, **parameters: Any) -> Products:
    """Run one job on `clip` and read everything back."""
    return asyncio.run(_process(clip, workers, executor, parameters))


async def _process(clip: Path, workers: int, executor: LocalExecutor | None, parameters: dict[str, Any]) -> Products:
    own = executor is None
    executor = executor or LocalExecutor(MemoryStore(), workers)
    ran: list[tuple[str, int]] = []
    executor.on_task = lambda task, _: ran.append((task.stage, task.index))
    try:
        await executor.store.create(upload_name("rec"), clip)
        job = Job(
            id="job", recording="rec", parameters=Parameters(**parameters), created_at=datetime(2026, 1, 1, tzinfo=UTC)
        )
        await executor.run(job)
        return await products(executor.store, job, ran)
    finally:
        if own:
            executor.close()


async def products(store: BlobStore, job: Job, ran: list[tuple[str, int]]) -> Products:
    """What a job that succeeded left in its store."""
    plan = Plan.model_validate_json(await store.read(blob_name(job, "plan")))
    masks, traces = [], []
    for chunk in plan.chunks:
        masks += [m.labels for m in read_masks(await store.read(blob_name(job, "mask", chunk.index))).frames()]
        traces.append(await store.read(blob_name(job, "trace", chunk.index)))
    index = ResultIndex.model_validate_json(await store.read(blob_name(job, "result")))
    files = {}
    for file in index.files:
        files[file.name] = await store.read(BlobName.parse(file.blob))
        assert len(files[file.name]) == file.size
        assert hashlib.sha256(files[file.name]).hexdigest() == file.sha256
    return Products(
        plan=plan,
        labels=np.stack(masks),
        trace_blobs=traces,
        pulse=await store.read(blob_name(job, "pulse")),
        result=Result.model_validate(json.loads(files["result.json"])),
        files=files,
        ran=ran,
    )


@pytest.fixture(name="products")
def products_fixture() -> Any:
    return products


@pytest.fixture(name="process")
def process_fixture() -> Any:
    return process


@pytest.fixture(name="decoded")
def decoded_fixture() -> Any:
    return decoded


@pytest.fixture(scope="session")
def shared_clip() -> Any:
    """A function that finds a shared clip, or skips."""

    def find(name: str) -> Path:
        path = SHARED / "clips" / name
        if not path.exists():
            pytest.skip(f"the shared clip {name} is not here")
        return path

    return find
