"""Nobody sees another's recording: each route of the app, asked by a tenant for what belongs to another.

A route without an entry in `ISOLATION` fails `test_every_route_has_a_test`: whoever adds one says how it is kept apart.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from gateway_kit import ServedGateway, until

from gateway.principals import Scope

pytestmark = pytest.mark.mesh

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = TUS | {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}


def entry(token: str, tenant: str, *scopes: str) -> dict[str, Any]:
    """One entry of the file of tokens."""
    found: dict[str, Any] = {"sha256": hashlib.sha256(token.encode()).hexdigest(), "tenant": tenant}
    return found | ({"scopes": list(scopes)} if scopes else {})


@pytest.fixture(scope="module")
def tokens_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tenants, and tokens of one that may do one thing each."""
    path = tmp_path_factory.mktemp("tokens") / "tokens.json"
    one_each = [entry(f"ann-{scope}", "ann", scope) for scope in Scope]
    path.write_text(json.dumps([entry("ann", "ann"), entry("bob", "bob"), *one_each]))
    return path


@pytest.fixture(scope="module")
def gateway(
    broker: Any, control_folder: Path, tokens_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedGateway]:
    """A gateway of two tenants."""
    from gateway_kit import settings_for

    settings = settings_for(broker, tmp_path_factory.mktemp("tenants"), api_tokens_file=tokens_file)
    with ServedGateway(settings) as served:
        yield served


def asking(gateway: ServedGateway, token: str) -> httpx.Client:
    """A client with a token."""
    return httpx.Client(base_url=gateway.url, timeout=30, headers={"Authorization": f"Bearer {token}"})


@dataclass(frozen=True)
class Anns:
    """What belongs to ann, and bob who asks for it."""

    ann: httpx.Client
    bob: httpx.Client
    job: str
    recording: str
    upload: str  # the recording of an upload that has begun

    def hidden(self, method: str, path: str, **more: Any) -> None:
        """Ann gets an answer, bob learns nothing: as if it did not exist."""
        answer = self.bob.request(method, path, **more)
        assert answer.status_code == 404, (method, path, answer.text)
        assert answer.headers["Content-Type"] == "application/problem+json"
        never = self.bob.request(method, path.replace(path.split("/")[3][4:], "0" * 26), **more)
        assert never.status_code == 404
        # nor can what exists be told from what does not
        assert {**answer.json(), "instance": ""} == {**never.json(), "instance": ""} or method == "HEAD"


@pytest.fixture(scope="module")
def anns(gateway: ServedGateway, clip: Path) -> Iterator[Anns]:
    """A job of ann that has ended, and an upload that has begun."""
    with asking(gateway, "ann") as ann, asking(gateway, "bob") as bob:
        posted = ann.post("/v1/jobs", content=clip.read_bytes(), headers={"Content-Type": "video/mp4"})
        assert posted.status_code == 202, posted.text
        view = posted.json()
        until(lambda: ann.get(f"/v1/jobs/{view['id']}").json()["state"] == "succeeded")
        upload = ann.post("/v1/uploads", headers=TUS | {"Upload-Length": "1000"}).headers["Location"]
        yield Anns(ann, bob, view["id"], view["recording"], upload.rsplit("/", 1)[1])


def seen(path: str) -> Callable[[Anns], None]:
    """A GET that ann may and bob may not."""

    def check(anns: Anns) -> None:
        full = path.format(job=anns.job, recording=anns.recording)
        assert anns.ann.get(full).status_code == 200
        anns.hidden("GET", full)

    return check


def list_jobs(anns: Anns) -> None:
    assert [job["id"] for job in anns.ann.get("/v1/jobs").json()["jobs"]] == [anns.job]
    assert anns.bob.get("/v1/jobs").json() == {"jobs": [], "next": None}
    assert anns.bob.get("/v1/jobs", params={"recording": anns.recording}).json()["jobs"] == []


