"""What can be set, over HTTP: names, units, ranges, defaults, presets, and the limits of this gateway."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway.jobs_api import COMMON
from gateway.problems import responses
from gateway.state import TheGateway
from mesh.graph import STAGES
from mesh.parameters import PRESETS, Parameters

router = APIRouter(prefix="/v1", tags=["parameters"])


class UploadLimits(BaseModel):
    """What a clip may be at most, and how long it is kept."""

    upload_bytes: int
    min_seconds: float
    max_seconds: float
    max_pixels: int = Field(description="Width times height")
    keep_uploads_s: float = Field(description="Clip and intermediates, after the recording's last job")
    keep_results_s: float = Field(description="Results, after their job")


class ParameterBook(BaseModel):
    """All that can be set."""

    json_schema: dict[str, Any] = Field(
        alias="schema", description="JSON Schema of the parameters; `unit` is what a value is in"
    )
    defaults: dict[str, Any]
    presets: dict[str, dict[str, Any]] = Field(description="All values of each preset")
    stages: dict[str, list[str]] = Field(
        description="Which stage reads which parameters: on a change only these and later stages run again"
    )
    limits: UploadLimits


@router.get("/parameters", operation_id="getParameters", summary="What can be set", responses=responses(*COMMON))
async def get_parameters(gateway: TheGateway) -> ParameterBook:
    """Names, units, ranges, defaults and presets of all parameters."""
    settings = gateway.settings
    return ParameterBook(
        schema=Parameters.model_json_schema(),
        defaults=Parameters().model_dump(mode="json"),
        presets={name: Parameters(preset=name).model_dump(mode="json") for name in PRESETS},  # type: ignore[arg-type]
        stages={stage.name: list(stage.reads) for stage in STAGES.values()},
        limits=UploadLimits(
            upload_bytes=settings.upload_bytes,
            min_seconds=settings.min_seconds,
            max_seconds=settings.max_seconds,
            max_pixels=settings.max_pixels,
            keep_uploads_s=settings.keep_uploads_s,
            keep_results_s=settings.keep_results_s,
        ),
    )
