"""Webhooks: signed, at least once, only to hosts that may be called."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from gateway_kit import Control, ServedGateway, until
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.webhooks import LONGEST_PAUSE_S, check_address, pause_s, sign
from mesh.errors import BadParameters

pytestmark = pytest.mark.mesh


@dataclass
class Receiver:
    """An HTTP server that is told; `answers` are its next status codes, 200 when there are no more."""

    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    host: str = ""

    @property
    def url(self) -> str:
        return f"http://{self.host}/hook?of=mine"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.calls.append((dict(self.headers.items()), body))
            self.send_response(found.answers.pop(0) if found.answers else 200)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.host = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


def submit(gateway: ServedGateway, clip: Path, webhook: str) -> Any:
    """POST a clip with a webhook."""
    return gateway.http.post(
        "/v1/jobs", content=clip.read_bytes(), headers={"Content-Type": "video/mp4"}, params={"webhook": webhook}
    )


def test_who_asked_is_told_signed_until_it_takes_it(
    another: Callable[..., ServedGateway], control: Control, clip: Path, receiver: Receiver
) -> None:
    gateway = another(webhook_hosts=receiver.host)
    another(webhook_hosts=receiver.host, stages=[])  # a second gateway tells nobody twice
    receiver.answers = [500, 302]
    answer = submit(gateway, clip, receiver.url)
    assert answer.status_code == 202, answer.text
    job = answer.json()["id"]
    until(lambda: len(receiver.calls) == 3)
    until(lambda: not gateway.app.state.gateway().webhooks._due)
    assert len(receiver.calls) == 3
    secret = gateway.http.get("/v1/webhook-secret").json()["secret"]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    for headers, body in receiver.calls:
        headers = {name.lower(): value for name, value in headers.items()}
        assert headers["webhook-id"] == f"msg_{job}"
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        told = json.loads(body)
        assert told["type"] == "job.succeeded"
        assert told["data"]["id"] == job
        assert "people" not in body.decode(), "no measurement leaves this way"
        assert told["data"]["links"]["result"] == f"/v1/jobs/{job}/result"


def test_a_job_that_failed_is_told_too(
    another: Callable[..., ServedGateway], control: Control, clip: Path, receiver: Receiver
) -> None:
    gateway = another(webhook_hosts=receiver.host)
    control.fail("mask", "OutOfMemory")
    assert submit(gateway, clip, receiver.url).status_code == 202
    until(lambda: receiver.calls)
    told = json.loads(receiver.calls[0][1])
    assert told["type"] == "job.failed"
    assert told["data"]["problem"]["type"].endswith("/out-of-memory")


def test_addresses_that_may_not_be_called(served: ServedGateway, clip: Path) -> None:
    answer = submit(served, clip, "https://example.org/hook")
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["errors"][0]["pointer"] == "/webhook"
    assert "PULSEMESH_WEBHOOK_HOSTS" in problem["hint"]


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "ftp://example.org/", "https://other.org/", "https://example.org:8443/", "https:///x",
        "https://user:pass@example.org/", "https://example.org.evil.net/", "https://example.org:x/",
        "https://[::1/", "http://127.0.0.1/", "https://example.org/#part", "https://example.org@evil.net/",
    ],
)  # fmt: skip
def test_check_address(url: str) -> None:
    with pytest.raises(BadParameters):
        check_address(url, frozenset({"example.org", "example.net:8443"}))


def test_addresses_that_may() -> None:
    allowed = frozenset({"example.org", "example.net:8443", "[::1]:9"})
    for url in ("https://example.org/a?b=c", "https://EXAMPLE.org:443/", "http://example.org/", "http://[::1]:9/",
                "https://example.net:8443/"):  # fmt: skip
        check_address(url, allowed)


def test_signature_of_the_specification() -> None:
    """The example of https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_pauses_grow_and_end(attempts: int) -> None:
    assert 2 <= pause_s(attempts) <= pause_s(attempts + 1) <= LONGEST_PAUSE_S
