"""A map drawn over a frame: title, colour bar with ticks and unit, scale, and what it means in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magnifier.maps.colormaps import COLOURS, colours, painted
from magnifier.maps.png import write_png

Picture = NDArray[np.uint8]

_LONG_SIDE = 840  # of the picture in the figure, px
_INK, _GREY, _PAPER = (26, 26, 26), (95, 95, 95), (255, 255, 255)
_OPAQUE = 0.85
_SMOOTH = 3.0  # px of the figure
_MASKED = (150, 150, 150)


@dataclass(frozen=True)
class Scale:
    """Colours of a map.

    Attributes
    ----------
    low, high : float
    colours : str
        As of `colormaps.colours`.
    unit : str
    ends : tuple of str, optional
        Words at the upper and lower end of the bar.
    """

    low: float
    high: float
    colours: str
    unit: str
    ends: tuple[str, str] | None = None


@dataclass(frozen=True)
class Line:
    """A line drawn over the map.

    Attributes
    ----------
    points : list of (float, float)
        x, y in luma pixels of the picture as it is shown.
    label : str
    dashed : bool
    """

    points: list[tuple[float, float]]
    label: str
    dashed: bool = False


class Backdrop:
    """The frame that all maps of a recording are drawn over, made ready once.

    Parameters
    ----------
    picture : uint8[h, w, 3]
        The frame as it is shown.
    skin : bool[h', w']
        Where there is skin: without a value it is hatched.

    Attributes
    ----------
    picture : uint8[h, w, 3]
    size : tuple of int
        Width and height in a figure, px.
    skin : bool[height, width]
    paper : float32[height, width, 3]
        The frame in pale grey.
    shade : float32[height, width, 1]
        What colours are multiplied with, so that the picture's shading stays visible through them.
    """

    def __init__(self, picture: Picture, skin: NDArray[np.bool_]) -> None:
        from PIL import Image

        self.picture = picture
        height, width = picture.shape[:2]
        zoom = _LONG_SIDE / max(width, height)
        self.size = (max(round(width * zoom), 1), max(round(height * zoom), 1))
        resized = np.asarray(Image.fromarray(picture).resize(self.size, Image.Resampling.LANCZOS))
        grey = resized.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
        self.skin: NDArray[np.bool_] = _resized(skin, self.size) > 0.5
        self.paper: NDArray[np.float32] = np.repeat((0.75 * grey + 20)[..., None], 3, axis=2)
        usual = float(grey[self.skin].mean()) if self.skin.any() else 128.0
        self.shade = np.clip(1 + 0.35 * (grey - usual) / 128, 0.6, 1.25).astype(np.float32)[..., None]


@dataclass(frozen=True)
class Figure:
    """What is drawn.

    Attributes
    ----------
    title, caption : str
    backdrop : Backdrop
    values : float32[h', w']
        The map over it, any resolution; NaN where there is none.
    scale : Scale
    pixels : float
        Luma pixels of the recording a pixel of the picture.
    lines : list of Line
    hatched : bool
        Whether skin without a value is hatched.
    """

    title: str
    caption: str
    backdrop: Backdrop
    values: NDArray[np.float32]
    scale: Scale
    pixels: float = 1.0
    lines: list[Line] = field(default_factory=list)
    hatched: bool = True


def nice_ticks(low: float, high: float, wanted: int = 6) -> list[float]:
    """Round numbers between two ends: multiples of 1, 2, 2.5 or 5 times a power of ten, about `wanted` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / wanted
    power = 10.0 ** np.floor(np.log10(rough))
    step = min((m * power for m in (1, 2, 2.5, 5, 10)), key=lambda s: abs(np.log(s / rough)))
    first = np.ceil(low / step - 1e-9)
    return [float(round(k * step, 10)) for k in np.arange(first, np.floor(high / step + 1e-9) + 1)]


def _number(value: float) -> str:
    return f"{value + 0.0:g}"  # with a hyphen: the font has no minus


def _resized(values: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """At another size, the steps between cells smoothed away."""
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    sigma = _SMOOTH * values.shape[1] / size[0]  # where there are fewer samples it costs less
    plane = gaussian_filter(np.asarray(values, np.float32), sigma, truncate=2)
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))


def composed(figure: Figure) -> Picture:
    """Picture and map: grey where there is no map, hatched skin where it was refused."""
    backdrop, size = figure.backdrop, figure.backdrop.size
    known = np.isfinite(figure.values)
    weight = _resized(known, size)
    value = _resized(np.where(known, figure.values, 0), size) / np.maximum(weight, 1e-6)
    result = backdrop.paper.copy()
    if figure.hatched:
        y, x = np.ogrid[: size[1], : size[0]]
        stripes = ((x + y) % 9 < 2) & backdrop.skin & (weight < 0.5)
        result[stripes] = 0.45 * result[stripes] + 0.55 * np.array(_MASKED, np.float32)
    rows, columns = (np.flatnonzero((weight > 0.4).any(axis=axis)) for axis in (1, 0))
    if rows.size:
        box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        colour = painted(value[box], figure.scale.low, figure.scale.high, figure.scale.colours).astype(np.float32)
        colour *= backdrop.shade[box]
        colour -= result[box]
        colour *= np.float32(_OPAQUE) * np.clip((weight[box] - np.float32(0.4)) / np.float32(0.2), 0, 1)[..., None]
        result[box] += colour
    result += np.float32(0.5)
    return np.clip(result, 0, 255, out=result).astype(np.uint8)


