"""A real nats-server and a gateway that serves for real, shared by the tests of a module."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from phantom import PhantomSettings, write
from pulsemesh.broker import Broker

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; what they share are modules beside them

from gateway_kit import Control, ServedGateway, settings_for


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small clip that any probe takes."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    write(PhantomSettings(seconds=2, fps=10, width=96, height=80, seed=3), path)
    return path


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that the tests of a module share."""
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def control_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the handlers look for orders; their module is on the path of the children."""
    folder = tmp_path_factory.mktemp("control")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSEMESH_TEST_CONTROL", str(folder))
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        yield folder


@pytest.fixture(scope="module")
def served(broker: Broker, control_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    """A gateway whose worker runs all stages with the handlers of the tests."""
    with ServedGateway(settings_for(broker, tmp_path_factory.mktemp("gateway"))) as gateway:
        yield gateway


@pytest.fixture
def control(control_folder: Path) -> Iterator[Control]:
    """Steers the handlers; all orders end with the test."""
    made = Control(control_folder)
    made.reset()
    yield made
    for path in control_folder.iterdir():
        if path.name != "runs":
            path.unlink()


@pytest.fixture
def another(broker: Broker, control_folder: Path, tmp_path: Path) -> Iterator[Callable[..., ServedGateway]]:
    """More gateways on the module's broker, ended with the test."""
    opened: list[ServedGateway] = []

    def make(**changes: Any) -> ServedGateway:
        real, stages = changes.pop("real", False), changes.pop("stages", None)
        settings = settings_for(broker, tmp_path / str(len(opened)), **changes)
        gateway = ServedGateway(settings, real=real, stages=stages).__enter__()
        opened.append(gateway)
        return gateway

    yield make
    for gateway in opened:
        gateway.__exit__(None, None, None)
