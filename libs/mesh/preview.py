"""What gateway and segmenter say to each other about a preview: one picture, and what would be taken for skin in it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from mesh.bytes_request import BytesRequest
from mesh.contracts import Contract
from mesh.parameters import Parameters

KIND = "preview"  # of the request
PICTURE_BYTES = 900 << 10  # what fits into one message of the broker beside the parameters
PICTURE_PIXELS = 16_000_000  # of a picture that is decoded


class SkinPreviewRequest(BytesRequest):
    """A picture, which follows this as bytes, or a moment of a recording.

    The coordinates of `skin_point` are those of the picture before it was scaled.
    """

    asks_for: ClassVar[str] = "a preview"

    parameters: Parameters = Parameters()
    scale: float = Field(default=1.0, gt=0, le=1, description="By how much the picture was made smaller")
    plan: str | None = Field(default=None, description="Name of the plan's blob, of a recording")
    chunk: str | None = Field(default=None, description="Name of the chunk's blob that shows the moment")
    time_s: float = Field(default=0.0, ge=0, description="From the start of the recording")


class SkinPreview(Contract):
    """What would be taken for skin in one picture."""

    width: int = Field(description="Of the overlay, px: the picture as it is shown, perhaps smaller")
    height: int
    chroma: tuple[float, float] | None = Field(
        description="U, V of the key as OpenCV's YUV has them: give it as `skin_chroma`; null where no skin was found"
    )
    similarity: float = Field(description="Squared distance from the key that was taken for skin")
    skin_fraction: float = Field(ge=0, le=1, description="Part of the picture that is skin")
    reason: str | None = Field(default=None, description="Why there is no skin")
    warning: str | None = Field(default=None, description="What is doubtful about the key")
    overlay: str = Field(
        description="Data URL of a PNG to lay over the picture: clear on skin, dark elsewhere, with an outline"
    )
