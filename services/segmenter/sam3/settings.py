"""Settings of SAM 3, from environment variables `SAM3_…`."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PATCH = 14  # px, of the image encoder: sides of its pictures are multiples of it


class Sam3Settings(BaseSettings):
    """What SAM 3 needs to know. Units stand in the names or in the comments."""

    model_config = SettingsConfigDict(env_prefix="SAM3_", extra="ignore", frozen=True, populate_by_name=True)

    # --- weights
    weights: str | None = None  # a folder as `save_pretrained` writes it, or a hub id such as facebook/sam3
    revision: str | None = None  # of a hub id: a branch, a tag or, better, a commit
    token: SecretStr | None = Field(default=None, validation_alias=AliasChoices("SAM3_TOKEN", "HF_TOKEN"))

    # --- model
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")  # auto: a CUDA device where there is one
    image_size: int = Field(default=1008, ge=112, le=2016, multiple_of=PATCH)  # px; 560 is faster and less exact
    batch: int = Field(default=8, ge=1, le=256)  # keyframes at once; halved by itself where memory does not suffice
    compile: bool = False  # torch.compile of the image encoder: minutes of warm-up, faster frames

    # --- what is skin
    prompt: str = Field(default="skin", min_length=1, max_length=80)  # "Full Face": a face without eyes and mouth
    mask: Literal["semantic", "instances"] = "semantic"  # one mask for the prompt, or the union of its instances
    score: float = Field(default=0.5, ge=0, le=1)  # an instance of less is dropped
    instances: int = Field(default=8, ge=1, le=255)  # at most, the ones of the highest score

    # --- keyframes
    cell_seconds: float = Field(default=1.0, ge=0.1, le=10)  # one keyframe a cell where nothing moves …
    keyframes: int = Field(default=4, ge=1, le=32)  # … and at most so many where something does
