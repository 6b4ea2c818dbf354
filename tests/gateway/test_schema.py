"""The OpenAPI document holds: whatever is asked, every answer is documented, and none is a defect of ours."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from gateway_kit import ServedGateway
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.app import build_app

pytestmark = [pytest.mark.mesh, pytest.mark.timeout(180)]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 6


def operations() -> list[str]:
    """Names of the operations of the document."""
    return [found.ok().label for found in schemathesis.openapi.from_dict(build_app().openapi()).get_all_operations()]


@pytest.fixture(scope="module")
def document(served: ServedGateway) -> dict[str, Any]:
    """The operations of the document as a client gets it, by name."""
    found = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    return {result.ok().label: result.ok() for result in found.get_all_operations()}


@pytest.mark.parametrize("operation", operations())
def test_every_answer_is_documented(document: dict[str, Any], operation: str) -> None:
    @given(case=document[operation].as_strategy())
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=CHECKS, timeout=30)

    ask()
