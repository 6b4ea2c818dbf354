"""The gateway as a whole: several on one broker, its schema, its metrics, and a real clip from end to end."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import jsonschema
import pytest
from gateway_handlers import CHUNKS, CLIP
from gateway_kit import Control, Event, ServedGateway, settings_for, until

from mesh.contracts import Result
from mesh.graph import STAGES
from mesh.parameters import PRESETS, Parameters
from phantom import PhantomSettings, write
from pulsemesh.broker import Broker

pytestmark = pytest.mark.mesh


def test_two_gateways_serve_any_job(served: ServedGateway, another: Callable[..., ServedGateway], clip: Path) -> None:
    other = another(stages=[])
    jobs = [(served if number % 2 else other).job(clip, gain=number) for number in range(4)]
    seen: dict[str, list[Event]] = {}
    for job in jobs:
        seen[job["id"]] = other.events(job["id"])
        assert served.events(job["id"]) == seen[job["id"]]
        assert seen[job["id"]][-1].data["state"] == "succeeded"
        views = [gateway.ended(job["id"]) for gateway in (served, other)]
        assert views[0] == views[1]
        for gateway in (served, other):
            assert gateway.http.get(f"/v1/jobs/{job['id']}/files/magnified.mp4").content == CLIP
    ended = sum(_metric(gateway, 'pulsemesh_jobs_ended_total{outcome="succeeded"}') for gateway in (served, other))
    assert ended == len(jobs)
    ids = {job["id"] for job in jobs}
    until(lambda: ids <= {job["id"] for job in other.http.get("/v1/jobs").json()["jobs"]})
    # what one erases is gone in the other
    assert other.http.delete(f"/v1/recordings/{jobs[1]['recording']}").status_code == 204
    until(lambda: served.http.get(f"/v1/jobs/{jobs[1]['id']}").status_code == 404)


def test_a_job_outlives_its_gateway(another: Callable[..., ServedGateway], control: Control, clip: Path) -> None:
    first, second = another(), another(stages=[])
    control.hold("pulse")
    job = first.job(clip, gain=70)
    until(lambda: control.runs(job["recording"])["pulse-0"])
    events: list[Event] = []
    watching = threading.Thread(target=lambda: events.extend(second.events(job["id"])))
    watching.start()
    first.do(first.runtime.drain())  # hands its running task back
    control.release("pulse")
    third = another()
    assert third.ended(job["id"])["state"] == "succeeded"
    watching.join(30)
    assert events[-1].data["state"] == "succeeded"


def _metric(gateway: ServedGateway, sample: str) -> float:
    found = re.search(rf"^{re.escape(sample)} (\S+)$", gateway.http.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_metrics(served: ServedGateway, clip: Path) -> None:
    before = _metric(served, "pulsemesh_upload_bytes_total")
    view = served.ended(served.job(clip, gain=80)["id"])
    served.http.get(f"/v1/jobs/{view['id']}")
    served.http.get(f"/nowhere/{view['id']}")
    text = served.http.get("/metrics").text
    assert _metric(served, "pulsemesh_upload_bytes_total") == before + clip.stat().st_size
    for sample in (
        'pulsemesh_http_requests_total{method="POST",route="/v1/jobs",status="202"}',
        'pulsemesh_http_requests_total{method="GET",route="/v1/jobs/{job_id}",status="200"}',
        'pulsemesh_http_requests_total{method="any",route="none",status="404"}',
        'pulsemesh_http_request_seconds_count{method="POST",route="/v1/jobs"}',
        'pulsemesh_tasks_published_total{stage="segment"}',
        'pulsemesh_job_seconds_count{outcome="succeeded"}',
        "pulsemesh_coordinator_pass_seconds_count",
        'pulsemesh_tasks_total{end="done",stage="split"}',
    ):
        assert _metric(served, sample) > 0, sample
    assert "pulsemesh_jobs_active 0.0" in text
    for secret in (view["id"], view["recording"], clip.name):
        assert secret not in text
    until(lambda: _metric(served, 'pulsemesh_stage_slots{stage="split"}') == 2)
    until(lambda: 'pulsemesh_queued_tasks{stage="split"} 0.0' in served.http.get("/metrics").text)


def test_logs_show_no_person(served: ServedGateway, clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with clip.open("rb") as file:
        answer = served.http.post("/v1/jobs", files={"video": ("Jane Doe 1980.mp4", file, "video/mp4")})
    served.ended(answer.json()["id"])
    said = " ".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records if record.name != "httpx")
    assert "a clip was taken in" in said
    assert "Jane" not in said
    # pytest gives a handler to loggers that have none, and so turns the access log on, which is off
    assert "127.0.0.1:" not in " ".join(
        r.getMessage()
        for r in caplog.records
        if r.name.startswith(("uvicorn", "gateway")) and r.name != "uvicorn.access"
    )


def test_the_schema_names_every_problem(served: ServedGateway) -> None:
    document = served.http.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    operations = {
        operation["operationId"]: operation for path in document["paths"].values() for operation in path.values()
    }
    assert set(operations) == {
        "submitJob", "listJobs", "getJob", "deleteJob", "eraseRecording", "watchJob", "getResult", "listFiles",
        "getFile", "getMeasurements", "getParameters", "getRecording", "makeLink", "getWebhookSecret", "previewSkin",
        "uploadOptions", "createUpload", "headUpload", "continueUpload", "terminateUpload",
    }  # fmt: skip
    for operation in operations.values():
        assert operation["tags"]
        for status, response in operation["responses"].items():
            if status.isdecimal() and int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], (operation["operationId"], status)
        assert {"401", "503"} <= set(operation["responses"])
    assert {"400", "413", "415", "422", "429"} <= set(operations["submitJob"]["responses"])
    assert set(operations["submitJob"]["requestBody"]["content"]) >= {
        "multipart/form-data", "video/*", "application/json"
    }  # fmt: skip
    assert {"206", "416"} <= set(operations["getFile"]["responses"])
    assert not any("ValidationError" in name for name in schemas)
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert references <= set(schemas)


def test_parameters(served: ServedGateway) -> None:
    book = served.http.get("/v1/parameters").json()
    schema = book["schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["band_low_hz"]["unit"] == "Hz"
    assert schema["additionalProperties"] is False
    assert book["defaults"] == Parameters().model_dump(mode="json")
    assert set(book["presets"]) == set(PRESETS)
    for values in book["presets"].values():
        jsonschema.validate(values, schema)
        assert Parameters.model_validate(values)
    assert sorted(name for reads in book["stages"].values() for name in reads) == sorted(
        set(Parameters.model_fields) - {"preset"}
    )
    assert set(book["stages"]) == set(STAGES)
    assert book["limits"]["upload_bytes"] == 2 << 30
    assert book["limits"]["max_seconds"] == 1800


def test_a_clip_from_end_to_end(tmp_path: Path) -> None:
    clip = tmp_path / "phantom.mp4"
    write(PhantomSettings(seconds=12, fps=15, width=160, height=120, seed=5, heart_rate=78), clip)
    with Broker(tmp_path / "broker") as own, ServedGateway(settings_for(own, tmp_path), real=True) as gateway:
        job = gateway.job(clip, chunk_seconds=4, gain=20)
        events = gateway.events(job["id"])
        ended: dict[str, Any] = events[-1].data
        assert ended["state"] == "succeeded", ended["problem"]
        assert {p["stage"]: p["done"] for p in ended["progress"]}["segment"] == CHUNKS
        result = Result.model_validate(gateway.http.get(ended["links"]["result"]).json())
        rate = result.people[0].measurements["heart_rate"]
        assert rate.status == "ok"
        assert rate.value == pytest.approx(78, abs=2)
        files = {file["name"]: file for file in gateway.http.get(ended["links"]["files"]).json()["files"]}
        assert {"result.json", "pulse.csv", "pulse.png", "magnified.mp4", "skin.jpg", "report.html"} <= set(files)
        content = gateway.http.get(files["magnified.mp4"]["href"]).content
        with av.open(io.BytesIO(content)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 180
        assert gateway.http.delete(f"/v1/recordings/{ended['recording']}").status_code == 204
        until(lambda: not gateway.do(gateway.runtime.bus.subjects("BLOBS", f"blob.{ended['recording']}.>")))
