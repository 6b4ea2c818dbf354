"""A dataset measured by a mesh that runs."""

from __future__ import annotations

from pathlib import Path

import dataset_folders as folders
import pytest

from evaluation.datasets import DATASETS
from evaluation.errors import EvaluationError
from evaluation.run import evaluate
from evaluation.summary import agree
from pulsemesh.client import GatewayClient
from pulsemesh.embedded import EmbeddedMesh
from pulsemesh.evaluate import Remote

pytestmark = [pytest.mark.mesh, pytest.mark.timeout(180)]


def test_a_gateway_measures_the_same_clips(phantoms: Path, tmp_path: Path) -> None:
    with EmbeddedMesh(2, environment={"PULSEMESH_GRACE_S": "0"}) as mesh, GatewayClient(mesh.url) as client:
        found = evaluate(DATASETS["phantom"], phantoms, Remote(client, {}), 10)
        whole = evaluate(DATASETS["phantom"], phantoms, Remote(client, {}), 0)
        with pytest.raises(EvaluationError, match="at most 60 s"):
            evaluate(DATASETS["phantom"], phantoms, Remote(client, {}), 90)
        with pytest.raises(EvaluationError, match="no pictures"):
            evaluate(DATASETS["fingertip"], folders.fingertip(tmp_path), Remote(client, {}), 10)
    for one, windows in ((found, 4), (whole, 2)):
        heart_rate = agree(one.rows, "heart_rate")
        assert heart_rate.windows == windows
        assert heart_rate.n >= windows - 1
        assert heart_rate.mae.value is not None
        assert heart_rate.mae.value < 2
        assert not any(row.answered for row in one.rows if row.recording == "wall" and row.quantity == "heart_rate")
        assert [failed.recording for failed in one.failed] == ["broken"]
