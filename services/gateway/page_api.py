"""The page at `GET /`: files of the package, with a content security policy that lets nothing in from elsewhere.

Its files lie below an address that holds the digest of all of them: browsers keep them for good, and a new version
is never mixed with an old one.
"""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from fastapi import APIRouter, Request, Response

from gateway.ranges import etag_matches
from mesh.errors import NotFound

router = APIRouter(include_in_schema=False)
FOLDER = "/page/"  # the addresses of its files begin so
OPEN = "/"
INDEX = "index.html"
_PLACE = "{{page}}"  # in the index: where the files of this version are
_TYPES = {".js": "text/javascript", ".svg": "image/svg+xml"}  # whatever the machine's own table says
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob: mediastream:",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = MappingProxyType(
    {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    }
)
_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_EACH_TIME = "no-cache"


@dataclass(frozen=True)
class Page:
    """The files of the page.

    Attributes
    ----------
    version : str
        Digest of all of them, 16 hexadecimal digits.
    files : mapping of str to (bytes, str)
        Content and media type by name.
    """

    version: str
    files: MappingProxyType[str, tuple[bytes, str]]


def media_type(name: str) -> str:
    """The media type of a file by its suffix, with the character set where it is text."""
    suffix = "." + name.rpartition(".")[2]
    found = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{found}; charset=utf-8" if found.startswith("text/") else found


@cache
def page() -> Page:
    """The page as it is installed; read once."""
    folder = files("gateway").joinpath("page")
    content = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
    digest = hashlib.sha256()
    for name, data in sorted(content.items()):
        digest.update(f"{name} {len(data)}\n".encode() + data)
    version = digest.hexdigest()[:16]
    content[INDEX] = content[INDEX].replace(_PLACE.encode(), f"{FOLDER}{version}".encode())
    return Page(version, MappingProxyType({name: (data, media_type(name)) for name, data in content.items()}))


def _answer(request: Request, name: str, caching: str) -> Response:
    content, kind = page().files[name]
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**HEADERS, "ETag": etag, "Cache-Control": caching}
    if etag_matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=kind, headers=headers)


@router.head("/")
@router.get("/")
async def index(request: Request) -> Response:
    """The page; asked about each time, because it names the version of the rest."""
    return _answer(request, INDEX, _ASK_EACH_TIME)


@router.get(FOLDER + "{version}/{name}")
async def asset(request: Request, version: str, name: str) -> Response:
    """One file of the page. A version that is not ours is another gateway's: it gets ours, but keeps it not."""
    if name not in page().files or name == INDEX:
        raise NotFound("the page has no such file")
    return _answer(request, name, _FOR_GOOD if version == page().version else "no-store")


def is_open(path: str) -> bool:
    """Whether a path belongs to the page, which shows nothing of anybody: it needs no token."""
    return path == OPEN or path.startswith(FOLDER)
