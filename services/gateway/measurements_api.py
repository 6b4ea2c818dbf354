"""The measurements of a job over HTTP, as soon as they are there: long before its magnified clip is."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway.jobs_api import COMMON
from gateway.problems import responses
from gateway.results_api import file_of
from gateway.state import TheGateway, TheJob
from media.pulse_blob import Pulse
from mesh.contracts import DISCLAIMER, Person, Result
from mesh.errors import BlobIncomplete, Conflict, Expired, NotFound
from mesh.graph import blob_name
from mesh.names import BlobName

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])


class Measurements(BaseModel):
    """What was measured; the same as in `result.json`."""

    job: str
    people: list[Person]
    warnings: list[str] = Field(description="Of the measurement; the result may have more, about the clip")
    disclaimer: str = DISCLAIMER


@router.get(
    "/measurements",
    operation_id="getMeasurements",
    summary="The measurements, before the rest is done",
    responses=responses(*COMMON, NotFound, Conflict, Expired, BlobIncomplete),
)
async def get_measurements(gateway: TheGateway, job: TheJob) -> Measurements:
    """From the end of the stage `pulse` on; its `progress` event says when. Conflict before that."""
    try:
        content = await gateway.blobs.read(blob_name(job, "pulse"))
    except NotFound:
        if job.outcome is None:
            raise Conflict("nothing is measured yet", hint="Wait until the stage pulse is done.") from None
        entry = await file_of(gateway, job, "result.json")  # intermediates go before results
        result = Result.model_validate_json(await gateway.blobs.read(BlobName.parse(entry.blob)))
        return Measurements(job=job.id, people=result.people, warnings=result.warnings)
    try:
        pulse = Pulse.from_bytes(content)
    except ValueError:
        raise BlobIncomplete("the measurements of this job cannot be read") from None
    return Measurements(job=job.id, people=pulse.measurements, warnings=pulse.warnings)
