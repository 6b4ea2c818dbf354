"""The part of the service that answers previews: wiring only."""

from __future__ import annotations

from mesh.errors import BadRequest, Conflict, NotFound
from mesh.names import BlobName
from mesh.preview import KIND, SkinPreview, SkinPreviewRequest
from mesh.requests import Responder
from mesh.service import Runtime

MODULE = "segmenter.preview"  # what a warm child imports
_SECONDS = 8.0
_MEMORY = 1 << 30


async def answer_previews(runtime: Runtime) -> None:
    """A component of the service: answers requests for previews for ever."""

    async def answer(message: bytes) -> bytes:
        request, picture = SkinPreviewRequest.unpack(message)
        blobs: list[bytes] = []
        if request.plan is not None and request.chunk is not None:
            if picture:
                raise BadRequest("a picture or a recording, not both")
            try:
                blobs = [await runtime.blobs.read(BlobName.parse(name)) for name in (request.plan, request.chunk)]
            except NotFound:
                raise Conflict("this clip is no longer kept", hint="Send the clip again.") from None
        found = await runtime.run_limited(
            f"{MODULE}:preview_message", message, *blobs, returns=SkinPreview, wall_s=_SECONDS, memory_bytes=_MEMORY
        )
        return found.model_dump_json().encode()

    await Responder(runtime.bus, KIND, answer, waiting=8).run()
