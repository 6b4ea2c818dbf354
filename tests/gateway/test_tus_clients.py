"""Real clients of tus, connections cut at random bytes, gateways killed meanwhile: every byte is right.

`PULSEMESH_TUS_UPLOADS` is how many uploads; bench/tus_uploads.py does 100.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tus_uploads import install_tus_js, run, with_tus_js, with_tuspy

pytestmark = [pytest.mark.mesh, pytest.mark.timeout(600)]

UPLOADS = int(os.environ.get("PULSEMESH_TUS_UPLOADS", "6"))


def test_tuspy(tmp_path: Path) -> None:
    found = run(with_tuspy, UPLOADS, tmp_path, largest=4 << 20)
    assert found["right"] == UPLOADS
    assert found["connections_cut"]
    assert found["gateways_killed"]


def test_tus_js_client(tmp_path: Path) -> None:
    modules = tmp_path / "js"
    modules.mkdir()
    if reason := install_tus_js(modules):
        pytest.skip(reason)
    found = run(with_tus_js(modules), UPLOADS, modules, seed=8, largest=4 << 20)
    assert found["right"] == UPLOADS
    assert found["connections_cut"]
    assert found["gateways_killed"]
