"""Signed links: an address that works for a short time without a header, for `<video>`, EventSource and WebSocket.

A link is bound to one path and one tenant: `?expires=…&tenant=…&signature=…`, HMAC-SHA256 over these. All gateways
share the key, which is made once and kept by the broker.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from urllib.parse import urlencode

from gateway.principals import Principal, Scope
from mesh import subjects
from mesh.bus import NEW_SUBJECT, Bus, SubjectTaken, WrongSequence
from mesh.errors import LinkExpired, Unavailable

KEY_BYTES = 32
SIGNATURE = "signature"


class Signer:
    """Signs and checks links and webhooks with the key of the mesh."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._key: bytes | None = None

    async def key(self) -> bytes:
        """The key; made by whoever asks first. Raises Unavailable."""
        if self._key is None:
            subject = subjects.secret_subject("signing")
            with contextlib.suppress(WrongSequence, SubjectTaken):  # another gateway was first
                await self._bus.append(subject, secrets.token_bytes(KEY_BYTES), expect=NEW_SUBJECT)
            found = await self._bus.last(subjects.JOBS, subject)
            if found is None or len(found.data) != KEY_BYTES:
                raise Unavailable("the key for signatures cannot be read")
            self._key = found.data
        return self._key

    async def derived(self, purpose: str) -> bytes:
        """A key of its own for one purpose. Raises Unavailable."""
        return hmac.new(await self.key(), purpose.encode(), hashlib.sha256).digest()

    async def _signature(self, path: str, tenant: str, expires: int) -> str:
        said = f"{path}\n{tenant}\n{expires}".encode()
        digest = hmac.new(await self.derived("link"), said, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    async def link(self, path: str, tenant: str, seconds: float, now: float | None = None) -> tuple[str, int]:
        """A signed address for `path`, and when it ends (Unix time). Raises Unavailable."""
        expires = int((time.time() if now is None else now) + seconds)
        query = {"expires": expires, "tenant": tenant, SIGNATURE: await self._signature(path, tenant, expires)}
        return f"{path}?{urlencode(query)}", expires

    async def check(self, path: str, query: Mapping[str, str], now: float | None = None) -> Principal:
        """Who a signed link speaks for: its tenant, reading only.

        Raises
        ------
        LinkExpired
            If its time is over, or a part of it was changed.
        Unavailable
            If the key cannot be read.
        """
        expires, tenant = query.get("expires", ""), query.get("tenant", "")
        if not (expires.isascii() and expires.isdecimal() and len(expires) <= 12):
            raise LinkExpired("the link is not whole")
        right = await self._signature(path, tenant, int(expires))
        if not hmac.compare_digest(right.encode(), query.get(SIGNATURE, "").encode()):
            raise LinkExpired("the link is not whole")
        if int(expires) < (time.time() if now is None else now):
            raise LinkExpired("its time is over")
        return Principal(tenant, frozenset({Scope.READ, Scope.LIVE}), limited=True)
