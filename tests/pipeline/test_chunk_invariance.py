"""Chunking is invisible: masks, traces, pulse and pixels are bit for bit the same however a clip is cut."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesh.bus import Bus
from mesh.contracts import Job
from mesh.jetstream_blobs import JetStreamBlobs
from mesh.parameters import Parameters
from mesh.settings import MeshSettings
from phantom import PhantomSettings, write
from ppg.trace_blob import Trace
from pulsemesh.embedded import EmbeddedMesh
from pulsemesh_client import Client

SECONDS = 7.0
BASE = PhantomSettings(seconds=SECONDS, fps=20, width=96, height=80, seed=3, crf=20)


def traces(blobs: list[bytes]) -> dict[int, np.ndarray]:
    """The sums of each label over the whole clip, chunks put together."""
    read = [Trace.from_bytes(b) for b in blobs]
    labels = {label for t in read for label in t.sums}
    shape = next(iter(t.sums.values())).shape[1:] if (t := next((t for t in read if t.sums), None)) else ()
    nothing = {id(t): np.zeros((t.frames, *shape), np.int64) for t in read}
    return {k: np.concatenate([t.sums.get(k, nothing[id(t)]) for t in read]) for k in sorted(labels)}


def same(one: Any, two: Any) -> None:
    assert np.array_equal(one.labels, two.labels)
    first, second = traces(one.trace_blobs), traces(two.trace_blobs)
    assert first.keys() == second.keys()
    assert first
    for label, sums in first.items():
        assert np.array_equal(sums, second[label])
    assert one.pulse == two.pulse
    assert one.frames() == two.frames()
    assert one.files["pulse.csv"] == two.files["pulse.csv"]


@pytest.mark.unit
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("chunks", [2, 3, 7])
def test_one_clip_cut_in_many_ways(tmp_path: Path, process: Any, chunks: int, workers: int) -> None:
    clip = tmp_path / "clip.mp4"
    write(BASE.model_copy(update={"keyframe_interval": 1}), clip)
    whole = process(clip, chunk_seconds=60, lossless=True)
    assert len(whole.plan.chunks) == 1
    cut = process(clip, workers=workers, chunk_seconds=SECONDS / chunks, lossless=True)
    assert len(cut.plan.chunks) == chunks
    same(whole, cut)


@pytest.mark.unit
@given(
    keyframe_interval=st.sampled_from([1, 7, 30, 1000]),
    b_frames=st.sampled_from([0, 2, 3]),
    open_gop=st.booleans(),
    variable_rate=st.booleans(),
    chunk_seconds=st.sampled_from([1.0, 2.4, 3.5]),
    luma=st.booleans(),
    seed=st.integers(0, 5),
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_clip(
    tmp_path: Path,
    process: Any,
    keyframe_interval: int,
    b_frames: int,
    open_gop: bool,
    variable_rate: bool,
    chunk_seconds: float,
    luma: bool,
    seed: int,
) -> None:
    clip = tmp_path / "clip.mp4"
    write(
        BASE.model_copy(
            update={
                "keyframe_interval": keyframe_interval,
                "b_frames": b_frames,
                "open_gop": open_gop and b_frames > 0,
                "variable_rate": variable_rate,
                "seed": seed,
            }
        ),
        clip,
    )
    whole = process(clip, chunk_seconds=60, lossless=True, luma=luma)
    cut = process(clip, workers=3, chunk_seconds=chunk_seconds, lossless=True, luma=luma)
    assert len(cut.plan.chunks) > 1
    same(whole, cut)


@pytest.mark.unit
def test_the_per_frame_key_and_the_facehr_preset_too(tmp_path: Path, process: Any) -> None:
    clip = tmp_path / "clip.mp4"
    write(BASE, clip)
    whole = process(clip, chunk_seconds=60, lossless=True, preset="facehr")
    same(whole, process(clip, chunk_seconds=1.3, lossless=True, preset="facehr"))


async def through_the_broker(mesh: EmbeddedMesh, products: Any, clip: Path, parameters: dict[str, Any]) -> Any:
    """Run a job over HTTP, and read its blobs from the broker itself."""
    with Client(mesh.url) as client:
        view = await asyncio.to_thread(lambda: client.wait(client.submit(clip, parameters)))
    assert view.succeeded, view
    broker = mesh.broker
    settings = MeshSettings(nats_url=broker.url, nats_user=broker.user, nats_password=broker.password)
    bus = await Bus.connect(settings, on_closed=None)
    try:
        job = Job(
            id=view.id,
            recording=view.recording,
            parameters=Parameters(**parameters),
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        return await products(JetStreamBlobs(bus), job, [])
    finally:
        await bus.close()


@pytest.mark.mesh
@pytest.mark.parametrize("workers", [1, 3])
def test_the_mesh_gives_the_same_bits_as_one_process(tmp_path: Path, process: Any, products: Any, workers: int) -> None:
    clip = tmp_path / "clip.mp4"
    write(BASE.model_copy(update={"keyframe_interval": 7, "open_gop": True, "variable_rate": True}), clip)
    whole = process(clip, chunk_seconds=60, lossless=True)
    with EmbeddedMesh(workers=workers) as mesh:
        for chunk_seconds, chunks in ((60.0, 1), (SECONDS / 3, 3), (SECONDS / 7, 7)):
            parameters = {"chunk_seconds": chunk_seconds, "lossless": True}
            cut = asyncio.run(through_the_broker(mesh, products, clip, parameters))
            assert len(cut.plan.chunks) == chunks
            same(whole, cut)
