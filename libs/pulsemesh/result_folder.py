"""The folder that results are written to: each file whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from pulsemesh.arguments import ArgumentError

FILES = (
    "result.json", "report.html", "pulse.csv", "pulse.png", "skin.jpg", "magnified.mp4",
    "amplitude.png", "delay.png", "rate.png", "quality.png", "vessels.png", "maps.npz", "overlay.mp4",
)  # fmt: skip


class ResultFolder:
    """Collects files in a hidden folder beside the target, and moves them into it at the end.

    Use in a `with` block; without `commit` nothing is left behind, not even folders that it made.

    Parameters
    ----------
    target : Path

    Raises
    ------
    ArgumentError
        If the target is a file or cannot be written.
    """

    def __init__(self, target: Path) -> None:
        self.target = target.absolute()
        if self.target.exists() and not self.target.is_dir():
            raise ArgumentError(f"--out {target} is a file, a folder is needed")
        self._made = [p for p in (self.target.parent, *self.target.parent.parents) if not p.exists()]
        self._collecting: Path | None = None

    @property
    def folder(self) -> Path:
        """Where to write the files to."""
        assert self._collecting is not None, "only inside the with block"
        return self._collecting

    def __enter__(self) -> ResultFolder:
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            if self.target.exists() and not os.access(self.target, os.W_OK | os.X_OK):
                raise PermissionError(13, "Permission denied")
            self._collecting = Path(tempfile.mkdtemp(prefix=f".{self.target.name}.", dir=self.target.parent))
        except OSError as error:
            self._remove_made()
            raise ArgumentError(f"--out {self.target} cannot be written: {error.strerror}") from error
        return self

    def commit(self) -> list[Path]:
        """Move the files to the target; results of an earlier run that this one does not have are removed.

        Returns
        -------
        list of Path
            The files, in the order of `FILES`.
        """
        folder = self.folder
        names = sorted((p.name for p in folder.iterdir()), key=_order)
        if self.target.exists():
            for name in names:
                (folder / name).replace(self.target / name)
            for name in FILES:
                if name not in names:
                    (self.target / name).unlink(missing_ok=True)
        else:
            umask = os.umask(0)
            os.umask(umask)
            folder.chmod(0o777 & ~umask)  # a temporary folder is ours alone
            folder.rename(self.target)
        self._made = []
        return [self.target / name for name in names]

    def _remove_made(self) -> None:
        for folder in self._made:  # the deepest first
            try:
                folder.rmdir()
            except OSError:
                return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._collecting is not None:
            shutil.rmtree(self._collecting, ignore_errors=True)
        self._remove_made()


def _order(name: str) -> tuple[int, str]:
    known: Sequence[str] = FILES
    return (known.index(name) if name in known else len(known), name)
