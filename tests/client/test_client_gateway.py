"""The client with a real mesh, as its README has it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from phantom import PhantomSettings, write
from pulsemesh.embedded import EmbeddedMesh
from pulsemesh_client import AsyncClient, Client, Job
from pulsemesh_client import errors as client_errors

pytestmark = [pytest.mark.mesh, pytest.mark.timeout(180)]

RATE = 66.0


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip whose pulse is known."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    write(PhantomSettings(seconds=10, width=160, height=120, heart_rate=RATE, seed=5), path)
    return path


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a mesh."""
    with EmbeddedMesh(2, environment={"PULSEMESH_GRACE_S": "0"}) as mesh:
        yield mesh.url


def test_from_a_clip_to_arrays(url: str, clip: Path, tmp_path: Path) -> None:
    sent: list[tuple[int, int]] = []
    views: list[Job] = []
    with Client(url) as client:
        job = client.submit(clip, {"chunk_seconds": 4}, progress=lambda done, size: sent.append((done, size)))
        assert sent[-1] == (clip.stat().st_size, clip.stat().st_size)
        job = client.wait(job, progress=views.append)
        assert job.succeeded
        assert views[-1] == job
        assert {stage.stage for stage in job.progress} >= {"split", "pulse", "result"}
        result = client.result(job)
        rate = result.people[0].measurements["heart_rate"]
        assert rate.ok
        assert rate.value == pytest.approx(RATE, abs=2)
        assert result.raw["job"] == job.id == result.job
        waves = client.waves(job)[result.people[0].id]
        assert waves.pulse.shape == waves.time_s.shape
        assert waves.time_s[-1] == pytest.approx(10, abs=0.2)
        spectrum = np.abs(np.fft.rfft(np.nan_to_num(waves.pulse), 8192))
        peak = 60 * np.fft.rfftfreq(8192, float(np.diff(waves.time_s).mean()))[spectrum.argmax()]
        assert peak == pytest.approx(RATE, abs=3)
        paths = client.download_all(job, tmp_path)
        files = {file.name: file for file in client.files(job)}
        assert {path.name for path in paths} == set(files) >= {"result.json", "pulse.csv", "magnified.mp4"}
        for path in paths:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == files[path.name].sha256
        info = client.recording(job.recording)
        assert info.sha256 == hashlib.sha256(clip.read_bytes()).hexdigest()
        again = client.wait(client.submit(job.recording, {"chunk_seconds": 4, "gain": 80}))
        assert again.succeeded
        assert {stage.stage: stage.reused for stage in again.progress}["pulse"] == 1
        assert {found.id for found in client.jobs(job.recording)} == {job.id, again.id}
        link = client.link(f"/v1/jobs/{job.id}/files/pulse.csv")
        assert httpx.get(link.href).content == (tmp_path / "pulse.csv").read_bytes()
        assert "gain" in client.parameters()["schema"]["properties"]
        client.erase(job.recording)
        client.erase(job.recording)
        with pytest.raises(client_errors.NotFound):
            client.job(job)
        with pytest.raises(client_errors.Erased):
            client.submit(job.recording)


def test_the_same_for_asyncio(url: str, clip: Path, tmp_path: Path) -> None:
    size = clip.stat().st_size

    async def run() -> None:
        async with AsyncClient(url) as client:
            jobs = await asyncio.gather(*(client.submit(clip, {"magnify": "none"}) for _ in range(2)))
            ended = await asyncio.gather(*(client.wait(job) for job in jobs))
            assert all(job.succeeded for job in ended)
            for job in ended:
                rate = (await client.result(job)).people[0].measurements["heart_rate"]
                assert rate.value == pytest.approx(RATE, abs=2)
            assert (await client.waves(ended[0])).keys()
            paths = await client.download_all(ended[0], tmp_path / "out")
            assert {path.name for path in paths} >= {"result.json", "pulse.csv"}
            assert len(await client.jobs(ended[0].recording)) == 1
            assert (await client.recording(ended[0].recording)).size == size
            assert (await client.link(f"/v1/jobs/{ended[0].id}/result")).href.startswith(url)
            assert await client.parameters()
            await client.cancel(ended[1])
            for job in ended:
                await client.erase(job.recording)

    asyncio.run(run())


def test_what_is_no_clip(url: str, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video at all " * 100)
    empty = tmp_path / "empty.mp4"
    empty.touch()
    with Client(url) as client:
        with pytest.raises(client_errors.UnreadableVideo):
            client.submit(text)
        with pytest.raises(client_errors.EmptyUpload):
            client.upload(empty)
        with pytest.raises(client_errors.BadParameters, match="gain"):
            client.submit("rec_" + "0" * 26, {"gian": 1})
        with pytest.raises(FileNotFoundError):
            client.submit(tmp_path / "nothing.mp4")
