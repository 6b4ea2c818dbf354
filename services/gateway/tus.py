"""The headers of tus 1.0.0 (https://tus.io/protocols/resumable-upload): what they say, and nothing of how it is kept.

Extensions: creation, creation-with-upload, expiration, checksum, termination.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from mesh.errors import BadRequest, EmptyUpload, TooLarge, TusVersion, UnsupportedMedia

VERSION = "1.0.0"
PATH = "/v1/uploads"
CONTENT_TYPE = "application/offset+octet-stream"
EXTENSIONS = ("creation", "creation-with-upload", "expiration", "checksum", "termination")
CHECKSUMS = ("sha256", "sha1", "md5")  # sha1 is the one that the protocol asks of everybody
METADATA_BYTES = 4096
_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,100}\Z")  # ASCII without spaces and commas
ASKED = (
    "Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Checksum", "X-HTTP-Method-Override",
)  # fmt: skip
SHOWN = (
    "Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm",
    "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Expires",
)  # fmt: skip


@dataclass(frozen=True)
class Checksum:
    """What the bytes of one request must hash to.

    Attributes
    ----------
    algorithm : str
        One of `CHECKSUMS`.
    digest : bytes
    """

    algorithm: str
    digest: bytes

    def holds(self, content: bytes) -> bool:
        """Whether `content` is what was meant."""
        return hashlib.new(self.algorithm, content, usedforsecurity=False).digest() == self.digest


def check_version(header: str | None) -> None:
    """Raise TusVersion unless the client speaks our version."""
    if header != VERSION:
        said = "no version is named" if header is None else f"{header[:20]!r} is not {VERSION}"
        raise TusVersion(said)


def check_content_type(header: str | None) -> None:
    """Raise UnsupportedMedia unless a body is a piece of an upload."""
    if (header or "").partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise UnsupportedMedia(f"a piece of an upload is {CONTENT_TYPE}", hint=f"Send `Content-Type: {CONTENT_TYPE}`.")


def parse_length(header: str | None, limit: int) -> int:
    """`Upload-Length` in bytes, 1 to `limit`.

    Raises
    ------
    BadRequest
        If it is missing or no number.
    EmptyUpload
        If it is 0.
    TooLarge
        If it is more than `limit`.
    """
    length = _number("Upload-Length", header)
    if length > limit:
        raise TooLarge(f"at most {limit / (1 << 20):,.0f} MiB are taken")
    if not length:
        raise EmptyUpload("an upload of no bytes is no clip")
    return length


def parse_offset(header: str | None) -> int:
    """`Upload-Offset` in bytes. Raises BadRequest."""
    return _number("Upload-Offset", header)


def _number(name: str, header: str | None) -> int:
    if header is None:
        raise BadRequest(f"there is no {name}")
    if not (header.isascii() and header.isdecimal() and len(header) <= 18):
        raise BadRequest(f"{name} is a number of bytes, not {header[:40]!r}")
    return int(header)


def parse_metadata(header: str | None) -> dict[str, str]:
    """`Upload-Metadata`: keys and values, the values decoded.

    Raises
    ------
    BadRequest
        If it is not what the protocol says, or longer than 4 KiB.
    """
    if not header or not header.strip():
        return {}
    if len(header) > METADATA_BYTES:
        raise BadRequest(f"Upload-Metadata has at most {METADATA_BYTES} bytes")
    found: dict[str, str] = {}
    for pair in header.split(","):
        key, _, value = pair.strip().partition(" ")
        if not _KEY.match(key) or key in found:
            raise BadRequest("Upload-Metadata is `key base64, key base64`, each key once")
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            raise BadRequest(f"the value of {key[:40]!r} in Upload-Metadata is no base64 of UTF-8") from None
    return found


def parse_checksum(header: str | None) -> Checksum | None:
    """`Upload-Checksum`, None where there is none. Raises BadRequest."""
    if header is None:
        return None
    algorithm, _, value = header.strip().partition(" ")
    if algorithm not in CHECKSUMS:
        raise BadRequest(f"{algorithm[:20]!r} is none of the checksums {', '.join(CHECKSUMS)}")
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise BadRequest("the digest of Upload-Checksum is no base64, or of another length")
    return Checksum(algorithm, digest)


def options(limit: int) -> dict[str, str]:
    """Headers that say what is spoken here; `limit` is the largest upload in bytes."""
    return {
        "Tus-Resumable": VERSION,
        "Tus-Version": VERSION,
        "Tus-Extension": ",".join(EXTENSIONS),
        "Tus-Max-Size": str(limit),
        "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
    }


def progress(offset: int, expires: datetime) -> Mapping[str, str]:
    """Headers that say how far an upload is, and until when it may go on (an aware time)."""
    return {"Upload-Offset": str(offset), "Upload-Expires": format_datetime(expires, usegmt=True)}
