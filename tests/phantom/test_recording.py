"""Files: codecs, depths, tags, times, arrays beside the truth; and the light on the scene."""

from __future__ import annotations

import gc
import json
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest

import phantom.recording
from phantom import PhantomSettings, Truth, maps_of, masks, render, truth_of, write
from phantom.light import light, row_light

pytestmark = pytest.mark.unit

TINY = {"seconds": 1.0, "width": 96, "height": 80, "seed": 4}


def decode(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


@pytest.mark.parametrize(
    ("given", "name", "pixels"),
    [({"bit_depth": 10}, "clip.mp4", "yuv420p10le"), ({"bit_depth": 10, "full_range": True}, "clip.mkv", "yuv420p10le"),
     ({"codec": "vp9"}, "clip.webm", "yuv420p"), ({"scene": "face", "rotation": 90}, "clip.mov", "yuv420p")],
)  # fmt: skip
def test_lossless_files_hold_the_rendered_samples(
    tmp_path: Path, given: dict[str, object], name: str, pixels: str
) -> None:
    clip = PhantomSettings(**TINY, crf=0, **given)
    write(clip, tmp_path / name)
    decoded = decode(tmp_path / name)
    assert len(decoded) == 30
    for picture, frame in zip(decoded, render(clip), strict=True):
        assert picture.format.name.replace("yuvj", "yuv") == pixels
        planes = [frame.y, frame.u, frame.v]
        for plane, samples in zip(picture.planes, planes, strict=True):
            stored = np.frombuffer(memoryview(plane), samples.dtype).reshape(samples.shape[0], -1)
            assert np.array_equal(stored[:, : samples.shape[1]], samples)


def test_ten_bits_are_four_times_eight() -> None:
    clip = PhantomSettings(**TINY, read_noise=0, shot_noise=0)
    eight = next(render(clip))
    ten = next(render(clip.model_copy(update={"bit_depth": 10})))
    assert ten.y.dtype == np.uint16
    assert np.abs(ten.y / 4 - eight.y.astype(float)).max() <= 0.76
    assert ten.y.max() > 255


def test_a_turned_face_is_upright_where_it_is_shown(tmp_path: Path) -> None:
    upright = PhantomSettings(**TINY, scene="face", motion="still", breathing_motion=0)
    turned = upright.model_copy(update={"rotation": 90, "width": 80, "height": 96})
    one, two = maps_of(upright), maps_of(turned)
    assert two.labels.shape == (48, 40)
    assert np.array_equal(np.rot90(two.labels, -1), one.labels)
    first = next(masks(turned))
    assert np.array_equal(first, two.labels)
    write(turned, tmp_path / "clip.mp4")
    assert decode(tmp_path / "clip.mp4")[0].rotation == -90


def test_dropped_frames_leave_gaps_in_time(tmp_path: Path) -> None:
    clip = PhantomSettings(**{**TINY, "seconds": 4.0}, dropped_frames=0.2, codec="vp9")
    truth = write(clip, tmp_path / "clip.webm")
    assert 80 < len(truth.time_s) < 112
    steps = np.rint(np.diff(truth.time_s) * 30)
    assert set(steps) >= {1.0, 2.0}
    assert [f.time for f in decode(tmp_path / "clip.webm")] == pytest.approx(truth.time_s, abs=0.00101)  # ms in WebM


def test_the_arrays_lie_beside_the_truth(tmp_path: Path) -> None:
    clip = PhantomSettings(**{**TINY, "seconds": 2.0}, scene="face", motion=3.0, further_heart_rates=(60.0,))
    truth = write(clip, tmp_path / "clip.mp4", tmp_path / "truth.json")
    assert Truth.model_validate(json.loads((tmp_path / "truth.json").read_text())) == truth
    with np.load(tmp_path / "truth.npz") as arrays:
        maps = maps_of(clip)
        assert np.array_equal(arrays["labels"], maps.labels)
        assert np.allclose(arrays["amplitude"], maps.amplitude, rtol=2e-3)
        assert np.allclose(arrays["delay_s"], maps.delay_s, atol=1e-4, equal_nan=True)
        assert arrays["mask_frames"].tolist() == [0, 15, 30, 45]
        wanted = [m for i, m in enumerate(masks(clip)) if i % 15 == 0]
        assert np.array_equal(arrays["masks"], wanted)
        assert set(np.unique(arrays["masks"])) == {0, 1, 2}


def test_a_failure_while_rendering_is_raised_and_ends_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(settings: PhantomSettings, gain: float):  # type: ignore[no-untyped-def]
        yield next(render(settings))
        raise MemoryError("no more")

    monkeypatch.setattr(phantom.recording, "render", broken)
    with pytest.raises(MemoryError, match="no more"):
        write(PhantomSettings(**TINY), tmp_path / "clip.mp4")


def test_memory_does_not_grow_with_the_length() -> None:
    def peak(seconds: float) -> int:
        gc.collect()
        tracemalloc.start()
        try:
            for _ in render(PhantomSettings(scene="face", width=96, height=80, fps=10, seconds=seconds, sdnn=30)):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1.0)
    assert peak(24.0) < peak(3.0) + 1_000_000


