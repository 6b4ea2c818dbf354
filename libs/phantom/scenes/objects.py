"""Negative controls: what looks a little like skin, or flickers, and has no blood."""

from __future__ import annotations

import numpy as np

from phantom.placement import still_picture
from phantom.scenes.ellipse import WALL_RGB, wall
from phantom.scenes.face import face_parts
from phantom.settings import PhantomSettings
from phantom.sheet import Grid, Part, Sheet, painted
from phantom.skin import skin_rgb
from phantom.texture import Plane, bump, sample, soft, texture

# A wall is a harder control the nearer its colour comes to skin
_WALLS = ((104.0, 134.0, 150.0), (176.0, 174.0, 168.0), (206.0, 180.0, 152.0), (188.0, 150.0, 122.0))


def wall_parts(settings: PhantomSettings, width: int, height: int, rng: np.random.Generator) -> list[Part]:
    """A wall alone: bluish, grey, beige or clay, by the seed."""
    return [wall(settings, rng, _WALLS[int(rng.integers(len(_WALLS)))])]


def lamp_parts(settings: PhantomSettings, width: int, height: int, rng: np.random.Generator) -> list[Part]:
    """A wall in the warm light of a lamp; the light itself flickers (`light.light`)."""
    color = _WALLS[int(rng.integers(2, len(_WALLS)))]
    at = rng.uniform(0.35, 0.65, 2)

    def draw(x: Grid, y: Grid) -> Sheet:
        fine = 1 + np.float32(settings.texture) * texture(rng, y.shape[0], x.shape[1])
        far = np.hypot((x / width - at[0]) * width / height, y / height - at[1])
        shade = (0.45 + 0.65 * bump(far, 0.42)) * fine
        return Sheet.plain(painted(color, shade.astype(np.float32)), np.ones_like(fine))

    return [Part(None, "nothing", draw)]


def object_parts(settings: PhantomSettings, width: int, height: int, rng: np.random.Generator) -> list[Part]:
    """A wooden ball or a cushion, of the colour of the skin that the settings name."""
    cushion = bool(rng.integers(2))
    side = min(height, width)
    turn = rng.uniform(0, 6.3, 3)

    def draw(x: Grid, y: Grid) -> Sheet:
        px, py = (x - (width - 1) / 2) / side, (y - (height - 1) / 2) / side
        fine = 1 + np.float32(settings.texture) * texture(rng, y.shape[0], x.shape[1])
        if cushion:
            radius = (np.abs(px / 0.38) ** 3.2 + np.abs(py / 0.30) ** 3.2) ** (1 / 3.2)
            shade = (1 - 0.42 * np.clip(radius, 0, 1) ** 3) * (1 + 0.04 * np.sin(160 * px) * np.sin(160 * py))
            shade = shade * (1 - 0.16 * bump(px - 0.06 * np.sin(7 * py + turn[0]), 0.014))
        else:
            radius = np.hypot(px, py) / 0.33
            grain = np.sin(38 * (px + 0.25 * py) + 2.2 * np.sin(5 * py + turn[1]) + 1.5 * fine * 6)
            shade = (0.45 + 0.55 * np.sqrt(np.maximum(1 - radius**2, 0))) * (1 + 0.05 * grain)
            shade = shade * (1 + 0.25 * bump(np.hypot(px + 0.11, py + 0.13), 0.045))
        cover = soft((radius - 1) * 0.33 * side, 1.5)
        return Sheet.plain(painted(skin_rgb(settings), (shade * fine).astype(np.float32)), cover)

    return [wall(settings, rng, WALL_RGB), Part(None, "head", draw)]


def photo_parts(settings: PhantomSettings, width: int, height: int, rng: np.random.Generator) -> list[Part]:
    """A print of the scene face: a picture of skin, which is none. By hand it moves and tilts, else it is still."""
    person = settings.model_copy(update={"scene": "face", "motion": "still", "further_heart_rates": ()})
    picture = still_picture(person, face_parts(person, width, height, rng), width, height)
    tall, wide = 0.80 * height, min(0.66 * height, 0.84 * width)
    scale = 0.94 * height / tall  # pixels of the picture a pixel of the print
    border = 0.022 * height
    middle = ((width - 1) / 2, (height - 1) / 2)

    def draw(x: Grid, y: Grid) -> Sheet:
        rows = middle[1] + (y[:, 0] - middle[1]) * scale
        columns = middle[0] + (x[0] - middle[0]) * scale
        shown: Plane = np.stack([sample(sample(plane, rows).T, columns).T for plane in picture])
        grey = shown.mean(axis=0, keepdims=True)
        shown = 12 + 0.93 * (grey + 0.94 * (shown - grey))  # ink on paper: less contrast, less colour
        outside = np.maximum(np.abs(x - middle[0]) - wide / 2, np.abs(y - middle[1]) - tall / 2)
        printed = soft(outside + border, 1.0)
        rgb = 226 + (shown - 226) * printed[None]
        return Sheet.plain(rgb.astype(np.float32), soft(outside, 1.0))

    return [wall(settings, rng, WALL_RGB), Part(None, "paper", draw)]
