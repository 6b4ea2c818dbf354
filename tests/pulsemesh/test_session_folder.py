"""What a killed mesh leaves behind is removed by the next one; what is in use stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pulsemesh.session_folder import SessionFolder

pytestmark = pytest.mark.unit

HOLD = """
import sys, time
from pulsemesh.session_folder import SessionFolder
print(SessionFolder().path, flush=True)
time.sleep(60)
"""


def test_folders_of_killed_meshes_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    foreign = tmp_path / "pulsemesh-mesh-without-a-lock"
    foreign.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        held = Path(holder.stdout.readline().strip())
        (held / "face.mp4").write_text("somebody")
        second = SessionFolder()
        assert held.exists()  # in use
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    third = SessionFolder()
    assert not held.exists()
    assert second.path.exists()
    assert third.path.stat().st_mode & 0o777 == 0o700
    for mine in (second, third, third):
        mine.remove()
    assert list(tmp_path.iterdir()) == [foreign]