def test_mains_light_is_sampled_row_by_row() -> None:
    clip = PhantomSettings(scene="wall", flicker="mains", flicker_hz=100.2, flicker_depth=0.2, fps=25, seed=1)
    rows = row_light(clip, 0.0, 480)
    # 0.7 of a frame of 40 ms: 2.8 turns of 100 Hz over the rows
    crossings = np.count_nonzero(np.diff(np.sign(rows - 1)))
    assert crossings in (5, 6)
    # 100.2 Hz at 25 frames a second looks like 0.2 Hz
    times = np.arange(500) / 25
    level = np.array([row_light(clip, t, 16)[3] for t in times])
    spectrum = np.abs(np.fft.rfft(level - level.mean()))
    assert np.argmax(spectrum) * 25 / 500 == pytest.approx(0.2)
    assert np.abs(level - 1).max() < 0.2  # the shutter averages


def test_rendered_rows_follow_the_mains() -> None:
    clip = PhantomSettings(
        **{**TINY, "seconds": 0.2}, scene="wall", flicker="mains", flicker_depth=0.3, fps=25, texture=0, read_noise=0.3,
        shot_noise=0, drift=0,
    )  # fmt: skip
    for frame in render(clip):
        rows = frame.y.mean(axis=1) - 16
        assert np.corrcoef(rows, row_light(clip, frame.time, 80))[0, 1] > 0.99


def test_exposure_and_white_balance_step_in_turn() -> None:
    clip = PhantomSettings(
        **{**TINY, "seconds": 4.0}, fps=10, scene="wall", exposure_step=0.1, white_balance_step=0.05, step_seconds=1.0,
        drift=0,
    )  # fmt: skip
    truth = truth_of(clip)
    assert np.allclose(np.array(truth.light).reshape(4, 10), [[1], [1.1], [1], [1.1]])
    frames = list(render(clip))
    red = np.array([f.v.mean() for f in frames]).reshape(4, 10).mean(axis=1)
    assert red[1] > red[0] + 1.5
    assert red[3] > red[2] + 1.5
    luma = np.array([f.y.mean() for f in frames]).reshape(4, 10).mean(axis=1) - 16
    assert luma[1] / luma[0] == pytest.approx(1.1, rel=0.03)


def test_noise_has_the_stated_size() -> None:
    clip = PhantomSettings(**{**TINY, "seconds": 2.0}, scene="wall", read_noise=2.0, shot_noise=3.0, texture=0, drift=0)
    luma = np.stack([f.y for f in render(clip)]).astype(float)
    level = luma.mean() - 16
    expected = np.sqrt(2.0**2 + 3.0**2 * level / 255 + 1 / 12)
    assert luma.std(axis=0).mean() == pytest.approx(expected, rel=0.03)
    frame_means = luma.mean(axis=(1, 2))  # independent from sample to sample: the mean over a frame hardly moves
    assert frame_means.std() < 4 * expected / np.sqrt(luma[0].size)


def test_blur_takes_edges_away_and_leaves_the_level() -> None:
    clip = PhantomSettings(**TINY, scene="hand", read_noise=0, shot_noise=0)
    sharp, soft = next(render(clip)), next(render(clip.model_copy(update={"blur": 2.0})))
    assert (
        np.abs(np.diff(soft.y.astype(float), axis=1)).max() < 0.6 * np.abs(np.diff(sharp.y.astype(float), axis=1)).max()
    )
    assert soft.y.mean() == pytest.approx(sharp.y.mean(), rel=0.01)


def test_the_lamp_of_the_scene_lamp_is_in_the_light() -> None:
    time = np.arange(200) / 20
    wave = light(PhantomSettings(scene="lamp", flicker_hz=1.5, flicker_depth=0.1, drift=0), time) - 1
    assert np.abs(wave).max() == pytest.approx(0.1, rel=0.05)
    assert (light(PhantomSettings(drift=0), time) == 1).all()


def test_exposure_clips_red_first_and_takes_its_pulse() -> None:
    clip = PhantomSettings(**{**TINY, "seconds": 4.0}, motion=0.0, drift=0.0, texture=0.0, amplitude=0.02)
    to_rgb = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])

    def green_and_red(exposure: float) -> np.ndarray:
        rows = []
        for f in render(clip.model_copy(update={"exposure": exposure})):
            y, u, v = f.y[32:48, 40:56].mean(), f.u[16:24, 20:28].mean(), f.v[16:24, 20:28].mean()
            rows.append(to_rgb @ [(y - 16) * 255 / 219, (u - 128) * 255 / 224, (v - 128) * 255 / 224])
        return np.array(rows)

    plain, bright, dark = green_and_red(1.0), green_and_red(1.5), green_and_red(0.2)
    assert plain[:, 0].mean() == pytest.approx(196, abs=1.5)
    assert bright[:, 0].mean() == pytest.approx(255, abs=1.5)
    assert bright[:, 0].std() < 0.25 * plain[:, 0].std()
    assert bright[:, 1].mean() == pytest.approx(1.5 * plain[:, 1].mean(), rel=0.01)
    assert bright[:, 1].std() > 1.3 * plain[:, 1].std()
    assert dark[:, 1].mean() == pytest.approx(0.2 * plain[:, 1].mean(), rel=0.02)
