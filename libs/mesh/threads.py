"""How many threads a codec may use inside one task: a matter of who runs the task, not of the task."""

from __future__ import annotations

import os


def encoder_threads() -> int:
    """Threads of an encoder, from `PULSEMESH_ENCODER_THREADS`; 1 where tasks outnumber cores."""
    return max(int(os.environ.get("PULSEMESH_ENCODER_THREADS", "1")), 1)
