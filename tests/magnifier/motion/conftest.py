"""Clips of a texture that moves by known fractions of a pixel: shifted in the frequency plane, so exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from magnifier.motion import Magnified, Settings, make_method


@dataclass
class Still:
    """A frame."""

    index: int
    time: float
    y: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]


class Texture:
    """A periodic texture of few fine details, and its chroma."""

    def __init__(self, size: tuple[int, int], seed: int = 0) -> None:
        draw = np.random.default_rng(seed)
        self.size = size
        self.small = ((size[0] + 1) // 2, (size[1] + 1) // 2)
        self.planes = [self._make(shape, draw) for shape in (size, self.small)]

    @staticmethod
    def _make(shape: tuple[int, int], draw: np.random.Generator) -> NDArray[np.complex128]:
        radius = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
        radius[0, 0] = 1
        transform = np.fft.rfft2(draw.standard_normal(shape)) / radius * np.exp(-((radius / 0.2) ** 4))
        transform[0, 0] = 0
        return transform * (35 / np.fft.irfft2(transform, s=shape).std())

    @staticmethod
    def moved(transform: NDArray[np.complex128], shape: tuple[int, int], x: float, y: float) -> NDArray[np.float64]:
        ramp = np.fft.fftfreq(shape[0])[:, None] * y + np.fft.rfftfreq(shape[1])[None, :] * x
        return np.fft.irfft2(transform * np.exp(-2j * np.pi * ramp), s=shape)

    def frames(
        self,
        x: NDArray[np.float64],
        times: NDArray[np.float64] | None = None,
        noise: float = 0.0,
        slope: float = 0.5,
    ) -> list[Still]:
        """Frames whose texture stands x to the right and slope x down, in px, with the same noise for the same clip."""
        times = np.arange(len(x)) / 30 if times is None else times
        draw = np.random.default_rng(7)
        found = []
        for number, (shift, time) in enumerate(zip(x, times, strict=True)):
            grain = noise * draw.standard_normal(self.size)
            y = 125 + self.moved(self.planes[0], self.size, shift, slope * shift) + grain
            u = 128 + 0.5 * self.moved(self.planes[1], self.small, shift / 2, slope * shift / 2)
            planes = [np.clip(np.rint(p), 0, 255).astype(np.uint8) for p in (y, u, 256 - u)]
            found.append(Still(number, float(time), *planes))
        return found


def magnified(
    settings: Settings,
    frames: list[Still],
    span: tuple[float, float] | None = None,
    rate: float = 30.0,
    threads: int = 1,
    weights: NDArray[np.float32] | None = None,
) -> list[Magnified]:
    """All that a method gives out for frames."""
    method = make_method(settings, rate, frames[0].y.shape, span, threads)
    found = [each for frame in frames for each in method.push(frame, weights)]
    return found + method.finish()


def error(found: Magnified | Still, ideal: Still) -> float:
    """Root mean square difference of the luma planes in levels."""
    return float(np.sqrt(np.mean((found.y.astype(np.float64) - ideal.y) ** 2)))


@pytest.fixture(scope="session")
def texture() -> Texture:
    return Texture((96, 128))


@pytest.fixture(scope="session", name="make_texture")
def make_texture_fixture() -> Callable[..., Texture]:
    return Texture


@pytest.fixture(scope="session", name="magnified")
def magnified_fixture() -> Callable[..., list[Magnified]]:
    return magnified


@pytest.fixture(scope="session", name="error")
def error_fixture() -> Callable[..., float]:
    return error
