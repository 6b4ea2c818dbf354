"""Jobs that magnify movement: whole, through the one-process executor."""

from __future__ import annotations

from pathlib import Path

import pytest

from phantom import PhantomSettings, write

pytestmark = pytest.mark.unit

CLIP = PhantomSettings(seconds=3, width=96, height=64, motion="still", breathing_motion=0.01, seed=4)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("motion") / "clip.mp4"
    write(CLIP, path)
    return path


@pytest.mark.parametrize(
    "chosen",
    [
        {"magnify": "phase", "magnify_low_hz": 0.5, "magnify_high_hz": 2.0},
        {"magnify": "eulerian-motion"},
    ],
)
def test_a_clip_is_magnified_whole_and_the_cut_changes_nothing(clip, process, chosen) -> None:  # type: ignore[no-untyped-def]
    quick = {"segmenter": "chroma", "maps": False, "overlay": False, "lossless": True}
    made = process(clip, chunk_seconds=1.0, **quick, **chosen)
    whole = process(clip, chunk_seconds=5.0, **quick, **chosen)
    before = process(clip, chunk_seconds=5.0, **quick, **chosen | {"gain": 0})
    frames = made.frames()
    assert len(frames) == 90
    assert frames == whole.frames()
    assert frames != before.frames()
    assert len(made.plan.chunks) >= 3
    assert made.result.magnification is not None
    assert made.result.magnification["method"] == chosen["magnify"]
