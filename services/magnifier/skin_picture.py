"""`skin.jpg`: the first frame with what was taken for skin marked in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.color import rgb_from_yuv
from mesh.contracts import Recording

Plane = NDArray[np.uint8]
_CONTOUR = np.array([120, 255, 60], np.float32)
_DIM, _GREY_PART = 0.38, 0.75  # outside the skin: darker, and mostly without colour
_LARGEST = 2_400_000  # pixels above which the picture is drawn at chroma resolution
_QUALITY = 90


def mark_skin(
    y: Plane, u: Plane, v: Plane, skin: Plane, recording: Recording
) -> NDArray[np.uint8]:  # fmt: skip
    """The frame in RGB as it is stored, dimmed where there is no skin, with the outline of the skin drawn in.

    Parameters
    ----------
    y : uint8[height, width]
    u, v, skin : uint8[ceil(height / 2), ceil(width / 2)]
        Planes as stored; `skin` is 0 where there is none.
    recording : Recording
        Names matrix and range.

    Returns
    -------
    uint8[h, w, 3]
        Of the size of the luma plane; of the chroma planes where that has more than 2.4 million pixels. Where there
        is no skin at all the picture is not dimmed.
    """
    if y.size > _LARGEST:
        luma = _halved(y)
    else:
        luma = y.astype(np.float32)
        u, v, skin = (_doubled(p, y.shape) for p in (u, v, skin))
    matrix, offset = rgb_from_yuv(recording)
    picture = np.empty((*luma.shape, 3), np.float32)
    for channel in range(3):
        a, b, c = (np.float32(k) for k in matrix[channel])
        picture[..., channel] = a * luma + b * u + c * v + np.float32(offset[channel])
    inside = skin > 0
    if inside.any():
        grey = picture.mean(axis=2, keepdims=True)
        outside = np.float32(_DIM) * (picture + np.float32(_GREY_PART) * (grey - picture))
        picture = np.where(inside[..., None], picture, outside)
        picture[outline(inside, max(round(min(luma.shape) / 320), 1))] = _CONTOUR
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def outline(inside: NDArray[np.bool_], thickness: int) -> NDArray[np.bool_]:
    """Samples of `inside` that are at most `thickness` samples away from its border."""
    core = inside.copy()
    for _ in range(thickness):
        smaller = core.copy()
        smaller[1:] &= core[:-1]
        smaller[:-1] &= core[1:]
        smaller[:, 1:] &= core[:, :-1]
        smaller[:, :-1] &= core[:, 1:]
        core = smaller
    return inside & ~core


def write_skin_picture(
    planes: tuple[Plane, Plane, Plane], skin: Plane, recording: Recording, caption: str, path: Path
) -> None:
    """Draw the marked frame as it is shown (turned, with square pixels), a caption below, into a JPEG.

    Parameters
    ----------
    planes : tuple of uint8[h, w]
        Y, U, V as stored.
    skin : uint8[h, w]
        At chroma resolution.
    recording : Recording
    caption : str
    path : Path
    """
    from PIL import Image, ImageDraw, ImageFont

    marked = mark_skin(*planes, skin, recording)
    image = Image.fromarray(marked)
    across, down = recording.pixel_aspect
    if across != down and across > 0 and down > 0:
        image = image.resize((max(round(image.width * across / down), 1), image.height), Image.Resampling.BICUBIC)
    image = Image.fromarray(np.ascontiguousarray(np.rot90(np.asarray(image), -(recording.rotation // 90))))
    size = max(round(max(image.size) / 42), 12)
    font = ImageFont.load_default(size)
    lines = _lines(caption, image.width - size, font)
    strip = Image.new("RGB", (image.width, image.height + round(size * (0.8 + 1.3 * len(lines)))), (24, 24, 24))
    strip.paste(image, (0, 0))
    draw = ImageDraw.Draw(strip)
    for number, line in enumerate(lines):
        place = (size / 2, image.height + size * (0.4 + 1.3 * number))
        draw.text(place, line, font=font, fill=(240, 240, 240))
    strip.save(path, format="JPEG", quality=_QUALITY)


def _lines(text: str, width: float, font: object) -> list[str]:
    """Words put into lines that fit."""
    measure = getattr(font, "getlength", len)
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and measure(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _doubled(plane: Plane, shape: tuple[int, ...]) -> Plane:
    return plane.repeat(2, axis=0).repeat(2, axis=1)[: shape[0], : shape[1]]


def _halved(plane: Plane) -> NDArray[np.float32]:
    even = np.pad(plane, ((0, plane.shape[0] % 2), (0, plane.shape[1] % 2)), mode="edge").astype(np.float32)
    total: NDArray[np.float32] = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    total *= np.float32(0.25)
    return total
