"""Two people who change places in a coded clip: through all stages everybody keeps their name and their rate."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from media.people import label_at
from media.pulse_blob import Pulse
from phantom import PhantomSettings, masks, write
from segmenter.face import segmenter as face

pytestmark = pytest.mark.unit

RATES = (64.0, 92.0)
SETTINGS = PhantomSettings(
    scene="face", motion="crossing", amplitude=0.012, seconds=14, fps=20, width=480, height=360, heart_rate=RATES[0],
    further_heart_rates=RATES[1:], skin_tone=3, further_skin_tones=(3,), walking_speed=120, seed=1,
    keyframe_interval=20,
)  # fmt: skip


@pytest.fixture(scope="module")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[NDArray[np.uint8]]]:
    clip = tmp_path_factory.mktemp("people") / "crossing.mp4"
    write(SETTINGS, clip)
    return clip, list(masks(SETTINGS))


@pytest.mark.parametrize("segmenter", ["face", "chroma"])
def test_everybody_keeps_name_and_rate(
    crossing: tuple[Path, list[NDArray[np.uint8]]], process: Any, segmenter: str
) -> None:
    if segmenter == "face" and not face.available():
        pytest.skip("no face models")
    clip, truth = crossing
    made = process(clip, segmenter=segmenter, magnify="none", maps=False, chunk_seconds=2.0)
    edges = [made.plan.pts[chunk.first] for chunk in made.plan.chunks]
    assert len(edges) >= 7
    assert all(before < after for before, after in pairwise(edges))
    people = Pulse.from_bytes(made.pulse).people
    assert len(people) == 2
    hidden = 0
    owners = []
    for person in people:
        counts = np.zeros(3, int)
        for frame, mask in enumerate(truth):
            label = label_at(person.spans, frame)
            if label:
                counts[1 + np.bincount(mask[made.labels[frame] == label], minlength=3)[1:].argmax()] += 1
        owners.append(int(counts.argmax()))
        assert counts.max() == counts.sum()  # no frame was given to somebody else
        hidden += len(truth) - int(counts.sum())
    assert sorted(owners) == [1, 2]
    assert 5 < hidden < 0.3 * len(truth)
    for owner, person in zip(owners, made.result.people, strict=True):
        rate = person.measurements["heart_rate"]
        assert rate.status == "ok"
        assert rate.value == pytest.approx(RATES[owner - 1], abs=1.5)
