"""Pictures come back from their files as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from magnifier.maps.png import write_png

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 1, 3), (1, 7, 3), (33, 41, 3)])
def test_every_sample_comes_back(shape: tuple[int, int, int], tmp_path: Path) -> None:
    picture = np.random.default_rng(shape[0]).integers(0, 256, shape, np.uint8)
    write_png(picture, tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as image:
        image.verify()
    with Image.open(tmp_path / "picture.png") as image:
        assert image.mode == "RGB"
        assert np.array_equal(np.asarray(image), picture)
