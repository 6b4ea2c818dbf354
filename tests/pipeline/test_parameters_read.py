"""A stage looks at no parameter that its digest does not cover: else a job would be given what another one's made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesh.contracts import Task
from mesh.executor import LocalExecutor
from mesh.graph import STAGES
from mesh.parameters import Parameters
from mesh.stages import Handler, Inputs, Output, load_handler
from phantom import PhantomSettings, write

pytestmark = pytest.mark.unit

CLIP = PhantomSettings(scene="hand", motion=6, seconds=8.5, fps=20, width=128, height=96, seed=4, amplitude=0.02)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("read") / "clip.mp4"
    write(CLIP, path)
    return path


class Watch:
    """Notes which parameters are looked at while a handler of a stage runs."""

    def __init__(self) -> None:
        self.read: set[tuple[str, str]] = set()
        self.now = threading.local()

    def handler(self, stage: str) -> Handler:
        inner = load_handler(stage)

        def watched(task: Task, inputs: Inputs) -> Iterator[Output]:
            outputs = iter(inner(task, inputs))
            while True:
                self.now.stage = task.stage
                try:
                    found = next(outputs, None)
                finally:
                    self.now.stage = None
                if found is None:
                    return
                yield found

        return watched

    def note(self, name: str) -> None:
        if getattr(self.now, "stage", None) is not None and name in Parameters.model_fields:
            self.read.add((self.now.stage, name))


def ancestors(stage: str) -> set[str]:
    return {stage}.union(*(ancestors(parent) for parent in STAGES[stage].after))


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"segmenter": "chroma", "skin_point": (64, 48), "magnify": "eulerian-colour", "compat": "2012"},
        {"key": "per_frame", "magnify": "facehr", "stress": True, "map_delay": "hilbert"},
        {"magnify": "patch", "band": "rate", "layout": "side_by_side"},
        {"magnify": "phase", "region": "picture", "maps": False},
        {"magnify": "acceleration-colour", "region": "picture", "overlay": False},
    ],
    ids=lambda chosen: chosen.get("magnify", "default"),
)
def test_a_stage_reads_only_what_its_digest_covers(
    clip: Path, process: Any, chosen: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch()
    plain = Parameters.__getattribute__

    def noted(self: Parameters, name: str) -> Any:
        watch.note(name)
        return plain(self, name)

    executor = LocalExecutor(handler=watch.handler)
    monkeypatch.setattr(Parameters, "__getattribute__", noted)
    try:
        process(clip, executor=executor, chunk_seconds=5.0, **chosen)
    finally:
        executor.close()
    assert {stage for stage, _ in watch.read} >= {"split", "skin", "mask", "pulse", "segment"}
    covered = {stage: {p for s in ancestors(stage) for p in STAGES[s].reads} for stage in STAGES}
    assert {(stage, name) for stage, name in watch.read if name not in covered[stage]} == set()
