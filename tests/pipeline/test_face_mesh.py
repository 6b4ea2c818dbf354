"""The rate of a real face whose skin its landmarks found."""

from __future__ import annotations

import pytest

from segmenter.face import segmenter

pytestmark = [pytest.mark.clips, pytest.mark.skipif(not segmenter.available(), reason="no face models")]


def test_the_rate_of_a_face_found_by_its_mesh(shared_clip, process) -> None:  # type: ignore[no-untyped-def]
    made = process(shared_clip("face.mp4"), segmenter="face", magnify="none", maps=False)
    rate = made.result.people[0].measurements["heart_rate"]
    assert rate.status == "ok"
    assert rate.value == pytest.approx(52.2, abs=1)
    assert rate.low <= rate.value <= rate.high
    assert made.result.skin is not None
    assert made.result.skin.segmenter == "face"
    area = (made.labels > 0).mean(axis=(1, 2))
    assert area.std() / area.mean() < 0.01
