"""Who may ask, and what refuses to start."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from gateway_kit import ServedGateway
from pydantic import ValidationError

from gateway.principals import ALL, LOCAL, Principal, Tokens
from gateway.settings import GatewaySettings, is_loopback

pytestmark = pytest.mark.mesh

TOKEN, OLD = "pm_" + "k" * 40, "pm_" + "o" * 40
DIGESTS = tuple(hashlib.sha256(token.encode()).hexdigest() for token in (TOKEN, OLD))


@pytest.fixture
def guarded(another: Callable[..., ServedGateway]) -> ServedGateway:
    """A gateway that wants a token, and knows a page."""
    return another(api_token_sha256=", ".join(DIGESTS), cors_origins="https://example.org", stages=[])


def test_without_a_token_nothing_but_health(guarded: ServedGateway) -> None:
    http = guarded.http
    for path in ("/healthz", "/readyz", "/metrics"):
        assert http.get(path).status_code == 200
    for method, path in [
        ("GET", "/v1/jobs"),
        ("POST", "/v1/jobs"),
        ("GET", "/v1/parameters"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
        ("GET", "/info"),
        ("DELETE", "/v1/recordings/x"),
        ("GET", "/nowhere"),
    ]:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            answer = http.request(method, path, headers=headers)
            assert answer.status_code == 401, (method, path, headers)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.json()["type"].endswith("/unauthorized")
    for token in (TOKEN, OLD):
        assert http.get("/v1/jobs", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert TOKEN not in http.get("/metrics").text
    assert http.get("/v1/jobs", params={"token": TOKEN}).status_code == 401, "tokens do not belong in addresses"


def test_pages_that_are_known_may_ask(guarded: ServedGateway) -> None:
    preflight = {
        "Origin": "https://example.org",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, idempotency-key",
    }
    answer = guarded.http.options("/v1/jobs", headers=preflight)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "https://example.org"
    other = guarded.http.options("/v1/jobs", headers=preflight | {"Origin": "https://example.com"})
    assert "Access-Control-Allow-Origin" not in other.headers
    refused = guarded.http.get("/v1/jobs", headers={"Origin": "https://example.org"})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == "https://example.org", "so that the page can read why"


def test_without_a_token_only_this_machine(served: ServedGateway) -> None:
    http = served.http
    assert http.get("/v1/jobs", headers={"Host": "rebound.example.org"}).status_code == 403
    for origin in ("https://example.org", "null", served.url.replace("http://", "https://x.")):
        answer = http.post("/v1/jobs", content=b"x", headers={"Origin": origin, "Content-Type": "video/mp4"})
        assert answer.status_code == 403
        assert answer.json()["type"].endswith("/forbidden")
    assert http.get("/v1/jobs", headers={"Origin": served.url}).status_code == 200
    assert http.get("/v1/jobs", headers={"Host": "localhost:1"}).status_code == 200
    assert http.get("/v1/jobs", headers={"Host": "[::1]:1"}).status_code == 200


def test_tokens() -> None:
    tokens = Tokens(DIGESTS)
    assert tokens.needed
    everything = Principal(LOCAL, ALL, limited=True)
    assert tokens.find(f"Bearer {TOKEN}") == everything
    assert tokens.find(f"bearer  {OLD} ") == everything
    for header in (None, "", "Bearer", "Bearer ", TOKEN, f"Bearer {DIGESTS[0]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}"):
        assert tokens.find(header) is None
    assert not Tokens().needed
    assert Tokens().find(f"Bearer {TOKEN}") is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gateway"])
def test_reachable_from_outside_it_needs_a_token(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ValidationError, match="needs an API token"):
        GatewaySettings(host=host)
    assert GatewaySettings(host=host, api_token_sha256=DIGESTS[0]).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_on_this_machine_it_needs_none(host: str) -> None:
    assert GatewaySettings(host=host).token_digests == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"api_token_sha256": TOKEN},
        {"api_token_sha256": DIGESTS[0][:-1]},
        {"cors_origins": "*"},
        {"cors_origins": "https://*.example.org"},
        {"cors_origins": "example.org"},
        {"keep_uploads_s": 100, "keep_results_s": 10},
    ],
)
def test_settings_that_are_not_safe(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings.model_validate(changes)


def test_the_service_refuses_to_start_in_the_open() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PULSEMESH_")}
    done = subprocess.run(
        [sys.executable, "-m", "gateway"],
        env=environment | {"PULSEMESH_HOST": "0.0.0.0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "PULSEMESH_API_TOKEN_SHA256" in done.stderr
    assert "Traceback" not in done.stderr