def submit(anns: Anns) -> None:
    for recording in (anns.recording, anns.upload):
        answer = anns.bob.post("/v1/jobs", json={"recording": recording})
        assert answer.status_code == 404
    # keys of one tenant are none of another's
    key = {"Idempotency-Key": "the-same"}
    mine = anns.ann.post("/v1/jobs", json={"recording": anns.recording}, headers=key)
    assert mine.status_code == 202
    assert anns.bob.post("/v1/jobs", json={"recording": anns.recording}, headers=key).status_code == 404
    anns.ann.delete(f"/v1/jobs/{mine.json()['id']}")
    until(lambda: len(anns.ann.get("/v1/jobs").json()["jobs"]) >= 1)
    for job in anns.ann.get("/v1/jobs").json()["jobs"]:
        if job["id"] != anns.job:
            anns.ann.delete(f"/v1/jobs/{job['id']}")


def delete_job(anns: Anns) -> None:
    assert anns.bob.delete(f"/v1/jobs/{anns.job}").status_code == 204, "as for one that does not exist"
    assert anns.ann.get(f"/v1/jobs/{anns.job}").json()["state"] == "succeeded"


def erase(anns: Anns) -> None:
    for recording in (anns.recording, anns.upload):
        assert anns.bob.delete(f"/v1/recordings/{recording}").status_code == 204
    assert anns.ann.get(f"/v1/jobs/{anns.job}/result").status_code == 200
    assert anns.ann.head(f"/v1/uploads/{anns.upload}", headers=TUS).status_code == 200


def head_file(anns: Anns) -> None:
    path = f"/v1/jobs/{anns.job}/files/magnified.mp4"
    assert anns.ann.head(path).status_code == 200
    assert anns.bob.head(path).status_code == 404


def head_upload(anns: Anns) -> None:
    assert anns.ann.head(f"/v1/uploads/{anns.upload}", headers=TUS).status_code == 200
    assert anns.bob.head(f"/v1/uploads/{anns.upload}", headers=TUS).status_code == 404


def patch_upload(anns: Anns) -> None:
    anns.hidden("PATCH", f"/v1/uploads/{anns.upload}", headers=PIECE, content=b"bob")
    assert anns.ann.head(f"/v1/uploads/{anns.upload}", headers=TUS).headers["Upload-Offset"] == "0"


def terminate(anns: Anns) -> None:
    anns.hidden("DELETE", f"/v1/uploads/{anns.upload}", headers=TUS)
    head_upload(anns)


def overridden(anns: Anns) -> None:
    for method in ("PATCH", "DELETE", "HEAD"):
        more = {"headers": PIECE | {"X-HTTP-Method-Override": method}, "content": b"bob"}
        assert anns.bob.post(f"/v1/uploads/{anns.upload}", **more).status_code == 404
    patch_upload(anns)


def measurements(anns: Anns) -> None:
    path = f"/v1/jobs/{anns.job}/measurements"
    assert anns.ann.get(path).status_code != 404
    anns.hidden("GET", path)


def links(anns: Anns) -> None:
    for path in (f"/v1/jobs/{anns.job}/files/magnified.mp4", f"/v1/recordings/{anns.recording}"):
        assert anns.bob.post("/v1/links", json={"path": path}).status_code == 404
        link = anns.ann.post("/v1/links", json={"path": path}).json()["href"]
        with httpx.Client(base_url=anns.ann.base_url) as nobody:
            assert nobody.get(link).status_code == 200
            assert nobody.get(path).status_code == 401
            assert nobody.get(link.replace("tenant=ann", "tenant=bob")).status_code == 403
            assert nobody.get(link.replace(path, f"/v1/jobs/{anns.job}")).status_code == 403, "one path alone"
            assert nobody.delete(link).status_code == 401, "reading alone"


def live(anns: Anns) -> None:
    """Sessions: test_live_api.test_a_session_belongs_to_its_tenant. Links to it carry the tenant."""
    hrefs = [client.post("/v1/links", json={"path": "/v1/live"}).json()["href"] for client in (anns.ann, anns.bob)]
    assert ["tenant=ann" in href for href in hrefs] == [True, False]


