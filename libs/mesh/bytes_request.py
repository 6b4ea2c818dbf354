"""A request that bytes follow, a picture or a piece of video, as one message."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import ValidationError

from mesh.contracts import Contract
from mesh.errors import BadRequest

_SIZE_BYTES = 4  # of the number before the request, little-endian


class BytesRequest(Contract):
    """Its fields as JSON, after their length and before the bytes."""

    asks_for: ClassVar[str]  # in the words of the refusal

    def pack(self, data: bytes = b"") -> bytes:
        """As one message."""
        head = self.model_dump_json(exclude_defaults=True).encode()
        return len(head).to_bytes(_SIZE_BYTES, "little") + head + data

    @classmethod
    def unpack(cls, message: bytes) -> tuple[Self, bytes]:
        """The request and the bytes.

        Raises
        ------
        BadRequest
            If `pack` did not make it.
        """
        start = _SIZE_BYTES + int.from_bytes(message[:_SIZE_BYTES], "little")
        try:
            return cls.model_validate_json(message[_SIZE_BYTES:start]), message[start:]
        except ValidationError as error:
            raise BadRequest(f"this is no request for {cls.asks_for}") from error
