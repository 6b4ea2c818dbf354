"""A nats-server of our own. (Signatures; the implementation follows.)"""

from __future__ import annotations

from pathlib import Path


class Broker:
    """A real nats-server on a free port with its own store, user and password; dies with its parent.

    `with Broker(store) as broker: MeshSettings(**broker.settings())`
    """

    url: str
    user: str
    password: str

    def __init__(self, store: Path | None = None, *, sync_always: bool = False) -> None:
        raise NotImplementedError

    def start(self, timeout_s: float = 10.0) -> None:
        """Start, and verify that the server reached is this one and >= 2.12. Raises BrokerError."""
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        """SIGKILL; `start()` again keeps port and store."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """PULSEMESH_NATS_… for the services' processes."""
        raise NotImplementedError
