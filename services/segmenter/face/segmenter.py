"""Skin of every face in a clip, from its mesh: without eyes, brows, mouth and hair, steady over the pulse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from media.decode import Frame
from media.masks import FrameMask
from mesh.contracts import Plan
from mesh.parameters import Parameters

CANONICAL = (256, 256)  # width and height of the frame that the transforms lead into


@dataclass(frozen=True)
class FaceFinding:
    """Whether a clip shows faces that can be measured.

    Attributes
    ----------
    found : bool
        Whether the automatic path should take faces.
    reason : str
        Why, in a sentence for the user.
    faces : int
        Most faces in one of the frames that were looked at.
    fraction : float
        Of the frames that were looked at, the part that shows a face, 0-1.
    confidence : float
        Median confidence of the best face, 0-1; 0 where there is none.
    """

    found: bool
    reason: str
    faces: int = 0
    fraction: float = 0.0
    confidence: float = 0.0


def available() -> bool:
    """Whether the models and their runtime are installed."""
    return False


def sees_face(plan: Plan, frames: Iterable[Frame]) -> FaceFinding:
    """Look for faces in the first seconds of a clip.

    Parameters
    ----------
    plan : Plan
    frames : iterable of Frame
        In order; a few of them are looked at.

    Returns
    -------
    FaceFinding
        `found` is False, with the reason, where the models are not installed.
    """
    return FaceFinding(False, "the models of faces are not installed")


def masks(plan: Plan, frames: Iterable[Frame], first: int, last: int, parameters: Parameters) -> Iterator[FrameMask]:
    """Masks of the frames `first` to `last` (excluded), one instance a face.

    Parameters
    ----------
    plan : Plan
        For times, size, range, matrix and rotation.
    frames : iterable of Frame
        In order, at least those within +- `mesh.graph.KEY_SECONDS` of the span.
    first, last : int
        Indices in the clip.
    parameters : Parameters

    Yields
    ------
    FrameMask
        Labels 1..k for k faces from left to right, each instance with its transform into `CANONICAL` and signs of
        pose, motion and obstruction. Labels carry no identity from frame to frame.

    Raises
    ------
    MissingWeights
        If the models are not installed.
    """
    raise NotImplementedError
