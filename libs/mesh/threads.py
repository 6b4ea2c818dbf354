"""How many threads a codec may use inside one task: a matter of who runs the task, not of the task."""

from __future__ import annotations

import os
from contextvars import ContextVar

# PyAV holds the interpreter lock while a decoder works on the calling thread, and releases it while threads of the
# decoder do the work: who runs tasks on threads of one process gives each decoder threads of its own.
decoder_threads: ContextVar[int] = ContextVar("decoder_threads", default=1)
DECODER_THREADS_IN_ONE_PROCESS = 3


def encoder_threads() -> int:
    """Threads of an encoder, from `PULSEMESH_ENCODER_THREADS`; 1 where tasks outnumber cores."""
    return max(int(os.environ.get("PULSEMESH_ENCODER_THREADS", "1")), 1)
