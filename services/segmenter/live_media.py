"""Coded pieces of a live session: decoded, their skin found, its colours averaged. Runs in a limited child."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from media.color import chroma_shape
from media.fragments import Stream, StreamedFrame
from media.limits import Limits
from mesh.contracts import Recording
from mesh.errors import BadRequest
from mesh.live import MOST_FRAMES, Colour, LiveColours, LiveMediaRequest
from segmenter.live_skin import ALIKE, GRID, LOOK_S, Patches, Skin, find_skin, go_on, overlap

PIXELS = 1920 * 1080
_NOTHING: list[Colour | None] = [None for _ in range(GRID * GRID)]


def colours(request: LiveMediaRequest, data: bytes) -> LiveColours:
    """The colours of the skin in the frames that are new.

    Parameters
    ----------
    request : LiveMediaRequest
    data : bytes
        Head of a stream and all from its last keyframe on.

    Returns
    -------
    LiveColours

    Raises
    ------
    UnreadableVideo, NoVideoStream, UnsupportedCodec, TooManyPixels
        As `media.fragments.Stream`; frames of more than 1920 x 1080 are refused.
    BadParameters
        If `skin_point` lies outside the picture.
    BadRequest
        If `skin` is none of ours.
    """
    stream = Stream(data, Limits(max_pixels=PIXELS))
    skin: Skin | None = None
    patches: Patches | None = None
    shape: tuple[int, int] | None = None
    reason: str | None = None
    tried = False
    times: list[float] = []
    rows: list[list[Colour | None]] = []
    for frame in stream.frames(request.after_s):
        recording = stream.recording
        assert recording is not None
        if chroma_shape(recording) != shape:
            shape = chroma_shape(recording)
            skin, patches, tried = _carried(request.skin, shape), None, False
        due = skin is None or not 0 <= frame.time - skin.looked_s < LOOK_S
        # a look costs more than all else: one a piece, however long the piece
        if due and not tried:
            tried = True
            skin, reason = _looked(skin, frame, recording, request.skin_point)
            patches = None
        if skin is None or not skin.seen:
            rows.append(_NOTHING)
        else:
            patches = patches or Patches(skin.mask, recording)
            rows.append(_row(patches.colours(frame) * skin.factors))
        times.append(frame.time)
        if len(times) == MOST_FRAMES:
            break
    kept = skin.to_text() if skin is not None else request.skin if not times else None
    return LiveColours(t=times, rgb=rows, head=stream.head, restart=stream.restart, skin=kept, reason=reason)


def _carried(text: str | None, shape: tuple[int, int]) -> Skin | None:
    try:
        return None if text is None else Skin.from_text(text, shape)
    except ValueError:
        raise BadRequest("`skin` is not what an answer had") from None


def _looked(
    skin: Skin | None, frame: StreamedFrame, recording: Recording, point: tuple[float, float] | None
) -> tuple[Skin | None, str | None]:
    """The skin after another look at it."""
    mask, reason = find_skin(frame, recording, point)
    if mask is None:
        return (None if skin is None else replace(skin, looked_s=frame.time - LOOK_S, seen=False)), reason
    if skin is None:
        return Skin(mask, frame.time, np.ones((GRID * GRID, 3))), None
    if overlap(skin.mask, mask) >= ALIKE:
        return replace(skin, looked_s=frame.time, seen=True), None
    return go_on(skin, mask, frame, recording), None


def _row(rgb: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> list[Colour | None]:
    values = np.round(np.clip(rgb, 0.0, 255.0), 4).tolist()
    return [None if colour[0] != colour[0] else (colour[0], colour[1], colour[2]) for colour in values]


def answer(message: bytes) -> LiveColours:
    """Answer a request of the gateway; runs in a limited child. Raises as `colours`."""
    return colours(*LiveMediaRequest.unpack(message))
