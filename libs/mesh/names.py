"""Names of blobs: `<recording>/<kind>/<digest>/<index>`.

A name is made of tokens that are safe in a NATS subject, a URL and a path, so the same name serves them all.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: sorts, and is read aloud without mistakes


@dataclass(frozen=True, order=True)
class BlobName:
    """One immutable blob.

    Attributes
    ----------
    recording : str
        The recording that the blob belongs to; erasing the recording erases everything under it.
    kind : str
        `upload`, `chunk`, `plan`, `audio`, `failure`, `file` or the stage that made it.
    digest : str
        Of the parameters that the stage and its ancestors read; `0` for the upload.
    index : str
        Position of a scattered blob, `0` for a single one, or the slug of a file.
    """

    recording: str
    kind: str
    digest: str
    index: str

    def __post_init__(self) -> None:
        for token in (self.recording, self.kind, self.digest, self.index):
            if not _TOKEN.match(token):
                raise ValueError(f"{token!r} is not a token of a blob name")

    def __str__(self) -> str:
        return f"{self.recording}/{self.kind}/{self.digest}/{self.index}"

    @classmethod
    def parse(cls, text: str) -> BlobName:
        """The name that `str()` wrote.

        Raises
        ------
        ValueError
            If `text` is not four tokens.
        """
        parts = text.split("/")
        if len(parts) != 4:
            raise ValueError(f"{text!r} is not the name of a blob")
        return cls(*parts)


def upload_name(recording: str) -> BlobName:
    """Name of the clip as it was received."""
    return BlobName(recording, "upload", "0", "0")


def file_index(filename: str) -> str:
    """The index token of a result file: `pulse.csv` becomes `pulse-csv`."""
    return re.sub(r"[^A-Za-z0-9_]", "-", filename)


def new_id(prefix: str) -> str:
    """An identifier that sorts by time and cannot be guessed: 48 bits of milliseconds, 80 of chance."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    digits = "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
    return f"{prefix}_{digits}"


def id_time(id: str) -> datetime | None:
    """When `new_id` made an identifier, to the millisecond; None if it did not."""
    digits = id.rpartition("_")[2]
    if len(digits) != 26 or not set(digits) <= set(_ALPHABET):
        return None
    number = 0
    for digit in digits:
        number = number << 5 | _ALPHABET.index(digit)
    try:
        return datetime.fromtimestamp((number >> 80) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
