"""Settings of SAM 3: where it runs, from environment variables `SAM3_…`; what is skin, from the parameters of a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from mesh.parameters import Parameters

PATCH = 14  # px, of the image encoder: sides of its pictures are multiples of it


class Sam3Settings(BaseSettings):
    """What a machine needs to know that SAM 3 runs on. Units stand in the names or in the comments."""

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


@dataclass(frozen=True)
class Wanted:
    """What a job takes for skin. All of it changes masks, and so the names of their blobs.

    Attributes
    ----------
    prompt : str
        A short noun phrase; "Full Face" gives a face without eyes and mouth.
    mask : str
        "semantic": the prompt's one mask; "instances": the union of its instances.
    score : float
        An instance of less is dropped, 0-1.
    instances : int
        At most, the ones of the highest score, 1-255.
    cell_seconds : float
        One keyframe in so long where nothing moves …
    keyframes : int
        … and at most so many where something does.
    """

    prompt: str = "skin"
    mask: Literal["semantic", "instances"] = "semantic"
    score: float = 0.5
    instances: int = 8
    cell_seconds: float = 1.0
    keyframes: int = 4

    @classmethod
    def of(cls, parameters: Parameters) -> Wanted:
        """What a job's parameters say."""
        return cls(
            parameters.prompt.strip(),
            parameters.sam3_mask,
            parameters.sam3_score,
            parameters.sam3_instances,
            parameters.sam3_cell_s,
            parameters.sam3_keyframes,
        )
