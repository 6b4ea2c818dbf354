"""People: which instances in the masks are whose skin. The chroma key knows one piece of skin only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from media.masks import MaskReader


def gather_people(masks: Iterable[MaskReader]) -> dict[str, Any]:
    """The `people` blob's content: one person for everything that the chroma key took for skin.

    Parameters
    ----------
    masks : iterable of MaskReader
        Of all chunks, in order; only their headers are read.

    Returns
    -------
    dict
        `people`: a list of `id`, `instances` (labels in the masks), `skin_fraction` (mean part of the picture),
        `frames` (with any skin) and `confidence` (mean of the instances'). Empty where no frame has skin.
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
        return {"people": []}
    person = {
        "id": "1",
        "instances": [1],
        "skin_fraction": area / (frames * samples),
        "frames": seen,
        "confidence": round(confidence / max(instances, 1), 4),
    }
    return {"people": [person]}
