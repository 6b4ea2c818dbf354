"""The command with a mesh of its own, as a user runs it: results, interruptions, deaths; nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from mesh.contracts import Result
from phantom import PhantomSettings, write
from pulsemesh.result_folder import FILES

pytestmark = [pytest.mark.mesh, pytest.mark.timeout(180)]

MARKER = "PULSEMESH_TEST_RUN"
RATE = 75.0


@dataclass
class Command:
    """Runs `pulsemesh` in a temporary folder of its own and finds everything that belongs to it."""

    temporary: Path
    mark: str = field(default_factory=lambda: secrets.token_hex(8))

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "pulsemesh.cli", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, MARKER: self.mark, "TMPDIR": str(self.temporary), **environment},
            start_new_session=True,
        )

    def run(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments, **environment) as process:
            out, err = process.communicate(timeout=150)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARKER) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def left(self) -> list[str]:
        """What is left in the temporary folder."""
        return sorted(path.name for path in self.temporary.iterdir())


def wait_for(what: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    made = Command(temporary)
    yield made
    for process in made.processes():
        with contextlib.suppress(psutil.Error):
            process.kill()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("clip")
    settings = PhantomSettings(seconds=8, fps=20, width=160, height=120, heart_rate=RATE, amplitude=0.02)
    write(settings, folder / "clip.mp4", folder / "truth.json")
    return folder / "clip.mp4", folder / "truth.json"


def running(command: Command, ending: str) -> list[int]:
    """Processes whose command line ends so; one that is ending at this moment has none."""
    found = []
    for process in command.processes():
        with contextlib.suppress(psutil.Error):
            if " ".join(process.cmdline()).endswith(ending):
                found.append(process.pid)
    return found


def test_a_clip_is_processed_and_everything_is_gone(command: Command, clip: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "results"
    ran = command.run(
        "process", clip[0], "--out", out, "--truth", clip[1], "--workers", 2, "--chunk-seconds", 2, "--set", "gain=20"
    )
    assert ran.returncode == 0, ran.stderr
    assert {path.name for path in out.iterdir()} <= set(FILES)
    assert {"result.json", "pulse.csv", "pulse.png", "skin.jpg", "magnified.mp4", "report.html"} <= {
        path.name for path in out.iterdir()
    }
    result = Result.model_validate_json((out / "result.json").read_bytes())
    assert (result.parameters.gain, result.parameters.chunk_seconds) == (20, 2)
    rate = result.people[0].measurements["heart_rate"]
    assert rate.value == pytest.approx(RATE, abs=2), rate
    line = next(line for line in ran.stdout.splitlines() if line.startswith("heart rate"))
    assert f"{rate.value:.1f}" in line
    assert line.endswith(f"the truth is {RATE:.1f}")
    assert result.disclaimer in ran.stdout
    for said in ("start the mesh", "upload", "split the clip: 1/1", "find skin: 4/4", "write the results: 1/1"):
        assert said in ran.stderr
    assert command.processes() == []
    assert command.left() == []


def test_json_is_all_that_stdout_gets(command: Command, clip: tuple[Path, Path], tmp_path: Path) -> None:
    ran = command.run("process", clip[0], "--out", tmp_path / "r", "--json", "--quiet", "--set", "magnify=none")
    assert ran.returncode == 0, ran.stderr
    assert Result.model_validate(json.loads(ran.stdout)).parameters.magnify == "none"
    assert ran.stderr == ""
    assert not (tmp_path / "r" / "magnified.mp4").exists()


def test_what_is_no_video_is_bad_input(command: Command, tmp_path: Path) -> None:
    text = tmp_path / "clip.mp4"
    text.write_text("no video at all\n" * 100)
    ran = command.run("process", text, "--out", tmp_path / "results", "--quiet")
    assert ran.returncode == 2, ran.stderr
    assert re.fullmatch(r"pulsemesh: [^\n]+\n", ran.stderr)
    assert not (tmp_path / "results").exists()
    assert command.processes() == []
    assert command.left() == []


def test_a_job_that_fails_has_a_status_of_its_own(command: Command, clip: tuple[Path, Path], tmp_path: Path) -> None:
    # the clip passes the first look, but no task may write a file of its size
    long = tmp_path / "long.mp4"
    write(PhantomSettings(seconds=10, width=320, height=240, shot_noise=8, crf=1), long)
    assert long.stat().st_size > 3 << 20
    ran = command.run("process", long, "--out", tmp_path / "r", "--quiet", PULSEMESH_CHILD_FILE_BYTES=str(1 << 20))
    assert ran.returncode == 3, ran.stderr
    assert re.fullmatch(r"pulsemesh: the job failed: [^\n]+\n", ran.stderr)
    assert not (tmp_path / "r").exists()
    assert command.processes() == []


def test_a_service_that_cannot_start_is_said(command: Command, clip: tuple[Path, Path], tmp_path: Path) -> None:
    ran = command.run("process", clip[0], "--out", tmp_path / "r", "--quiet", PULSEMESH_ACK_WAIT_S="soon")
    assert ran.returncode == 1, ran.stderr
    assert re.match(r"pulsemesh: the \w+ did not start:\n", ran.stderr)
    assert "PULSEMESH_ACK_WAIT_S" in ran.stderr  # what the service itself said
    assert not (tmp_path / "r").exists()
    assert command.processes() == []
    assert command.left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_it_works(command: Command, tmp_path: Path, number: signal.Signals) -> None:
    long = tmp_path / "long.mp4"
    write(PhantomSettings(seconds=60, width=320, height=240, fps=20), long)
    out = tmp_path / "results"
    out.mkdir()
    (out / "result.json").write_text("old")
    with command.start("process", long, "--out", out, "--set", "gain=20") as process:
        assert process.stderr is not None
        said = ""
        while "split the clip" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        assert len(command.processes()) > 5
        process.send_signal(number)
        assert process.wait(60) == 130
        assert command.processes() == []
    assert [path.name for path in out.iterdir()] == ["result.json"]
    assert (out / "result.json").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"long.mp4", "results", "tmp"}
    assert command.left() == []


def test_interrupted_while_it_starts(command: Command, clip: tuple[Path, Path], tmp_path: Path) -> None:
    with command.start("process", clip[0], "--out", tmp_path / "new" / "results") as process:
        wait_for(lambda: len(command.processes()) >= 3)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert command.processes() == []
    assert not (tmp_path / "new").exists()
    assert command.left() == []


def test_a_killed_command_takes_its_mesh_along(command: Command, clip: tuple[Path, Path], tmp_path: Path) -> None:
    with command.start("up", "--port", 0) as process:
        assert process.stdout is not None
        assert " is up at http://127.0.0.1:" in process.stdout.readline()
        assert len(command.processes()) > 5
        process.kill()
    wait_for(lambda: command.processes() == [], 20)
    assert command.left() != []  # nobody was left to tidy up; the next one does it
    ran = command.run("process", clip[0], "--out", tmp_path / "r", "--quiet")
    assert ran.returncode == 0, ran.stderr
    assert command.left() == []


def test_up_serves_until_it_is_stopped(command: Command, clip: tuple[Path, Path], tmp_path: Path) -> None:
    store = tmp_path / "store"
    with command.start("up", "--port", 0, "--workers", 2, "--store", store) as process:
        assert process.stdout is not None
        found = re.search(r"is up at (http://127\.0\.0\.1:\d+)", process.stdout.readline())
        assert found is not None
        url = found[1]
        assert httpx.get(f"{url}/readyz").status_code == 200
        with command.start("up", "--port", url.rsplit(":", 1)[1]) as second:  # taken
            _, said = second.communicate(timeout=60)
        assert second.returncode == 1
        assert re.fullmatch(r"pulsemesh: the gateway cannot listen on [^\n]+\n", said)
        ran = command.run("process", clip[0], "--out", tmp_path / "r", "--gateway", url, "--set", "method=green")
        assert ran.returncode == 0, ran.stderr
        job = json.loads((tmp_path / "r" / "result.json").read_text())["job"]
        killed = running(command, "-m ppg")[0]
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: [pid for pid in running(command, "-m ppg") if pid != killed])
        ran = command.run("process", clip[0], "--out", tmp_path / "r2", "--gateway", url, "--set", "method=chrom")
        assert ran.returncode == 0, ran.stderr
        long = tmp_path / "long.mp4"
        write(PhantomSettings(seconds=60, width=320, height=240, fps=20), long)
        with command.start("process", long, "--out", tmp_path / "r3", "--gateway", url) as interrupted:
            assert interrupted.stderr is not None
            while "split the clip" not in interrupted.stderr.readline():
                assert interrupted.poll() is None
            interrupted.send_signal(signal.SIGINT)
            assert interrupted.wait(60) == 130
        assert not (tmp_path / "r3").exists()
        jobs = httpx.get(f"{url}/v1/jobs").json()["jobs"]
        assert [j["state"] for j in jobs] == ["cancelled", "succeeded", "succeeded"]  # nobody waits for it any more
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert command.processes() == []
    assert command.left() == []
    with command.start("up", "--port", 0, "--store", store) as process:  # what was stored is still there
        assert process.stdout is not None
        found = re.search(r"is up at (\S+)", process.stdout.readline())
        assert found is not None
        assert httpx.get(f"{found[1]}/v1/jobs/{job}").json()["state"] == "succeeded"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert command.processes() == []
