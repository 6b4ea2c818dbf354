"""Tasks that were handed out too often. (Signatures; the implementation follows.)"""

from __future__ import annotations

from mesh.blobs import BlobStore
from mesh.bus import Bus


class DeadLetters:
    """Writes the failure blob DeliveriesExhausted and removes the task. Runs in every gateway."""

    def __init__(self, bus: Bus, blobs: BlobStore) -> None:
        raise NotImplementedError

    async def run(self) -> None:
        """For ever."""
        raise NotImplementedError
