"""The memory store keeps the promises of every store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mesh.blobs import MemoryStore
from mesh.errors import NotFound
from mesh.names import BlobName, file_index, new_id

pytestmark = pytest.mark.unit

NAME = BlobName("rec_1", "trace", "0123", "7")


async def test_first_write_wins() -> None:
    store = MemoryStore()
    made = await asyncio.gather(*(store.create(NAME, bytes([k]) * 10) for k in range(5)))
    assert sum(made) == 1
    assert await store.read(NAME) == bytes([made.index(True)]) * 10


async def test_content_from_bytes_a_file_and_a_stream_is_the_same(tmp_path: Path) -> None:
    content = bytes(range(256)) * 20_000
    file = tmp_path / "content"
    file.write_bytes(content)

    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 70_001):
            yield content[start : start + 70_001]

    manifests = []
    for index, source in enumerate((content, file, stream())):
        store = MemoryStore()
        name = BlobName("rec_1", "chunk", "0", str(index))
        assert await store.create(name, source)
        assert await store.read(name) == content
        assert b"".join([p async for p in store.stream(name, 100, 2_000_000)]) == content[100:2_000_000]
        await store.save(name, tmp_path / "saved")
        assert (tmp_path / "saved").read_bytes() == content
        manifests.append(await store.stat(name))
    assert manifests[0] == manifests[1] == manifests[2]


async def test_delete_takes_whole_tokens() -> None:
    store = MemoryStore()
    for recording in ("rec_1", "rec_12"):
        for kind in ("chunk", "trace"):
            await store.create(BlobName(recording, kind, "d", "0"), b"x")
    await store.delete("rec_1/chunk")
    assert await store.list("rec_1") == {"rec_1/trace/d/0"}
    await store.delete("rec_1")
    assert await store.list("rec_1") == set()
    assert len(await store.list("rec_12")) == 2
    with pytest.raises(NotFound):
        await store.read(BlobName("rec_1", "trace", "d", "0"))


@pytest.mark.parametrize("bad", ["", "a b", "a/b", "a.b", "*", ">", "x" * 81])
def test_a_token_that_is_unsafe_in_a_subject_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="token"):
        BlobName(bad, "chunk", "0", "0")


def test_names_survive_the_text() -> None:
    assert BlobName.parse(str(NAME)) == NAME
    with pytest.raises(ValueError, match="blob"):
        BlobName.parse("a/b/c")
    assert file_index("pulse.csv") == "pulse-csv"


def test_ids_sort_by_time_and_differ() -> None:
    ids = [new_id("job") for _ in range(2000)]
    assert len(set(ids)) == 2000
    assert [i[:13] for i in ids] == sorted(i[:13] for i in ids)
