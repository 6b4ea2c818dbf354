"""The synthetic recording shows what its truth says."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from phantom import PhantomSettings, Truth, render, truth_of, write
from phantom.wave import beats, frame_ticks, heart_phase, heart_rate

pytestmark = pytest.mark.unit

SMALL = PhantomSettings(seconds=6, width=160, height=120, seed=5)
# Y, U, V of BT.601 back to R, G, B, written out here so that the test shares no code with the renderer
TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])


def rgb_over_skin(frames, truth: Truth):  # type: ignore[no-untyped-def]
    """Mean R, G, B of each frame over the ellipse that the truth names; [n, 3]."""
    rows = []
    for (y, u, v), (cx, cy, a, b) in zip(frames, truth.ellipses, strict=True):
        height, width = u.shape
        at_y, at_x = np.mgrid[:height, :width] * 2 + 0.5
        inside = np.hypot((at_x - cx) / a, (at_y - cy) / b) < 0.93
        luma = y.reshape(height, 2, width, 2).mean(axis=(1, 3))
        rows.append([luma[inside].mean(), u[inside].mean(), v[inside].mean()])
    return (np.array(rows) - [16, 128, 128]) * [255 / 219, 255 / 224, 255 / 224] @ TO_RGB.T


def relative_pulse(rgb, truth: Truth):  # type: ignore[no-untyped-def]
    """Amplitude per unit of blood volume in parts of the mean, R, G, B."""
    level = np.array(truth.light)[:, None]
    design = np.stack([np.ones(len(rgb)), truth.blood_volume], axis=1)
    fit = np.linalg.lstsq(design, rgb / level, rcond=None)[0]
    return fit[1] / fit[0]


def planes(settings: PhantomSettings):  # type: ignore[no-untyped-def]
    return [(f.y, f.u, f.v) for f in render(settings)]


def test_the_skin_pulses_with_the_stated_amplitude_in_every_channel() -> None:
    truth = truth_of(SMALL)
    measured = relative_pulse(rgb_over_skin(planes(SMALL), truth), truth)
    assert truth.amplitude_rgb[1] == pytest.approx(SMALL.amplitude)
    # red carries half of green's pulse and the noise of V: hence its wider bound
    assert -measured == pytest.approx(np.array(truth.amplitude_rgb), rel=0.05, abs=1.5e-4)


def test_the_skin_pulses_at_the_stated_rate() -> None:
    clip = SMALL.model_copy(update={"seconds": 12.0, "heart_rate": 93.0, "width": 96, "height": 72})
    green = rgb_over_skin(planes(clip), truth_of(clip))[:, 1]
    n = np.arange(len(green))
    green = green - np.polyval(np.polyfit(n, green, 2), n)
    spectrum = np.abs(np.fft.rfft(green * np.hanning(len(green)), 16384))
    assert 60 * clip.fps * np.argmax(spectrum) / 16384 == pytest.approx(93, abs=1)


def test_without_amplitude_nothing_pulses_and_the_truth_says_so() -> None:
    clip = SMALL.model_copy(update={"amplitude": 0.0})
    truth = truth_of(clip)
    assert truth.beats_s == []
    assert truth.heart_rate is None
    assert truth.pulse_yuv == (0, 0, 0)
    pulsing = truth_of(SMALL).model_copy(update={"light": truth.light})
    assert np.abs(relative_pulse(rgb_over_skin(planes(clip), truth), pulsing)).max() < 1e-4


def test_the_wall_does_not_pulse() -> None:
    truth = truth_of(SMALL.model_copy(update={"seconds": 3.0}))
    corner = [f.y[:20, :20].mean() for f in render(truth.settings)]
    fit = np.polyfit(truth.blood_volume, np.array(corner) - 16, 1)
    assert abs(fit[0] / fit[1]) < 5e-4


def test_the_same_settings_give_the_same_frames_and_another_seed_others() -> None:
    clip = SMALL.model_copy(update={"seconds": 0.3})
    one, two, other = planes(clip), planes(clip), planes(clip.model_copy(update={"seed": 6}))
    for a, b, c in zip(one, two, other, strict=True):
        for plane in range(3):
            assert np.array_equal(a[plane], b[plane])
            assert not np.array_equal(a[plane], c[plane])


def test_the_skin_is_where_the_truth_says() -> None:
    clip = SMALL.model_copy(update={"motion": 6.0, "seconds": 8.0})
    truth = truth_of(clip)
    assert np.ptp(np.array(truth.ellipses)[:, 0]) > 4
    height, width = clip.height // 2, clip.width // 2
    at_y, at_x = np.mgrid[:height, :width] * 2 + 0.5
    for frame, (cx, cy, a, b) in zip(render(clip), truth.ellipses, strict=True):
        radius = np.hypot((at_x - cx) / a, (at_y - cy) / b)
        reddish = frame.v > 128
        assert reddish[radius < 0.95].all()
        assert not reddish[radius > 1.05].any()


@given(
    rate=st.floats(30, 240), end=st.none() | st.floats(30, 240), seconds=st.floats(1, 60), variable=st.booleans(),
    fps=st.sampled_from([12.5, 23.976, 30.0, 60.0]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_phase_beats_and_times_agree(
    rate: float, end: float | None, seconds: float, variable: bool, fps: float
) -> None:
    clip = PhantomSettings(heart_rate=rate, heart_rate_end=end, seconds=seconds, fps=fps, variable_rate=variable)
    found = beats(clip)
    turns = heart_phase(clip, found) / (2 * np.pi)
    assert np.allclose(turns, np.arange(len(found)), atol=1e-6)
    mean = (rate + (rate if end is None else end)) / 2
    assert len(found) == pytest.approx(mean / 60 * seconds, abs=1.01)
    assert heart_rate(clip, np.array([0.0]))[0] == pytest.approx(rate)
    ticks = frame_ticks(clip)
    assert ticks[0] == 0
    assert (np.diff(ticks) > 0).all()
    assert len(ticks) == max(round(seconds * fps), 1)


def read(path: Path):  # type: ignore[no-untyped-def]
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return container.streams.video[0], frames


def test_the_file_holds_the_frames_at_their_times_without_loss(tmp_path: Path) -> None:
    clip = SMALL.model_copy(update={"seconds": 1.0, "crf": 0, "variable_rate": True, "keyframe_interval": 7})
    truth = write(clip, tmp_path / "clip.mp4", tmp_path / "truth.json")
    _, decoded = read(tmp_path / "clip.mp4")
    assert [f.time for f in decoded] == pytest.approx(truth.time_s, abs=1e-9)
    assert np.std(np.diff(truth.time_s)) > 0.003
    for frame, (y, u, v) in zip(decoded, planes(clip), strict=True):
        assert np.array_equal(frame.to_ndarray().ravel(), np.concatenate([y.ravel(), u.ravel(), v.ravel()]))
    assert [i for i, f in enumerate(decoded) if f.key_frame] == [0, 7, 14, 21, 28]
    assert Truth.model_validate(json.loads((tmp_path / "truth.json").read_text())) == truth


def test_the_file_carries_rotation_audio_and_colour(tmp_path: Path) -> None:
    clip = SMALL.model_copy(
        update={"seconds": 2.0, "rotation": 90, "audio": True, "open_gop": True, "keyframe_interval": 10, "b_frames": 3,
                "matrix": "bt709", "full_range": True}
    )  # fmt: skip
    write(clip, tmp_path / "clip.mp4")
    stream, frames = read(tmp_path / "clip.mp4")
    assert len(frames) == 60
    assert frames[0].rotation == -90  # PyAV counts anticlockwise
    assert (frames[0].color_range, frames[0].colorspace) == (2, 1)
    assert any(f.pict_type == av.video.frame.PictureType.B for f in frames)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        sound = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    assert len(sound) / 48000 == pytest.approx(2.0, abs=0.1)
    envelope = np.abs(sound[: len(sound) // 480 * 480]).reshape(-1, 480).max(axis=1)
    starts = np.flatnonzero((envelope[1:] > 0.1) & (envelope[:-1] <= 0.1)) * 0.01 + 0.01
    assert starts[-1] == pytest.approx(truth_of(clip).beats_s[-1], abs=0.03)
    assert stream.codec_context.name == "h264"


@pytest.mark.parametrize(
    "wrong", [{"seconds": 0}, {"width": 161}, {"heart_rate": 5}, {"amplitude": 0.5}, {"open_gop": True, "b_frames": 0},
              {"skin_rgb": (300.0, 0.0, 0.0)}, {"colour": "red"}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PhantomSettings(**wrong)
