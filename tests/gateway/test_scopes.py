"""Tokens with scopes, files of tokens that change, rate limits, links that expire."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from gateway_kit import ServedGateway, until
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.links import Signer
from gateway.principals import Scope, Tokens, read_tokens
from gateway.rate_limits import Policy, RateLimits
from gateway.settings import GatewaySettings
from mesh.errors import LinkExpired

pytestmark = pytest.mark.mesh

TUS = {"Tus-Resumable": "1.0.0", "Upload-Length": "10"}


def write_tokens(path: Path, **tokens: list[str]) -> None:
    """A file of tokens of the tenant `ann`, with their scopes."""
    entries = [
        {"sha256": hashlib.sha256(token.encode()).hexdigest(), "tenant": "ann", "scopes": scopes}
        for token, scopes in tokens.items()
    ]
    path.write_text(json.dumps(entries))


def bearer(token: str) -> dict[str, str]:
    """The header with a token."""
    return {"Authorization": f"Bearer {token}"}


def test_a_scope_opens_its_own_doors(another: Callable[..., ServedGateway], tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    write_tokens(path, **{scope.value: [scope.value] for scope in Scope})
    http = another(api_tokens_file=path, stages=[]).http
    nothing = "0" * 26
    asked = {
        ("GET", "/v1/jobs"): ("read",),
        ("GET", f"/v1/jobs/job_{nothing}"): ("read",),
        ("POST", "/v1/jobs"): ("write",),
        ("DELETE", f"/v1/jobs/job_{nothing}"): ("write",),
        ("POST", "/v1/uploads"): ("write",),
        ("GET", "/v1/webhook-secret"): ("write",),
        ("DELETE", f"/v1/recordings/rec_{nothing}"): ("erase",),
        ("POST", "/v1/links"): ("read",),
    }
    for (method, address), open_to in asked.items():
        for scope in Scope:
            body = {"json": {"path": f"/v1/jobs/job_{nothing}"}} if address == "/v1/links" else {}
            answer = http.request(method, address, headers=bearer(scope.value) | TUS, **body)
            refused = answer.status_code == 403
            assert refused == (scope.value not in open_to), (method, address, scope, answer.text)
            if refused:
                assert answer.json()["type"].endswith("/missing-scope")
                assert open_to[0] in answer.json()["detail"]


def test_a_token_is_revoked_without_a_restart(another: Callable[..., ServedGateway], tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    write_tokens(path, first=["read"])
    http = another(api_tokens_file=path, stages=[]).http
    assert http.get("/v1/jobs", headers=bearer("first")).status_code == 200
    assert http.get("/v1/jobs", headers=bearer("second")).status_code == 401
    write_tokens(path, second=["read"])
    until(lambda: http.get("/v1/jobs", headers=bearer("second")).status_code == 200)
    assert http.get("/v1/jobs", headers=bearer("first")).status_code == 401
    path.write_text("[")
    until(lambda: http.get("/v1/jobs", headers=bearer("second")).status_code == 401)


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[1]", '[{"sha256": "x", "tenant": "a"}]', '[{"sha256": "%s", "tenant": "A b"}]' % ("0" * 64)],
)
def test_a_file_that_is_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokens.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=str(path)):
        read_tokens(path)
    with pytest.raises(ValidationError):
        GatewaySettings(api_tokens_file=path)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        Tokens(path=tmp_path / "nothing.json")


def test_more_requests_than_allowed(another: Callable[..., ServedGateway], tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    write_tokens(path, ann=["read", "write"])
    http = another(api_tokens_file=path, stages=[], rate_requests=5, rate_submissions=2).http
    answers = [http.get("/v1/jobs", headers=bearer("ann")) for _ in range(7)]
    assert [answer.status_code for answer in answers[:5]] == [200] * 5
    assert answers[0].headers["RateLimit-Policy"] == '"requests";q=5;w=60'
    assert answers[0].headers["RateLimit"].startswith('"requests";r=4;t=')
    refused = answers[-1]
    assert refused.status_code == 429
    assert refused.json()["type"].endswith("/rate-limited")
    assert refused.json()["retryable"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 12
    assert refused.headers["RateLimit"].startswith('"requests";r=0;t=')
    # what makes recordings counts for itself
    uploads = [http.post("/v1/uploads", headers=bearer("ann") | TUS).status_code for _ in range(3)]
    assert uploads == [201, 201, 429]
    assert http.get("/healthz").status_code == 200


def test_without_tokens_nothing_is_limited(another: Callable[..., ServedGateway]) -> None:
    http = another(stages=[], rate_requests=1).http
    answers = [http.get("/v1/jobs") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert "RateLimit" not in answers[0].headers


@settings(max_examples=50, deadline=None)
@given(
    quota=st.integers(1, 20),
    pauses=st.lists(st.floats(0, 30, allow_nan=False), min_size=1, max_size=60),
)
def test_never_more_than_the_quota_and_its_refill(quota: int, pauses: list[float]) -> None:
    limits = RateLimits(Policy("p", quota, 60.0))
    now, allowed = 1000.0, 0
    for pause in pauses:
        now += pause
        standing = limits.take("p", "ann", now)
        assert standing is not None
        allowed += standing.allowed
        assert 0 <= standing.remaining < quota
        if not standing.allowed:
            assert standing.retry_s > 0
    other = limits.take("p", "bob", now)
    assert other is not None
    assert other.allowed, "others are not held up"
    assert allowed <= quota + (now - 1000.0) * quota / 60.0 + 1e-6
    assert RateLimits(Policy("p", 0, 60.0)).take("p", "ann", 0.0) is None


def test_links_end(served: ServedGateway) -> None:
    signer = Signer(served.runtime.bus)
    other = Signer(served.runtime.bus)
    href, expires = served.do(signer.link("/v1/jobs/job_1/result", "ann", 60, now=1000.0))
    assert expires == 1060
    query = dict(httpx.URL(href).params)
    assert served.do(other.check("/v1/jobs/job_1/result", query, now=1059.0)).tenant == "ann", "gateways share the key"
    for path, changed, now in [
        ("/v1/jobs/job_1/result", query, 1061.0),
        ("/v1/jobs/job_2/result", query, 1000.0),
        ("/v1/jobs/job_1/result", query | {"expires": "9999999999"}, 1000.0),
        ("/v1/jobs/job_1/result", query | {"tenant": "bob"}, 1000.0),
        ("/v1/jobs/job_1/result", query | {"signature": ""}, 1000.0),
        ("/v1/jobs/job_1/result", query | {"expires": "x"}, 1000.0),
        ("/v1/jobs/job_1/result", {}, 1000.0),
    ]:
        with pytest.raises(LinkExpired):
            served.do(signer.check(path, changed, now=now))


def test_an_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tokens.json"
    write_tokens(path, ann=["read"])
    monkeypatch.setenv("PULSEMESH_API_TOKENS_FILE", os.fspath(path))
    assert GatewaySettings(host="0.0.0.0").api_tokens_file == path
