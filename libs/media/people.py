"""Who is who: the `people` blob, which links the labels of single frames to people over the whole clip."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

Span = tuple[int, int, int]


@dataclass(frozen=True)
class PersonSkin:
    """One person, or one piece of skin, and where the masks show it.

    Attributes
    ----------
    id : str
        As in every measurement and wave: "1", "2", …
    spans : tuple of (int, int, int)
        First frame, the frame after the last, and the label that this person's skin has in the masks of these frames.
        In the plan's frames, in order, without overlap; frames between two spans do not show this person.
    skin_fraction : float
        Mean part of the picture, over all frames of the clip.
    frames : int
        Frames with any of this person's skin.
    confidence : float
        0-1, mean of the instances'.
    """

    id: str
    spans: tuple[Span, ...]
    skin_fraction: float = 0.0
    frames: int = 0
    confidence: float = 1.0


@dataclass(frozen=True)
class People:
    """Everybody in a clip.

    Attributes
    ----------
    people : list of PersonSkin
        Empty where no frame has skin.
    warnings : list of str
        For the user: who was left out and why, when a face was lost, …
    """

    people: list[PersonSkin]
    warnings: list[str] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        """The blob; the same people always give the same bytes."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> People:
        """What `to_bytes` wrote.

        Raises
        ------
        ValueError
            If `data` is no such blob.
        """
        try:
            content = json.loads(data)
            people = [
                PersonSkin(**{**entry, "spans": tuple((int(a), int(b), int(c)) for a, b, c in entry["spans"])})
                for entry in content["people"]
            ]
            return cls(people, [str(text) for text in content["warnings"]])
        except (KeyError, TypeError, UnicodeDecodeError) as error:
            raise ValueError("this is not a blob of people") from error


def label_at(spans: Sequence[Span], frame: int) -> int:
    """The label of a person in a frame of the plan; 0 where the frame does not show them."""
    return next((label for first, stop, label in spans if first <= frame < stop), 0)
