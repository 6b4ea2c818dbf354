"""The preview: what a key takes for skin in one picture. Runs in a limited child: the picture is from outside."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from media.color import chroma_shape, opencv_chroma_scale, opencv_from_stored
from media.decode import frames
from media.timeline import frame_times
from mesh.contracts import Plan, Recording
from mesh.errors import BadParameters, BadRequest, TooManyPixels, UnreadablePicture
from mesh.names import BlobName
from mesh.parameters import Parameters
from mesh.preview import PICTURE_PIXELS, SkinPreview, SkinPreviewRequest
from mesh.stages import Input
from segmenter.chroma_key import Key, exposure_of, segment
from segmenter.key_windows import key_windows
from segmenter.living_skin.cells import gather_cells
from segmenter.living_skin.point import chroma_at, stored_point
from segmenter.living_skin.reference import Reference, colour_warning, find_reference, reference_at
from segmenter.picking import shown_frame

Plane = NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "WEBP")
LONGEST = 1280  # px of an overlay
_COLOURS = ((0, 0, 0, 0), (8, 10, 14, 168), (120, 255, 60, 255))  # R, G, B, opacity of skin, of the rest, the border


@dataclass(frozen=True)
class Picture:
    """One frame, as a decoder gives it."""

    y: Plane
    u: Plane
    v: Plane
    index: int = 0
    time: float = 0.0


def decode_picture(data: bytes) -> NDArray[np.uint8]:
    """R, G, B of a JPEG, PNG or WebP, turned as it says, uint8[h, w, 3].

    Raises
    ------
    UnreadablePicture
        If it is none of these, or damaged.
    TooManyPixels
        If it is larger than 16 million pixels.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > PICTURE_PIXELS:
                raise TooManyPixels(
                    f"the picture has {image.width} x {image.height} pixels", hint="Send a smaller picture."
                )
            shown = ImageOps.exif_transpose(image).convert("RGB")
            return np.asarray(shown)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise UnreadablePicture("this is not a picture that can be read") from error


def planes_of_rgb(rgb: NDArray[np.uint8]) -> tuple[Picture, Recording]:
    """Y, U, V 4:2:0 of a picture, BT.601, full range, and what a decoder would say of it."""
    height, width = rgb.shape[:2]
    even = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge").astype(np.float32)
    luma = even @ np.array([0.299, 0.587, 0.114], np.float32)
    mean = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, 3).mean(axis=(1, 3))
    grey = mean @ np.array([0.299, 0.587, 0.114], np.float32)
    u, v = (mean[..., 2] - grey) / 1.772 + 128, (mean[..., 0] - grey) / 1.402 + 128
    y, u, v = (np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in (luma[:height, :width], u, v))
    facts = Recording(
        duration_s=0.0, frames=1, fps=1.0, width=width, height=height, variable_rate=False, codec="picture",
        container="picture", pixel_format="yuvj420p", full_range=True, matrix=6,
    )  # fmt: skip
    return Picture(y, u, v), facts


def key_of(picture: Picture, facts: Recording, parameters: Parameters, scale: float = 1.0) -> Reference:
    """The key that the parameters name, or, by its colour alone, the one that is found.

    Raises
    ------
    BadParameters
        If the point lies outside the picture.
    """
    if parameters.skin_chroma is not None:
        named = reference_at(facts, parameters.skin_chroma)
    elif parameters.skin_point is not None:
        x, y = parameters.skin_point[:2]
        try:
            column, row = stored_point(facts, x * scale, y * scale)
        except ValueError as error:
            raise BadParameters(f"skin_point: {error}", hint="Name a point inside the picture as shown.") from None
        u, v = opencv_from_stored(facts, chroma_at(picture, column, row))
        named = reference_at(facts, (float(u), float(v)))
    else:
        return find_reference(facts, gather_cells([picture], chroma_shape(facts), range(1)))
    assert named.chroma is not None
    warning = colour_warning(np.array(named.chroma), None)
    return reference_at(facts, named.chroma, warning=warning)


