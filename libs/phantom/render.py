"""Renders the frames of a synthetic recording, one at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from phantom.color import clipped, offsets
from phantom.geometry import REST, Pose
from phantom.layers import Layer, Stage, build_stage
from phantom.light import column_light, lamp, light, row_light, stepped
from phantom.motion import Poses, poses
from phantom.placement import label_layers
from phantom.settings import PhantomSettings
from phantom.texture import Plane
from phantom.wave import TICKS, blood, frame_ticks

_NOISE_FRAMES = 7  # how many frames of noise are drawn; each frame takes a piece from a random place


@dataclass(frozen=True)
class RenderedFrame:
    """One frame as the camera stores it.

    Attributes
    ----------
    index : int
    time : float
        In seconds, the first frame at 0.
    y : uint8 or uint16[height, width]
    u, v : uint8 or uint16[height / 2, width / 2]
        Planes of yuv420p or yuv420p10 (0-1023); arrays of their own.
    """

    index: int
    time: float
    y: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]


def scene_size(settings: PhantomSettings) -> tuple[int, int]:
    """Width and height as the picture is seen, which a turned file stores the other way round."""
    if settings.rotation in (90, 270) and settings.scene != "ellipse":
        return settings.height, settings.width
    return settings.width, settings.height


def render(settings: PhantomSettings, gain: float = 0.0) -> Iterator[RenderedFrame]:
    """The frames in order. Memory does not grow with the length.

    Each sample is light x (scene with its pulse) + noise, computed without rounding and rounded once, so that a pulse
    of a fraction of a level survives in the mean over the skin (noise and texture are the dither).

    Parameters
    ----------
    settings : PhantomSettings
    gain : float
        By how much the pulse is magnified: 1 + gain times its size. All else, the noise with it, stays the same.

    Yields
    ------
    RenderedFrame
    """
    width, height = scene_size(settings)
    time_s = frame_ticks(settings) / TICKS
    moved = poses(settings, time_s, width, height)
    stages = [build_stage(settings, moved, width, height)]
    if settings.white_balance_step:
        stages.append(build_stage(settings, moved, width, height, settings.white_balance_step))
    state = stepped(settings, time_s).astype(np.intp)
    people = settings.people()
    wave = [
        np.stack([blood(person, time_s, float(node)) for node in nodes], axis=1) * (1 + gain)
        for person, nodes in zip(people, stages[0].nodes_s, strict=True)
    ]
    lights = light(settings, time_s)
    camera = _Camera(settings, width, height)
    turns = settings.rotation // 90 if settings.scene != "ellipse" else 0
    for index, time in enumerate(time_s):
        stage = stages[state[index] % len(stages)]
        now = _Now(moved, index)
        pictures = [_compose(layers, [w[index] for w in wave], now) for layers in stage.planes]
        planes = camera.expose(pictures, float(lights[index]), float(time))
        seen = [np.ascontiguousarray(np.rot90(plane, turns)) if turns else plane for plane in planes]
        yield RenderedFrame(index, float(time), seen[0], seen[1], seen[2])


def ideal_magnified(settings: PhantomSettings, gain: float) -> Iterator[RenderedFrame]:
    """The recording as a perfect magnification would show it: the pulse (1 + gain) times, all else and noise the same.

    Parameters
    ----------
    settings : PhantomSettings
    gain : float

    Yields
    ------
    RenderedFrame

    Raises
    ------
    ValueError
        If the gain is below 0.
    """
    if not gain >= 0:
        raise ValueError(f"gain must not be below 0, it is {gain}")
    return render(settings, gain)


def masks(settings: PhantomSettings, *, heads: bool = False) -> Iterator[NDArray[np.uint8]]:
    """Where the skin is in every frame, at chroma resolution of the stored picture.

    Parameters
    ----------
    settings : PhantomSettings
    heads : bool
        Only that of heads, without neck and shoulders: the truth of a segmenter of faces.

    Yields
    ------
    uint8[height / 2, width / 2]
        0 no skin, k: skin of person k, from 1.
    """
    width, height = scene_size(settings)
    moved = poses(settings, frame_ticks(settings) / TICKS, width, height)
    parts = label_layers(build_stage(settings, moved, width, height).placed)
    turns = settings.rotation // 90 if settings.scene != "ellipse" else 0
    for index in range(len(moved.yaw)):
        now = _Now(moved, index)
        labels = np.zeros((height // 2, width // 2), np.uint8)
        for one, whole, texture in parts:
            mine = now.pose(one.part.follows, one.part.person)
            there, own = one.chroma.spot(mine, labels.shape)
            cover = whole if one.part.head is not None else one.chroma.warp(whole, mine)
            covered = one.chroma.move(cover, mine)[own] > 0.5
            here = labels[there]
            here[covered] = 0
            if one.part.person is not None and (one.part.head is not None or not heads):
                skin = one.chroma.move(one.chroma.warp(texture, mine), mine)[own] > 0.5
                here[covered & skin] = one.part.person + 1
        yield np.ascontiguousarray(np.rot90(labels, turns))


def stage_of(settings: PhantomSettings) -> Stage:
    """The scene as it is built for rendering; its maps are what is true of every place."""
    width, height = scene_size(settings)
    return build_stage(settings, poses(settings, frame_ticks(settings) / TICKS, width, height), width, height)


class _Now:
    """Where everything is in one frame."""

    def __init__(self, moved: Poses, index: int) -> None:
        head, body, paper = (each[index].tolist() for each in (moved.head, moved.body, moved.paper))
        self._poses = {
            "nothing": REST,
            "head": Pose(head[0], head[1], float(moved.yaw[index]), float(moved.jaw[index])),
            "body": Pose(body[0], body[1]),
            "paper": Pose(paper[0], paper[1], tilt=float(moved.tilt[index])),
        }
        self._shift, self._yaw = moved.walks.shift[:, index].tolist(), moved.walks.yaw[:, index].tolist()

    def pose(self, follows: str, person: int | None) -> Pose:
        """Of a part of somebody, or of a thing."""
        pose = self._poses[follows]
        if person is None or self._shift[person] == [0.0, 0.0]:
            return pose
        x, y = self._shift[person]
        right, down = 2 * math.floor(x / 2), 2 * math.floor(y / 2)
        turned = pose.yaw + self._yaw[person] if follows == "head" else pose.yaw
        return replace(pose, x=pose.x + x - right, y=pose.y + y - down, yaw=turned, right=right, down=down)


def _compose(layers: list[Layer], wave: list[NDArray[np.float64]], now: _Now) -> Plane:
    """The layers over one another, each with its pulse, where it is now."""
    frame = layers[0].still.copy()
    for layer in layers[1:]:
        blood_now = wave[layer.person] if layer.person is not None else np.zeros(0)
        pose = now.pose(layer.follows, layer.person)
        cover, color = layer.seen(blood_now, pose)
        there, own = layer.geometry.spot(pose, frame.shape)
        place = frame[there]
        place -= place * cover[own]
        place += color[own]
    return frame


class _Camera:
    """Light, noise and rounding."""

    def __init__(self, settings: PhantomSettings, width: int, height: int) -> None:
        self._settings = settings
        self._offsets = offsets(settings)
        self._draw = np.random.default_rng([settings.seed, 5])
        pool = np.random.default_rng([settings.seed, 7])
        self._noise = pool.standard_normal(_NOISE_FRAMES * width * height, dtype=np.float32)
        self._columns = [column_light(settings, width // step).astype(np.float32) for step in (1, 2)]
        self._scale = 4 if settings.bit_depth == 10 else 1

    def expose(self, pictures: list[Plane], level: float, time: float) -> list[NDArray[np.uint8]]:
        """What is stored of Y, U and V; the pictures are changed."""
        settings = self._settings
        for plane, picture in enumerate(pictures):
            if lamp(settings) == "mains":
                picture *= row_light(settings, time, picture.shape[0]).astype(np.float32)[:, None]
            picture *= self._columns[0 if plane == 0 else 1] * np.float32(level)
        if settings.exposure > 1:
            clipped(settings, *pictures)
        spread = np.maximum(pictures[0], 0)  # photon noise follows the root of the light
        spread *= np.float32(settings.shot_noise**2 / 255)
        spread += np.float32(settings.read_noise**2)
        np.sqrt(spread, out=spread)
        coarse = spread[::2, ::2] * np.float32(0.5)  # a mean of four pixels has half of it
        return [self._stored(p, spread if n == 0 else coarse, self._offsets[n]) for n, p in enumerate(pictures)]

    def _stored(self, picture: Plane, spread: Plane, offset: float) -> NDArray[np.uint8]:
        start = int(self._draw.integers(len(self._noise) - picture.size + 1))
        noise = self._noise[start : start + picture.size].reshape(picture.shape) * spread
        picture += noise
        picture += np.float32(offset)
        if self._scale != 1:
            picture *= np.float32(self._scale)
        picture += np.float32(0.5)  # half a level: conversion to integers cuts
        np.clip(picture, 0, 256 * self._scale - 1, out=picture)
        stored: NDArray[np.uint8] = picture.astype(np.uint8 if self._scale == 1 else np.uint16)
        return stored
