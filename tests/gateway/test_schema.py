"""The OpenAPI document holds: whatever is asked, every answer is documented, and none is a defect of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from gateway_kit import ServedGateway
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway import tus
from gateway.app import build_app
from mesh.errors import Unavailable

pytestmark = [pytest.mark.mesh, pytest.mark.timeout(180)]

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 5
schemathesis.serializer.alias(tus.CONTENT_TYPE, "application/octet-stream")


def operations() -> list[str]:
    """Names of the operations of the document."""
    return [found.ok().label for found in schemathesis.openapi.from_dict(build_app().openapi()).get_all_operations()]


OPERATIONS = operations()


@pytest.fixture(scope="module")
def document(served: ServedGateway) -> dict[str, Any]:
    """The operations of the document as a client gets it, by name."""
    found = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    return {result.ok().label: result.ok() for result in found.get_all_operations()}


@pytest.fixture(scope="module")
def known(served: ServedGateway, clip: Path) -> dict[str, str]:
    """What exists: the parts of a path that lead to something."""
    job = served.job(clip)
    served.ended(job["id"])
    return {"job_id": job["id"], "recording": job["recording"], "name": "magnified.mp4"}


def ask(operation: Any, mode: GenerationMode, change: dict[str, str]) -> None:
    """Send generated requests; `change` replaces parts of their paths."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def one(case: schemathesis.Case) -> None:
        for name in case.path_parameters or {}:
            if name in change:
                case.path_parameters[name] = change[name]
        try:
            answer = case.call(timeout=30)
        except requests.exceptions.ChunkedEncodingError:
            return  # refused before its body was read: a client that still sends may lose the answer
        if answer.content == b"Invalid HTTP request received.":
            return  # it was no HTTP: the server says so, before any app
        # a gateway alone: what a worker would answer is unavailable, and says so
        if answer.status_code >= 500:
            assert answer.status_code == Unavailable.status, answer.text
            assert answer.json()["type"].endswith("/unavailable"), answer.text
        case.validate_response(answer, checks=CHECKS)

    one()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_answer_is_documented(document: dict[str, Any], operation: str) -> None:
    ask(document[operation], GenerationMode.POSITIVE, {})


@pytest.mark.parametrize("operation", ["GET /v1/jobs", "POST /v1/jobs", "POST /v1/links"])
def test_so_are_those_to_what_breaks_the_schema(document: dict[str, Any], operation: str) -> None:
    ask(document[operation], GenerationMode.NEGATIVE, {})


# DELETE would take it from the others; the handlers of these tests measure nothing
EXISTING = [name for name in OPERATIONS if "{" in name and "DELETE" not in name and "measurements" not in name]


@pytest.mark.parametrize("operation", EXISTING)
def test_so_is_what_exists(document: dict[str, Any], known: dict[str, str], operation: str) -> None:
    ask(document[operation], GenerationMode.POSITIVE, known)
