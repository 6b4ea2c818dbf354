"""SAM 3 as a worker's child sees it: the same calls, answered by the process that holds the device."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import numpy as np

from media.color import chroma_shape
from mesh.contracts import Recording
from mesh.errors import MissingWeights, Problem, Unavailable, from_problem
from segmenter.frames import Picture
from segmenter.sam3.messages import BrokenMessage, attach, receive, send, share
from segmenter.sam3.model import Segmentation
from segmenter.sam3.settings import Wanted
from segmenter.sam3.weights import STEPS

SOCKET = "PULSEMESH_SAM3_SOCKET"  # environment variable: where the process listens; absent where there is none


def runs_here() -> bool:
    """Whether SAM 3 was started beside this worker."""
    return bool(os.environ.get(SOCKET))


class RemoteSam3:
    """A connection to SAM 3; a `segmenter.sam3.segmenter.Model`.

    Attributes
    ----------
    batch : int
        Pictures that it takes at once.
    device : str
        Such as "cuda:0".
    name : str
        Weights, size of picture and precision: whatever changes masks and is no parameter.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        described, _ = self._ask({"ask": "describe"})
        self.batch, self.device, self.name = int(described["batch"]), str(described["device"]), str(described["name"])

    @classmethod
    def connect(cls) -> RemoteSam3:
        """Connect to the SAM 3 of this worker.

        Raises
        ------
        MissingWeights
            If there is none.
        Unavailable
            If it is being started again.
        """
        address = os.environ.get(SOCKET)
        if not address:
            raise MissingWeights("SAM 3 does not run here: SAM3_WEIGHTS is not set", hint=STEPS)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(address)
            return cls(connection)
        except OSError as error:
            connection.close()
            raise Unavailable("SAM 3 is being started again") from error
        except BaseException:
            connection.close()
            raise

    def __enter__(self) -> RemoteSam3:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def _ask(self, head: dict[str, Any], descriptor: int | None = None) -> tuple[dict[str, Any], int | None]:
        try:
            send(self._connection, head, descriptor)
            answer = receive(self._connection)
        except (BrokenMessage, OSError) as error:
            raise Unavailable("SAM 3 ended and is being started again") from error
        if answer is None:
            raise Unavailable("SAM 3 ended and is being started again")
        if "failure" in answer[0]:
            raise from_problem(Problem.model_validate(answer[0]["failure"]))
        return answer

    def check(self, prompt: str) -> None:
        """See that a prompt can be understood.

        Raises
        ------
        BadParameters
            If it is too long.
        """
        self._ask({"ask": "check", "prompt": prompt})

    def segment(
        self,
        pictures: Sequence[Picture],
        recording: Recording,
        prompts: Sequence[str] = (Wanted.prompt,),
        *,
        score: float = Wanted.score,
        instances: int = Wanted.instances,
    ) -> list[list[Segmentation]]:
        """As `Sam3.segment`.

        Raises
        ------
        OutOfMemory, BadParameters
            What SAM 3 raised.
        Unavailable
            If its process ended.
        """
        planes = [plane for picture in pictures for plane in (picture.y, picture.u, picture.v)]
        shared = share(planes)
        try:
            head, descriptor = self._ask(
                {
                    "ask": "segment",
                    "recording": recording.model_dump(),
                    "count": len(pictures),
                    "prompts": list(prompts),
                    "score": score,
                    "instances": instances,
                },
                shared,
            )
        finally:
            os.close(shared)
        if descriptor is None:
            raise Unavailable("SAM 3 answered without masks")
        self.batch = int(head["batch"])
        return _unpacked(head, descriptor, chroma_shape(recording))


def _unpacked(head: dict[str, Any], descriptor: int, shape: tuple[int, int]) -> list[list[Segmentation]]:
    samples = shape[0] * shape[1]
    total = sum(1 + len(one["scores"]) for of_picture in head["found"] for one in of_picture)
    masks = attach(descriptor, 4 * total * samples).view(np.float32).reshape(total, *shape)
    found, at = [], 0
    for of_picture in head["found"]:
        here = []
        for one in of_picture:
            count = len(one["scores"])
            boxes = np.array(one["boxes"], np.float64).reshape(-1, 4)
            scores = np.array(one["scores"], np.float64)
            here.append(Segmentation(masks[at], masks[at + 1 : at + 1 + count], scores, boxes))
            at += 1 + count
        found.append(here)
    return found
