"""Clips that are decoded once and coded again: other depths and samplings, bare streams, broken clocks."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from media.decode import frames
from media.packets import CodedPacket, PacketsReader, pack, read_header
from media.planes import planes_of
from media.split import split
from media.timeline import frame_times
from mesh.parameters import Parameters
from mesh.stages import Input

pytestmark = pytest.mark.unit


def shown(cut) -> list:
    return list(frames(cut.plan, cut.chunks))


def header_of(blob):
    with blob.open() as file:
        return read_header(file)


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "gray", "gray10le"])
def test_other_formats_become_8_bit_420(clips, tmp_path, pixel_format):
    # the decoder of H.264 shows grey as 4:2:0
    form = {"codec": "ffv1", "container": "mkv"} if "gray" in pixel_format else {"b_frames": 2}
    content = clips["write"](clips["settings"](pixel_format=pixel_format, frames=18, **form))
    cut = clips["split"](content, tmp_path, 0.5)
    assert cut.plan.recording.pixel_format == pixel_format
    bits = 10 if "10" in pixel_format else 8
    wanted = "10 bits a sample" if bits == 10 else f"stored as {pixel_format}"
    assert any(wanted in warning for warning in cut.plan.warnings)
    with av.open(io.BytesIO(content)) as container:
        originals = list(container.decode(video=0))
    found = shown(cut)
    assert len(found) == len(originals) == 18
    for original, frame in zip(originals, found, strict=True):
        stored = _luma(original)
        # 8 bits are kept; of 10, what the dither adds and, for grey, a scale of 255/1023 instead of 1/4
        difference = stored.astype(float) / 2 ** (bits - 8) - frame.y
        assert np.abs(difference).max() <= (0 if bits == 8 else 1.5)
        assert abs(difference.mean()) < 0.5
        if pixel_format.startswith("gray"):
            assert (frame.u == 128).all()
            assert (frame.v == 128).all()
    # what is decoded does not depend on the chunks
    assert clips["digests"](cut.plan, iter(found)) == [
        (p.pts, clips["digest"](*planes_of(p, 64, 48))) for p in originals
    ]


def _luma(frame: av.VideoFrame) -> np.ndarray:
    kind = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    plane = frame.planes[0]
    rows = np.frombuffer(plane, kind).reshape(frame.height, -1)
    return rows[:, : frame.width]


def test_full_range_is_kept(clips, tmp_path):
    content = clips["write"](clips["settings"](pixel_format="yuvj422p", codec="mjpeg", container="avi", frames=14))
    cut = clips["split"](content, tmp_path, 0.5)
    assert cut.plan.recording.full_range
    with av.open(io.BytesIO(content)) as container:
        originals = [_luma(frame) for frame in container.decode(video=0)]
    assert all((frame.y == luma).all() for frame, luma in zip(shown(cut), originals, strict=True))


def test_rgb_becomes_bt601(clips, tmp_path):
    """A clip of known colours: Y = 16 + 219 (0.299 R + 0.587 G + 0.114 B) / 255."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
        for number in range(10):
            colour = np.tile(np.array([200, 120, 40], np.uint8), (48, 64, 1))
            picture = av.VideoFrame.from_ndarray(colour, format="rgb24").reformat(format="bgr0")
            picture.pts, picture.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    cut = clips["split"](file.getvalue(), tmp_path, 1.0)
    assert (cut.plan.recording.matrix, cut.plan.recording.full_range) == (6, False)
    frame = shown(cut)[0]
    luma = 0.299 * 200 + 0.587 * 120 + 0.114 * 40
    assert frame.y.mean() == pytest.approx(16 + 219 * luma / 255, abs=0.8)
    assert frame.u.mean() == pytest.approx(128 + 224 * (40 - luma) / 1.772 / 255, abs=0.8)
    assert frame.v.mean() == pytest.approx(128 + 224 * (200 - luma) / 1.402 / 255, abs=0.8)


def test_hdr_is_told(clips, tmp_path):
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx265", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = 18, 9, 9
        context.options = {"preset": "ultrafast", "x265-params": "log-level=none:pools=1"}
        for number in range(10):
            picture = clips["picture"](number, (64, 48), "yuv420p10le")
            picture.pts, picture.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    cut = clips["split"](file.getvalue(), tmp_path, 1.0)
    recording = cut.plan.recording
    assert (recording.transfer, recording.primaries, recording.matrix) == (18, 9, 9)
    assert [w.split()[:4] for w in cut.plan.warnings] == [["The", "video", "has", "10"], ["The", "video", "is", "HDR"]]


