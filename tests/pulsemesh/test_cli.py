"""Arguments and exit statuses of the command, without a mesh."""

from __future__ import annotations

import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.errors import TooShort
from phantom import PhantomSettings, Truth, write
from pulsemesh import cli
from pulsemesh.broker import Broker
from pulsemesh.embedded import EmbeddedMesh

pytestmark = pytest.mark.unit


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pulsemesh.cli", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write(PhantomSettings(seconds=1, fps=10, width=64, height=48), path)
    return path


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process a mesh would be a mistake: arguments are checked before."""

    def refuse(self: EmbeddedMesh | Broker) -> None:
        raise AssertionError("a mesh was started")

    monkeypatch.setattr(EmbeddedMesh, "start", refuse)
    monkeypatch.setattr(Broker, "start", refuse)


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line on stderr of a command that ends with status 2."""
    with pytest.raises(SystemExit) as end:
        cli.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    assert end.value.code == 2, said
    assert said.out == ""
    assert re.fullmatch(r"pulsemesh[^\n]*\n", said.err), said.err
    return said.err


@pytest.mark.parametrize("command", ["process", "up", "phantom"])
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    assert end.value.code == 0
    assert f"pulsemesh {command}" in capsys.readouterr().out


def test_missing_and_unknown_arguments(capsys: pytest.CaptureFixture[str], clip: Path, tmp_path: Path) -> None:
    assert "COMMAND" in refused(capsys)
    assert "magic" in refused(capsys, "magic")
    assert "VIDEO" in refused(capsys, "process")
    assert "--out" in refused(capsys, "process", clip)
    for option, value in (("--workers", 0), ("--workers", "two"), ("--chunk-seconds", "long")):
        assert option in refused(capsys, "process", clip, "--out", tmp_path / "r", option, value)
    assert "--port" in refused(capsys, "up", "--port", 70000)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--set", "gian=3"], "did you mean 'gain'"),
        (["--set", "gain"], "key=value"),
        (["--set", "gain=1e9"], "gain"),
        (["--chunk-seconds", "0"], "chunk_seconds"),
        (["--gateway", "localhost:8080"], "http://"),
        (["--gateway", "http://127.0.0.1:1", "--workers", "2"], "--workers"),
        (["--truth", "nowhere.json"], "nowhere.json"),
    ],
)
def test_options_are_checked_first(
    capsys: pytest.CaptureFixture[str], clip: Path, tmp_path: Path, options: list[str], says: str
) -> None:
    assert says in refused(capsys, "process", clip, "--out", tmp_path / "results", *options)
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mp4"}


def test_videos_that_are_none(capsys: pytest.CaptureFixture[str], clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    (tmp_path / "empty.mp4").touch()
    assert "there is no file" in refused(capsys, "process", tmp_path / "missing.mp4", "--out", out)
    assert "is a folder" in refused(capsys, "process", tmp_path, "--out", out)
    assert "is empty" in refused(capsys, "process", tmp_path / "empty.mp4", "--out", out)
    assert "is a file" in refused(capsys, "process", clip, "--out", clip)
    assert "not the truth" in refused(capsys, "process", clip, "--out", out, "--truth", clip)


def test_phantom_writes_a_clip_and_its_truth(tmp_path: Path) -> None:
    clip, truth = tmp_path / "new" / "clip.mkv", tmp_path / "truth.json"
    ran = run(
        "phantom", "--out", clip, "--truth", truth, "--seconds", 1, "--fps", 10, "--width", 64, "--height", 48,
        "--heart-rate", 66, "--skin-rgb", "90,60,50", "--variable-rate", "--no-audio",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "66 bpm" in ran.stdout
    settings = Truth.model_validate_json(truth.read_bytes()).settings
    assert (settings.heart_rate, settings.skin_rgb, settings.variable_rate) == (66, (90, 60, 50), True)
    assert clip.stat().st_size > 500
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} == {
        "new", "new/clip.mkv", "truth.json", "truth.npz"
    }  # fmt: skip


def test_phantom_refuses(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    assert "heart_rate" in refused(capsys, "phantom", "--out", clip, "--heart-rate", 900)
    assert "width" in refused(capsys, "phantom", "--out", clip, "--width", "wide")
    assert ".mp4" in refused(capsys, "phantom", "--out", tmp_path / "clip.gif")
    assert "--magic" in refused(capsys, "phantom", "--out", clip, "--magic", 3)
    (tmp_path / "file").touch()
    assert "cannot be written" in refused(capsys, "phantom", "--out", tmp_path / "file" / "clip.mp4")
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


def test_phantom_interrupted_leaves_nothing(tmp_path: Path) -> None:
    clip, truth = tmp_path / "clip.mp4", tmp_path / "truth.json"
    arguments = ["phantom", "--out", str(clip), "--truth", str(truth), "--seconds", "3600"]
    with subprocess.Popen(
        [sys.executable, "-m", "pulsemesh.cli", *arguments], stderr=subprocess.PIPE, text=True
    ) as process:
        while not list(tmp_path.glob(".phantom-*/clip.mp4")):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert list(tmp_path.iterdir()) == []


def test_a_gateway_that_is_not_there(clip: Path, tmp_path: Path) -> None:
    ran = run("process", clip, "--out", tmp_path / "results", "--gateway", "http://127.0.0.1:9", "--quiet")
    assert ran.returncode == 1
    assert re.fullmatch(r"pulsemesh: the gateway at http://127.0.0.1:9 cannot be reached[^\n]*\n", ran.stderr)
    assert not (tmp_path / "results").exists()


class _Refusing(http.server.BaseHTTPRequestHandler):
    """A gateway that refuses every clip, with a problem or with a page of a proxy."""

    problem = True

    def do_POST(self) -> None:
        remaining = int(self.headers["Content-Length"])
        while remaining:
            remaining -= len(self.rfile.read(min(remaining, 65536)))
        body = TooShort("0.2 s of 0.5 s").problem().model_dump_json().encode() if self.problem else b"<html>\nno"
        self.send_response(422 if self.problem else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize(("problem", "status"), [(True, 2), (False, 1)])
def test_what_the_gateway_refuses(clip: Path, tmp_path: Path, problem: bool, status: int) -> None:
    handler = type("Handler", (_Refusing,), {"problem": problem})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        ran = run("process", clip, "--out", tmp_path / "results", "--gateway", address, "--quiet", "--json")
        server.shutdown()
        thread.join()
    assert ran.returncode == status
    assert ran.stdout == ""
    assert re.fullmatch(r"pulsemesh: [^\n]*\n", ran.stderr)
    assert ("0.2 s of 0.5 s" in ran.stderr) == problem
    assert not (tmp_path / "results").exists()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("pulsemesh ")


def test_output_may_be_cut_off(tmp_path: Path) -> None:
    """`pulsemesh … | head -0` is no failure of ours."""
    reader, writer = os.pipe()
    os.close(reader)
    arguments = ["phantom", "--out", str(tmp_path / "c.mp4"), "--seconds", "1", "--width", "64", "--height", "48"]
    ran = subprocess.run(
        [sys.executable, "-u", "-m", "pulsemesh.cli", *arguments], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == b""
    assert (tmp_path / "c.mp4").exists()
