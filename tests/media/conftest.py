"""Clips made for the tests: small, textured, moving, in the forms that phones, browsers and editors write."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from media.decode import Frame
from media.planes import planes_of
from media.split import split
from media.x264 import instructions
from mesh.contracts import Plan
from mesh.names import BlobName
from mesh.parameters import Parameters
from mesh.stages import Input

ODDMEDIA = Path(__file__).parents[2] / ".." / "shared" / "oddmedia"


@dataclass(frozen=True)
class ClipSettings:
    """How a test clip is made. `keyframes` 0 is one keyframe for all."""

    codec: str = "libx264"
    frames: int = 24
    size: tuple[int, int] = (64, 48)
    fps: int = 12
    keyframes: int = 8
    b_frames: int = 0
    open_gop: bool = False
    variable: bool = False
    container: str = "mp4"
    pixel_format: str = "yuv420p"
    audio: str | None = None
    rotation: int = 0
    full_range: bool = False
    matrix: int = 2
    aspect: Fraction = Fraction(1)
    start: int = 0
    extra: str = ""


def picture(number: int, size: tuple[int, int], pixel_format: str = "yuv420p") -> av.VideoFrame:
    """A drifting texture with a little noise, so that every frame differs from every other one."""
    width, height = size
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    noise = np.random.default_rng(number).integers(0, 6, (height, width))
    red = 128 + 80 * np.sin((columns + 2 * number) / 7.0) + noise
    green = 128 + 80 * np.sin((rows - number) / 5.0)
    blue = 100 + 60 * np.cos((columns + rows + number) / 9.0)
    shown = np.stack([red, green, blue], axis=2).clip(0, 255).astype(np.uint8)
    return av.VideoFrame.from_ndarray(shown, format="rgb24").reformat(format=pixel_format)


def _options(settings: ClipSettings) -> dict[str, str]:
    distance = settings.keyframes or 10_000
    if settings.codec == "libx264":
        parts = f"keyint={distance}:min-keyint=1:scenecut=0:bframes={settings.b_frames}:b-adapt=0"
        parts += f":open-gop={int(settings.open_gop)}{settings.extra}"
        parts = ":".join([parts, *instructions()])
        return {"preset": "veryfast", "crf": "24", "x264-params": parts}
    if settings.codec == "libx265":
        parts = f"keyint={distance}:min-keyint=1:scenecut=0:bframes={settings.b_frames}:b-adapt=0"
        parts += f":open-gop={int(settings.open_gop)}:log-level=none:pools=1:frame-threads=1{settings.extra}"
        return {"preset": "ultrafast", "x265-params": parts}
    if settings.codec in ("libvpx-vp9", "libvpx"):
        return {"deadline": "realtime", "cpu-used": "8", "g": str(distance), "auto-alt-ref": "1", "lag-in-frames": "6"}
    if settings.codec == "libsvtav1":
        return {"preset": "12", "g": str(distance), "svtav1-params": "lp=1"}
    return {"g": str(distance), "bf": str(settings.b_frames), "q": "4"}


def ticks(settings: ClipSettings) -> list[int]:
    """Time stamps in thousandths of a second."""
    regular = 1000 // settings.fps
    if not settings.variable:
        return [settings.start + regular * i for i in range(settings.frames)]
    steps = np.random.default_rng(settings.frames).integers(regular // 2, 2 * regular, settings.frames)
    return [settings.start + int(t) for t in np.cumsum(steps) - steps[0]]


def write_clip(settings: ClipSettings) -> bytes:
    """The bytes of a clip."""
    file = io.BytesIO()
    names = {"mkv": "matroska", "ts": "mpegts", "264": "h264", "265": "hevc", "3gp": "3gp"}
    with av.open(file, "w", format=names.get(settings.container, settings.container)) as container:
        stream = container.add_stream(settings.codec, rate=settings.fps)
        stream.width, stream.height = settings.size
        stream.pix_fmt = settings.pixel_format
        context = stream.codec_context
        stream.time_base = context.time_base = Fraction(1, 1000)
        context.options, context.thread_count = _options(settings), 1
        context.color_range = 2 if settings.full_range else 1
        context.colorspace = settings.matrix
        context.sample_aspect_ratio = settings.aspect
        if settings.rotation:
            stream.set_display_rotation(-settings.rotation)
        sound = container.add_stream(settings.audio, rate=48_000) if settings.audio else None
        for number, tick in enumerate(ticks(settings)):
            shown = picture(number, settings.size, settings.pixel_format)
            shown.pts, shown.time_base = tick, Fraction(1, 1000)
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
        if sound is not None:
            for block in _tone(settings.frames / settings.fps):
                container.mux(sound.encode(block))
            container.mux(sound.encode(None))
    return file.getvalue()


def _tone(seconds: float) -> Iterator[av.AudioFrame]:
    for start in range(0, int(seconds * 48_000), 960):
        wave = np.sin(2 * np.pi * 440 * (start + np.arange(960)) / 48_000)
        samples = np.stack([wave, wave]).astype(np.float32)
        block = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        block.sample_rate, block.pts, block.time_base = 48_000, start, Fraction(1, 48_000)
        yield block


Digest = tuple[int | None, str]


def digest(y: np.ndarray, u: np.ndarray, v: np.ndarray) -> str:
    """Of the samples of a frame."""
    return hashlib.sha1(y.tobytes() + u.tobytes() + v.tobytes()).hexdigest()


def decode_plainly(data: bytes) -> list[Digest]:
    """Time stamp and digest of every frame as a plain decoder of the whole file gives them: the reference."""
    found: list[Digest] = []
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        found.extend(
            (shown.pts, digest(*planes_of(shown, shown.width, shown.height))) for shown in container.decode(stream)
        )
    return found


@dataclass(frozen=True)
class SplitClip:
    """What `split` wrote."""

    plan: Plan
    chunks: dict[int, Input]
    audio: Input | None


def split_clip(data: bytes, folder: Path, chunk_seconds: float = 1.0, **parameters: float) -> SplitClip:
    """Split and take apart what was written."""
    chosen = Parameters(chunk_seconds=chunk_seconds, **parameters)
    outputs = list(split(io.BytesIO(data), chosen, folder))
    assert (outputs[-1].kind, outputs[-1].index) == ("plan", "0")
    kinds = [o.kind for o in outputs[:-1]]
    assert kinds == sorted(kinds, key=["chunk", "audio"].index)
    blobs = {kind: {int(o.index): o for o in outputs if o.kind == kind} for kind in ("chunk", "audio")}
    made = {k: {i: Input(BlobName("r", k, "0", str(i)), o.source) for i, o in v.items()} for k, v in blobs.items()}
    assert isinstance(outputs[-1].source, bytes)
    plan = Plan.model_validate_json(outputs[-1].source)
    assert list(made["chunk"]) == [c.index for c in plan.chunks]
    return SplitClip(plan, made["chunk"], made["audio"].get(0))


def digests(plan: Plan, found: Iterator[Frame]) -> list[Digest]:
    """Time stamp and digest of frames."""
    return [(plan.pts[frame.index], digest(frame.y, frame.u, frame.v)) for frame in found]


@pytest.fixture(scope="session")
def clips() -> dict[str, Callable]:
    """The makers above, for tests: pytest's import mode has no packages of tests."""
    return {
        "settings": ClipSettings,
        "write": write_clip,
        "plain": decode_plainly,
        "split": split_clip,
        "digests": digests,
        "digest": digest,
        "ticks": ticks,
        "picture": picture,
    }


@pytest.fixture(scope="session")
def oddmedia() -> Path:
    """The folder of odd media, where it is there."""
    if not ODDMEDIA.is_dir():
        pytest.skip("the shared odd media are not here")
    return ODDMEDIA
