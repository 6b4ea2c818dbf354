"""MediaPipe's models of faces (Google, Apache-2.0), run by LiteRT: where they lie, that they are the right ones.

The two BlazeFace detectors (Bazarevsky et al. 2019, arXiv 1907.05047) and the face mesh (Kartynnik et al. 2019, arXiv
1907.06724) come out of the wheel of `mediapipe`, whose own runtime and its many dependencies are not needed:
`segmenter.face.fetch` puts them where `folder()` says.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mesh.errors import MissingWeights

WHEEL = "mediapipe==0.10.14"  # the last release whose wheel carries the models
ModelName = Literal["short_range", "full_range", "mesh"]
# where each model lies in the wheel, and its SHA-256
MODELS: dict[ModelName, tuple[str, str]] = {
    "short_range": (
        "mediapipe/modules/face_detection/face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    ),
    "full_range": (
        "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite",
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
    ),
    "mesh": (
        "mediapipe/modules/face_landmark/face_landmark.tflite",
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    ),
}
STEPS = "Install the extra `face` and run `python -m segmenter.face.fetch`; see docs/segmenter.md."


def folder() -> Path:
    """Where the models lie: `FACE_MODELS` of the environment, or a folder of this Python environment."""
    named = os.environ.get("FACE_MODELS", "").strip()
    return Path(named).expanduser() if named else Path(sys.prefix) / "share" / "pulsemesh" / "face"


def file_name(model: ModelName) -> str:
    """The name of a model's file in `folder()`: as it is called in the wheel."""
    return MODELS[model][0].rsplit("/", 1)[-1]


def problem() -> str | None:
    """Why faces cannot be found here; None where they can.

    Each file is read and checked against its SHA-256 once for every state that it is in.
    """
    if importlib.util.find_spec("ai_edge_litert") is None:
        return "the runtime of the face models (ai-edge-litert) is not installed"
    for model, (_, expected) in MODELS.items():
        path = folder() / file_name(model)
        try:
            state = path.stat()
        except OSError:
            return f"{path} is not there"
        try:
            found = _sha256(path, state.st_mtime_ns, state.st_size)
        except OSError as error:
            return f"{path} cannot be read: {error.strerror}"
        if found != expected:
            return f"{path} is not the model of {WHEEL}"
    return None


@lru_cache(maxsize=16)
def _sha256(path: Path, changed: int, size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Model:
    """One network; it belongs to one thread at a time.

    Parameters
    ----------
    name : "short_range", "full_range" or "mesh"

    Attributes
    ----------
    side : int
        Height and width of its picture, px.

    Raises
    ------
    MissingWeights
        If the models or their runtime are not installed; the hint says what to do.
    """

    def __init__(self, name: ModelName) -> None:
        why = problem()
        if why is not None:
            raise MissingWeights(f"Faces cannot be found: {why}", hint=STEPS)
        from ai_edge_litert.interpreter import Interpreter

        # one thread: the same sums in the same order, and one core a worker
        self._interpreter: Any = Interpreter(model_path=str(folder() / file_name(name)), num_threads=1)
        self._interpreter.allocate_tensors()
        (given,) = self._interpreter.get_input_details()
        self._input = given["index"]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]
        self.side = int(given["shape"][1])

    def __call__(self, picture: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run it on one picture.

        Parameters
        ----------
        picture : float32[side, side, 3]
            R, G, B in the model's own range.

        Returns
        -------
        list of float32[...]
            Its outputs, without the axis of the batch.
        """
        self._interpreter.set_tensor(self._input, picture[np.newaxis])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(output)[0] for output in self._outputs]
