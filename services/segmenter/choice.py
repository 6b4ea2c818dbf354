"""Which segmenter finds the skin of a clip, and why: decided once, in the `skin` blob, for all of its masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from mesh.parameters import Parameters

Name = Literal["chroma", "face", "sam3"]


class Finding(Protocol):
    """Whether faces were seen; `segmenter.face.segmenter.FaceFinding` is one."""

    @property
    def found(self) -> bool: ...
    @property
    def reason(self) -> str: ...


@dataclass(frozen=True)
class Choice:
    """A segmenter.

    Attributes
    ----------
    segmenter : str
        "chroma", "face" or "sam3".
    because : str
        Why, for the user.
    """

    segmenter: Name
    because: str


def choose(parameters: Parameters, sam3_device: str | None, look_for_faces: Callable[[], Finding]) -> Choice:
    """The segmenter of a clip.

    Parameters
    ----------
    parameters : Parameters
    sam3_device : str or None
        The device of SAM 3, where it runs beside this worker.
    look_for_faces : callable
        Called only where faces are in question.

    Returns
    -------
    Choice
        What the parameters name. Where they leave it open: the colour that the user pointed at; SAM 3 on a GPU;
        faces where one is seen; else the colour of living skin.
    """
    if parameters.segmenter != "auto":
        return Choice(parameters.segmenter, "it was asked for")
    if parameters.skin_chroma is not None or parameters.skin_point is not None:
        return Choice("chroma", "the colour of skin was given")
    if parameters.key == "per_frame":
        return Choice("chroma", "its key on single frames was asked for")
    if sam3_device is not None and sam3_device.startswith("cuda"):
        return Choice("sam3", f"SAM 3 runs here, on {sam3_device}")
    finding = look_for_faces()
    return Choice("face" if finding.found else "chroma", finding.reason)
