"""People: which instances in the masks are whose skin. The chroma key knows one piece of skin only."""

from __future__ import annotations

from collections.abc import Iterable

from media.masks import MaskReader
from media.people import People, PersonSkin


def gather_people(masks: Iterable[MaskReader]) -> People:
    """The `people` blob: one person for everything that the chroma key took for skin.

    Parameters
    ----------
    masks : iterable of MaskReader
        Of all chunks, in order; only their headers are read.

    Returns
    -------
    People
        Nobody where no frame has skin.
    """
    area = frames = seen = samples = instances = 0
    confidence = 0.0
    for reader in masks:
        area += int(reader.areas.sum())
        frames += len(reader)
        seen += int((reader.areas > 0).sum())
        samples = reader.shape[0] * reader.shape[1]
        for found in reader.instances:
            instances += len(found)
            confidence += sum(instance.confidence for instance in found)
    if not seen:
        return People([])
    sure = round(confidence / max(instances, 1), 4)
    return People([PersonSkin("1", ((0, frames, 1),), area / (frames * samples), seen, sure)])
