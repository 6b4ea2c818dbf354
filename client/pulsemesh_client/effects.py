"""What a flow asks its driver to do. A flow is a generator: it yields effects and gets their outcome sent back.

So the whole of what the client does is written once, without I/O, and `Client` and `AsyncClient` only carry it out.
Transport errors of httpx are thrown into the flow.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

T = TypeVar("T")
PIECE_BYTES = 256 << 10
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FilePart:
    """Bytes of a file as the body of a request, read as they are sent.

    Attributes
    ----------
    start, stop : int
    told : callable
        Told how many bytes of the file were handed over, counted from its beginning.
    """

    path: Path
    start: int
    stop: int
    told: Callable[[int], None]

    def __iter__(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(self.start)
            done = self.start
            while done < self.stop and (piece := file.read(min(PIECE_BYTES, self.stop - done))):
                yield piece
                done += len(piece)
                self.told(done)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with await asyncio.to_thread(self.path.open, "rb") as file:
            file.seek(self.start)
            done = self.start
            while done < self.stop and (
                piece := await asyncio.to_thread(file.read, min(PIECE_BYTES, self.stop - done))
            ):
                yield piece
                done += len(piece)
                self.told(done)


@dataclass(frozen=True)
class Call:
    """One request; its outcome is the `httpx.Response`, read to the end."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    json: Any = None
    body: FilePart | None = None


@dataclass(frozen=True)
class Fetch:
    """One GET whose body goes to `sink` as it comes; its outcome is the `httpx.Response`, without a body.

    `began` is called with the response before its first byte and says whether the body is wanted; an answer of 400
    and more is read instead.
    """

    path: str
    headers: dict[str, str]
    began: Callable[[httpx.Response], None]
    sink: Callable[[bytes], None]


@dataclass(frozen=True)
class Pause:
    """Wait for some seconds; no outcome."""

    seconds: float


Effect = Call | Fetch | Pause
Flow = Generator[Effect, Any, T]
