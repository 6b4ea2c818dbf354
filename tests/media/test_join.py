"""Segments, joined, are the clip again: frames, time stamps, colour description, rotation, aspect, sound."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.decode import frames
from media.encode import SegmentEncoder
from media.join import join
from media.packets import PacketsReader, read_header
from mesh.names import BlobName
from mesh.stages import Input

pytestmark = pytest.mark.unit


def segments(cut, *, crf: int = 18, lossless: bool = True) -> list[Input]:
    """Each chunk coded again, as the magnifier does."""
    found = []
    for index, blob in cut.chunks.items():
        encoder = SegmentEncoder(cut.plan, crf=crf, lossless=lossless)
        for frame in frames(cut.plan, {index: blob}):
            encoder.add(frame.index, frame.y, frame.u, frame.v)
        found.append(Input(BlobName("r", "segment", "0", str(index)), encoder.finish({"index": index})))
    return found


def relative_times(data: bytes) -> list[Fraction]:
    """Presentation times of the frames that a player decodes, in seconds from the first."""
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        stamps = [frame.pts * stream.time_base for frame in container.decode(stream)]
    return [stamp - stamps[0] for stamp in stamps]


def planned_times(plan) -> list[Fraction]:
    return [(pts - plan.pts[0]) * Fraction(*plan.time_base) for pts in plan.pts]


@given(
    codec=st.sampled_from(["libx264", "libvpx-vp9", "mpeg4"]),
    variable=st.booleans(),
    start=st.sampled_from([0, 700]),
    size=st.sampled_from([(64, 48), (65, 49), (66, 49), (65, 48)]),
    chunk_seconds=st.sampled_from([0.3, 0.8, 60.0]),
)
@settings(max_examples=25, deadline=None)
def test_join_keeps_frames_and_times(clips, codec, variable, start, size, chunk_seconds):
    if codec == "libx264" and (size[0] % 2 or size[1] % 2):
        size = (64, 48)
    container = "webm" if codec == "libvpx-vp9" else "mp4"
    form = {"codec": codec, "variable": variable, "start": start, "size": size, "container": container}
    content = clips["write"](clips["settings"](frames=30, keyframes=4, **form))
    with tempfile.TemporaryDirectory() as folder:
        cut = clips["split"](content, Path(folder), chunk_seconds)
        path = Path(folder) / "joined.mp4"
        join(cut.plan, segments(cut), None, path)
        joined = path.read_bytes()
    reference = clips["plain"](content)
    assert [d for _, d in clips["plain"](joined)] == [d for _, d in reference]
    assert relative_times(joined) == planned_times(cut.plan)
    with av.open(io.BytesIO(joined)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == size
        stamps = [packet.dts for packet in container.demux(stream) if packet.size]
    assert all(earlier < later for earlier, later in pairwise(stamps))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize(("full_range", "matrix"), [(False, 1), (True, 6), (False, 2)])
def test_join_keeps_the_description(clips, tmp_path, rotation, full_range, matrix):
    made = clips["settings"](
        rotation=rotation, full_range=full_range, matrix=matrix, aspect=Fraction(4, 3), frames=15, b_frames=2
    )
    content = clips["write"](made)
    cut = clips["split"](content, tmp_path, 0.5)
    recording = cut.plan.recording
    assert (recording.rotation, recording.full_range, recording.matrix) == (rotation, full_range, matrix)
    assert recording.pixel_aspect == (4, 3)
    path = tmp_path / "joined.mp4"
    join(cut.plan, segments(cut, lossless=False), None, path)
    again = clips["split"](path.read_bytes(), _folder(tmp_path), 0.5).plan.recording
    kept = ("rotation", "full_range", "matrix", "primaries", "transfer", "pixel_aspect", "width", "height", "frames")
    assert {k: getattr(again, k) for k in kept} == {k: getattr(recording, k) for k in kept}
    assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat")  # plays before it is all there


def _folder(parent: Path) -> Path:
    (parent / "again").mkdir()
    return parent / "again"


def coded_sound(data: bytes) -> tuple[str, list[tuple[float, bytes]]]:
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.audio[0]
        found = [(float(p.pts * stream.time_base), bytes(p)) for p in container.demux(stream) if p.size]
        return stream.codec_context.codec.canonical_name, found


@pytest.mark.parametrize(("container", "audio"), [("mp4", "aac"), ("webm", "libopus"), ("mkv", "flac"), ("mov", "ac3")])
def test_sound_is_copied(clips, tmp_path, container, audio):
    codec = "libvpx-vp9" if container == "webm" else "libx264"
    content = clips["write"](clips["settings"](codec=codec, container=container, audio=audio, frames=36))
    cut = clips["split"](content, tmp_path, 1.0)
    assert cut.plan.recording.audio
    path = tmp_path / "joined.mp4"
    join(cut.plan, segments(cut), cut.audio, path)
    before, after = coded_sound(content), coded_sound(path.read_bytes())
    assert after[0] == before[0]
    assert [data for _, data in after[1]] == [data for _, data in before[1]]
    # relative to the pictures, to a millisecond: the clock of Matroska
    shift = float(cut.plan.pts[0] * Fraction(*cut.plan.time_base)) - first_picture(path)
    assert [t + shift for t, _ in after[1]] == pytest.approx([t for t, _ in before[1]], abs=2e-3)
    assert relative_times(path.read_bytes()) == planned_times(cut.plan)


def first_picture(path: Path) -> float:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return float(next(container.decode(stream)).pts * stream.time_base)


@pytest.mark.parametrize(("container", "audio"), [("mov", "pcm_s16le"), ("mkv", "mp2")])
def test_other_sound_becomes_aac(clips, tmp_path, container, audio):
    codec = "libvpx-vp9" if container == "webm" else "libx264"
    content = clips["write"](clips["settings"](codec=codec, container=container, audio=audio, frames=36))
    cut = clips["split"](content, tmp_path, 1.0)
    path = tmp_path / "joined.mp4"
    join(cut.plan, segments(cut), cut.audio, path)
    with av.open(str(path)) as joined:
        stream = joined.streams.audio[0]
        assert stream.codec_context.name == "aac"
        samples = sum(frame.samples for frame in joined.decode(stream))
    assert samples / 48_000 == pytest.approx(3.0, abs=0.06)


def test_clip_that_starts_late_is_moved_to_its_start(clips, tmp_path):
    content = clips["write"](clips["settings"](container="ts", start=90_000, frames=30))
    cut = clips["split"](content, tmp_path, 1.0)
    path = tmp_path / "joined.mp4"
    join(cut.plan, segments(cut), None, path)
    assert first_picture(path) == pytest.approx(0, abs=0.2)
    assert relative_times(path.read_bytes()) == planned_times(cut.plan)


def test_same_frames_give_same_bytes(clips, tmp_path):
    cut = clips["split"](clips["write"](clips["settings"]()), tmp_path, 1.0)
    assert segments(cut, lossless=False)[0].source == segments(cut, lossless=False)[0].source


def test_segment_header_carries_what_the_writer_adds(clips, tmp_path):
    cut = clips["split"](clips["write"](clips["settings"]()), tmp_path, 1.0)
    for index, blob in enumerate(segments(cut)):
        with blob.open() as file:
            header = read_header(file)
        chunk = cut.plan.chunks[index]
        assert (header.first, header.frames, header.extra) == (chunk.first, chunk.frames, {"index": index})


def test_segments_are_closed_and_start_with_a_keyframe(clips, tmp_path):
    cut = clips["split"](clips["write"](clips["settings"]()), tmp_path, 1.0)
    for blob in segments(cut, lossless=False):
        with blob.open() as file:
            reader = PacketsReader(file)
            first = next(reader.packets())
            assert first.is_key
            assert first.pts == reader.index["pts"].min()


def test_missing_or_swapped_segments_are_noticed(clips, tmp_path):
    cut = clips["split"](clips["write"](clips["settings"]()), tmp_path, 1.0)
    made = segments(cut)
    assert len(made) > 1
    for wrong in ([], made[:-1], made[::-1]):
        with pytest.raises(ValueError, match="segment"):
            join(cut.plan, wrong, None, tmp_path / "wrong.mp4")


def test_encoder_refuses_gaps_and_wrong_planes(clips, tmp_path):
    cut = clips["split"](clips["write"](clips["settings"]()), tmp_path, 1.0)
    encoder = SegmentEncoder(cut.plan, crf=18, lossless=True)
    shown = list(frames(cut.plan, cut.chunks))
    encoder.add(3, shown[3].y, shown[3].u, shown[3].v)
    with pytest.raises(ValueError, match="due"):
        encoder.add(5, shown[5].y, shown[5].u, shown[5].v)
    with pytest.raises(ValueError, match="planes"):
        encoder.add(4, shown[4].y[:-1], shown[4].u, shown[4].v)


MADE = """
import hashlib, numpy as np
from media.encode import H264Encoder
from media.packets import PacketsWriter
from mesh.contracts import Recording
import io

recording = Recording(
    duration_s=1, frames=12, width=64, height=48, fps=12, variable_rate=False, codec="h264", container="mp4",
    pixel_format="yuv420p",
)
file = io.BytesIO()
settings = dict(crf=18, lossless=False, preset="veryfast", keyframes=250)
encoder = H264Encoder(recording, (1, 12), writer=PacketsWriter(file), **settings)
columns, rows = np.meshgrid(np.arange(64), np.arange(48))
for number in range(12):
    noise = np.random.default_rng(number).integers(0, 6, (48, 64))
    y = (128 + 60 * np.sin((columns + 2 * number) / 7) + 40 * np.sin((rows - number) / 5) + noise).astype(np.uint8)
    encoder.add(number, y, y[::2, ::2], y[1::2, ::2])
encoder.flush()
print(hashlib.sha256(file.getvalue()).hexdigest())
"""


def test_streams_do_not_depend_on_what_memory_held():
    """The C library fills fresh memory with another byte in each run."""
    made = {
        subprocess.run(
            [sys.executable, "-c", MADE],
            env={**os.environ, "MALLOC_PERTURB_": str(filling)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for filling in (0, 85, 170)
    }
    assert len(made) == 1
