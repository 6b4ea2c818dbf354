"""Pictures become a clip of the same colours and times."""

from __future__ import annotations

from pathlib import Path

import av
import dataset_folders as folders
import numpy as np
import pytest

from evaluation.errors import DatasetError
from evaluation.pictures import write_clip
from evaluation.recordings import Pictures

pytestmark = pytest.mark.unit


def skin_rgb(frame: av.VideoFrame) -> np.ndarray:  # type: ignore[type-arg]
    """Mean R, G, B of a piece of skin from the stored planes, by the inverse of BT.601."""
    y, u, v = (
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size).astype(float) for plane in frame.planes
    )
    y, u, v = y[20:52, 30:66].mean(), u[10:26, 15:33].mean() - 128, v[10:26, 15:33].mean() - 128
    return np.array([y + 1.402 * v, y - 0.114 * 1.772 / 0.587 * u - 0.299 * 1.402 / 0.587 * v, y + 1.772 * u])


def test_colours_and_times_survive(tmp_path: Path) -> None:
    pictures = folders.rendered(4.0)
    times = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.05, len(pictures.time_s))) + 5
    write_clip(Pictures(times, lambda: iter(pictures.rgb)), tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        frames = list(container.decode(video=0))
        assert frames[0].color_range == 2  # full
        seen = np.array([frame.time for frame in frames])
        stored = np.stack([skin_rgb(frame) for frame in frames])
    np.testing.assert_allclose(seen - seen[0], times - times[0], atol=2e-5)
    before = pictures.rgb[:, 20:52, 30:66].mean(axis=(1, 2))
    after = stored
    assert np.abs(before - after).max() < 0.15  # levels; a sample of 576 has an error of 0.04
    assert np.abs((before - after).mean(axis=0)).max() < 0.02
    moved = (before - before.mean(axis=0)) - (after - after.mean(axis=0))
    assert np.abs(moved).max() < 0.15  # of a pulse of 3 levels
    assert np.ptp(before[:, 1]) > 3


def test_odd_sizes_are_cut_to_even_ones(tmp_path: Path) -> None:
    pictures = folders.rendered(1.0)
    odd = pictures.rgb[:, :71, :95]
    write_clip(Pictures(pictures.time_s, lambda: iter(odd)), tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (94, 70)


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    pictures = folders.rendered(1.0)
    mixed = [*pictures.rgb[:-1], pictures.rgb[0][:40]]
    for times, frames, said in (
        (pictures.time_s[:-1], list(pictures.rgb), "more than"),
        (np.append(pictures.time_s, 9), list(pictures.rgb), "pictures for"),
        (pictures.time_s[::-1], list(pictures.rgb), "increase"),
        (pictures.time_s, mixed, "differ in size"),
    ):
        with pytest.raises(DatasetError, match=said):
            write_clip(Pictures(times, lambda frames=frames: iter(frames)), tmp_path / "clip.mp4")
