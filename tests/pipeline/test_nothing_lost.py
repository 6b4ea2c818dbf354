"""Nothing is lost: services, their children and the broker are killed at random, and every job ends as if undisturbed.

More of it: `CHAOS_JOBS=50 CHAOS_KILLS=200 pytest tests/pipeline/test_nothing_lost.py`; with `CHAOS_RESULTS=file.json`
the figures are written there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from phantom import PhantomSettings, write
from pulsemesh.embedded import EmbeddedMesh
from pulsemesh_client import Client

pytestmark = [pytest.mark.mesh, pytest.mark.timeout(1500)]

JOBS = int(os.environ.get("CHAOS_JOBS", "4"))
KILLS = int(os.environ.get("CHAOS_KILLS", "14"))
SEED = int(os.environ.get("CHAOS_SEED", "20261121"))
PARAMETERS = {"chunk_seconds": 1.0, "gain": 20.0}


def products(client: Client, job: str) -> dict[str, str]:
    """A digest of each file of a result; `result.json` without the job's own id."""
    found = {}
    for name in ("result.json", "pulse.csv", "skin.jpg", "magnified.mp4"):
        content = client.read(job, name)
        if name == "result.json":
            report = json.loads(content)
            del report["job"]
            content = json.dumps(report, sort_keys=True).encode()
        found[name] = hashlib.sha256(content).hexdigest()
    return found


def kill_something(mesh: EmbeddedMesh, chance: random.Random, kills: Counter[str]) -> None:
    """SIGKILL one service, one of their children, or the broker (which comes back a moment later)."""
    target = chance.choices(["child", "service", "broker"], [5, 3, 1])[0]
    if target == "broker":
        mesh.broker.kill()
        time.sleep(chance.uniform(0.05, 0.5))
        mesh.broker.start()
        kills["broker"] += 1
        return
    name, pid = chance.choice([(n, p) for n, p in mesh.processes().items() if n != "nats-server"])
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        if target == "child":
            children = psutil.Process(pid).children(recursive=True)
            if not children:
                return
            pid, name = chance.choice(children).pid, f"{name} child"
        os.kill(pid, signal.SIGKILL)
        kills[name] += 1


def test_every_job_ends_as_if_undisturbed(tmp_path: Path) -> None:
    clips = []
    for number in range(2):
        clip = tmp_path / f"{number}.mp4"
        settings = PhantomSettings(seconds=6, fps=20, width=160, height=120, seed=number, heart_rate=60 + 20 * number)
        write(settings, clip)
        clips.append(clip)
    chance, kills = random.Random(SEED), Counter[str]()
    with EmbeddedMesh(workers=2) as mesh, Client(mesh.url) as client:
        expected = []
        for clip in clips:
            view = client.wait(client.submit(clip, PARAMETERS))
            assert view.succeeded, view
            expected.append(products(client, view.id))
        ended: dict[str, str] = {}
        started = time.monotonic()
        jobs: list[tuple[str, int]] = []
        while len(ended) < JOBS:
            while len(jobs) < JOBS and len(jobs) - len(ended) < 4:  # a few at a time, so that there is work to disturb
                number = len(jobs) % len(clips)
                jobs.append((client.submit(clips[number], PARAMETERS).id, number))
            if kills.total() < KILLS:
                kill_something(mesh, chance, kills)
            time.sleep(chance.uniform(0.1, 0.5))
            for job, _ in jobs:
                if job not in ended:
                    view = client.job(job)
                    if view.ended:
                        ended[job] = view.state
            assert time.monotonic() - started < 1200, ended
        took = time.monotonic() - started
        assert kills.total() >= min(KILLS, 3)
        wrong = []
        for job, number in jobs:
            assert ended[job] == "succeeded", client.job(job).problem
            if products(client, job) != expected[number]:
                wrong.append(job)
        assert not wrong
    if path := os.environ.get("CHAOS_RESULTS"):
        figures = {
            "jobs": JOBS, "kills": dict(kills), "kills_total": kills.total(), "lost": 0, "different": len(wrong),
            "seconds": round(took, 1), "seed": SEED,
        }  # fmt: skip
        Path(path).write_text(json.dumps(figures, indent=2) + "\n")
