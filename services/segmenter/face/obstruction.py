"""How well a face is seen, and what is in the way: a recording under 0.9 should not be trusted.

The mesh model says nothing of single points, and is sure of a face whose half a hand covers. So confidence is the
worst of several signs: the detector's score, which falls when eyes, nose or mouth are hidden; the part of the skin
whose colour is not the face's; the part outside the picture; size, brightness and turn of the head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

LIMIT = 0.9  # of the confidence: below it a face is obstructed
# Values at which a sign starts to cost confidence, and at which nothing is left of it. Measured: an unobstructed face
# looking ahead scores 0.89 and more, half covered 0.69 to 0.86; of its skin 0-6 % has another colour, of a half
# covered one 25 % and more (bench/results/faces.json).
_SCORE = (0.88, 0.5)
_COVERED = (0.08, 1.08)
_OUTSIDE = (0.0, 1.0)
_WIDTH_PX = (36.0, 0.0)  # from ear to ear: fewer samples of skin than that drown in noise
_BRIGHTNESS = (0.11, 0.0)
_YAW_DEG = (45.0, 75.0)
_MASK = 0.5  # by so much more is one half of the face covered than the other: like a mask


@dataclass(frozen=True)
class Look:
    """How a face is seen.

    Attributes
    ----------
    detection : float
        Score of the detector, 0-1.
    presence : float
        Of the mesh model, 0-1.
    outside : float
        Part of the face's outline that lies outside the picture, 0-1.
    covered, covered_below : float
        Part of the skin, and of its lower half, that has another colour, 0-1.
    width_px : float
        From ear to ear, luma px.
    brightness : float
        Luma of the skin, 0-1 of black to white.
    yaw_deg : float
        Turn of the head.
    """

    detection: float
    presence: float
    outside: float
    covered: float
    covered_below: float
    width_px: float
    brightness: float
    yaw_deg: float


_NAMES = tuple(field.name for field in fields(Look))


def mean(looks: Sequence[Look]) -> Look:
    """The mean of some looks, at least one."""
    return Look(**{name: sum(getattr(look, name) for look in looks) / len(looks) for name in _NAMES})


def factors(look: Look) -> dict[str, float]:
    """What each sign leaves of the confidence, 0-1."""
    return {
        "outside": _left(look.outside, *_OUTSIDE),
        "dark": _left(look.brightness, *_BRIGHTNESS),
        "small": _left(look.width_px, *_WIDTH_PX),
        "turned": _left(abs(look.yaw_deg), *_YAW_DEG),
        "covered": _left(look.covered, *_COVERED),
        "unclear": min(_left(look.detection, *_SCORE), look.presence),
    }


def _left(value: float, full: float, nothing: float) -> float:
    return min(max((value - nothing) / (full - nothing), 0.0), 1.0)


def confidence(look: Look) -> float:
    """How much the face can be trusted, 0-1: the worst of the signs."""
    return min(factors(look).values())


def signs(look: Look) -> dict[str, float]:
    """A look as the signs of an instance of a mask."""
    return {name: round(getattr(look, name), 3) for name in _NAMES}


def explain(given: Mapping[str, float]) -> str | None:
    """What is in the way of a face, in a sentence for the user.

    Parameters
    ----------
    given : mapping of str to float
        Signs of an instance, or means of them over frames, as `signs` names them.

    Returns
    -------
    str or None
        None where confidence is 0.9 or more, and where the signs are not those of a face.
    """
    try:
        look = Look(**{name: given[name] for name in _NAMES})
    except KeyError:
        return None
    left = factors(look)
    worst = min(left, key=lambda name: left[name])  # of equal ones the first, which is the plainest
    if left[worst] >= LIMIT:
        return None
    return _sentence(worst, look)


def _sentence(worst: str, look: Look) -> str:
    if worst == "outside":
        return "A part of the face is out of the picture: move the camera."
    if worst == "dark":
        return "The face is too dark: turn on more light."
    if worst == "small":
        return f"The face is too small, {look.width_px:.0f} px wide: come closer."
    if worst == "turned":
        return "The face is turned away: look towards the camera."
    if worst == "covered":
        above = max(2 * look.covered - look.covered_below, 0.0)
        if abs(look.covered_below - above) >= _MASK:  # one half unlike the other, whichever was taken for skin
            return "Mouth and nose are covered, as by a mask: take it off."
        return "A hand, hair or an object covers a part of the face: uncover it."
    return "The face is not seen clearly: a hand, a mask or an object may be before it, or it is blurred."
