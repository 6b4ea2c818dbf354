"""Range and conditional requests (RFC 9110, sections 13 and 14) as pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mesh.errors import RangeNotSatisfiable

_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*\Z")
_DIGITS = 18  # more is no position in a file


def etag_matches(header: str | None, etag: str) -> bool:
    """Whether one of the entity tags of an `If-None-Match` header is `etag` (weak comparison)."""
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag in tags


def requested_span(headers: Mapping[str, str], size: int, etag: str) -> tuple[int, int] | None:
    """The bytes `start` to `stop` that a request wants, None for all of them.

    A header that is not well formed, or names several ranges, is ignored, as the RFC allows; so is one whose
    `If-Range` is about another version.

    Parameters
    ----------
    headers : mapping
        With lower-case names.
    size : int
        Of the file in bytes.
    etag : str
        Strong entity tag of the file, with its quotes.

    Raises
    ------
    RangeNotSatisfiable
        If no byte of the file lies in the range.
    """
    given = headers.get("range")
    if given is None or headers.get("if-range", etag) != etag:
        return None
    match = _RANGE.match(given)
    if match is None or not (match[1] or match[2]) or max(len(match[1]), len(match[2])) > _DIGITS:
        return None
    if not match[1]:  # the last bytes
        length = min(int(match[2]), size)
        start, stop = size - length, size
    else:
        start = int(match[1])
        stop = min(int(match[2]) + 1, size) if match[2] else size
        if match[2] and int(match[2]) < start:
            return None
    if start >= stop or start >= size:
        raise RangeNotSatisfiable(f"the file has {size} bytes")
    return start, stop
