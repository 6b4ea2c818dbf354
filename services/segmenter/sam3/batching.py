"""Requests of many tasks, put together into the batches that a device likes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mesh.contracts import Recording
from mesh.errors import Failure, OutOfMemory
from segmenter.frames import Picture
from segmenter.sam3.model import Segmentation
from segmenter.sam3.segmenter import Model


@dataclass
class Request:
    """Pictures of one task and what is asked of them."""

    pictures: Sequence[Picture]
    recording: Recording
    prompts: tuple[str, ...]
    score: float
    instances: int
    found: list[list[Segmentation]] = field(default_factory=list)
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def kind(self) -> tuple[Any, ...]:
        """Requests of the same kind can share a batch, be they of one clip or of several."""
        clip = self.recording
        colour = (clip.full_range, clip.matrix)
        return clip.width, clip.height, clip.rotation, colour, self.prompts, self.score, self.instances


class Batcher:
    """Runs the model in one thread, on as many pictures at once as wait and as it takes.

    Nobody waits for others to come: what came while the device was busy makes the next batch.

    Parameters
    ----------
    model : Model
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._waiting: deque[Request] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sam3", daemon=True)
        self._thread.start()

    def segment(self, request: Request) -> list[list[Segmentation]]:
        """What the model finds in the pictures of a request; waits for it.

        Raises
        ------
        Failure
            What the model raised.
        """
        with self._changed:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            self._waiting.append(request)
            self._changed.notify()
        request.done.wait()
        if request.error is not None:
            raise request.error
        return request.found

    def close(self) -> None:
        """End the thread; what still waits fails."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()
        for request in self._waiting:
            request.error = RuntimeError("the batcher is closed")
            request.done.set()

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            try:
                self._segment(batch)
            except Exception as error:  # noqa: BLE001 - it is raised again where the request was made
                for request in batch:
                    request.error = error
            for request in batch:
                request.done.set()

    def _next(self) -> list[Request] | None:
        """The request that waits longest, and others of its kind as far as they fit into its batch."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            batch = [self._waiting.popleft()]
            room = self._model.batch - len(batch[0].pictures)
            for request in list(self._waiting):
                if request.kind == batch[0].kind and len(request.pictures) <= room:
                    self._waiting.remove(request)
                    batch.append(request)
                    room -= len(request.pictures)
            return batch

    def _segment(self, batch: list[Request]) -> None:
        first = batch[0]
        pictures = [picture for request in batch for picture in request.pictures]
        try:
            found = self._model.segment(
                pictures, first.recording, first.prompts, score=first.score, instances=first.instances
            )
        except OutOfMemory:
            if len(batch) == 1:
                raise
            self._each_alone(batch)
            return
        start = 0
        for request in batch:
            request.found = found[start : start + len(request.pictures)]
            start += len(request.pictures)

    def _each_alone(self, batch: list[Request]) -> None:
        """One task's lack of memory is not another's."""
        for request in batch:
            try:
                self._segment([request])
            except Failure as failure:
                request.error = failure
