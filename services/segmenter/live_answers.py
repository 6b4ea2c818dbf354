"""The part of the service that decodes coded live sessions: wiring only. Its children start with the first request."""

from __future__ import annotations

from mesh.child_pool import ChildPool
from mesh.live import MEDIA_KIND, LiveColours
from mesh.requests import Responder
from mesh.service import Runtime

CHILDREN = 2  # at most; one a core
_MODULE = "segmenter.live_media"
_SECONDS = 4.0
_MEMORY = 768 << 20
_FILE_BYTES = 1 << 20


async def answer_live_media(runtime: Runtime) -> None:
    """A component of the service: answers requests for the colours of coded video for ever."""
    pool = ChildPool(min(runtime.settings.slots, CHILDREN), [_MODULE], _MEMORY, _FILE_BYTES)

    async def answer(message: bytes) -> bytes:
        found = await pool.call(f"{_MODULE}:answer", message, returns=LiveColours, wall_s=_SECONDS)
        return found.model_dump_json(exclude_defaults=True).encode()

    try:
        await Responder(runtime.bus, MEDIA_KIND, answer).run()
    finally:
        await pool.close()
