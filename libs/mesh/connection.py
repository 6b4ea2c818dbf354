"""The connection to NATS: made again for ever, every request bounded, nothing that waits for a lost answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Self, TypeVar

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.client import JetStreamContext
from nats.js.errors import APIError

from mesh import subjects
from mesh.errors import Failure, Unavailable
from mesh.settings import MeshSettings

log = logging.getLogger(__name__)

T = TypeVar("T")

OLDEST_SERVER = (2, 12)  # per-message lifetimes and strict requests; older ones ignore what they do not know
NO_STREAM = 10059  # lost with the store of the broker, and on its way back


def end_process() -> None:
    """What a service does when its connection is closed for good: end, so that it is started anew."""
    log.error("the connection to the broker is closed for good")
    os.kill(os.getpid(), signal.SIGTERM)


class Connection:
    """A connection to the broker that is made again for ever.

    Attributes
    ----------
    settings : MeshSettings
    generation : int
        Grows with every new connection; who follows a stream begins again when it changes.
    """

    def __init__(self, settings: MeshSettings, on_closed: Callable[[], None] | None = None) -> None:
        self.settings = settings
        self.generation = 0
        self.nc: Client = Client()
        self.js: JetStreamContext = self.nc.jetstream(timeout=settings.request_timeout_s)
        self._on_closed = on_closed
        self._closing = False
        self._last_error: Exception | None = None
        self._said: Exception | None = None  # a broker that is away says the same four times a second
        self._denied = asyncio.Event()
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._up = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # --- connection

    @classmethod
    async def connect(
        cls, settings: MeshSettings, *, name: str = "pulsemesh", on_closed: Callable[[], None] | None = end_process
    ) -> Self:
        """Connect, check the server's version and make the streams what they have to be.

        Raises
        ------
        Unavailable
            If no server answers within `settings.connect_timeout_s`, refuses us, or is too old.
        """
        bus = cls(settings, on_closed)
        try:
            await bus._connect(name)
            await bus.provision()
        except BaseException:
            await bus.close()
            raise
        return bus

    async def _connect(self, name: str) -> None:
        settings = self.settings
        connecting = asyncio.ensure_future(
            self.nc.connect(
                servers=settings.nats_url.split(","),
                name=name,
                user=settings.nats_user,
                password=settings.nats_password.get_secret_value() if settings.nats_password else None,
                token=settings.nats_token.get_secret_value() if settings.nats_token else None,
                error_cb=self._error,
                disconnected_cb=self._disconnected,
                reconnected_cb=self._reconnected,
                closed_cb=self._closed,
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.25,
                ping_interval=20,  # a dead peer is noticed in 40 s; the default takes 4 minutes
                connect_timeout=2,
            )
        )
        denied = asyncio.ensure_future(self._denied.wait())
        try:
            await asyncio.wait(
                {connecting, denied}, timeout=settings.connect_timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not connecting.done() or connecting.exception() is not None:
                why = f": {self._last_error}" if self._last_error else ""
                raise Unavailable(f"the broker at {settings.nats_url} cannot be reached{why}")
        finally:
            for future in (connecting, denied):
                future.cancel()
            await asyncio.gather(connecting, denied, return_exceptions=True)
        version = self.nc.connected_server_version
        if (version.major, version.minor) < OLDEST_SERVER:
            raise Unavailable(
                f"nats-server {version.major}.{version.minor} is too old",
                hint=f"Run nats-server {OLDEST_SERVER[0]}.{OLDEST_SERVER[1]} or later.",
            )
        self.generation += 1
        self._up.set()

    async def _error(self, error: Exception) -> None:
        if not self._denied.is_set():
            self._last_error = error
        if isinstance(error, nats.errors.AuthorizationError) or "authorization" in str(error).lower():
            self._denied.set()
            if self.generation:  # we were let in before: end, instead of asking for ever with a password that changed
                self._spawn(self.nc.close())
        if not self.nc.is_connected and self.nc._transport is not None:
            self.nc._transport.close()  # the client forgets the one of a failed attempt, open
        if str(error) != str(self._said):
            self._said = error
            log.warning("broker connection error", extra={"error": repr(error)})

    async def _disconnected(self) -> None:
        self._up.clear()
        if not self._lost.done():  # answers that were on their way are lost: do not wait out their timeouts
            self._lost.set_result(None)

    async def _reconnected(self) -> None:
        self.generation += 1
        self._lost = asyncio.get_running_loop().create_future()
        self._up.set()
        self._said = None
        log.info("connected to the broker again", extra={"server": self.server_id})
        self._spawn(self._provision_again())  # the new server may have lost its store

    async def _closed(self) -> None:
        self._up.clear()
        if not self._closing and self._on_closed is not None:
            self._on_closed()

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _provision_again(self) -> None:
        for wait in (0.0, 0.5, 2.0, 5.0):
            await asyncio.sleep(wait)
            try:
                await self.provision()
                return
            except (Failure, nats.errors.Error) as error:
                log.warning("streams could not be checked", extra={"error": repr(error)})

    async def provision(self) -> list[str]:
        """See `mesh.subjects.provision`.

        Raises
        ------
        Unavailable
            If the broker does not answer, or has no JetStream.
        """
        deadline = time.monotonic() + self.settings.connect_timeout_s
        while True:
            try:
                changed = await subjects.provision(self.js, self.settings)
            except (APIError, nats.errors.Error) as error:
                if time.monotonic() < deadline and (not isinstance(error, APIError) or error.code == 503):
                    await asyncio.sleep(0.2)  # a broker that just started opens its streams
                    continue
                raise Unavailable(f"the broker refused the streams: {error}") from error
            if changed:
                log.info("streams provisioned", extra={"changed": changed})
            return changed

    async def close(self) -> None:
        """Flush and close. Work that still waits for an answer fails."""
        self._closing = True
        for task in list(self._tasks):
            task.cancel()
        if self.nc.is_connected:
            with contextlib.suppress(nats.errors.Error, OSError, asyncio.TimeoutError):
                await self.nc.flush(2)
        with contextlib.suppress(nats.errors.Error, OSError, asyncio.TimeoutError):
            await self.nc.close()
        if not self._lost.done():
            self._lost.cancel()

    @property
    def closed(self) -> bool:
        """Whether the connection will not come back."""
        return self._closing or bool(self.nc.is_closed)

    @property
    def connected(self) -> bool:
        """Whether the broker can be reached now."""
        return bool(self.nc.is_connected)

    @property
    def server_id(self) -> str:
        """Identity of the server that we are connected to; another one after its restart."""
        return str(self.nc._server_info.get("server_id", ""))

    @property
    def server_version(self) -> str:
        """Version of the server."""
        return str(self.nc._server_info.get("version", ""))

    # --- requests

    async def request(
        self, subject: str, payload: bytes = b"", headers: Mapping[str, str] | None = None, limit_s: float | None = None
    ) -> Msg:
        """One request, answered or failed within `limit_s` seconds (`settings.request_timeout_s`).

        Raises
        ------
        Unavailable
            If there is no answer: no connection, a lost one, a timeout, nobody who listens.
        """
        limit = limit_s if limit_s is not None else self.settings.request_timeout_s
        await self.wait_connected(limit)
        header = dict(headers) if headers else None
        try:
            return await self.unless_lost(self.nc.request(subject, payload, timeout=limit, headers=header))
        except (TimeoutError, nats.errors.Error, OSError) as error:
            raise Unavailable(f"the broker did not answer: {error!r}") from error

    async def wait_connected(self, limit_s: float | None = None) -> None:
        """Return once there is a connection. Raises Unavailable after `limit_s` seconds without."""
        if not self._up.is_set():
            try:
                await asyncio.wait_for(self._up.wait(), self.settings.request_timeout_s if limit_s is None else limit_s)
            except TimeoutError:
                raise Unavailable("there is no connection to the broker") from None

    async def unless_lost(self, waiting: Coroutine[Any, Any, T]) -> T:
        """Result of `waiting`; Unavailable at once when the connection is lost, with which its answer is."""
        answer = asyncio.ensure_future(waiting)
        either: set[asyncio.Future[Any]] = {answer, self._lost}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            raise Unavailable("the connection to the broker was lost")
        finally:
            if not answer.done():
                answer.cancel()

    async def again(self, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Repeat what may be repeated over a short restart of the broker."""
        deadline, pause = time.monotonic() + self.settings.read_retry_s, 0.05
        while True:
            try:
                return await call()
            except Unavailable:
                if self._closing or time.monotonic() + pause > deadline:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)

    async def api(self, verb: str, request: Mapping[str, Any] | None = None, *, repeat: bool = True) -> dict[str, Any]:
        """One call of the JetStream API, its answer as JSON; repeated for a while where there is none.

        Raises
        ------
        Unavailable
            If there is no answer.
        nats.js.errors.APIError
            If the broker refuses.
        """
        payload = json.dumps(request).encode() if request else b""

        async def call() -> dict[str, Any]:
            answer: dict[str, Any] = json.loads((await self.request(f"$JS.API.{verb}", payload)).data)
            error = answer.get("error")
            if error is not None:
                if error["code"] == 503 or error.get("err_code") == NO_STREAM:
                    raise Unavailable(f"the broker is not ready: {error.get('description')}")
                raise APIError.from_error(error)
            return answer

        return await (self.again(call) if repeat else call())
