"""Whatever the clip and wherever it is cut: the frames of the chunks are bit for bit the frames of the clip."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from media.decode import frames
from media.packets import read_header
from media.timeline import frame_times

pytestmark = pytest.mark.unit

CODECS = {
    "libx264": ("mp4", "mkv"),
    "libx265": ("mp4", "mkv"),
    "libvpx-vp9": ("webm",),
    "libvpx": ("webm",),
    "mpeg4": ("mp4",),
}


def header_of(blob):
    with blob.open() as file:
        return read_header(file)


@st.composite
def clip_forms(draw):
    """Codec, keyframe distance from one frame to the whole clip, B-frames, open GOPs, clock, size."""
    codec = draw(st.sampled_from(sorted(CODECS)))
    coded = codec in ("libx264", "libx265")
    b_frames = draw(st.integers(0, 3)) if coded else draw(st.integers(0, 2)) if codec == "mpeg4" else 0
    odd = codec in ("libvpx-vp9", "libvpx", "mpeg4")
    return {
        "codec": codec,
        "container": draw(st.sampled_from(CODECS[codec])),
        "frames": draw(st.integers(15, 40)),
        "fps": draw(st.sampled_from([10, 12, 25])),
        "keyframes": draw(st.sampled_from([0, 1, 2, 3, 7, 12])),
        "b_frames": b_frames,
        "open_gop": draw(st.booleans()) if coded and b_frames else False,
        "variable": draw(st.booleans()),
        "size": draw(st.sampled_from([(64, 48), (80, 64)] + [(65, 49)] * odd)),
        "start": draw(st.sampled_from([0, 0, 400])),
    }


@given(form=clip_forms(), chunk_seconds=st.sampled_from([0.2, 0.4, 0.7, 1.3, 60.0]), data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_frames_of_chunks_are_frames_of_clip(clips, form, chunk_seconds, data):
    content = clips["write"](clips["settings"](**form))
    reference = clips["plain"](content)
    with tempfile.TemporaryDirectory() as folder:
        cut = clips["split"](content, Path(folder), chunk_seconds)
        whole = list(frames(cut.plan, cut.chunks))
        assert clips["digests"](cut.plan, iter(whole)) == reference
        assert not any(frame.concealed for frame in whole)
        assert [frame.index for frame in whole] == list(range(len(reference)))
        assert [frame.time for frame in whole] == list(frame_times(cut.plan))

        # chunks are a partition in time, each decodes alone
        assert [c.first for c in cut.plan.chunks] == [sum(c.frames for c in cut.plan.chunks[:k]) for k in cut.chunks]
        assert sum(c.frames for c in cut.plan.chunks) == len(reference)
        for before, after in zip(cut.plan.chunks, cut.plan.chunks[1:], strict=False):
            assert before.t1 == after.t0
        for chunk in cut.plan.chunks:
            alone = clips["digests"](cut.plan, frames(cut.plan, {chunk.index: cut.chunks[chunk.index]}))
            assert alone == reference[chunk.first : chunk.first + chunk.frames]

        # a span that starts and ends anywhere is the same part of all frames
        times = frame_times(cut.plan)
        t0, t1 = sorted(data.draw(st.floats(-0.1, float(times[-1]) + 0.2)) for _ in range(2))
        part = [i for i, t in enumerate(times) if t0 <= t < t1]
        found = clips["digests"](cut.plan, frames(cut.plan, cut.chunks, t0, t1, threads=2))
        assert found == [reference[i] for i in part]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_open_gop_is_copied_not_recoded(clips, tmp_path, codec):
    """The property is not held by recoding everything: an open GOP is cut as it is."""
    content = clips["write"](clips["settings"](codec=codec, frames=48, keyframes=8, b_frames=3, open_gop=True))
    cut = clips["split"](content, tmp_path, 1.0)
    assert len(cut.chunks) > 1
    header = header_of(cut.chunks[1])
    assert header.codec == {"libx264": "h264", "libx265": "hevc"}[codec]
    assert header.extradata  # of the clip; our own streams carry parameter sets in band
    assert clips["digests"](cut.plan, frames(cut.plan, cut.chunks)) == clips["plain"](content)


def test_far_keyframes_are_recoded(clips, tmp_path):
    content = clips["write"](clips["settings"](codec="libvpx-vp9", container="webm", frames=60, keyframes=0))
    cut = clips["split"](content, tmp_path, 0.5)
    assert len(cut.chunks) > 5
    assert header_of(cut.chunks[1]).codec == "h264"
    assert clips["digests"](cut.plan, frames(cut.plan, cut.chunks)) == clips["plain"](content)
