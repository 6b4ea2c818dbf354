"""What the documents say of defaults, commands and files is true."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from gateway.settings import GatewaySettings
from mesh.graph import STAGES
from mesh.parameters import Parameters
from mesh.threads import encoder_threads
from pulsemesh import cli
from pulsemesh.result_folder import FILES

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
README = (ROOT / "README.md").read_text()


def shown(name: str, default: object) -> str:
    """A default as the table shows it."""
    if default is None or default == "":
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    if name.endswith("_bytes") and isinstance(default, int):
        return f"{default >> 30} GiB" if default >= 1 << 30 else f"{default >> 20} MiB"
    if isinstance(default, float):
        return f"{default:.15g} s"
    return str(default)


def test_one_table_lists_every_default() -> None:
    rows = dict(re.findall(r"^\| `(PULSEMESH_\w+)` \| (.+?) \|", OPERATIONS, re.M))
    expected = {
        f"PULSEMESH_{name.upper()}": shown(name, field.default)
        for name, field in GatewaySettings.model_fields.items()
        if field.default is not PydanticUndefined
    }
    expected |= {"PULSEMESH_SLOTS": "cores", "PULSEMESH_SCRATCH": "the temporary folder"}
    expected["PULSEMESH_ENCODER_THREADS"] = str(encoder_threads())
    assert rows == expected
    assert f"| `chunk_seconds` | {Parameters().chunk_seconds:g} s |" in OPERATIONS


def test_exit_statuses_stand_in_the_readme() -> None:
    for status in (cli.DONE, cli.BROKEN, cli.BAD_INPUT, cli.JOB_FAILED, cli.INTERRUPTED):
        assert re.search(rf"^\| {status} \|", README, re.M)


def test_every_result_and_stage_is_described() -> None:
    for name in FILES:
        assert f"| `{name}` |" in README
    architecture = (ROOT / "docs" / "architecture.md").read_text()
    for stage in STAGES.values():
        assert re.search(rf"^\| `{stage.name}` \| {stage.service} \|", architecture, re.M), stage.name


def test_links_lead_somewhere() -> None:
    for document in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "THIRD_PARTY.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_commands_of_the_readme_parse() -> None:
    lines = re.findall(r"^pulsemesh ([^#|&\n]+)", README, re.M)
    assert len(lines) >= 6
    for line in lines:
        cli.parser().parse_args(line.split())


def test_targets_of_the_makefile() -> None:
    """`make -n` says what would be done and does nothing."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}

    def plan(*arguments: str) -> str:
        ran = subprocess.run(
            ["make", "-n", "VENV=.no-such-venv", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    run = plan("run", "VIDEO=a clip.mp4", "OUT=some results")
    assert '-e ".[embedded]" -e client' in run
    assert '-e ".[test]"' not in run
    assert 'pulsemesh process "a clip.mp4" --out "some results"' in run
    demo = plan("run")
    assert demo.index("pulsemesh phantom") < demo.index("pulsemesh process")
    assert demo.count("truth.json") == 2
    test = plan("test")
    assert all(step in test for step in ('-e ".[test]"', "bin/ruff check", "bin/mypy", "bin/pytest"))
    assert '-e ".[test]" -e client' in plan("setup")
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert os.access(ROOT / "deploy" / "make-env", os.X_OK)


def test_constraints_pin_what_the_project_needs() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+", line) for line in lines)
    pinned = {re.sub(r"[._]", "-", line.split("==")[0]).lower() for line in lines}
    needed = re.findall(r'^\s*(?:\w+ = \[)?"([a-z0-9-]+)[>\[]', (ROOT / "pyproject.toml").read_text(), re.M)
    assert {name for name in needed if name not in ("setuptools", "pulsemesh", "cupy-cuda12x")} <= pinned
    assert "torch" not in pinned
