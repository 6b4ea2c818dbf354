"""What a synthetic recording shows, and how it is filmed and coded."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class PhantomSettings(BaseModel):
    """Settings of a synthetic recording: a moving ellipse of pulsing skin before a wall.

    The same settings always give the same frames. `amplitude=0` is the negative control: everything but the pulse.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seconds: float = Field(default=20.0, gt=0, le=3600, description="Length", json_schema_extra={"unit": "s"})
    fps: float = Field(default=30.0, ge=1, le=240, description="Mean frame rate", json_schema_extra={"unit": "1/s"})
    width: int = Field(
        default=640, ge=16, le=4096, multiple_of=2, description="Stored width", json_schema_extra={"unit": "px"}
    )
    height: int = Field(
        default=480, ge=16, le=4096, multiple_of=2, description="Stored height", json_schema_extra={"unit": "px"}
    )
    seed: int = Field(default=0, ge=0, description="Seed of texture, noise, motion and jitter")

    # --- the pulse
    heart_rate: float = Field(
        default=72.0, ge=20, le=300, description="Heart rate at the start", json_schema_extra={"unit": "1/min"}
    )
    heart_rate_end: float | None = Field(
        default=None, ge=20, le=300, description="Heart rate at the end of a linear ramp; constant if not given",
        json_schema_extra={"unit": "1/min"},
    )  # fmt: skip
    amplitude: float = Field(
        default=0.008, ge=0, le=0.05,
        description="Amplitude of the fundamental in green in parts of its mean (cameras see 0.002-0.015); "
        "red has 0.33/0.77 of it, blue 0.53/0.77",
    )  # fmt: skip
    second_harmonic: float = Field(
        default=0.29, ge=0, le=1, description="Amplitude of the second harmonic in parts of the fundamental"
    )

    # --- the scene
    skin_rgb: tuple[float, float, float] = Field(
        default=(196.0, 144.0, 120.0), description="Mean R, G, B of the skin, 0-255"
    )
    texture: float = Field(default=0.06, ge=0, le=0.5, description="Standard deviation of the texture, relative")
    motion: float = Field(
        default=1.5, ge=0, le=100, description="Largest excursion of the skin, slow", json_schema_extra={"unit": "px"}
    )
    drift: float = Field(default=0.01, ge=0, le=0.3, description="Slow change of the light (below 0.1 Hz), relative")

    # --- the camera
    read_noise: float = Field(
        default=1.0, ge=0, le=50, description="Standard deviation that does not depend on the light",
        json_schema_extra={"unit": "levels"},
    )  # fmt: skip
    shot_noise: float = Field(
        default=1.5, ge=0, le=50, description="Standard deviation of photon noise at level 255; follows its root",
        json_schema_extra={"unit": "levels"},
    )  # fmt: skip
    variable_rate: bool = Field(default=False, description="Jitter every frame's time by up to 0.4 of a frame")
    matrix: Literal["bt601", "bt709"] = Field(default="bt601", description="Matrix of Y, U, V")
    full_range: bool = Field(default=False, description="Y, U, V use 0-255 instead of 16-235/240")

    # --- the file
    crf: int = Field(default=18, ge=0, le=51, description="x264's constant rate factor; 0 is lossless")
    keyframe_interval: int = Field(default=60, ge=1, le=100000, description="Frames from keyframe to keyframe")
    open_gop: bool = Field(default=False, description="Let B-frames refer across keyframes")
    b_frames: int = Field(default=2, ge=0, le=8, description="Most B-frames in a row")
    audio: bool = Field(default=False, description="Add a track with a short tone at every beat")
    rotation: Literal[0, 90, 180, 270] = Field(
        default=0, description="Clockwise turn for display that the file asks for", json_schema_extra={"unit": "deg"}
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(not 0 <= level <= 255 for level in self.skin_rgb):
            raise ValueError("skin_rgb must lie in 0-255")
        if self.open_gop and not self.b_frames:
            raise ValueError("open_gop needs b_frames")
        return self
