"""The process that holds SAM 3, seen from the service: started, waited for, started again when it ends."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from mesh.errors import Failure, Problem, Unavailable, from_problem
from segmenter.sam3.client import SOCKET

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "segmenter.sam3.server")
END_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0  # before it is started again, doubled each time


class Sam3Process:
    """SAM 3 in a process of its own, one for all children of a worker.

    Children find it through an environment variable, which is set while it is up.

    Parameters
    ----------
    folder : Path, optional
        Where its socket's folder is made: a short path.
    environment : mapping, optional
        On top of this process's own.
    command : sequence of str, optional
        What is run, with the socket's path behind it.

    Attributes
    ----------
    description : dict
        Device, name and size of the model.
    starts : int
        How often it came up.
    """

    def __init__(
        self,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self.description: dict[str, Any] = {}
        self.starts = 0
        self._folder = Path(tempfile.mkdtemp(prefix="sam3-", dir=folder))  # 0700: only our own may connect
        self._socket = self._folder / "s"
        self._environment, self._command = dict(environment or {}), list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._ready, self._closing = threading.Event(), threading.Event()
        self._watcher: threading.Thread | None = None

    def start(self) -> None:
        """Start it and wait until it is warm.

        Raises
        ------
        MissingWeights, BadParameters, OutOfMemory
            As it says itself.
        Unavailable
            If it ends without a word.
        """
        try:
            self._launch()
        except BaseException:
            self.close()
            raise
        os.environ[SOCKET] = str(self._socket)
        self._watcher = threading.Thread(target=self._watch, name="sam3 process", daemon=True)
        self._watcher.start()

    def _launch(self) -> None:
        self._process = subprocess.Popen(
            [*self._command, str(self._socket)],
            stdin=subprocess.PIPE,  # it ends when we do, however we end
            stdout=subprocess.PIPE,
            env=os.environ | self._environment,
            start_new_session=True,  # Ctrl-C in a terminal is for us
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        try:
            said = json.loads(line)
        except ValueError:
            self._end()
            raise Unavailable(f"SAM 3 did not come up: exit status {self._process.returncode}") from None
        if "failure" in said:
            self._end()
            raise from_problem(Problem.model_validate(said["failure"]))
        self.description = dict(said["ready"])
        self.starts += 1
        self._ready.set()
        log.info("SAM 3 is ready", extra={"sam3": self.description})

    def _watch(self) -> None:
        pause = FIRST_PAUSE_S
        while True:
            assert self._process is not None
            status = self._process.wait()
            self._ready.clear()
            if self._closing.is_set():
                return
            self._end()
            log.error("SAM 3 ended and is started again", extra={"status": status})
            while not self._closing.wait(pause):
                pause = min(2 * pause, LONGEST_PAUSE_S)
                try:
                    self._launch()
                    break
                except (Failure, OSError) as error:
                    log.error("SAM 3 does not come up", extra={"error": str(error)})
            if self._closing.is_set():
                self._end()
                return

    @property
    def ready(self) -> bool:
        """Whether it is up and warm."""
        return self._ready.is_set()

    @property
    def pid(self) -> int | None:
        """Its process."""
        return self._process.pid if self._process is not None else None

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self) -> None:
        """End it and wait for its end."""
        self._closing.set()
        self._end()
        if self._watcher is not None:
            self._watcher.join()
        self._ready.clear()
        if os.environ.get(SOCKET) == str(self._socket):
            del os.environ[SOCKET]
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Sam3Process:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
