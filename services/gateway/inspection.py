"""A first look at a clip, before anything is made of it."""

from __future__ import annotations

import logging
from pathlib import Path

from gateway.settings import GatewaySettings
from media.probe import Facts
from mesh.errors import OutOfMemory, OutOfTime, UnreadableVideo, WorkerCrashed
from mesh.service import Runtime

log = logging.getLogger(__name__)


class Inspection:
    """Looks at the head of a clip in a limited child."""

    def __init__(self, runtime: Runtime, settings: GatewaySettings) -> None:
        self._runtime, self._settings = runtime, settings

    async def __call__(self, clip: Path) -> Facts | None:
        """What the head of a clip shows; what it cannot show ends the job instead. None if there was no time.

        Raises
        ------
        RecordingFailure
            The one that says why the clip cannot be used.
        """
        settings = self._settings
        try:
            return await self._runtime.run_limited(
                "gateway.clip:inspect", str(clip), settings.limits, returns=Facts, wall_s=settings.probe_s
            )
        except OutOfTime:
            log.warning("a clip was not inspected in time")  # a busy machine is not the clip's fault
            return None
        except (OutOfMemory, WorkerCrashed) as error:
            raise UnreadableVideo("reading the head of this file ended the reader") from error
