"""The one process of a device that holds SAM 3: `python -m segmenter.sam3.server <socket>`.

It takes decoded planes from the worker's children, which open media and may be killed at any time; it opens none. It
lives as long as its parent holds the other end of its standard input.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from media.color import chroma_shape
from mesh.contracts import Recording
from mesh.errors import Failure, Internal, Unavailable
from segmenter.sam3.batching import Batcher, Request
from segmenter.sam3.messages import BrokenMessage, attach, receive, send, share
from segmenter.sam3.model import Sam3, Segmentation
from segmenter.sam3.segmenter import Model
from segmenter.sam3.settings import Sam3Settings

log = logging.getLogger(__name__)

MOST_PICTURES = 1024  # of a request
BROKEN_STATUS = 70  # exit status after an error that leaves a device in no state to go on


class ServedModel(Model, Protocol):
    """What the server needs of a model."""

    @property
    def description(self) -> dict[str, Any]: ...
    def check(self, prompt: str) -> None: ...


@dataclass(frozen=True)
class Planes:
    """A picture that another process decoded."""

    y: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]


def plane_bytes(recording: Recording) -> int:
    """Bytes of Y, U and V of a frame."""
    rows, columns = chroma_shape(recording)
    return recording.width * recording.height + 2 * rows * columns


def pictures_in(memory: NDArray[np.uint8], recording: Recording, count: int) -> list[Planes]:
    """The pictures in shared memory: Y, U, V of one behind those of the other."""
    size, luma, chroma = plane_bytes(recording), (recording.height, recording.width), chroma_shape(recording)
    edges = [luma[0] * luma[1], luma[0] * luma[1] + chroma[0] * chroma[1]]
    found = []
    for number in range(count):
        y, u, v = np.split(memory[number * size : (number + 1) * size], edges)
        found.append(Planes(y.reshape(luma), u.reshape(chroma), v.reshape(chroma)))
    return found


class Server:
    """Answers requests over a Unix socket, each connection on a thread of its own, all on one model.

    Parameters
    ----------
    model : ServedModel
        Warmed up.
    address : Path
        Of the socket; what is there is replaced. Whoever may open it may use the model.
    """

    def __init__(self, model: ServedModel, address: Path) -> None:
        self._model, self._batcher = model, Batcher(model)
        address.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(address))
        address.chmod(0o600)
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._accept, name="accept", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self._batcher.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), name="connection", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while (message := receive(connection)) is not None:
                    self._reply(connection, *message)
            except (BrokenMessage, OSError) as error:  # a child that was killed; it has no other way to say so
                log.debug("a connection ended", extra={"error": type(error).__name__})

    def _reply(self, connection: socket.socket, head: dict[str, Any], descriptor: int | None) -> None:
        answer: tuple[dict[str, Any], list[NDArray[Any]]]
        try:
            answer = self._answer(head, descriptor)
        except Failure as failure:
            answer = {"failure": failure.problem().model_dump()}, []
        except (BrokenMessage, KeyError, TypeError, ValueError, ValidationError) as error:
            log.error("a request that cannot be read", extra={"error": type(error).__name__})
            answer = {"failure": Internal("a request to SAM 3 could not be read").problem().model_dump()}, []
        except RuntimeError as error:  # of the device, mostly: what comes after it cannot be trusted
            log.error("SAM 3 failed", extra={"error": str(error)[:300]})
            said = Unavailable("SAM 3 failed on its device and is started again").problem().model_dump()
            send(connection, {"failure": said})
            self.broken()
            return
        content, arrays = answer
        shared = share(arrays) if arrays else None
        try:
            send(connection, content, shared)
        finally:
            if shared is not None:
                os.close(shared)

    def broken(self) -> None:
        """End the process: its parent starts another one."""
        os._exit(BROKEN_STATUS)

    def _answer(self, head: dict[str, Any], descriptor: int | None) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        if head["ask"] == "describe":
            return self._model.description | {"batch": self._model.batch}, []
        if head["ask"] == "check":
            self._model.check(str(head["prompt"]))
            return {}, []
        if head["ask"] != "segment":
            raise ValueError("there is no such request")
        recording, count = Recording.model_validate(head["recording"]), int(head["count"])
        if descriptor is None or not 0 < count <= MOST_PICTURES:
            raise ValueError("a request without pictures")
        memory = attach(descriptor, count * plane_bytes(recording))
        request = Request(
            pictures_in(memory, recording, count),
            recording,
            tuple(str(prompt) for prompt in head["prompts"]),
            float(head["score"]),
            int(head["instances"]),
        )
        return packed(self._batcher.segment(request), self._model.batch)


def packed(found: Sequence[Sequence[Segmentation]], batch: int) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Segmentations as a head and arrays: the mask of skin, then those of its instances."""
    entries = [
        [{"scores": one.scores.tolist(), "boxes": one.boxes.tolist()} for one in of_picture] for of_picture in found
    ]
    arrays = [array for of_picture in found for one in of_picture for array in (one.skin, one.instances)]
    return {"found": entries, "shape": list(found[0][0].skin.shape), "batch": batch}, arrays


def main(arguments: list[str]) -> None:
    """Load, warm up, say so in a line of JSON on standard output, serve until standard input ends."""
    parent = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is none of the parent's business
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        model = Sam3.load(Sam3Settings())
        model.warm_up(
            Recording(
                duration_s=1.0, frames=1, width=640, height=480, fps=30.0, variable_rate=False, codec="rawvideo",
                container="raw", pixel_format="yuv420p",
            )
        )  # fmt: skip
        server = Server(model, Path(arguments[0]))
    except Failure as failure:
        print(json.dumps({"failure": failure.problem().model_dump()}), file=parent, flush=True)
        sys.exit(1)
    print(json.dumps({"ready": model.description}), file=parent, flush=True)
    while sys.stdin.buffer.read(1 << 12):
        pass
    server.close()


if __name__ == "__main__":
    main(sys.argv[1:])
