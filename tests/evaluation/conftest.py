"""What the tests of evaluation share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; what they share is a module beside them


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips with a pulse, one without, and one that is no clip, with what is true of them."""
    from dataset_folders import phantom_clips

    return phantom_clips(tmp_path_factory.mktemp("phantoms"))