def preview(picture: Picture, facts: Recording, parameters: Parameters, scale: float = 1.0) -> SkinPreview:
    """What would be taken for skin in one picture.

    Parameters
    ----------
    picture : Picture
    facts : Recording
        Its size, range, matrix, rotation and pixel aspect.
    parameters : Parameters
        `skin_point` in pixels of the picture as it is shown, over `scale`.
    scale : float
        By how much the picture was made smaller.

    Raises
    ------
    BadParameters
        If the point lies outside the picture.
    """
    key = key_of(picture, facts, parameters, scale)
    similarity = parameters.chroma_similarity or key.similarity
    skin: Plane = np.zeros(picture.u.shape, np.uint8)
    if key.stored is not None:
        steady = parameters.key == "steady"
        exposure = exposure_of(facts) if steady else None
        distance = Key(*key.stored, *opencv_chroma_scale(facts), similarity, exposure, clean=steady)
        skin = next(segment([picture], key_windows(np.zeros(1), 1.0), 0, 1, distance))
    overlay = draw_overlay(skin, facts)
    return SkinPreview(
        width=overlay.width, height=overlay.height, chroma=key.chroma, similarity=similarity,
        skin_fraction=round(float(skin.mean()), 4), reason=key.reason, warning=key.warning, overlay=_data_url(overlay),
    )  # fmt: skip


def draw_overlay(skin: Plane, facts: Recording) -> Image.Image:
    """Clear on skin, dark elsewhere, the border of the skin drawn in; of the picture as it is shown."""
    across, down = facts.pixel_aspect if all(facts.pixel_aspect) else (1, 1)
    width, height = facts.width * across / down, float(facts.height)
    factor = min(1.0, LONGEST / max(width, height))
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    # smooth borders: the mask is half as fine as the picture
    inside = np.asarray(Image.fromarray(skin * np.uint8(255)).resize(size, Image.Resampling.BILINEAR)) > 127
    inside = np.rot90(inside, -(facts.rotation // 90))
    drawn = np.where(inside, np.uint8(0), np.uint8(1))
    border = inside.copy()
    for _ in range(max(round(min(inside.shape) / 320), 1)):
        smaller = border.copy()
        for axis in (0, 1):
            for step in (1, -1):
                smaller &= np.roll(border, step, axis)
        border = smaller
    drawn[inside & ~border] = 2
    image = Image.fromarray(drawn).convert("P")
    image.putpalette(bytes(level for colour in _COLOURS for level in colour[:3]))
    image.info["transparency"] = bytes(colour[3] for colour in _COLOURS)
    return image


def _data_url(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG", transparency=image.info["transparency"])
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def preview_message(message: bytes, plan: bytes | None = None, chunk: bytes | None = None) -> SkinPreview:
    """Answer a request; runs in a limited child.

    Parameters
    ----------
    message : bytes
        As `SkinPreviewRequest.pack` makes it.
    plan, chunk : bytes, optional
        Of a recording, where the request names them.

    Raises
    ------
    BadRequest, BadParameters, UnreadablePicture, TooManyPixels
        What is wrong with it.
    """
    request, data = SkinPreviewRequest.unpack(message)
    if plan is None or chunk is None:
        if not data:
            raise BadRequest("there is no picture")
        return preview(*planes_of_rgb(decode_picture(data)), request.parameters, request.scale)
    assert request.chunk is not None
    planned = Plan.model_validate_json(plan)
    times = frame_times(planned)
    shown = shown_frame(times, request.time_s)
    name = BlobName.parse(request.chunk)
    decoded = frames(planned, {int(name.index): Input(name, chunk)}, float(times[shown]), None)
    found = next((frame for frame in decoded if frame.index == shown), None)
    if found is None:
        raise BadRequest("this chunk does not show that moment")
    return preview(Picture(found.y, found.u, found.v), planned.recording, request.parameters)
