"""The seam between the mesh and the science: a stage handler is a plain function of a task and its inputs.

Handlers are found through the entry points `pulsemesh.stages`, so that no library imports a service.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import BinaryIO

from mesh.contracts import Task
from mesh.names import BlobName


@dataclass(frozen=True)
class Input:
    """One blob that a task reads, held as a file or in memory."""

    name: BlobName
    source: bytes | Path

    def read(self) -> bytes:
        """All of it."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()

    @property
    def empty(self) -> bool:
        """Whether it has no bytes: how a stage says that there is nothing."""
        return not (self.source if isinstance(self.source, bytes) else self.source.stat().st_size)

    def open(self) -> BinaryIO:
        """A seekable binary file."""
        return io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb")


@dataclass(frozen=True)
class Inputs:
    """The blobs that a task reads, and a folder for files that it writes.

    Attributes
    ----------
    blobs : list of Input
        In the order of the task's `inputs`.
    scratch : Path
        An empty folder of this attempt, removed after its outputs are stored.
    """

    blobs: list[Input]
    scratch: Path

    def of(self, kind: str) -> dict[int, Input]:
        """The inputs of one kind by index, in order."""
        found = {int(b.name.index): b for b in self.blobs if b.name.kind == kind}
        return dict(sorted(found.items()))

    def one(self, kind: str) -> Input:
        """The only input of its kind.

        Raises
        ------
        KeyError
            If there is none, or more than one.
        """
        found = [b for b in self.blobs if b.name.kind == kind]
        if len(found) != 1:
            raise KeyError(f"{len(found)} inputs of kind {kind!r}, wanted one")
        return found[0]


@dataclass(frozen=True)
class Output:
    """One blob that a task writes.

    A task writes the blobs that belong to it first (chunks, files) and its own, which ends it, last.

    Attributes
    ----------
    kind, index : str
        Of the blob's name; recording and digest are the task's.
    source : bytes or Path
        The content, or a file under `Inputs.scratch`.
    """

    kind: str
    index: str
    source: bytes | Path = field(repr=False)


Handler = Callable[[Task, Inputs], Iterable[Output]]


def load_handler(stage: str) -> Handler:
    """The handler that a service registered for `stage`.

    Raises
    ------
    LookupError
        If no installed service registers it.
    """
    for entry in entry_points(group="pulsemesh.stages", name=stage):
        handler: Handler = entry.load()
        return handler
    raise LookupError(f"no service registers the stage {stage!r}; is its package installed?")


def run_handler(handler: Handler, task: Task, inputs: Inputs) -> Iterator[tuple[BlobName, bytes | Path]]:
    """Run a handler and name what it writes; checks that the last blob is the task's own.

    Raises
    ------
    RuntimeError
        If the handler breaks the contract of its stage.
    """
    end = BlobName.parse(task.output)
    last: BlobName | None = None
    for output in handler(task, inputs):
        if last == end:
            raise RuntimeError(f"stage {task.stage} wrote {output.kind} after its own blob")
        last = BlobName(end.recording, output.kind, end.digest, output.index)
        yield last, output.source
    if last != end:
        raise RuntimeError(f"stage {task.stage} ended without writing {end}")
