"""Blobs on a real broker: first write wins, nothing is ever read short."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mesh_kit import until

from mesh import subjects
from mesh.bus import Bus
from mesh.errors import BlobIncomplete, Busy, NotFound
from mesh.jetstream_blobs import INLINE_BYTES, JetStreamBlobs, open_blobs, recut
from mesh.names import BlobName, new_id

pytestmark = pytest.mark.mesh


@pytest.fixture(params=["jetstream", "object"])
def blobs(request: pytest.FixtureRequest, bus: Bus, tmp_path: Path) -> JetStreamBlobs:
    """Both stores."""
    url = "jetstream" if request.param == "jetstream" else (tmp_path / "objects").as_uri()
    found = open_blobs(bus, bus.settings.model_copy(update={"blobs": url}))
    assert isinstance(found, JetStreamBlobs)
    return found


def a_name(kind: str = "chunk", index: str = "0") -> BlobName:
    return BlobName(new_id("rec"), kind, "d0", index)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [0, 1, INLINE_BYTES, INLINE_BYTES + 1, 3_000_001])
async def test_what_is_written_is_read(blobs: JetStreamBlobs, size: int, tmp_path: Path) -> None:
    name, data = a_name(), os.urandom(size)
    assert await blobs.create(name, data)
    assert await blobs.read(name) == data
    manifest = await blobs.save(name, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data
    assert manifest.size == size
    assert await blobs.list(name.recording) == {str(name)}


async def test_a_large_file_and_its_ranges(blobs: JetStreamBlobs, tmp_path: Path) -> None:
    name, data = a_name(), os.urandom(20 << 20)
    (tmp_path / "source").write_bytes(data)
    assert await blobs.create(name, tmp_path / "source")
    assert await blobs.read(name) == data
    for start, stop in [(0, 1), (983_039, 983_041), (5_000_000, 17_000_001), (len(data) - 1, None), (0, 2 * len(data))]:
        assert b"".join([piece async for piece in blobs.stream(name, start, stop)]) == data[start:stop]
    assert [piece async for piece in blobs.stream(name, len(data), None)] == []


@pytest.mark.parametrize("size", [100, 2_000_000])
async def test_of_twenty_writers_one_wins(blobs: JetStreamBlobs, bus: Bus, size: int) -> None:
    name = a_name()
    contents = [bytes([number]) * size for number in range(20)]
    won = await asyncio.gather(*(blobs.create(name, content) for content in contents))
    assert sum(won) == 1
    assert await blobs.read(name) == contents[won.index(True)]
    assert await blobs.sweep(name.recording) == 0, "the losers removed their own parts"
    assert not await blobs.create(name, b"later")


async def test_a_missing_part_is_told(bus: Bus, tmp_path: Path) -> None:
    blobs, name = JetStreamBlobs(bus), a_name()
    await blobs.create(name, os.urandom(5_000_000))
    manifest = await blobs.stat(name)
    assert manifest is not None
    assert await bus.purge(subjects.BLOBS, subjects.part_subject(name, manifest.attempt, 3)) == 1
    with pytest.raises(BlobIncomplete):
        await blobs.read(name)
    with pytest.raises(BlobIncomplete):
        await blobs.save(name, tmp_path / "copy")
    assert _files(tmp_path) == []
    start = 3 * manifest.part_size
    with pytest.raises(BlobIncomplete):
        [piece async for piece in blobs.stream(name, start, start + 1)]
    assert len(b"".join([piece async for piece in blobs.stream(name, 0, start)])) == start


async def test_a_damaged_object_is_told(bus: Bus, tmp_path: Path) -> None:
    blobs = open_blobs(bus, bus.settings.model_copy(update={"blobs": tmp_path.as_uri()}))
    name = a_name()
    await blobs.create(name, os.urandom(5_000_000))
    (file,) = _files(tmp_path)
    content = bytearray(file.read_bytes())
    content[4_500_000] ^= 1
    file.write_bytes(content)
    with pytest.raises(BlobIncomplete, match="damaged"):
        await blobs.read(name)
    file.write_bytes(content[:-1])
    with pytest.raises(BlobIncomplete):
        await blobs.read(name)
    file.unlink()
    with pytest.raises(BlobIncomplete):
        await blobs.read(name)


async def test_what_never_was_is_not_found(blobs: JetStreamBlobs, tmp_path: Path) -> None:
    assert await blobs.stat(a_name()) is None
    with pytest.raises(NotFound):
        await blobs.read(a_name())
    with pytest.raises(NotFound):
        await blobs.save(a_name(), tmp_path / "none")
    with pytest.raises(NotFound):
        [piece async for piece in blobs.stream(a_name())]


async def test_delete_takes_whole_tokens(blobs: JetStreamBlobs, bus: Bus) -> None:
    recording = new_id("rec")
    names = [BlobName(recording, kind, "d0", index) for kind in ("mask", "masks") for index in ("1", "10")]
    for name in names:
        await blobs.create(name, os.urandom(1_000_000))
    other = a_name()
    await blobs.create(other, b"of somebody else")
    await blobs.delete(f"{recording}/mask/d0/1")
    assert await blobs.list(recording) == {str(name) for name in names[1:]}
    await blobs.delete(f"{recording}/mask")
    assert await blobs.list(recording) == {str(name) for name in names[2:]}
    await blobs.delete(recording)
    assert await blobs.list(recording) == set()
    assert await bus.subjects(subjects.BLOBS, f"blob.{recording}.>") == {}
    assert await blobs.read(other) == b"of somebody else"


@pytest.mark.parametrize("prefix", ["", "*", "rec/>", "rec/*", "a/b/c/d/e"])
async def test_no_wildcard_reaches_a_purge(bus: Bus, prefix: str) -> None:
    with pytest.raises(ValueError, match="blob"):
        await JetStreamBlobs(bus).delete(prefix)


async def test_an_upload_that_breaks_off_leaves_nothing(blobs: JetStreamBlobs, bus: Bus, tmp_path: Path) -> None:
    name = a_name()

    async def broken() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield os.urandom(1_000_000)
        raise ConnectionResetError("the client went away")

    with pytest.raises(ConnectionResetError):
        await blobs.create(name, broken())
    assert await blobs.stat(name) is None
    assert await bus.subjects(subjects.BLOBS, f"blob.{name.recording}.>") == {}
    assert _files(tmp_path) == []


async def test_sweep_removes_lost_attempts_only(bus: Bus) -> None:
    blobs, name = JetStreamBlobs(bus), a_name()
    await blobs.create(name, os.urandom(2_000_000))
    await bus.append(subjects.part_subject(name, "lost", 0), b"of a killed writer")
    assert await blobs.sweep(name.recording) == 1
    assert len(await blobs.read(name)) == 2_000_000


async def test_a_full_store_says_so(own_broker: object, connect: object) -> None:
    bus = await connect(own_broker, blobs_max_bytes=4 << 20)  # type: ignore[operator]
    blobs, name = JetStreamBlobs(bus), a_name()
    with pytest.raises(Busy):
        await blobs.create(name, os.urandom(8 << 20))
    assert await bus.subjects(subjects.BLOBS, "blob.>") == {}
    assert await blobs.create(name, os.urandom(1 << 20))


async def test_events_follow_commits_in_order(bus: Bus) -> None:
    blobs, recording = JetStreamBlobs(bus), new_id("rec")
    ready, seen = asyncio.Event(), []
    await blobs.create(BlobName(recording, "mask", "d0", "before"), b"x")

    async def follow() -> None:
        async for name in bus.blob_events(ready=ready):
            if name.recording == recording:
                seen.append(name.index)  # noqa: PERF401 - seen by others while it goes on

    following = asyncio.create_task(follow())
    await asyncio.wait_for(ready.wait(), 5)
    for number in range(30):
        await blobs.create(BlobName(recording, "mask", "d0", str(number)), os.urandom(300_000 if number == 7 else 10))
    await until(lambda: len(seen) >= 30)
    following.cancel()
    assert seen == [str(number) for number in range(30)]


async def test_recut_keeps_every_byte() -> None:
    async def content() -> AsyncIterator[bytes]:
        for size in (0, 1, 7, 30, 3, 0, 9):
            yield bytes(range(size))

    pieces = [piece async for piece in recut(content(), 10)]
    assert [len(piece) for piece in pieces] == [10, 10, 10, 10, 10]
    assert b"".join(pieces) == b"".join([piece async for piece in content()])
