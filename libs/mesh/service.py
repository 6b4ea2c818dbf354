"""The FastAPI app of a service, and its life: `python -m <service>` serves until SIGTERM, and leaves nothing undone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from types import FrameType
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from mesh.blobs import BlobStore
from mesh.bus import Bus
from mesh.child_pool import ChildPool
from mesh.connection import end_process
from mesh.errors import Failure
from mesh.graph import STAGES
from mesh.jetstream_blobs import open_blobs
from mesh.jobs import JobTable
from mesh.settings import MeshSettings
from mesh.telemetry import Telemetry, configure_logging
from mesh.worker import Worker

log = logging.getLogger(__name__)

T = TypeVar("T")
RESTART_S = 1.0  # a component that failed is started again after this
CALL_FILE_BYTES = 1 << 30
WEBSOCKET_BYTES, WEBSOCKET_MESSAGES = 1 << 20, 8  # of one message, and how many wait on a connection


def package_version() -> str:
    """Version of the installed distribution."""
    try:
        return version("pulsemesh")
    except PackageNotFoundError:
        return "unknown"


class Runtime:
    """What a service holds while it runs: `request.app.state.runtime`.

    Attributes
    ----------
    bus, blobs, jobs, worker
        From the start of the app on; `worker` is None for a service without stages.
    telemetry : Telemetry
    stopping : asyncio.Event
        Set at SIGTERM: long responses (SSE) end now.
    """

    bus: Bus
    blobs: BlobStore
    jobs: JobTable

    def __init__(
        self,
        name: str,
        settings: MeshSettings,
        stages: Sequence[str],
        handlers: Mapping[str, str],
        components: Sequence[Callable[[Runtime], Awaitable[None]]],
        call_modules: Sequence[str],
        more_info: Callable[[], Mapping[str, Any]] | None = None,
        more_ready: Callable[[], bool] | None = None,
    ) -> None:
        self.name, self.settings, self.stages = name, settings, list(stages)
        self.telemetry = Telemetry(name)
        self.worker: Worker | None = None
        self.stopping = asyncio.Event()
        self.broken = False
        self._handlers, self._components, self._more_info = handlers, components, more_info
        self._more_ready = more_ready
        self._tasks: list[asyncio.Task[None]] = []
        self._calls = ChildPool(
            1, list(call_modules), settings.child_memory_bytes, CALL_FILE_BYTES, on_end=self._call_ended
        )

    async def start(self) -> None:
        """Connect, provision, start the worker and the components.

        Raises
        ------
        Unavailable
            If the broker cannot be used.
        """
        self.bus = await Bus.connect(self.settings, name=self.name, on_closed=self._closed)
        self.blobs = open_blobs(self.bus, self.settings)
        self.jobs = JobTable(self.bus)
        await self.jobs.start()
        if self._calls.modules:
            await self._calls.start()
        if self.stages:
            self.worker = Worker(
                self.bus,
                self.blobs,
                self.jobs,
                stages=self.stages,
                settings=self.settings,
                telemetry=self.telemetry,
                handlers=self._handlers,
                name=self.name,
            )
            await self.worker.start()
        self._tasks = [asyncio.create_task(self._keep(component)) for component in self._components]
        log.info("service started", extra=self.info())

    async def _keep(self, component: Callable[[Runtime], Awaitable[None]]) -> None:
        while True:
            try:
                await component(self)
                return
            except Exception:
                log.exception("a component failed and is started again")
            await asyncio.sleep(RESTART_S)

    def _closed(self) -> None:
        self.broken = True
        end_process()

    def _call_ended(self, reason: str) -> None:
        self.telemetry.children_restarts.labels(reason).inc()

    async def drain(self) -> None:
        """Not ready any more; finish what runs within the grace period, hand back the rest."""
        self.stopping.set()
        if self.worker is not None:
            await self.worker.stop()

    async def stop(self) -> None:
        """Drain, stop the components, close the connection."""
        await self.drain()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._calls.close()
        if hasattr(self, "jobs"):
            await self.jobs.stop()
        if hasattr(self, "bus"):
            await self.bus.close()

    @property
    def ready(self) -> bool:
        """Whether it can do its work now."""
        up = hasattr(self, "bus") and self.bus.connected and not self.stopping.is_set()
        up = up and (self._more_ready is None or self._more_ready())
        return up and (self.worker is None or self.worker.ready)

    def info(self) -> dict[str, Any]:
        """What this service is."""
        connected = hasattr(self, "bus") and self.bus.connected
        return {
            "service": self.name,
            "version": package_version(),
            "stages": self.stages,
            "slots": self.settings.slots if self.stages else 0,
            "blobs": self.settings.blobs.partition(":")[0],
            "isolated_children": self.worker.isolated if self.worker is not None else None,
            "broker": {"connected": connected, "version": self.bus.server_version if connected else None},
            **(self._more_info() if self._more_info is not None else {}),
        }

    async def run_limited(
        self, function: str, *args: Any, returns: type[T], wall_s: float = 10.0, memory_bytes: int | None = None
    ) -> T:
        """Run `module:function` in a warm limited child of its own. See `mesh.children.ChildPool.call`."""
        return await self._calls.call(function, *args, returns=returns, wall_s=wall_s, memory_bytes=memory_bytes)


def create_app(
    name: str,
    settings: MeshSettings | None = None,
    *,
    stages: Sequence[str] | None = None,
    handlers: Mapping[str, str] | None = None,
    components: Sequence[Callable[[Runtime], Awaitable[None]]] = (),
    call_modules: Sequence[str] = (),
    info: Callable[[], Mapping[str, Any]] | None = None,
    ready: Callable[[], bool] | None = None,
    title: str | None = None,
    **fastapi: Any,
) -> FastAPI:
    """The app of a service: `/healthz`, `/readyz`, `/metrics`, `/info`, its worker and its components.

    Parameters
    ----------
    name : str
        Of the service.
    settings : MeshSettings, optional
        From the environment if not given.
    stages : sequence of str, optional
        What its worker runs; what the graph gives to the service if not given.
    handlers : mapping, optional
        Stage to `module:function`, instead of the installed entry points.
    components : sequence of callables
        Each makes a coroutine of the `Runtime` that runs from start to stop; one that fails is started again.
    call_modules : sequence of str
        Modules that the child of `Runtime.run_limited` imports at the start.
    info : callable, optional
        More of `/info`.
    ready : callable, optional
        Whether what the service needs besides its worker is ready, for `/readyz`.
    **fastapi
        For `FastAPI`.

    Returns
    -------
    FastAPI
        With `app.state.runtime`, `app.state.settings`.
    """
    settings = settings or MeshSettings()
    mine = [stage.name for stage in STAGES.values() if stage.service == name] if stages is None else list(stages)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        runtime = Runtime(name, settings, mine, handlers or {}, components, call_modules, info, ready)
        app.state.runtime = runtime
        try:
            await runtime.start()
            yield
        finally:
            await runtime.stop()

    app = FastAPI(title=title or f"Pulsemesh {name}", version=package_version(), lifespan=lifespan, **fastapi)
    app.state.settings = settings

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> JSONResponse:
        worker: Worker | None = app.state.runtime.worker
        healthy = worker is None or worker.healthy
        return JSONResponse({"status": "ok" if healthy else "broken"}, status_code=200 if healthy else 500)

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        ready = app.state.runtime.ready
        return JSONResponse({"ready": ready}, status_code=200 if ready else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        runtime: Runtime = app.state.runtime
        runtime.telemetry.connected.set(runtime.bus.connected)
        runtime.telemetry.connections.set(runtime.bus.generation)
        return Response(runtime.telemetry.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/info", include_in_schema=False)
    async def about() -> dict[str, Any]:
        runtime: Runtime = app.state.runtime
        return runtime.info()

    return app


class _Server(uvicorn.Server):
    """Serves until a signal; then drains (answering, not ready), then ends. A second signal ends at once."""

    def __init__(self, app: FastAPI, settings: MeshSettings) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=5,
                ws_max_size=WEBSOCKET_BYTES,
                ws_max_queue=WEBSOCKET_MESSAGES,
            )
        )
        self._app, self._settings = app, settings
        self._draining: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: Any = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.should_exit or not self.servers:
            return
        port = self.servers[0].sockets[0].getsockname()[1]
        log.info("listening", extra={"host": self._settings.host, "port": port})
        if self._settings.port_file is not None:
            partial = self._settings.port_file.with_suffix(".partial")
            partial.write_text(str(port))
            partial.replace(self._settings.port_file)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._loop is None or self._draining is not None:
            self.should_exit = self.force_exit = True
            return
        self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        if self._draining is None:
            self._draining = asyncio.ensure_future(self._drain_then_exit())

    async def _drain_then_exit(self) -> None:
        log.info("draining")
        runtime: Runtime | None = getattr(self._app.state, "runtime", None)
        try:
            if runtime is not None:
                await runtime.drain()
        finally:
            self.should_exit = True


def run(name: str, app: FastAPI | None = None) -> None:
    """Serve until SIGTERM or SIGINT: drained, exit status 0; 1 if the service could not start or lost its broker."""
    settings: MeshSettings = app.state.settings if app is not None else MeshSettings()
    configure_logging(name, settings.log_level, as_json=settings.log_json)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the server has its own handlers
    app = app or create_app(name, settings)
    server = _Server(app, settings)
    try:
        server.run()
    except Failure as failure:
        log.error("the service cannot start", extra={"detail": failure.detail, "hint": failure.hint})
        sys.exit(1)
    runtime: Runtime | None = getattr(app.state, "runtime", None)
    sys.exit(0 if server.started and runtime is not None and not runtime.broken else 1)
