"""Recordings over HTTP: what is known of one, and erasing it."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway.auth import Eraser
from gateway.jobs_api import COMMON
from gateway.problems import responses
from gateway.state import RecordingId, TheGateway, TheRecording
from mesh.erasure import erase_recording
from mesh.errors import NotFound
from mesh.names import id_time, upload_name

router = APIRouter(prefix="/v1/recordings/{recording}", tags=["recordings"])


class RecordingView(BaseModel):
    """What is known of a recording."""

    id: str
    created_at: datetime | None = Field(description="When its upload began")
    size: int | None = Field(description="Bytes of the clip; null before all of it is there, and when it is not kept")
    sha256: str | None = Field(description="Of the clip, in hexadecimal; null as `size`")
    jobs: list[str] = Field(description="Its jobs, newest first")


@router.get("", operation_id="getRecording", summary="A recording", responses=responses(*COMMON, NotFound))
async def get_recording(gateway: TheGateway, recording: TheRecording) -> RecordingView:
    """Size and SHA-256 of its clip, and its jobs."""
    upload = await gateway.blobs.stat(upload_name(recording))
    return RecordingView(
        id=recording,
        created_at=id_time(recording),
        size=upload.size if upload is not None else None,
        sha256=upload.sha256 if upload is not None else None,
        jobs=[job.id for job in gateway.jobs.list(recording)],
    )


@router.delete(
    "",
    operation_id="eraseRecording",
    summary="Erase a recording and all its jobs",
    status_code=204,
    responses=responses(*COMMON),
)
async def erase(gateway: TheGateway, principal: Eraser, recording: RecordingId) -> None:
    """Everything goes: clip, intermediates, results, jobs. What is gone already is no error."""
    if await gateway.owns(principal, recording):
        await erase_recording(gateway.bus, gateway.blobs, gateway.jobs, recording)
