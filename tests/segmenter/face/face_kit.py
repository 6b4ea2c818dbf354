"""Clips of faces for the tests of the face segmenter: phantoms, and what may happen to a face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from media.decode import Frame
from media.masks import FrameMask
from mesh.contracts import Chunk, Grid, Plan, Recording
from mesh.parameters import Parameters
from phantom import PhantomSettings
from phantom.motion import poses
from phantom.render import masks as truth_masks
from phantom.render import render
from phantom.scenes.face import _forward
from phantom.wave import TICKS, frame_ticks
from segmenter.face import segmenter
from segmenter.face.models import problem

needs_models = pytest.mark.skipif(problem() is not None, reason=f"no face models: {problem()}")


def face_clip(seconds: float = 1.0, **given: Any) -> tuple[list[Frame], list[NDArray[np.uint8]], Plan]:
    """Frames of a phantom, the truth of its heads, its plan."""
    settings = PhantomSettings(scene="face", seconds=seconds, **({"seed": 3} | given))
    frames = [Frame(shown.index, shown.time, shown.y, shown.u, shown.v) for shown in render(settings)]
    return frames, list(truth_masks(settings, heads=True)), plan_of(frames, settings.fps, settings.rotation)


def plan_of(frames: Sequence[Frame], fps: float = 30.0, rotation: int = 0) -> Plan:
    """One chunk of all of them."""
    height, width = frames[0].y.shape
    count = len(frames)
    recording = Recording(
        duration_s=count / fps, frames=count, width=width, height=height, fps=fps, variable_rate=False,
        codec="rawvideo", container="raw", pixel_format="yuv420p", rotation=rotation, matrix=6,
    )  # fmt: skip
    chunk = Chunk(index=0, first=0, frames=count, t0=0.0, t1=count / fps)
    return Plan(
        recording=recording,
        time_base=(1, round(fps * 1000)),
        pts=[1000 * i for i in range(count)],
        chunks=[chunk],
        grid=Grid(origin_s=0.0, rate_hz=fps, samples=count),
    )


def all_masks(plan: Plan, frames: Sequence[Frame], parts: int = 1, **parameters: Any) -> list[FrameMask]:
    """Masks of all frames, made in so many parts, each from the frames of its own support alone."""
    count = len(frames)
    edges = np.linspace(0, count, parts + 1).astype(int)
    times = [frame.time for frame in frames]
    found: list[FrameMask] = []
    for first, last in pairwise(edges):
        near = [f for f in frames if times[first] - 1 - 1e-6 <= f.time <= times[last - 1] + 1 + 1e-6]
        found += segmenter.masks(plan, near, int(first), int(last), Parameters(**parameters))
    return found


def spots(known: PhantomSettings) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Turn of a phantom's head in each frame, degrees, and where four spots of its skin are, luma px, [n, 2] each."""
    pose = poses(known, frame_ticks(known) / TICKS, known.width, known.height)
    half = 0.215 * known.height  # of the head's width, as in phantom.scenes.face
    found = {}
    places = {"forehead": (0.0, -0.35), "right_cheek": (-0.5, 0.2), "left_cheek": (0.5, 0.2), "chin": (0.0, 0.75)}
    for name, (side, height) in places.items():
        wide = half * np.sqrt(1 - abs(height) ** 2.3)
        swung = half * float(_forward(np.array(height))) * np.sin(pose.yaw)
        x = (known.width - 1) / 2 + pose.head[:, 0] + wide * np.sin(np.arcsin(side) + pose.yaw) + swung
        y = 0.445 * known.height + pose.head[:, 1] + 1.36 * half * height
        found[name] = np.stack([x, y], axis=1)
    return np.rad2deg(pose.yaw), found


def iou(mask: FrameMask, truth: NDArray[np.uint8]) -> float:
    """Of all faces together."""
    ours, true = mask.labels > 0, truth > 0
    return float((ours & true).sum() / max((ours | true).sum(), 1))


def painted(frame: Frame, shape: NDArray[np.bool_], yuv: tuple[float, float, float], seed: int = 0) -> Frame:
    """Something of that colour before the picture; `shape` is bool[height, width]."""
    y, u, v = frame.y.copy(), frame.u.copy(), frame.v.copy()
    grain = np.random.default_rng(seed).normal(0, 3, y.shape)
    y[shape] = np.clip(yuv[0] + grain[shape], 0, 255)
    half = shape[::2, ::2]
    u[half], v[half] = yuv[1], yuv[2]
    return replace(frame, y=y, u=u, v=v)


def hand(frame: Frame, x: float, y: float, size: float) -> NDArray[np.bool_]:
    """The outline of a hand held flat: a palm and four fingers, `size` px wide, its palm's middle at x, y."""
    rows, columns = np.indices(frame.y.shape)
    shape = ((columns - x) / (0.5 * size)) ** 2 + ((rows - y) / (0.55 * size)) ** 2 < 1
    for number in range(4):
        middle = x + (number - 1.5) * 0.25 * size
        shape |= (np.abs(columns - middle) < 0.105 * size) & (rows > y - 1.15 * size) & (rows < y)
    return np.asarray(shape)


def smaller(frame: Frame, factor: float, size: tuple[int, int] = (640, 480), level: int = 110) -> Frame:
    """The picture, scaled, in the middle of a larger grey one."""
    found = []
    for plane, step, fill in ((frame.y, 1, level), (frame.u, 2, 128), (frame.v, 2, 128)):
        width, height = size[0] // step, size[1] // step
        image = Image.fromarray(plane)
        image = image.resize(
            (round(image.width * factor), round(image.height * factor)), Image.Resampling.BOX if factor < 1 else None
        )
        canvas = Image.new("L", (width, height), fill)
        canvas.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
        found.append(np.asarray(canvas))
    return Frame(frame.index, frame.time, *found)


def at_index(frame: Frame, index: int, fps: float = 30.0) -> Frame:
    """The same picture at another time."""
    return replace(frame, index=index, time=index / fps)
