"""What a user is told of faces that were not seen well: who, how long, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from media.masks import MaskReader
from media.people import PersonSkin, label_at
from segmenter.face.obstruction import LIMIT, explain

LEAST = 0.1  # part of the frames that show a person: what was in the way for a shorter time is not told


def remarks(people: Sequence[PersonSkin], masks: Iterable[MaskReader]) -> list[str]:
    """A sentence for each person whose face was obstructed, with the reason.

    Parameters
    ----------
    people : sequence of PersonSkin
    masks : iterable of MaskReader
        Of all chunks, in order; only their headers are read.

    Returns
    -------
    list of str
        Of those with a confidence under 0.9 in a tenth of the frames or more, in the order of `people`.
    """
    seen = dict.fromkeys((person.id for person in people), 0)
    hidden: dict[str, list[dict[str, float]]] = {person.id: [] for person in people}
    frame = 0
    for reader in masks:
        for instances in reader.instances:
            by_label = {instance.id: instance for instance in instances}
            for person in people:
                instance = by_label.get(label_at(person.spans, frame))
                if instance is None:
                    continue
                seen[person.id] += 1
                if instance.confidence < LIMIT:
                    hidden[person.id].append(instance.signs)
            frame += 1
    found = []
    for person in people:
        signs = hidden[person.id]
        if not signs or len(signs) < LEAST * seen[person.id]:
            continue
        shared = set(signs[0]).intersection(*signs)
        mean = {name: sum(each[name] for each in signs) / len(signs) for name in shared}
        # of frames with different reasons the mean may show none: then the first one's stands for all
        why = explain(mean) or explain(signs[0])
        if why is not None:
            found.append(f"Person {person.id}, {len(signs) / seen[person.id]:.0%} of the time: {why}")
    return found