@pytest.mark.parametrize(("codec", "container"), [("libx264", "264"), ("libx265", "265")])
def test_bare_streams_get_a_clock(clips, tmp_path, codec, container):
    content = clips["write"](clips["settings"](codec=codec, container=container, b_frames=2, frames=50, fps=25))
    cut = clips["split"](content, tmp_path, 1.0)
    assert np.diff(frame_times(cut.plan)) == pytest.approx(1 / 25)
    assert any("no time stamps" in warning for warning in cut.plan.warnings)
    reference = [sample for _, sample in clips["plain"](content)]
    assert [sample for _, sample in clips["digests"](cut.plan, iter(shown(cut)))] == reference


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_avi_with_b_frames_keeps_order(clips, tmp_path, codec):
    """Its packets carry no presentation times."""
    content = clips["write"](clips["settings"](codec=codec, container="avi", b_frames=2, frames=40, fps=20))
    cut = clips["split"](content, tmp_path, 0.5)
    assert len(cut.chunks) > 2
    assert np.diff(frame_times(cut.plan)) == pytest.approx(1 / 20, abs=1e-3)
    reference = [sample for _, sample in clips["plain"](content)]
    assert [sample for _, sample in clips["digests"](cut.plan, iter(shown(cut)))] == reference


def test_transport_stream(clips, tmp_path):
    content = clips["write"](clips["settings"](container="ts", b_frames=2, open_gop=True, frames=40))
    cut = clips["split"](content, tmp_path, 0.5)
    reference = clips["plain"](content)
    assert [sample for _, sample in clips["digests"](cut.plan, iter(shown(cut)))] == [s for _, s in reference]
    assert [p - cut.plan.pts[0] for p in cut.plan.pts] == [p - reference[0][0] for p, _ in reference]


def test_size_that_changes_is_scaled_and_told(clips, tmp_path):
    """Two streams, one after the other, as a phone that is turned while it sends."""
    parts = [clips["write"](clips["settings"](container="264", size=size, frames=15)) for size in ((64, 48), (48, 64))]
    cut = clips["split"](b"".join(parts), tmp_path, 0.5)
    found = shown(cut)
    assert len(found) == 30
    assert {frame.y.shape for frame in found} == {(48, 64)}
    assert any("15 frames have another size" in warning for warning in cut.plan.warnings)


