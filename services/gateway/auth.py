"""Who may ask: a bearer token or a signed link where tokens are set; else only pages and names of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from gateway import tus
from gateway.links import SIGNATURE, Signer
from gateway.page_api import is_open
from gateway.principals import Principal, Tokens
from gateway.principals import Scope as TokenScope
from gateway.problems import failure_response
from gateway.rate_limits import RateLimits, Standing
from gateway.settings import GatewaySettings, is_loopback
from mesh.errors import Failure, Forbidden, RateLimited, Unauthorized

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})  # for whoever runs it; they show no recording
SUBMISSIONS, REQUESTS = "submissions", "requests"  # rate limits
_SUBMITTING = frozenset({"/v1/jobs", tus.PATH})
_HINT = "Use http://127.0.0.1, or set PULSEMESH_API_TOKEN_SHA256."


def refusal(headers: Headers, settings: GatewaySettings) -> Failure | None:
    """Why a request is refused by a gateway without tokens, None if it is not.

    There whoever can send a request is trusted, so what a web page makes a browser send must not count: a page of
    another origin is refused, and so is a name that somebody pointed at this machine (DNS rebinding).
    """
    host = headers.get("host", "")
    if not is_loopback(urlsplit(f"//{host}").hostname or ""):
        return Forbidden("this gateway has no token and answers to names of this machine alone", hint=_HINT)
    origin = headers.get("origin")
    same = origin is not None and urlsplit(origin).netloc == host
    if origin is not None and not same and origin not in settings.origins:
        return Forbidden("a page of another origin may not ask")
    return None


class Guard:
    """ASGI middleware: refuses a request before a byte of its body is read, and says who asks to what comes behind it.

    Parameters
    ----------
    tokens : Tokens
    signer : callable
        The `Signer`, once the service runs.
    limits : RateLimits
        With the policies `submissions` and `requests`.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: GatewaySettings,
        tokens: Tokens,
        signer: Callable[[], Signer],
        limits: RateLimits,
    ) -> None:
        self._app, self._settings, self._tokens, self._signer, self._limits = app, settings, tokens, signer, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN_PATHS or is_open(scope["path"]):
            return await self._app(scope, receive, send)
        standing: Standing | None = None
        try:
            principal = await self._principal(scope)
            if principal.limited:
                submitting = scope.get("method") == "POST" and scope["path"] in _SUBMITTING
                policy = SUBMISSIONS if submitting else REQUESTS
                standing = self._limits.take(policy, principal.tenant, time.monotonic())
                if standing is not None and not standing.allowed:
                    raise RateLimited(f"at most {standing.policy.quota} in {standing.policy.window_s:g} s")
        except Failure as failure:
            return await self._refuse(failure, standing, scope, receive, send)
        scope.setdefault("state", {})["principal"] = principal

        async def answer(message: Message) -> None:
            if standing is not None and message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(standing.headers())
            await send(message)

        await self._app(scope, receive, answer)

    async def _principal(self, scope: Scope) -> Principal:
        headers = Headers(scope=scope)
        if not self._tokens.needed:
            failure = refusal(headers, self._settings)
            if failure is not None:
                raise failure
            return Principal()
        found = self._tokens.find(headers.get("authorization"))
        if found is not None:
            return found
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        reading = scope["type"] == "websocket" or scope["method"] in ("GET", "HEAD")
        if SIGNATURE in query and reading and "authorization" not in headers:
            return await self._signer().check(scope["path"], query)
        raise Unauthorized("the token is missing or wrong")

    async def _refuse(
        self, failure: Failure, standing: Standing | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        headers = standing.headers() if standing is not None else {}
        response = failure_response(failure, scope["path"], retry_after_s=self._settings.retry_after_s, headers=headers)
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(response)
        else:
            await response(scope, receive, send)


def principal_of(connection: HTTPConnection) -> Principal:
    """Who asks, as `Guard` found."""
    found: Principal = connection.state.principal
    return found


def needs(scope: TokenScope) -> Callable[[HTTPConnection], Principal]:
    """A dependency of a route: who asks, whose token must have a scope."""

    def check(connection: HTTPConnection) -> Principal:
        principal = principal_of(connection)
        principal.require(scope)
        return principal

    return check


Reader = Annotated[Principal, Depends(needs(TokenScope.READ))]
Writer = Annotated[Principal, Depends(needs(TokenScope.WRITE))]
Eraser = Annotated[Principal, Depends(needs(TokenScope.ERASE))]
Watcher = Annotated[Principal, Depends(needs(TokenScope.LIVE))]