def preview(anns: Anns) -> None:
    for recording in (anns.recording, anns.upload):
        assert anns.bob.post("/v1/preview/skin", json={"recording": recording}).status_code == 404


def webhook_secret(anns: Anns) -> None:
    secrets = {client.get("/v1/webhook-secret").json()["secret"] for client in (anns.ann, anns.bob)}
    assert len(secrets) == 2
    assert all(secret.startswith("whsec_") for secret in secrets)


def shared(anns: Anns) -> None:
    """Shows nothing of anybody."""


ISOLATION: dict[tuple[str, str], Callable[[Anns], None]] = {
    ("GET", "/v1/jobs"): list_jobs,
    ("POST", "/v1/jobs"): submit,
    ("GET", "/v1/jobs/{job_id}"): seen("/v1/jobs/{job}"),
    ("DELETE", "/v1/jobs/{job_id}"): delete_job,
    ("GET", "/v1/jobs/{job_id}/result"): seen("/v1/jobs/{job}/result"),
    ("GET", "/v1/jobs/{job_id}/measurements"): measurements,
    ("GET", "/v1/jobs/{job_id}/files"): seen("/v1/jobs/{job}/files"),
    ("GET", "/v1/jobs/{job_id}/files/{name}"): seen("/v1/jobs/{job}/files/magnified.mp4"),
    ("HEAD", "/v1/jobs/{job_id}/files/{name}"): head_file,
    ("GET", "/v1/jobs/{job_id}/events"): seen("/v1/jobs/{job}/events"),
    ("GET", "/v1/recordings/{recording}"): seen("/v1/recordings/{recording}"),
    ("DELETE", "/v1/recordings/{recording}"): erase,
    ("OPTIONS", "/v1/uploads"): shared,
    ("POST", "/v1/uploads"): shared,  # makes a recording of who asks
    ("HEAD", "/v1/uploads/{recording}"): head_upload,
    ("PATCH", "/v1/uploads/{recording}"): patch_upload,
    ("DELETE", "/v1/uploads/{recording}"): terminate,
    ("POST", "/v1/uploads/{recording}"): overridden,
    ("POST", "/v1/links"): links,
    ("GET", "/v1/webhook-secret"): webhook_secret,
    ("WS", "/v1/live"): live,
    ("POST", "/v1/preview/skin"): preview,
    ("GET", "/v1/parameters"): shared,
    ("GET", "/"): shared,
    ("HEAD", "/"): shared,
    ("GET", "/page/{version}/{name}"): shared,
    ("GET", "/openapi.json"): shared,
    ("HEAD", "/openapi.json"): shared,
    ("GET", "/docs"): shared,
    ("HEAD", "/docs"): shared,
    ("GET", "/docs/oauth2-redirect"): shared,
    ("HEAD", "/docs/oauth2-redirect"): shared,
    ("GET", "/redoc"): shared,
    ("HEAD", "/redoc"): shared,
    ("GET", "/healthz"): shared,
    ("GET", "/readyz"): shared,
    ("GET", "/metrics"): shared,
    ("GET", "/info"): shared,
}


def routes(gateway: ServedGateway) -> set[tuple[str, str]]:
    """Method and path of each route of the app; the method of a WebSocket is `WS`."""
    found = set()
    for route in iter_route_contexts(gateway.app.routes):
        for method in route.methods or ("WS",):
            found.add((method, route.path))
    return found


def test_every_route_has_a_test(gateway: ServedGateway) -> None:
    found = routes(gateway)
    assert ("GET", "/v1/jobs/{job_id}") in found
    assert found - ISOLATION.keys() == set(), "these routes have no isolation test"
    assert ISOLATION.keys() - found == set(), "these routes are gone"


@pytest.mark.parametrize(("method", "path"), [pair for pair, check in ISOLATION.items() if check is not shared])
def test_isolation(anns: Anns, method: str, path: str) -> None:
    ISOLATION[method, path](anns)
