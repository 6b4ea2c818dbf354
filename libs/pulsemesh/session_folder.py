"""The temporary folder of one embedded mesh: it holds recordings of people, so it must not outlive its mesh."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "pulsemesh-mesh-"
LOCK = "in-use"


class SessionFolder:
    """A folder only we can read, removed by `remove`, or by the next mesh of the same user if we were killed.

    A lock that the kernel lets go of when its process ends says whether a folder is still in use.

    Attributes
    ----------
    path : Path
    """

    def __init__(self) -> None:
        remove_left_behind()
        made = Path(tempfile.mkdtemp(prefix="pulsemesh-new-"))
        self._lock = os.open(made / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.path = made.rename(made.with_name(made.name.replace("pulsemesh-new-", PREFIX)))  # locked before it is seen

    def remove(self) -> None:
        """Remove it with all that it holds; a second call does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def remove_left_behind() -> list[Path]:
    """Remove folders of meshes that were killed; what was removed."""
    removed = []
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # somebody else's, not complete yet, or gone already
            if folder.stat().st_uid != os.getuid():
                continue
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(folder)
            finally:
                os.close(lock)
    return removed
