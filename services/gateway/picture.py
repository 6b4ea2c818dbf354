"""A picture from outside made small enough for one message; runs in a limited child."""

from __future__ import annotations

import base64
from fractions import Fraction
from typing import Literal, cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray
from pydantic import BaseModel

from mesh.errors import UnreadablePicture

LONGEST = 1024  # px
_DECODERS = ((b"\xff\xd8\xff", "mjpeg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"RIFF", "webp"))


class Shrunk(BaseModel):
    """A smaller picture.

    Attributes
    ----------
    jpeg : str
        Base64 of it; upright.
    scale : float
        Its size over that of the picture it was made of.
    """

    jpeg: str
    scale: float


def _codec(name: str, mode: Literal["r", "w"]) -> VideoCodecContext:
    return cast(VideoCodecContext, av.CodecContext.create(name, mode))


def shrink(data: bytes, max_pixels: int) -> Shrunk:
    """A picture of at most 1024 pixels along its longer side.

    Parameters
    ----------
    data : bytes
        A JPEG, PNG or WebP.
    max_pixels : int
        Larger ones are refused by the decoder.

    Raises
    ------
    UnreadablePicture
        If it is none of these, damaged, or too large.
    """
    name = next((codec for magic, codec in _DECODERS if data.startswith(magic)), None)
    if name is None:
        raise UnreadablePicture("this is not a picture that can be read")
    decoder = _codec(name, "r")
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(max_pixels)}
    try:
        found = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    except av.error.FFmpegError as error:
        raise UnreadablePicture("this picture cannot be decoded") from error
    if not found:
        raise UnreadablePicture("this picture cannot be decoded")
    frame = found[0]
    scale = min(1.0, LONGEST / max(frame.width, frame.height))
    size = max(round(frame.width * scale), 1), max(round(frame.height * scale), 1)
    rgb = frame.reformat(*size, format="rgb24", interpolation="AREA").to_ndarray()
    turned: NDArray[np.uint8] = np.ascontiguousarray(
        np.rot90(rgb, frame.rotation // 90), np.uint8
    )  # anticlockwise, as FFmpeg counts
    encoder = _codec("mjpeg", "w")
    encoder.height, encoder.width = turned.shape[:2]
    encoder.pix_fmt = "yuvj444p"  # colour is what counts here
    encoder.time_base = Fraction(1, 1)
    encoder.qmin, encoder.qmax = 1, 2
    encoder.thread_count = 1
    picture = av.VideoFrame.from_ndarray(turned, format="rgb24").reformat(format="yuvj444p")
    picture.pts = 0
    packets = [*encoder.encode(picture), *encoder.encode(None)]
    return Shrunk(jpeg=base64.b64encode(b"".join(bytes(p) for p in packets)).decode(), scale=scale)
