"""The pure parts of the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.event_stream import message
from gateway.events import rank_of
from gateway.jobs_api import cursor_of, parse_cursor
from gateway.multipart import PartBegin, PartData, PartEnd, Piece, boundary_of, parts
from gateway.problems import pointer, responses, validation_errors
from gateway.ranges import etag_matches, requested_span
from gateway.results_api import disposition
from gateway.submission import JOB_ID, RECORDING_ID, expected_chunks, worth_another_try
from gateway.uploads import Spool, fingerprint, parse_parameters
from mesh.contracts import JobView, StageProgress, State
from mesh.errors import (
    BadParameters,
    BadRequest,
    NoFrames,
    OutOfMemory,
    Problem,
    RangeNotSatisfiable,
    TooLarge,
    failure_classes,
)
from mesh.names import new_id
from mesh.parameters import Parameters

pytestmark = pytest.mark.unit

# --- multipart


async def _read(body: bytes, cuts: list[int], content_type: str) -> list[Piece]:
    async def stream() -> AsyncIterator[bytes]:
        edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
        for start, stop in pairwise(edges):
            yield body[start:stop]

    return [piece async for piece in parts(stream(), content_type)]


def _form(fields: list[tuple[str, bytes]], boundary: str) -> bytes:
    body = b""
    for name, content in fields:
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="x.mp4"\r\n'.encode()
        body += b"Content-Type: video/mp4\r\n\r\n" + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


@settings(deadline=None, max_examples=80)
@given(
    contents=st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 2000), max_size=12),
    traps=st.lists(st.sampled_from([b"\r\n--", b"\r\n--bound", b"--boundary", b"\r", b"\n\r\n"]), max_size=3),
)
def test_a_form_comes_through_whole_however_it_is_cut(
    contents: list[bytes], cuts: list[int], traps: list[bytes]
) -> None:
    contents[0] = b"".join([contents[0], *traps])
    fields = [(f"part{number}", content) for number, content in enumerate(contents)]
    found: list[tuple[str, bytes]] = []
    for piece in asyncio.run(_read(_form(fields, "boundaryX"), cuts, "multipart/form-data; boundary=boundaryX")):
        if isinstance(piece, PartBegin):
            found.append((piece.name, b""))
        elif isinstance(piece, PartData):
            found[-1] = (found[-1][0], found[-1][1] + piece.data)
        else:
            assert isinstance(piece, PartEnd)
    assert found == fields


@settings(deadline=None, max_examples=60)
@given(cut=st.integers(0, 400), cuts=st.lists(st.integers(0, 400), max_size=4))
def test_a_form_that_is_cut_short_is_refused(cut: int, cuts: list[int]) -> None:
    body = _form([("video", b"x" * 100), ("parameters", b"{}")], "b")
    short = body[: min(cut, len(body) - 4)]  # the last boundary is not whole
    with pytest.raises(BadRequest):
        asyncio.run(_read(short, cuts, "multipart/form-data; boundary=b"))


@settings(deadline=None, max_examples=60)
@given(body=st.binary(max_size=500))
def test_noise_is_no_form(body: bytes) -> None:
    with pytest.raises(BadRequest):
        asyncio.run(_read(body, [], "multipart/form-data; boundary=thatisnotinit"))


def test_boundaries() -> None:
    assert boundary_of('multipart/form-data; charset=utf-8; boundary="a b"') == "a b"
    for header in ("multipart/form-data", "multipart/form-data; boundary=", f"x; boundary={'b' * 71}"):
        with pytest.raises(BadRequest):
            boundary_of(header)
    many = _form([(str(number), b"") for number in range(17)], "b")
    with pytest.raises(BadRequest, match="16"):
        asyncio.run(_read(many, [], "multipart/form-data; boundary=b"))


# --- spool


@settings(deadline=None, max_examples=20)
@given(pieces=st.lists(st.binary(max_size=1 << 12), max_size=8), large=st.integers(0, 3 << 20))
def test_a_spool_holds_what_came(pieces: list[bytes], large: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    import hashlib

    pieces = [*pieces, b"x" * large]

    async def spooled() -> tuple[str, bytes]:
        with Spool(folder, 4 << 20) as spool:
            for piece in pieces:
                await spool.add(piece)
            digest = await spool.finish()
            assert spool.path.stat().st_mode & 0o777 == 0o600
            return digest, spool.path.read_bytes()

    folder = tmp_path_factory.mktemp("spool")
    digest, content = asyncio.run(spooled())
    assert content == b"".join(pieces)
    assert digest == hashlib.sha256(content).hexdigest()
    assert not list(folder.iterdir())


def test_a_spool_takes_no_byte_too_much(tmp_path: Path) -> None:
    async def fill(size: int) -> None:
        with Spool(tmp_path, 1000) as spool:
            await spool.add(b"x" * size)
            await spool.finish()

    asyncio.run(fill(1000))
    with pytest.raises(TooLarge):
        asyncio.run(fill(1001))
    assert not list(tmp_path.iterdir())


# --- parameters and problems


def test_parameters_from_text() -> None:
    assert parse_parameters("") == parse_parameters(b" ") == parse_parameters("{}") == Parameters()
    assert parse_parameters('{"preset": "facehr"}').magnify == "facehr"
    for text in ("{", b"\xff", "[]", "null", '{"gain": []}', '{"gain": 1, "x": 2}'):
        with pytest.raises(BadParameters):
            parse_parameters(text)
    with pytest.raises(BadParameters) as caught:
        parse_parameters('{"skin_point": [1, "a"]}', "/parameters")
    assert caught.value.errors is not None
    assert all(str(error["pointer"]).startswith("/parameters/skin_point") for error in caught.value.errors)


def test_the_same_request_has_the_same_fingerprint() -> None:
    assert fingerprint("a", parse_parameters('{"gain": 50}')) == fingerprint("a", Parameters())
    assert fingerprint("a", Parameters(gain=1)) != fingerprint("a", Parameters())
    assert fingerprint("b", Parameters()) != fingerprint("a", Parameters())


def test_pointers() -> None:
    assert pointer(("a/b", 0, "c~d")) == "/a~1b/0/c~0d"
    assert pointer(()) == ""
    said = validation_errors([{"type": "extra_forbidden", "loc": ("x" * 999,), "msg": ""}])
    assert len(said[0]["detail"]) < 300, "what came from outside is not said back at length"


def test_every_failure_can_be_documented() -> None:
    found = responses(*failure_classes())
    assert set(found) == {cls.status for cls in failure_classes()}
    for status, response in found.items():
        for slug, example in response["content"]["application/problem+json"]["examples"].items():
            problem = Problem.model_validate(example["value"])
            assert (problem.status, problem.slug) == (status, slug)
    slugs = [cls.slug for cls in failure_classes() if cls.__name__ not in ("Failure",)]
    assert len(slugs) == len(set(slugs)), "a slug says what it is"


def test_which_failures_are_tried_again() -> None:
    assert worth_another_try(OutOfMemory().problem())
    assert not worth_another_try(NoFrames().problem())
    assert worth_another_try(NoFrames().problem().model_copy(update={"type": "https://elsewhere/unknown"}))


# --- ranges


@settings(deadline=None)
@given(size=st.integers(0, 1000), first=st.integers(0, 1200), last=st.integers(0, 1200))
def test_a_range_lies_in_the_file_or_is_refused(size: int, first: int, last: int) -> None:
    whole = range(size)
    wanted = {
        f"bytes={first}-{last}": [n for n in whole if first <= n <= last],
        f"bytes={first}-": [n for n in whole if n >= first],
        f"bytes=-{last}": list(whole)[max(size - last, 0) :] if last else [],
    }
    for header, expected in wanted.items():
        try:
            span = requested_span({"range": header}, size, '"e"')
        except RangeNotSatisfiable:
            assert not expected
            continue
        if span is None:
            assert first > last
            assert header == f"bytes={first}-{last}"
        else:
            assert list(range(*span)) == expected


@given(header=st.text(max_size=40))
def test_any_range_header_is_survived(header: str) -> None:
    try:
        span = requested_span({"range": header}, 10, '"e"')
    except RangeNotSatisfiable:
        return
    assert span is None or 0 <= span[0] < span[1] <= 10


def test_conditions() -> None:
    assert requested_span({}, 10, '"e"') is None
    assert requested_span({"range": "bytes=1-2", "if-range": '"e"'}, 10, '"e"') == (1, 3)
    assert requested_span({"range": "bytes=1-2", "if-range": 'W/"e"'}, 10, '"e"') is None
    assert requested_span({"range": "bytes=1-2", "if-range": "Sat, 01 Jan 2000 00:00:00 GMT"}, 10, '"e"') is None
    assert requested_span({"range": "bytes=" + "9" * 400 + "-"}, 10, '"e"') is None
    assert not etag_matches(None, '"e"')
    assert etag_matches('"a", W/"e"', '"e"')
    assert not etag_matches('"a"', '"e"')


# --- names, cursors, events


def test_file_names_in_headers() -> None:
    assert disposition("pulse.csv") == 'attachment; filename="pulse.csv"'
    for name in ('a"b.csv', "a\r\nb", "é.csv", "a/b"):
        header = disposition(name)
        assert header.isascii()
        assert "\n" not in header
        assert header.count('"') == 2
        assert "filename*=UTF-8''" in header


@pytest.mark.parametrize(
    ("seconds", "size", "expected"),
    [(10.0, 1, 2), (600.1, 1, 121), (None, 1, 1), (None, 25_000_000, 10), (0.2, 10**9, 1)],
)
def test_how_many_chunks_to_expect(seconds: float | None, size: int, expected: int) -> None:
    assert expected_chunks(seconds, size, 5.0) == expected


def test_ids_of_ours() -> None:
    for _ in range(50):
        assert JOB_ID.match(new_id("job"))
        assert RECORDING_ID.match(new_id("rec"))
    for text in ("", "job_", "job_" + "i" * 26, "job_" + "0" * 27, "rec_" + "0" * 26, "job_" + "0" * 26 + "\n"):
        assert not JOB_ID.match(text)


def _view(state: State) -> JobView:
    return JobView(
        id=new_id("job"), recording=new_id("rec"), state=state, parameters=Parameters(), progress=[],
        created_at=datetime.now(UTC),
    )  # fmt: skip


def test_cursors() -> None:
    view = _view(State.QUEUED)
    assert parse_cursor(cursor_of(view)) == (view.created_at, view.id)
    for text in ("", "é", "AAAA", cursor_of(view)[:-3], cursor_of(view) + "A"):
        with pytest.raises(BadRequest):
            parse_cursor(text)


def test_events_have_an_order() -> None:
    def rank(done: int, total: int | None) -> tuple[int, int]:
        return rank_of("progress", StageProgress(stage="mask", done=done, total=total).model_dump_json().encode())

    assert rank(0, None) < rank(0, 3) < rank(1, 3) < rank(3, 3)
    order = [State.QUEUED, State.SPLITTING, State.PROCESSING, State.SUCCEEDED]
    ranks = [rank_of("state", _view(state).model_dump_json().encode()) for state in order]
    assert ranks == sorted(set(ranks))
    for end in (State.FAILED, State.CANCELLED):
        assert rank_of("state", _view(end).model_dump_json().encode()) == ranks[-1]
    assert message("state", "{}", 7) == b"id: 7\nevent: state\ndata: {}\n\n"
    assert message("state", "{}") == b"event: state\ndata: {}\n\n"
