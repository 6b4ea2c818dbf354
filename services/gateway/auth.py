"""Who may ask: a bearer token where one is set; without one, only pages and names of this machine."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.problems import failure_response
from gateway.settings import GatewaySettings, is_loopback
from mesh.errors import Failure, Forbidden, Unauthorized

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})  # for whoever runs it; they show no recording


def token_accepted(header: str | None, digests: tuple[str, ...]) -> bool:
    """Whether an `Authorization` header holds a token with one of the SHA-256 `digests`, in constant time."""
    scheme, _, token = (header or "").partition(" ")
    offered = hashlib.sha256(token.strip().encode()).hexdigest()
    right = False
    for digest in digests:
        right |= hmac.compare_digest(offered, digest)
    return right and scheme.lower() == "bearer"


def refusal(headers: Headers, method: str, settings: GatewaySettings) -> Failure | None:
    """Why a request is refused, None if it is not.

    Without a token whoever can send a request is trusted, so what a web page makes a browser send must not count: a
    page of another origin is refused, and so is a name that somebody pointed at this machine (DNS rebinding).
    """
    if settings.token_digests:
        if token_accepted(headers.get("authorization"), settings.token_digests):
            return None
        return Unauthorized("the token is missing or wrong")
    host = headers.get("host", "")
    if not is_loopback(urlsplit(f"//{host}").hostname or ""):
        return Forbidden("this gateway has no token and answers to names of this machine alone", hint=_HINT)
    origin = headers.get("origin")
    same = origin is not None and urlsplit(origin).netloc == host
    if origin is not None and not same and origin not in settings.origins:
        return Forbidden("a page of another origin may not ask")
    return None


_HINT = "Use http://127.0.0.1, or set PULSEMESH_API_TOKEN_SHA256."


class Guard:
    """ASGI middleware: refuses a request before a byte of its body is read."""

    def __init__(self, app: ASGIApp, settings: GatewaySettings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            return await self._app(scope, receive, send)
        failure = refusal(Headers(scope=scope), scope["method"], self._settings)
        if failure is None:
            return await self._app(scope, receive, send)
        response = failure_response(failure, scope["path"], retry_after_s=self._settings.retry_after_s)
        await response(scope, receive, send)
