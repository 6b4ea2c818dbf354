"""What surrounds every request: its id, its metrics, and the headers that keep answers where they belong."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import tus
from mesh.telemetry import GatewayMetrics
from mesh.trace_context import TRACEPARENT, span

REQUEST_ID = "X-Request-ID"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_STREAM = "text/event-stream"


class Exchange:
    """ASGI middleware around each request."""

    def __init__(self, app: ASGIApp, metrics: Callable[[], GatewayMetrics]) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        given = Headers(scope=scope)
        offered = given.get(REQUEST_ID, "")
        request_id = offered if _ID.match(offered) else secrets.token_hex(8)
        status, kind = 500, ""

        async def answer(message: Message) -> None:
            nonlocal status, kind
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")  # answers are about people
                if scope["path"].startswith(tus.PATH):
                    headers.setdefault("Tus-Resumable", tus.VERSION)  # in every answer, refusals too
                kind = headers.get("content-type", "")
            await send(message)

        metrics = self._metrics()
        started = time.monotonic()
        metrics.in_flight.inc()
        try:
            with span(given.get(TRACEPARENT)):
                await self._app(scope, receive, answer)
        finally:
            metrics.in_flight.dec()
            # what has no route is one value: addresses that do not exist come without end
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if route != "none" else "any"
            metrics.requests.labels(route, method, str(status)).inc()
            if not kind.startswith(_STREAM):
                metrics.request_seconds.labels(route, method).observe(time.monotonic() - started)
