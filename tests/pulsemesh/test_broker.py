"""The embedded broker: it is ours, it keeps what it holds, and it leaves with us."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pulsemesh.broker import Broker, BrokerError

pytestmark = pytest.mark.mesh


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether a process ends in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_it_keeps_port_and_password_over_a_kill() -> None:
    with Broker() as broker:
        first = (broker.url, broker.password, broker.environment())
        pid, server_id = broker.pid, broker.server_id
        assert pid is not None
        broker.start()
        assert broker.pid == pid, "it runs already"
        broker.kill()
        assert broker.pid is None
        broker.start()
        assert (broker.url, broker.password, broker.environment()) == first
        assert broker.server_id != server_id
        store = broker.store
        mode = stat.S_IMODE((store / "nats-server.conf").stat().st_mode)
        assert mode == 0o600, "the password is in it"
    assert not store.exists()


def test_a_named_store_stays(tmp_path: Path) -> None:
    with Broker(tmp_path / "store") as broker:
        assert broker.version >= "2.12"
    assert (tmp_path / "store" / "jetstream").is_dir()


def test_two_brokers_do_not_meet() -> None:
    with Broker() as one, Broker() as two:
        assert one.port != two.port
        assert one.server_id != two.server_id


def test_another_server_on_the_port_is_noticed(tmp_path: Path) -> None:
    with Broker() as first:
        second = Broker(tmp_path / "second")
        second.port = first.port
        with pytest.raises(BrokerError):
            second.start(5)
        assert second.pid is None
        assert first.pid is not None


def test_what_is_no_server_is_refused(tmp_path: Path) -> None:
    broker = Broker(tmp_path, server=Path("/bin/false"))
    with pytest.raises(BrokerError, match="ended"):
        broker.start(5)


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from pulsemesh.broker import Broker\n"
        "broker = Broker(Path(sys.argv[1])); broker.start(); print(broker.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    assert gone(pid)
