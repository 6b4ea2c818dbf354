"""Blobs in JetStream. (Signatures; the implementation follows.)"""

from __future__ import annotations

from mesh.blobs import BlobStore
from mesh.bus import Bus
from mesh.settings import MeshSettings


def open_blobs(bus: Bus, settings: MeshSettings) -> BlobStore:
    """The store that the settings name: JetStreamBlobs, or ObjectBlobs on a directory or bucket."""
    raise NotImplementedError


class JetStreamBlobs:
    """mesh.blobs.BlobStore on JetStream; also `sweep(recording)` removes parts of lost attempts."""

    def __init__(self, bus: Bus) -> None:
        raise NotImplementedError
