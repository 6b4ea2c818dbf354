"""The FastAPI app of a service. (Signatures; the implementation follows.)

app = create_app("gateway", settings, stages=["split"], components=[lambda rt: coordinator(rt), ...])
app.state.runtime is the Runtime; app.include_router(...) as usual.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from fastapi import FastAPI

from mesh.blobs import BlobStore
from mesh.bus import Bus
from mesh.jobs import JobTable
from mesh.settings import MeshSettings


class Runtime:
    """What a service holds while it runs: `request.app.state.runtime`."""

    settings: MeshSettings
    bus: Bus
    blobs: BlobStore
    jobs: JobTable
    stopping: asyncio.Event  # set at SIGTERM: end long responses (SSE)

    async def run_limited(self, function: str, *args: object, wall_s: float = 10.0) -> object:
        """See mesh.children.ChildPool.call: run `module:function` in a warm limited child; a typed failure or its result."""
        raise NotImplementedError


def create_app(
    name: str,
    settings: MeshSettings | None = None,
    *,
    stages: Sequence[str] | None = None,
    handlers: Mapping[str, str] | None = None,
    components: Sequence[Callable[[Runtime], Awaitable[None]]] = (),
) -> FastAPI:
    """App with /healthz /readyz /metrics /info, a worker for `stages` (default: those that STAGES gives the service),
    and `components`: coroutines that run from start to stop (coordinator, dead letters)."""
    raise NotImplementedError


def run(name: str, app: FastAPI | None = None) -> None:
    """`python -m <service>`: serve until SIGTERM, drained."""
    raise NotImplementedError
