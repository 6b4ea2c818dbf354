"""What the tests of SAM 3 share: scenes whose skin is known, and a model that knows it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import ndimage

from mesh.contracts import Recording
from segmenter.sam3.model import Segmentation

WIDTH, HEIGHT = 320, 240


def recording(width: int = WIDTH, height: int = HEIGHT, **more: Any) -> Recording:
    return Recording(
        duration_s=1.0, frames=1, width=width, height=height, fps=25.0, variable_rate=False, codec="h264",
        container="mp4", pixel_format="yuv420p", **more,
    )  # fmt: skip


class Scene:
    """Textured ellipses that move, turn and breathe over a textured wall."""

    def __init__(
        self,
        centres: list[tuple[float, float]],
        velocity: tuple[float, float] = (0.0, 0.0),
        turn: float = 0.0,
        noise: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.centres, self.velocity, self.turn, self.noise = centres, velocity, turn, noise
        self._rng = np.random.default_rng(seed)
        self._wall = self._texture()[40 : 40 + HEIGHT, 40 : 40 + WIDTH] + 90
        self._skins = [self._texture() + 150 for _ in centres]

    def _texture(self) -> np.ndarray:
        coarse = ndimage.gaussian_filter(self._rng.normal(size=(HEIGHT + 120, WIDTH + 120)), 3)
        return coarse * (18 / coarse.std())

    def frame(self, index: int, time: float, pulse: float = 0.0) -> SimpleNamespace:
        """A frame with `skins`, the true mask of each ellipse at full resolution; `pulse` in parts of brightness."""
        rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
        picture, skins = self._wall, []
        angle = self.turn * time
        for number, (x, y) in enumerate(self.centres):
            sign = 1 if number % 2 == 0 else -1
            dx, dy = columns - x - sign * self.velocity[0] * time, rows - y - sign * self.velocity[1] * time
            across = np.cos(angle) * dx + np.sin(angle) * dy
            along = -np.sin(angle) * dx + np.cos(angle) * dy
            mask = (across / 42) ** 2 + (along / 58) ** 2 < 1
            skin = ndimage.map_coordinates(self._skins[number], [along + HEIGHT / 2, across + WIDTH / 2], order=1)
            picture = np.where(mask, skin * (1 + pulse), picture)
            skins = [before & ~mask for before in skins] + [mask]
        blurred = ndimage.gaussian_filter(picture, 0.8) + self._rng.normal(size=picture.shape) * self.noise
        y = np.clip(blurred, 0, 255).astype(np.uint8)
        u = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
        return SimpleNamespace(index=index, y=y, u=u, v=u, skins=skins)


class TrueModel:
    """Stands for SAM 3 where masks must mean something: it answers with the truth of the scene, softened."""

    def __init__(self, batch: int = 4) -> None:
        self.batch = batch
        self.calls: list[int] = []

    def segment(self, pictures: Any, recording: Recording, prompts: Any = (), **_: Any) -> Any:
        self.calls.append(len(pictures))
        return [[self._one(picture)] for picture in pictures]

    def _one(self, picture: SimpleNamespace) -> Segmentation:
        masks = [ndimage.gaussian_filter(mask[::2, ::2].astype(np.float32), 1.0) for mask in picture.skins]
        seen = [mask for mask in masks if (mask > 0.5).any()]
        instances = np.stack(seen) if seen else np.zeros((0, HEIGHT // 2, WIDTH // 2), np.float32)
        skin = instances.max(axis=0) if seen else np.zeros((HEIGHT // 2, WIDTH // 2), np.float32)
        scores = np.array([0.9 - 0.1 * number for number in range(len(seen))])
        return Segmentation(skin, instances, scores, np.zeros((len(seen), 4)))


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / max((first | second).sum(), 1))
