"""Who is meant: the user points at somebody with a click or a box."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from media.masks import FrameMask, MaskReader
from media.people import People, PersonSkin
from media.timeline import chunk_of, frame_times
from mesh.contracts import Plan, Recording
from mesh.errors import BadParameters
from mesh.parameters import Parameters
from segmenter.living_skin.point import stored_point

_HINT = "Look at skin.jpg of a run without it, and name another spot, or none."


def pick(plan: Plan, parameters: Parameters, people: People, masks: Callable[[int], MaskReader]) -> People:
    """The person whom the user points at; everybody where nobody is pointed at.

    Parameters
    ----------
    plan : Plan
    parameters : Parameters
        `skin_point` and `skin_box`.
    people : People
    masks : callable
        Index of a chunk to its masks.

    Raises
    ------
    BadParameters
        If the point lies outside the picture, or nobody was found there.
    """
    given = parameters.skin_point or parameters.skin_box
    if given is None:
        return people
    name = "skin_point" if parameters.skin_point is not None else "skin_box"
    times = frame_times(plan)
    moment = given[-1] if len(given) in (3, 5) else 0.0
    frame = shown_frame(times, moment)
    chunk = chunk_of(plan, frame)
    mask = next(m for number, m in enumerate(masks(chunk.index).frames(), chunk.first) if number == frame)
    try:
        if parameters.skin_point is not None:
            label = label_at_point(mask, stored_point(plan.recording, given[0], given[1]))
        else:
            label = label_in_box(mask, stored_box(plan.recording, given[:4]))
    except ValueError as error:
        raise BadParameters(f"{name}: {error}", hint="Name a place inside the picture as shown.") from None
    person = None if label is None else person_of(people, frame, label)
    if person is None:
        raise BadParameters(f"{name}: nobody was found there at {float(times[frame]):.1f} s", hint=_HINT)
    own, alone = f"person {person.id} ", PersonSkin("1", person.spans, person.skin_fraction, person.frames,
                                                     person.confidence)  # fmt: skip
    return People([alone], ["person 1 " + text.removeprefix(own) for text in people.warnings if text.startswith(own)])


def shown_frame(times: NDArray[np.float64], moment: float) -> int:
    """Index of the frame that is shown at a time, s."""
    return max(int(np.searchsorted(times, moment, side="right")) - 1, 0)


def person_of(people: People, frame: int, label: int) -> PersonSkin | None:
    """The one whose skin has a label in a frame."""
    for person in people.people:
        if any(first <= frame < stop and label == own for first, stop, own in person.spans):
            return person
    return None


def label_at_point(mask: FrameMask, point: tuple[int, int]) -> int | None:
    """The instance at a point, or the one in whose box it lies: eyes and mouth are no skin.

    Parameters
    ----------
    mask : FrameMask
    point : tuple of int
        Column and row in the stored luma plane.

    Returns
    -------
    int or None
        Of several boxes the smallest one's; None where there is none.
    """
    x, y = point
    at = int(mask.labels[min(y // 2, mask.labels.shape[0] - 1), min(x // 2, mask.labels.shape[1] - 1)])
    if at:
        return at
    around = [i for i in mask.instances if i.box[0] <= x < i.box[2] and i.box[1] <= y < i.box[3]]
    return min(around, key=lambda i: (i.box[2] - i.box[0]) * (i.box[3] - i.box[1])).id if around else None


def label_in_box(mask: FrameMask, box: tuple[int, int, int, int]) -> int | None:
    """The instance whose own box shares most with a box, by intersection over union; None where none does."""
    best, most = None, 0.0
    for instance in mask.instances:
        shared = _area(
            (max(box[0], instance.box[0]), max(box[1], instance.box[1]), min(box[2], instance.box[2]),
             min(box[3], instance.box[3]))
        )  # fmt: skip
        overlap = shared / max(_area(box) + _area(instance.box) - shared, 1)
        if overlap > most:
            best, most = instance.id, overlap
    return best


def _area(box: tuple[int, int, int, int]) -> int:
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def stored_box(recording: Recording, box: tuple[float, ...]) -> tuple[int, int, int, int]:
    """A box of the picture as shown in pixels of the stored luma plane.

    Raises
    ------
    ValueError
        If a corner lies outside the picture, or the box is empty.
    """
    if box[0] == box[2] or box[1] == box[3]:
        raise ValueError("the box is empty")
    # the far edges lie outside of the box, and may be those of the picture
    across, along = (
        (min(ends), float(np.nextafter(max(ends), min(ends)))) for ends in ((box[0], box[2]), (box[1], box[3]))
    )
    corners: NDArray[np.int64] = np.array([stored_point(recording, x, y) for x in across for y in along])
    (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return x0, y0, x1 + 1, y1 + 1