def draw(figure: Figure, path: Path) -> None:
    """Draw the figure into a PNG.

    Parameters
    ----------
    figure : Figure
    path : Path
    """
    from PIL import Image, ImageDraw, ImageFont

    size, width = figure.backdrop.size, figure.backdrop.picture.shape[1]
    text, small, large = (ImageFont.load_default(points) for points in (21, 17, 30))
    margin, bar = 34, 30
    right = 190
    canvas_width = max(size[0] + 2 * margin + right, 760)
    lines = _wrapped(figure.caption, canvas_width - 2 * margin, small)
    top = margin + 52
    foot = top + size[1] + 54
    canvas = Image.new("RGB", (canvas_width, foot + 24 * len(lines) + margin - 8), _PAPER)
    pen = ImageDraw.Draw(canvas)
    pen.text((margin, margin - 8), figure.title, font=large, fill=_INK)
    canvas.paste(Image.fromarray(composed(figure)), (margin, top))
    scale = size[0] / width / figure.pixels
    for line in figure.lines:
        _draw_line(pen, line, [(margin + x * scale, top + y * scale) for x, y in line.points], text)
    _draw_bar(canvas, pen, figure.scale, (margin + size[0] + 30, top, bar, size[1]), text, small)
    length = _scale_length(width * figure.pixels)
    wide, below = length * scale, top + size[1] + 14
    pen.rectangle((margin, below, margin + wide, below + 6), fill=_INK)
    pen.text((margin + wide + 10, below - 8), f"{length} px of the recording", font=small, fill=_GREY)
    for number, words in enumerate(lines):
        pen.text((margin, foot + 24 * number), words, font=small, fill=_GREY)
    write_png(np.asarray(canvas), path)


def _scale_length(width: float) -> int:
    """A round number of pixels, about a fifth of the width."""
    rough = width / 5
    power = 10 ** int(np.floor(np.log10(max(rough, 1))))
    return int(max((m * power for m in (1, 2, 5) if m * power <= max(rough, 1)), default=1))


def _draw_bar(canvas: Any, pen: Any, scale: Scale, box: tuple[int, int, int, int], text: Any, small: Any) -> None:
    from PIL import Image

    x, y, wide, tall = box
    head = 62 if scale.ends else 34
    y, tall = y + head, tall - 2 * head + (0 if scale.ends else 30)
    column = colours(scale.colours)[np.rint(np.linspace(COLOURS - 1, 0, tall)).astype(int)]
    canvas.paste(Image.fromarray(np.repeat(column[:, None], wide, axis=1)), (x, y))
    pen.rectangle((x, y, x + wide, y + tall), outline=_GREY)
    pen.text((x, y - 32), scale.unit, font=text, fill=_INK)
    if scale.ends:
        pen.text((x, y - 58), scale.ends[0], font=small, fill=_GREY)
        pen.text((x, y + tall + 10), scale.ends[1], font=small, fill=_GREY)
    for tick in nice_ticks(scale.low, scale.high):
        at = y + tall * (1 - (tick - scale.low) / (scale.high - scale.low))
        pen.line((x + wide, at, x + wide + 7, at), fill=_GREY, width=2)
        pen.text((x + wide + 13, at), _number(tick), font=text, fill=_INK, anchor="lm")


def _draw_line(pen: Any, line: Line, points: list[tuple[float, float]], font: Any) -> None:
    if len(points) >= 2:
        pieces = list(pairwise(points))
        for start, end in pieces[:: 2 if line.dashed else 1]:
            pen.line((*start, *end), fill=(0, 0, 0), width=6)
        for start, end in pieces[:: 2 if line.dashed else 1]:
            pen.line((*start, *end), fill=(255, 255, 255), width=3)
    middle = points[len(points) // 2]
    box = pen.textbbox((middle[0], middle[1] - 24), line.label, font=font, anchor="mm")
    pen.rounded_rectangle((box[0] - 7, box[1] - 5, box[2] + 7, box[3] + 5), 6, fill=(255, 255, 255), outline=_GREY)
    pen.text((middle[0], middle[1] - 24), line.label, font=font, fill=_INK, anchor="mm")


def _wrapped(words: str, width: float, font: Any) -> list[str]:
    lines: list[str] = []
    space, taken = font.getlength(" "), 0.0
    for word in words.split():
        length = font.getlength(word)
        if lines and taken + space + length <= width:
            lines[-1] = f"{lines[-1]} {word}"
            taken += space + length
        else:
            lines.append(word)
            taken = length
    return lines
