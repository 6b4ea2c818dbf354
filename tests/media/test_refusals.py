"""What is no usable clip gets a typed refusal, from the probe and from split, and leaves nothing open."""

from __future__ import annotations

import io
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from media.limits import Limits
from media.probe import probe
from media.split import split
from mesh.contracts import Plan
from mesh.errors import (
    EmptyUpload,
    Failure,
    NoFrames,
    NotMoving,
    NoVideoStream,
    RecordingFailure,
    TooLong,
    TooManyPixels,
    TooShort,
    UnreadableVideo,
)
from mesh.parameters import Parameters

pytestmark = pytest.mark.unit

PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"


def still(codec: str, container: str, pixel_format: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as target:
        stream = target.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        frame = av.VideoFrame(64, 48, pixel_format)
        for plane in frame.planes:
            np.frombuffer(plane, np.uint8)[:] = 100
        target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return file.getvalue()


def sound(container: str, codec: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as target:
        stream = target.add_stream(codec, rate=48_000)
        for start in range(0, 48_000, 960):
            samples = np.zeros((2, 960), np.float32)
            block = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            block.sample_rate, block.pts, block.time_base = 48_000, start, Fraction(1, 48_000)
            target.mux(stream.encode(block))
        target.mux(stream.encode(None))
    return file.getvalue()


def bomb() -> bytes:
    """A small file of huge frames."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as target:
        stream = target.add_stream("libx264", rate=30)
        stream.width = stream.height = 8192
        stream.codec_context.options = {"preset": "ultrafast"}
        frame = av.VideoFrame(8192, 8192, "yuv420p")
        for plane in frame.planes:
            np.frombuffer(plane, np.uint8)[:] = 128
        for number in range(3):
            frame.pts, frame.time_base = number, Fraction(1, 30)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return file.getvalue()


def refusal(data: bytes, scratch, limits: Limits | None = None) -> type[Failure]:
    """The class of the refusal; the probe and split must agree."""
    with pytest.raises(RecordingFailure) as seen:
        probe(io.BytesIO(data), limits)
    with pytest.raises(RecordingFailure) as found:
        list(split(io.BytesIO(data), Parameters(), scratch, limits))
    assert seen.type is found.type
    assert found.value.detail
    assert found.value.problem().hint
    return found.type


def test_no_bytes(tmp_path):
    assert refusal(b"", tmp_path) is EmptyUpload


@pytest.mark.parametrize(
    "data",
    [
        b"this is no video at all\n" * 50,
        b"ffconcat version 1.0\nfile other.mp4\n",
        PLAYLIST,
        b"\x00\x00\x00\x18ftypisom" + b"\0" * 400,
        b"<MPD><Period><BaseURL>file:///etc/passwd</BaseURL></Period></MPD>",
        bytes(range(256)) * 40,
    ],
    ids=["text", "ffconcat", "hls", "only ftyp", "dash", "noise"],
)
def test_no_video_file(data, tmp_path):
    assert refusal(data, tmp_path) is UnreadableVideo


def test_concat_script_does_not_open_its_file(clips, tmp_path, monkeypatch):
    (tmp_path / "other.mp4").write_bytes(clips["write"](clips["settings"]()))
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "upload.mp4"
    script.write_bytes(b"ffconcat version 1.0\nfile other.mp4\n")
    with script.open("rb") as file, pytest.raises(UnreadableVideo):
        probe(file)


@pytest.mark.parametrize(
    ("codec", "container", "pixel_format"),
    [
        ("png", "image2pipe", "rgb24"),
        ("mjpeg", "image2pipe", "yuvj420p"),
        ("gif", "gif", "rgb8"),
        ("bmp", "image2pipe", "bgr24"),
    ],
)
def test_still_picture(codec, container, pixel_format, tmp_path):
    assert refusal(still(codec, container, pixel_format), tmp_path) is NotMoving


@pytest.mark.parametrize("head", [b"RIFF\x24\0\0\0WEBPVP8 ", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"])
def test_still_picture_of_a_phone(head, tmp_path):
    assert refusal(head + b"\0" * 100, tmp_path) is NotMoving


def test_video_of_one_frame(clips, tmp_path):
    assert refusal(clips["write"](clips["settings"](frames=1)), tmp_path) is NotMoving


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "aac"), ("matroska", "aac"), ("wav", "pcm_s16le"), ("mp3", "libmp3lame")]
)
def test_sound_only(container, codec, tmp_path):
    assert refusal(sound(container, codec), tmp_path) is NoVideoStream


def test_too_short(clips, tmp_path):
    assert refusal(clips["write"](clips["settings"](frames=5, fps=25)), tmp_path) is TooShort


@pytest.mark.parametrize("form", [{}, {"codec": "mpeg4", "container": "avi"}], ids=["mp4", "avi"])
def test_too_long(clips, form, tmp_path):
    content = clips["write"](clips["settings"](frames=30, **form))
    assert refusal(content, tmp_path, Limits(max_seconds=2)) is TooLong


def test_too_many_frames(clips, tmp_path):
    content = clips["write"](clips["settings"](frames=30))
    with pytest.raises(TooLong):
        list(split(io.BytesIO(content), Parameters(), tmp_path, Limits(max_frames=20)))


def test_huge_frames(tmp_path):
    content = bomb()
    assert len(content) < 200_000
    started = time.process_time()
    assert refusal(content, tmp_path) is TooManyPixels
    assert time.process_time() - started < 20  # decoding nothing; a hang, not a speed, is what this finds


def test_frames_that_grow_beyond_the_limit(clips, tmp_path):
    """The container says 64x48; the stream inside is larger than what is allowed."""
    content = clips["write"](clips["settings"](size=(320, 240)))
    assert refusal(content, tmp_path, Limits(max_pixels=64 * 48)) is TooManyPixels


def test_portrait_counts_pixels_not_sides(clips, tmp_path):
    content = clips["write"](clips["settings"](size=(48, 64)))
    assert probe(io.BytesIO(content), Limits(max_pixels=64 * 48)).height == 64


@pytest.mark.parametrize("part", [0.1, 0.3, 0.6])
def test_truncated_mp4_has_no_index(clips, part, tmp_path):
    content = clips["write"](clips["settings"](frames=40))
    assert refusal(content[: int(len(content) * part)], tmp_path) is UnreadableVideo


@pytest.mark.parametrize("part", [0.5, 0.8])
def test_truncated_mkv_gives_what_is_there(clips, part, tmp_path):
    content = clips["write"](clips["settings"](frames=60, container="mkv"))
    cut = clips["split"](content[: int(len(content) * part)], tmp_path)
    assert 10 < len(cut.plan.pts) < 60


def test_garbage_where_the_pictures_should_be(clips, tmp_path):
    content = bytearray(clips["write"](clips["settings"](frames=40)))
    start = content.index(b"mdat") + 4
    stop = content.index(b"moov") - 4
    content[start:stop] = b"\xa5" * (stop - start)
    assert refusal(bytes(content), tmp_path) is NoFrames


def test_damage_ends_in_a_plan_or_a_refusal(clips, tmp_path):
    """Flipped bytes anywhere: never another exception, and a plan always matches its chunks."""
    from media.decode import frames

    chance = np.random.default_rng(5)
    for form in ({"b_frames": 2}, {"codec": "libvpx-vp9", "container": "webm"}, {"codec": "mpeg4", "container": "avi"}):
        content = clips["write"](clips["settings"](frames=20, audio="aac" if not form.get("codec") else None, **form))
        for attempt in range(40):
            damaged = bytearray(content)
            for place in chance.integers(0, len(damaged), chance.integers(1, 30)):
                damaged[place] = chance.integers(0, 256)
            folder = tmp_path / f"{form.get('codec', 'h264')}-{attempt}"
            folder.mkdir()
            try:
                cut = clips["split"](bytes(damaged), folder, 0.5)
            except RecordingFailure:
                continue
            found = list(frames(cut.plan, cut.chunks))
            assert [f.index for f in found] == list(range(len(cut.plan.pts)))
            assert {(f.y.shape, f.u.shape) for f in found} == {
                (
                    (cut.plan.recording.height, cut.plan.recording.width),
                    ((cut.plan.recording.height + 1) // 2, (cut.plan.recording.width + 1) // 2),
                )
            }


@pytest.mark.clips
def test_odd_media_end_in_a_plan_or_a_refusal(oddmedia, tmp_path):
    """All of them, by what ffmpeg makes of them: frames where there are at least two, else a typed refusal."""
    lines = [line.split("\t") for line in (oddmedia / "MANIFEST.tsv").read_text().splitlines()[1:]]
    assert len(lines) == 30
    refused: dict[str, int] = {}
    for line in lines:
        name, count = line[0], int(line[5])
        folder = tmp_path / name.replace("/", "-")
        folder.mkdir()
        with (oddmedia / name).open("rb") as file:
            try:
                outputs = list(split(file, Parameters(), folder))
            except RecordingFailure:
                refused[name] = count
                continue
        assert len(Plan.model_validate_json(outputs[-1].source).pts) >= count, name
    # of what ffmpeg decodes, only single pictures and six frames without a clock are refused
    assert {name for name, count in refused.items() if count > 1} == {"openh264/Error_I_P.264"}