def test_size_that_changes_in_a_copied_clip(clips, tmp_path):
    """The same inside Matroska, whose packets are copied: every reader scales alike."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_mux_stream("h264", rate=12, width=64, height=48)
        count = 0
        for size in ((64, 48), (48, 64)):
            bare = clips["write"](clips["settings"](container="264", size=size, frames=15, keyframes=5))
            with av.open(io.BytesIO(bare), format="h264") as part:
                for packet in part.demux(video=0):
                    if packet.size:
                        packet.pts = packet.dts = count * 83
                        packet.time_base, packet.stream = Fraction(1, 1000), stream
                        container.mux(packet)
                        count += 1
    cut = clips["split"](file.getvalue(), tmp_path, 0.5)
    found = shown(cut)
    assert len(found) == 30
    assert {frame.y.shape for frame in found} == {(48, 64)}
    assert not any(frame.concealed for frame in found)


def test_capture_rate_makes_real_time(clips, tmp_path):
    """120 frames a second, played at 12."""
    content = clips["write"](clips["settings"](frames=48))
    cut = clips["split"](content, tmp_path, 1.0, capture_fps=120)
    assert np.diff(frame_times(cut.plan)) == pytest.approx(1 / 120)
    assert cut.plan.recording.fps == pytest.approx(120)
    assert cut.plan.recording.duration_s == pytest.approx(48 / 120)
    assert cut.plan.grid.rate_hz == pytest.approx(120)
    assert cut.plan.chunks[-1].t1 == pytest.approx(48 / 120)


def test_grid_of_a_regular_clip_falls_on_its_frames(clips, tmp_path):
    cut = clips["split"](clips["write"](clips["settings"](frames=40, fps=25)), tmp_path, 1.0)
    grid = cut.plan.grid
    assert grid.samples == 40
    assert grid.origin_s + np.arange(40) / grid.rate_hz == pytest.approx(frame_times(cut.plan), abs=1e-9)
    assert not cut.plan.recording.variable_rate


def test_variable_rate_is_seen(clips, tmp_path):
    assert clips["split"](
        clips["write"](clips["settings"](frames=30, variable=True)), tmp_path, 1.0
    ).plan.recording.variable_rate


def test_edit_list_hides_frames_that_are_still_decoded(clips, tmp_path):
    """The clip starts in the middle of a group of pictures: the frames before serve decoding alone."""
    content = bytearray(clips["write"](clips["settings"](frames=40, keyframes=10, b_frames=2)))
    at = content.index(b"elst") + 4
    version = content[at]
    assert version == 0
    start = int.from_bytes(content[at + 12 : at + 16], "big")
    content[at + 12 : at + 16] = (start + 500 * _media_ticks(bytes(content)) // 1000).to_bytes(4, "big")
    reference = clips["plain"](bytes(content))
    assert 20 < len(reference) < 40
    cut = clips["split"](bytes(content), tmp_path, 1.0)
    assert clips["digests"](cut.plan, iter(shown(cut))) == reference
    assert header_of(cut.chunks[0]).extradata  # copied, not coded again


def _media_ticks(content: bytes) -> int:
    at = content.index(b"mdhd") + 4
    return int.from_bytes(content[at + 12 : at + 16], "big")


def without_reorder_hint(data: bytes) -> bytes:
    """An H.264 stream without VUI: its parameter set no longer says how many frames are reordered."""
    start = data.index(b"\0\0\1\x67") + 4
    end = data.index(b"\0\0\1", start)
    end -= data[end - 1] == 0
    bits = "".join(f"{byte:08b}" for byte in data[start:end].replace(b"\0\0\3", b"\0\0"))
    place = 24  # profile, constraints, level

    def ue() -> int:
        nonlocal place
        zeros = bits.index("1", place) - place
        value = int(bits[place + zeros : place + 2 * zeros + 1], 2) - 1
        place += 2 * zeros + 1
        return value

    ue()
    assert bits[:8] == f"{77:08b}"  # Main: no chroma format follows
    ue()
    order = ue()
    assert order == 0
    ue()
    ue()
    place += 1
    ue(), ue()
    frame_mbs_only = bits[place] == "1"
    assert frame_mbs_only
    place += 2
    if bits[place] == "1":
        place += 1
        for _ in range(4):
            ue()
    else:
        place += 1
    kept = bits[:place] + "0" + "1"
    kept += "0" * (-len(kept) % 8)
    raw = bytes(int(kept[i : i + 8], 2) for i in range(0, len(kept), 8))
    return data[:start] + raw + data[end:]


def test_reordering_that_the_stream_does_not_announce(clips, tmp_path):
    """A decoder that guesses how far frames are reordered drops some until it has guessed right."""
    made = clips["settings"](container="264", frames=48, b_frames=3, keyframes=12, extra=":b-pyramid=strict:8x8dct=0")
    bare = without_reorder_hint(clips["write"](made))
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container, av.open(io.BytesIO(bare), format="h264") as part:
        stream = container.add_stream_from_template(part.streams.video[0], opaque=True)
        stream.time_base = Fraction(1, 1000)
        coded = [packet for packet in part.demux(video=0) if packet.size]
        order = _presentation(clips, made)
        for count, (packet, place) in enumerate(zip(coded, order, strict=True)):
            packet.pts, packet.dts = (place + 2) * 80, count * 80
            packet.time_base, packet.stream = Fraction(1, 1000), stream
            container.mux(packet)
    cut = clips["split"](file.getvalue(), tmp_path, 1.0)
    found = shown(cut)
    assert len(found) == 48
    assert not any(frame.concealed for frame in found)
    exact = clips["plain"](clips["write"](replace(made, container="mp4")))
    assert [clips["digest"](f.y, f.u, f.v) for f in found] == [sample for _, sample in exact]


def _presentation(clips, made) -> list[int]:
    """Places in presentation order of the packets as coded."""
    content = clips["write"](replace(made, container="mp4"))
    with av.open(io.BytesIO(content)) as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.size]
    return [sorted(stamps).index(stamp) for stamp in stamps]


def test_missing_packets_are_concealed_alike_for_every_reader(clips, tmp_path):
    """A frame whose packet is damaged repeats the one before it, whoever reads it and from where."""
    content = clips["write"](clips["settings"](frames=30, keyframes=6))
    cut = clips["split"](content, tmp_path, 60.0)
    blob = cut.chunks[0]
    with blob.open() as file:
        reader = PacketsReader(file)
        coded = list(reader.packets())
        header = reader.header
    lost = [0, 6, 7, 15, 29]
    for number in lost:
        coded[number] = CodedPacket(b"\0" * 20, coded[number].pts, coded[number].dts, flags=coded[number].flags)
    damaged = {0: Input(blob.name, pack(header, coded))}
    whole = list(frames(cut.plan, damaged))
    assert [frame.index for frame in whole] == list(range(30))
    missing = [frame.index for frame in whole if frame.concealed]
    assert set(lost) <= set(missing)
    for index in missing:
        other = whole[index - 1] if index and not set(range(index)) <= set(missing) else None
        if other is not None:
            assert (whole[index].y == other.y).all()
    times = frame_times(cut.plan)
    for first in range(30):
        part = list(frames(cut.plan, damaged, float(times[first]), None))
        assert clips["digests"](cut.plan, iter(part)) == clips["digests"](cut.plan, iter(whole[first:]))
        assert [f.concealed for f in part] == [f.concealed for f in whole[first:]]


def test_chunk_of_another_plan_is_refused(clips, tmp_path):
    cut = clips["split"](clips["write"](clips["settings"](frames=30)), tmp_path, 0.5)
    with pytest.raises(ValueError, match="not the one of this plan"):
        list(frames(cut.plan, {0: cut.chunks[1]}))


def test_chunks_of_short_files_are_removed_with_the_scratch(clips, tmp_path):
    """Everything that split writes lies under its scratch folder."""
    content = clips["write"](clips["settings"](frames=30, audio="aac"))
    outputs = list(split(io.BytesIO(content), Parameters(chunk_seconds=0.5), tmp_path))
    paths = {output.source for output in outputs if not isinstance(output.source, bytes)}
    assert paths == set(tmp_path.iterdir())
