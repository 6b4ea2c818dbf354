"""Dockerfiles, compose.yaml and its configuration say what the documents promise."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh.settings import MeshSettings
from pulsemesh.broker import find_server

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
SERVICES = ("gateway", "segmenter", "ppg", "magnifier")
GPU = ("segmenter", "ppg", "magnifier")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return loaded


def dockerfile(service: str, suffix: str = "") -> str:
    return (ROOT / "services" / service / f"Dockerfile{suffix}").read_text()


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_one_service_and_runs_without_rights(service: str) -> None:
    text = dockerfile(service)
    build, final = re.split(r"^FROM .*$", text, flags=re.M)[1:]
    assert f'".[{service}]"' in build
    assert "-c constraints.txt" in build
    assert "pip install" not in final
    user = re.search(r"^USER (\d+):(\d+)$", final, re.M)
    assert user is not None
    assert int(user[1]) >= 1000
    assert "HEALTHCHECK" in final
    assert "/readyz" in final
    assert "STOPSIGNAL SIGTERM" in final
    assert "EXPOSE 8000" in final
    assert f'CMD ["python", "-m", "{service}"]' in final
    assert not re.search(r"password|secret", text, re.I)


def without_models(text: str) -> str:
    """Without what one service alone needs, which stands in blocks of its own."""
    return re.sub(r"^# --- (SAM 3|faces).*?^# ---\n", "", text, flags=re.M | re.S)


def test_no_weights_are_in_an_image() -> None:
    text = dockerfile("segmenter", ".gpu")
    added = re.findall(r"^# --- SAM 3.*?^# ---\n", text, re.M | re.S)
    assert any(".[sam3]" in block for block in added)
    assert not re.search(r"snapshot_download|hf download|huggingface-cli|HF_TOKEN|safetensors", text)
    assert not re.search(r"^(COPY|ADD) .*weights", text, re.M)


@pytest.mark.parametrize(("services", "suffix"), [(SERVICES, ""), (GPU, ".gpu")])
def test_dockerfiles_differ_in_the_name_of_the_service_alone(services: tuple[str, ...], suffix: str) -> None:
    same = {
        re.sub(rf"\b{service}\b", "SERVICE", without_models(dockerfile(service, suffix)).replace(service, "SERVICE"))
        for service in services
    }
    assert len(same) == 1


def test_the_environment_of_images_is_that_of_the_settings() -> None:
    known = {f"PULSEMESH_{name.upper()}" for name in MeshSettings.model_fields}
    for service in SERVICES:
        assert set(re.findall(r"(PULSEMESH_[A-Z_]+)=", dockerfile(service))) <= known
    for service in GPU:
        assert set(re.findall(r"(PULSEMESH_[A-Z_]+)=", dockerfile(service, ".gpu"))) <= known


def test_only_the_gateway_is_published_and_only_here(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert set(published) == {"gateway"}
    assert all(port.startswith("127.0.0.1:") for port in published["gateway"])
    assert all("network_mode" not in service for service in compose["services"].values())


def test_the_mesh_reaches_nobody_outside(compose: dict[str, Any]) -> None:
    assert compose["networks"]["mesh"] == {"internal": True}
    for name, service in compose["services"].items():
        assert set(service["networks"]) == ({"mesh", "front"} if name == "gateway" else {"mesh"})


def test_every_container_is_confined(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert not service.get("privileged"), name


def test_services_can_be_scaled(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert "container_name" not in service, name
        assert "hostname" not in service, name
        if name != "gateway":
            assert "ports" not in service, name


def test_default_profile_is_the_whole_mesh(compose: dict[str, Any]) -> None:
    started = {name for name, service in compose["services"].items() if not service.get("profiles")}
    assert started == {"nats", *SERVICES}
    assert compose["services"]["prometheus"]["profiles"] == ["metrics"]
    for service in GPU:
        gpu = compose["services"][f"{service}-gpu"]
        assert gpu["profiles"] == ["gpu"]
        assert gpu["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
        assert gpu["networks"]["mesh"]["aliases"] == [service]


def test_secrets_are_required(compose: dict[str, Any]) -> None:
    text = (ROOT / "compose.yaml").read_text()
    for name in ("NATS_PASSWORD", "PULSEMESH_API_TOKEN_SHA256"):
        given = re.findall(rf"\$\{{{name}([^}}]*)\}}", text)
        assert given, name
        assert all(rest.startswith(":?") for rest in given), name


def test_the_broker_takes_its_configuration() -> None:
    config = ROOT / "deploy" / "nats.conf"
    text = config.read_text()
    assert re.search(r"sync_interval: *always", text)
    assert re.search(r"js_ack_fc_v2: *false", text)

    def checked(password: str | None) -> int:
        environment = {key: value for key, value in os.environ.items() if key != "NATS_PASSWORD"}
        if password is not None:
            environment["NATS_PASSWORD"] = password
        return subprocess.run(
            [find_server(), "-c", config, "-t"], env=environment, capture_output=True, check=False
        ).returncode

    assert checked('"0123456789"') == 0
    assert checked('"1e5"') == 0
    assert checked(None) != 0


def test_prometheus_finds_every_replica() -> None:
    loaded = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job["dns_sd_configs"][0] for job in loaded["scrape_configs"]}
    assert set(jobs) == set(SERVICES)
    for name, found in jobs.items():
        assert (found["names"], found["type"], found["port"]) == ([name], "A", 8000)


def test_env_file_is_made_once_and_holds_no_token(tmp_path: Path) -> None:
    script = ROOT / "deploy" / "make-env"
    (tmp_path / "deploy").mkdir()
    copy = tmp_path / "deploy" / "make-env"
    copy.write_text(script.read_text())
    made = subprocess.run(["sh", copy], capture_output=True, text=True, check=True)
    token = made.stdout.strip()
    assert re.fullmatch(r"[0-9a-f]{48}", token)
    written = (tmp_path / ".env").read_text()
    assert token not in written
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert subprocess.run(["sh", copy], capture_output=True, check=False).returncode == 1
    assert (tmp_path / ".env").read_text() == written
