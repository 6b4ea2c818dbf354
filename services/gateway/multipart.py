"""multipart/form-data (RFC 7578), part by part as it arrives: nothing of the body is held longer than a moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import Message

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from mesh.errors import BadRequest

MAX_PARTS = 16


@dataclass(frozen=True)
class PartBegin:
    """A part begins; its name, empty if it has none."""

    name: str


@dataclass(frozen=True)
class PartData:
    """Bytes of the part that began last."""

    data: bytes


@dataclass(frozen=True)
class PartEnd:
    """The part that began last is complete."""


Piece = PartBegin | PartData | PartEnd


def boundary_of(content_type: str) -> str:
    """The boundary that a Content-Type header names.

    Raises
    ------
    BadRequest
        If it names none.
    """
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not 1 <= len(boundary) <= 70 or not boundary.isascii():
        raise BadRequest("the multipart body has no boundary")
    return boundary


def _name(disposition: bytes) -> str:
    header = Message()
    header["content-disposition"] = disposition.decode("latin-1").replace("\n", " ").replace("\r", " ")
    name = header.get_param("name", header="content-disposition")
    return name if isinstance(name, str) else ""


class _Collector:
    """Callbacks of the parser, as pieces."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.parts = 0
        self.ended = False
        self._field = self._value = self._disposition = b""

    def on_part_begin(self) -> None:
        self.parts += 1
        self._disposition = b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field = self._value = b""

    def on_headers_finished(self) -> None:
        self.pieces.append(PartBegin(_name(self._disposition)))

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.pieces.append(PartData(data[start:end]))

    def on_part_end(self) -> None:
        self.pieces.append(PartEnd())

    def on_end(self) -> None:
        self.ended = True


async def parts(body: AsyncIterator[bytes], content_type: str) -> AsyncIterator[Piece]:
    """The parts of a body as they arrive: each begins, has data, ends.

    Raises
    ------
    BadRequest
        If the body is not well formed, is cut short, or has more than 16 parts.
    """
    collector = _Collector()
    names = ("part_begin", "part_data", "part_end", "header_field", "header_value", "header_end", "headers_finished")
    callbacks = {f"on_{name}": getattr(collector, f"on_{name}") for name in (*names, "end")}
    try:
        parser = MultipartParser(boundary_of(content_type), callbacks)  # type: ignore[arg-type]
        async for piece in body:
            parser.write(piece)
            if collector.parts > MAX_PARTS:
                raise BadRequest(f"the multipart body has more than {MAX_PARTS} parts")
            found, collector.pieces = collector.pieces, []
            for one in found:
                yield one
        parser.finalize()
    except FormParserError as error:
        raise BadRequest("the multipart body is not well formed") from error
    if not collector.ended:
        raise BadRequest("the multipart body is cut short")
