"""Answers to live sessions: readings are computed in children, which are started with the first request."""

from __future__ import annotations

from mesh.child_pool import ChildPool
from mesh.errors import Internal, OutOfMemory, OutOfTime, Unavailable, WorkerCrashed
from mesh.live import KIND, LiveReading
from mesh.requests import Responder
from mesh.service import Runtime

CHILDREN = 2  # at most; one a core
ANSWER_S = 5.0  # a reading takes a tenth of a second; a busy machine takes longer
FILE_BYTES = 1 << 20


async def answer_live(runtime: Runtime) -> None:
    """Answer for as long as the service runs."""
    settings = runtime.settings
    pool = ChildPool(min(settings.slots, CHILDREN), ["ppg.live"], settings.child_memory_bytes, FILE_BYTES)

    async def answer(request: bytes) -> bytes:
        try:
            reading: LiveReading = await pool.call("ppg.live:answer", request, returns=LiveReading, wall_s=ANSWER_S)
        except (OutOfMemory, OutOfTime, WorkerCrashed, Internal) as failure:
            raise Unavailable("a reading could not be computed") from failure
        return reading.model_dump_json().encode()

    try:
        await Responder(runtime.bus, KIND, answer).run()
    finally:
        await pool.close()
