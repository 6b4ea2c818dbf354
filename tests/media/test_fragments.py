"""Streams that are cut anywhere: what is kept of them is enough to go on with, and every frame comes once."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_pieces import picture_clip, pieces_of

from media.fragments import Stream, begins_stream, head_size
from media.limits import Limits
from mesh.errors import Failure, NoVideoStream, TooManyPixels, UnreadableVideo, UnsupportedCodec

pytestmark = pytest.mark.unit

KINDS = [("webm", "libvpx"), ("webm", "libvpx-vp9"), ("mp4", "libx264")]
FRAMES = 75


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2.5 s of noise that moves."""
    chance = np.random.default_rng(3)
    noise = chance.integers(0, 255, (48 + FRAMES, 96, 3), dtype=np.uint8)
    pictures = np.stack([noise[k : k + 48] for k in range(FRAMES)])
    return picture_clip(tmp_path_factory.mktemp("clip") / "clip.mkv", pictures)


@pytest.fixture(scope="module")
def streams(clip: Path) -> Callable[[str], bytes]:
    """A function: the clip by codec, a keyframe every 20 frames. (Not a table, which Hypothesis would print.)"""
    found = {
        codec: b"".join(
            data for _, data in pieces_of(clip, container=kind, codec=codec, keyframe_frames=20, bits_per_s=300_000)
        )
        for kind, codec in KINDS
    }
    return found.__getitem__


def seen(stream: Stream, after_s: float | None = None) -> list[tuple[float, bytes]]:
    """Times and samples of the frames."""
    return [(frame.time, frame.y.tobytes() + frame.u.tobytes()) for frame in stream.frames(after_s)]


@settings(max_examples=30, deadline=None)
@given(codec=st.sampled_from([codec for _, codec in KINDS]), cuts=st.lists(st.floats(0, 1), max_size=12))
def test_frames_are_those_of_the_whole_stream_wherever_it_is_cut(streams, codec, cuts):
    data = streams(codec)
    places = [0, *sorted(int(cut * len(data)) for cut in cuts), len(data)]
    head, held, last, found = b"", b"", None, []
    for start, stop in pairwise(places):
        held += data[start:stop]
        stream = Stream(head + held)
        for frame in seen(stream, last):
            found.append(frame)
            last = frame[0]
        if stream.head:
            whole = head + held
            head, held = whole[: stream.head], whole[stream.restart :]
    whole = Stream(data)
    assert found == seen(whole)
    assert len(found) == FRAMES
    assert len(head) + len(held) < len(data), "what lies before the last keyframe is not kept"
    assert whole.recording is not None
    assert (whole.recording.width, whole.recording.height) == (96, 48)


@pytest.mark.parametrize("codec", [codec for _, codec in KINDS])
def test_where_pieces_are_lost_it_goes_on_at_a_keyframe(streams, codec):
    data = streams(codec)
    whole = dict(seen(Stream(data)))
    head = data[: head_size(data)]
    mark = b"moof" if codec == "libx264" else b"\x1f\x43\xb6\x75"
    place = data.index(mark, len(data) // 3) - (4 if codec == "libx264" else 0)
    rest = seen(Stream(head + data[place:]))
    assert 15 < len(rest) < FRAMES
    assert all(whole[time] == picture for time, picture in rest)


def test_a_file_complete_in_itself(clip, tmp_path):
    path = tmp_path / "plain.mp4"
    with av.open(str(clip)) as source, av.open(str(path), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    data = path.read_bytes()
    stream = Stream(data)
    assert len(seen(stream)) == FRAMES
    assert stream.restart == len(data)
    assert begins_stream(data)


def test_what_is_no_stream_is_refused(streams, tmp_path):
    data = streams("libvpx")
    sound = io.BytesIO()
    with av.open(sound, "w", format="webm", options={"live": "1"}) as container:
        voice = container.add_stream("libopus", rate=48000)
        for k in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), format="s16", layout="stereo")
            frame.rate, frame.pts = 48000, 960 * k
            container.mux(voice.encode(frame))
        container.mux(voice.encode(None))
    wrong: list[tuple[bytes, type[Failure]]] = [
        (b"#EXTM3U\nhttp://127.0.0.1/secret.ts", UnreadableVideo),
        (data[data.index(b"\x1f\x43\xb6\x75") :], UnreadableVideo),
        (b"\0\0\0\4ftypisom" + bytes(100), UnreadableVideo),
        (data.replace(b"V_VP8", b"V_NO8"), UnsupportedCodec),
        (sound.getvalue(), NoVideoStream),
    ]
    for bytes_, failure in wrong:
        with pytest.raises(failure):
            seen(Stream(bytes_))
    with pytest.raises(TooManyPixels):
        seen(Stream(data, Limits(max_pixels=96 * 47)))


@settings(max_examples=25, deadline=None)
@given(codec=st.sampled_from([codec for _, codec in KINDS]), seed=st.integers(0, 2**31), count=st.integers(1, 60))
def test_damage_is_survived_or_refused(streams, codec, seed, count):
    chance = np.random.default_rng(seed)
    data = np.frombuffer(streams(codec), np.uint8).copy()
    data[chance.integers(0, len(data), count)] = chance.integers(0, 256, count, dtype=np.uint8)
    try:
        stream = Stream(data.tobytes())
        times = [time for time, _ in seen(stream)]
    except (Failure, MemoryError):  # a size that is nonsense: the child's supervisor makes a failure of it
        return
    assert all(after > before for before, after in pairwise(times))
    assert stream.head <= stream.restart <= len(data)


def test_nothing_has_come_yet(streams):
    for data in (b"", b"\x1a", streams("libvpx")[:100], streams("libx264")[:100]):
        stream = Stream(data)
        assert seen(stream) == []
        assert stream.head == stream.restart == 0


def test_a_fragment_that_has_not_come_whole_waits(streams):
    """The demuxer refuses MP4 that ends within the index of a fragment."""
    data = streams("libx264")
    fragment = data.index(b"moof", len(data) // 2) - 4
    whole = [time for time, _ in seen(Stream(data[:fragment]))]
    for more in (1, 8, 20, 60, 110):
        stream = Stream(data[: fragment + more])
        assert [time for time, _ in seen(stream)] == whole
        assert stream.restart <= fragment
