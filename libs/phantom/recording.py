"""Writes a synthetic recording as a video file, with its truth beside it."""

from __future__ import annotations

import contextlib
import math
import queue
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from media.x264 import instructions
from phantom.render import RenderedFrame, render
from phantom.settings import PhantomSettings
from phantom.truth import Truth, truth_of, write_arrays
from phantom.wave import TICKS, beats, frame_ticks

_AUDIO_RATE = 48_000
_AUDIO_BLOCK = 1024  # samples of an AAC frame
_AHEAD = 4  # frames rendered and not yet encoded
_TONE_HZ, _TONE_SECONDS = 880.0, 0.06
# ITU-T H.273: (primaries, transfer) of SMPTE 170M and BT.709
_TAGS = {"bt601": (6, 6), "bt709": (1, 1)}
_SOUND = {"h264": "aac", "vp9": "libopus"}
_FORMATS = {8: "yuv420p", 10: "yuv420p10le"}


def write(
    settings: PhantomSettings, path: Path | str, truth_path: Path | str | None = None, *, gain: float = 0.0
) -> Truth:
    """Render the recording into a file of H.264 or VP9 (and AAC or Opus), streaming.

    Parameters
    ----------
    settings : PhantomSettings
    path : Path or str
        Its suffix names the container: .mp4, .mov, .mkv, .webm (for VP9).
    truth_path : Path or str, optional
        Where to write the truth as JSON as well; maps and masks go beside it, with the suffix .npz.
    gain : float
        1 + gain times the pulse: the ideal magnified clip of these settings.

    Returns
    -------
    Truth

    Raises
    ------
    ValueError
        If no container has that suffix, or it cannot hold the codec.
    """
    truth = truth_of(settings)
    ticks = frame_ticks(settings)
    with av.open(str(path), "w") as container:
        video = _video_stream(container, settings)
        audio: AudioStream | None = None
        if settings.audio:
            audio = cast(AudioStream, container.add_stream(_SOUND[settings.codec], rate=_AUDIO_RATE, layout="mono"))
        sound = _sound(settings)
        heard = 0.0
        for frame in _ahead(render(settings, gain)):
            container.mux(video.encode(_video_frame(frame, int(ticks[frame.index]), settings)))
            while audio is not None and heard <= frame.time:  # both tracks grow together: nothing is held back
                block = next(sound, None)
                if block is None:
                    break
                container.mux(audio.encode(block))
                heard += block.samples / _AUDIO_RATE
        container.mux(video.encode(None))
        if audio is not None:
            for block in sound:
                container.mux(audio.encode(block))
            container.mux(audio.encode(None))
    if truth_path is not None:
        Path(truth_path).write_text(truth.model_dump_json(), encoding="utf-8")
        write_arrays(settings, Path(truth_path).with_suffix(".npz"))
    return truth


def _ahead(frames: Iterator[RenderedFrame]) -> Iterator[RenderedFrame]:
    """The same frames, rendered in a thread of their own while others are encoded; at most a few wait."""
    waiting: queue.Queue[RenderedFrame | BaseException | None] = queue.Queue(_AHEAD)
    stopped = threading.Event()

    def put(item: RenderedFrame | BaseException | None) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put(item, timeout=0.2)
                return

    def fill() -> None:
        try:
            for frame in frames:
                put(frame)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where the frames are taken
            put(error)

    thread = threading.Thread(target=fill, name="phantom", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()


def _video_stream(container: OutputContainer, settings: PhantomSettings) -> VideoStream:
    codec = "libx264" if settings.codec == "h264" else "libvpx-vp9"
    stream = cast(VideoStream, container.add_stream(codec, rate=Fraction(settings.fps).limit_denominator(1001)))
    stream.width, stream.height, stream.pix_fmt = settings.width, settings.height, _FORMATS[settings.bit_depth]
    stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
    stream.codec_context.options = _x264_options(settings) if settings.codec == "h264" else _vp9_options(settings)
    context = stream.codec_context
    context.color_range = ColorRange.JPEG if settings.full_range else ColorRange.MPEG
    context.colorspace = Colorspace.ITU601 if settings.matrix == "bt601" else Colorspace.ITU709
    context.color_primaries, context.color_trc = _TAGS[settings.matrix]
    if settings.rotation:
        # a display matrix turns anticlockwise
        stream.set_display_rotation(-settings.rotation)
    return stream


def _x264_options(settings: PhantomSettings) -> dict[str, str]:
    parameters = [
        f"keyint={settings.keyframe_interval}",
        f"min-keyint={1 if settings.keyframe_interval < 2 else max(settings.keyframe_interval // 10, 1)}",
        "scenecut=0",
        f"open-gop={int(settings.open_gop)}",
        f"bframes={settings.b_frames}",
        *instructions(),
    ]
    options = {"preset": "veryfast", "x264-params": ":".join(parameters)}
    # a constant quantiser of 0 is lossless; the profile follows by itself
    return options | ({"qp": "0"} if settings.crf == 0 else {"crf": str(settings.crf)})


def _vp9_options(settings: PhantomSettings) -> dict[str, str]:
    options = {"b": "0", "g": str(settings.keyframe_interval), "deadline": "realtime", "cpu-used": "7", "row-mt": "1"}
    return options | ({"lossless": "1"} if settings.crf == 0 else {"crf": str(settings.crf)})


def _video_frame(frame: RenderedFrame, ticks: int, settings: PhantomSettings) -> av.VideoFrame:
    picture = av.VideoFrame(settings.width, settings.height, _FORMATS[settings.bit_depth])
    for plane, samples in zip(picture.planes, (frame.y, frame.u, frame.v), strict=True):
        rows = np.frombuffer(memoryview(plane), samples.dtype).reshape(-1, plane.line_size // samples.itemsize)[
            : samples.shape[0]
        ]
        rows[:, : samples.shape[1]] = samples
    picture.pts, picture.time_base = ticks, Fraction(1, TICKS)
    return picture


def _sound(settings: PhantomSettings) -> Iterator[av.AudioFrame]:
    """A short tone at every beat, in blocks."""
    starts = beats(settings)
    total = math.ceil(settings.seconds * _AUDIO_RATE)
    for first in range(0, total, _AUDIO_BLOCK):
        time = (first + np.arange(min(_AUDIO_BLOCK, total - first))) / _AUDIO_RATE
        before = np.searchsorted(starts, time, side="right") - 1
        since: NDArray[np.float64] = np.where(before >= 0, time - starts[np.maximum(before, 0)], np.inf)
        tone = np.where(since < _TONE_SECONDS, 0.2 * np.sin(2 * np.pi * _TONE_HZ * np.minimum(since, 1.0)), 0.0)
        block = av.AudioFrame.from_ndarray(tone.astype(np.float32)[None, :], format="fltp", layout="mono")
        block.sample_rate, block.pts, block.time_base = _AUDIO_RATE, first, Fraction(1, _AUDIO_RATE)
        yield block
