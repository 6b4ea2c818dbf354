"""How many tasks the workers can run at once. (Signatures; the implementation follows.)"""

from __future__ import annotations

from mesh.bus import Bus


class SlotCounter:
    """Sums what workers announce on `worker.<stage>`."""

    def __init__(self, bus: Bus) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        raise NotImplementedError

    async def stop(self) -> None:
        raise NotImplementedError

    def slots(self, stage: str) -> int:
        """Slots of live workers for `stage`."""
        raise NotImplementedError

    def width(self, active_jobs: int) -> int:
        """W = max(2, 2*slots/active jobs), over the stage with the most slots."""
        raise NotImplementedError
