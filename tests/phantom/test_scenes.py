"""What is rendered is what the truth says: amplitude, delay, rate, skin, motion; and nothing where nothing pulses."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from phantom import NEGATIVES, PhantomSettings, ideal_magnified, maps_of, masks, render, truth_of
from phantom.render import stage_of
from phantom.wave import blood

pytestmark = pytest.mark.unit

# Y, U, V of BT.601 back to R, G, B, written out here so that the test shares no code with the renderer
TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])
STILL = {
    "seconds": 8.0, "width": 160, "height": 120, "motion": "still", "drift": 0.0, "breathing_motion": 0.0, "seed": 2,
    "heart_rate": 75.0, "read_noise": 1.2, "shot_noise": 0.5, "amplitude": 0.01,
}  # fmt: skip


def rgb_of(frame) -> np.ndarray:  # type: ignore[no-untyped-def]
    """R, G, B at chroma resolution; [3, h, w]."""
    scale = 4 if frame.y.dtype == np.uint16 else 1
    height, width = frame.u.shape
    luma = frame.y.reshape(height, 2, width, 2).mean(axis=(1, 3)) / scale
    yuv = np.stack(
        [(luma - 16) * 255 / 219, (frame.u / scale - 128.0) * 255 / 224, (frame.v / scale - 128.0) * 255 / 224]
    )
    return np.tensordot(TO_RGB, yuv, axes=1)


def film(clip: PhantomSettings, frames=None) -> np.ndarray:  # type: ignore[no-untyped-def]
    return np.stack([rgb_of(f) for f in (render(clip) if frames is None else frames)])


def eroded(skin: np.ndarray) -> np.ndarray:
    wide = np.pad(skin, 1)
    return wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:] & skin


def locked_in(clip: PhantomSettings, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and complex relative amplitude at the heart rate of every sample and channel; [3, h, w]."""
    time = np.array(truth_of(clip).time_s)
    turn = 2 * np.pi * clip.heart_rate / 60 * time
    design = np.stack([np.ones_like(turn), np.cos(turn), np.sin(turn)], axis=1)
    fit = np.linalg.lstsq(design, pictures.reshape(len(time), -1), rcond=None)[0].reshape(3, *pictures.shape[1:])
    return fit[0], -(fit[1] - 1j * fit[2]) / fit[0]  # more blood is darker


@pytest.mark.parametrize("scene", ["face", "forearm", "hand"])
def test_every_place_pulses_as_strongly_and_as_late_as_the_maps_say(scene: str) -> None:
    clip = PhantomSettings(scene=scene, second_harmonic=0.0, **STILL)
    truth, maps = truth_of(clip), maps_of(clip)
    skin = maps.labels == 1
    assert 0.05 < skin.mean() < 0.8
    _, pulse = locked_in(clip, film(clip))
    assert maps.amplitude[skin].mean() == pytest.approx(1)
    inside = eroded(skin)  # at the edge a sample holds some wall
    for channel, amplitude in enumerate(truth.amplitude_rgb):
        expected = amplitude * maps.amplitude[inside].mean()
        # delays turn the phases apart a little
        assert abs(pulse[channel][inside].mean()) == pytest.approx(expected, rel=0.04, abs=1e-4)
    green = pulse[1]
    strength = np.abs(green) / truth.amplitude_rgb[1]
    inner = inside & (maps.amplitude > 0)
    assert np.corrcoef(strength[inner], maps.amplitude[inner])[0, 1] > 0.85
    strong = inner & (maps.amplitude > np.quantile(maps.amplitude[inner], 0.97))
    weak = inner & (maps.amplitude < np.median(maps.amplitude[inner]))
    for place in (strong, weak):
        assert abs(green[place].mean()) / truth.amplitude_rgb[1] == pytest.approx(
            maps.amplitude[place].mean(), rel=0.05
        )
    omega = 2 * np.pi * clip.heart_rate / 60
    found = -np.angle(green) / omega
    for low, high in ((0, 0.15), (0.4, 0.6), (0.85, 1)):
        edges = np.quantile(maps.delay_s[inner], [low, high])
        place = inner & (maps.delay_s >= edges[0]) & (maps.delay_s <= edges[1])
        weights = maps.amplitude[place]
        measured = -np.angle((green[place]).mean()) / omega
        assert measured == pytest.approx(np.average(maps.delay_s[place], weights=weights), abs=0.003)
    assert np.median(np.abs(found[inner] - maps.delay_s[inner])) < 0.02
    arteries = maps.delay_s[inner][maps.amplitude[inner] > 1.9]
    assert not arteries.size or arteries.mean() < -0.005  # stronger and earlier


def test_the_mean_over_the_skin_follows_the_blood_volume() -> None:
    clip = PhantomSettings(scene="face", pulse_shape="waves", sdnn=40, breathing_amplitude=0.2, **STILL)
    truth = truth_of(clip)
    skin = maps_of(clip).labels == 1
    green = film(clip)[:, 1, skin].mean(axis=1)
    assert np.corrcoef(-green, truth.blood_volume)[0, 1] > 0.99


def test_each_of_several_people_has_a_rate_and_a_skin_of_its_own() -> None:
    clip = PhantomSettings(
        **{**STILL, "width": 320, "height": 120}, scene="face", skin_tone=2, further_heart_rates=(52.0, 110.0),
        further_skin_tones=(5,),
    )  # fmt: skip
    truth, maps = truth_of(clip), maps_of(clip)
    assert [round(np.mean(p.heart_rate)) for p in truth.people] == [75, 52, 110]
    pictures = film(clip)
    levels = []
    for label in (1, 2, 3):
        green = pictures[:, 1, maps.labels == label].mean(axis=1)
        levels.append(green.mean())
        spectrum = np.abs(np.fft.rfft((green - green.mean()) * np.hanning(len(green)), 8192))
        rate = 60 * clip.fps * np.argmax(spectrum) / 8192
        assert rate == pytest.approx(truth.people[label - 1].heart_rate[0], abs=1.5)
    assert levels[1] < 0.8 * levels[0]
    assert truth.people[1].amplitude_rgb[1] < truth.people[0].amplitude_rgb[1]
    middles = [np.nonzero(maps.labels == label)[1].mean() for label in (1, 2, 3)]
    assert middles == sorted(middles)


@pytest.mark.parametrize("scene", sorted(NEGATIVES))
def test_negative_controls_have_no_pulse(scene: str) -> None:
    clip = PhantomSettings(**{**STILL, "seconds": 4.0}, scene=scene, flicker_depth=0.01)
    truth = truth_of(clip)
    assert truth.heart_rate is None
    assert truth.people == []
    assert truth.amplitude_rgb == (0, 0, 0)
    assert not maps_of(clip).labels.any()
    assert not any(mask.any() for mask in islice(masks(clip), 3))
    if scene == "photo_waved":  # it comes and goes with the hand: bright enough to fool a method that sees only green
        level = film(clip)[:, 1, 20:40, 30:50].mean(axis=(1, 2))
        assert level.std() / level.mean() > 0.01
    louder = clip.model_copy(update={"amplitude": 0.05, "heart_rate": 120.0})
    for one, other in zip(render(clip), render(louder), strict=True):
        assert np.array_equal(one.y, other.y)
        assert np.array_equal(one.v, other.v)


def test_the_lamp_flickers_at_its_rate() -> None:
    clip = PhantomSettings(**STILL, scene="lamp", flicker_hz=1.7, flicker_depth=0.02)
    truth = truth_of(clip)
    assert truth.flicker_hz == 1.7
    level = film(clip).mean(axis=(1, 2, 3))
    assert np.corrcoef(level, truth.light)[0, 1] > 0.999
    assert np.ptp(level) / level.mean() == pytest.approx(0.04, rel=0.05)


@pytest.mark.parametrize(("motion", "speed"), [("rotation10", 10.0), ("rotation30", 30.0)])
def test_the_head_turns_at_its_speed_over_its_arc(motion: str, speed: float) -> None:
    yaw = np.array(truth_of(PhantomSettings(scene="face", motion=motion, seconds=50)).yaw_deg)
    step = np.abs(np.diff(yaw)) * 30
    assert np.median(step) == pytest.approx(speed)
    assert step.max() <= speed + 1e-6
    assert yaw.max() == pytest.approx(60, abs=1)
    assert yaw.min() == pytest.approx(-60, abs=1)


def test_the_head_takes_a_new_place_every_second_in_steps_of_20_degrees() -> None:
    truth = truth_of(PhantomSettings(scene="face", motion="reorient", seconds=30, seed=3))
    yaw = np.array(truth.yaw_deg).reshape(30, 30)
    rest = yaw[:, -1]
    assert np.allclose(rest / 20, np.rint(rest / 20))
    assert np.abs(rest).max() <= 60
    assert (np.abs(np.diff(rest)) > 19).all()
    assert np.ptp(yaw[:, 15:], axis=1).max() < 1e-9  # at rest for the second half


def test_features_move_with_the_head_and_so_does_the_mask() -> None:
    clip = PhantomSettings(scene="face", motion="rotation30", seconds=4, width=160, height=120, seed=1)
    truth = truth_of(clip)
    middles = []
    for mask in masks(clip):
        head = mask[:70]
        middles.append(np.nonzero(head[10:36])[1].mean())
    # what is skin of the head slides sideways against the hair
    assert abs(np.corrcoef(middles, np.sin(np.deg2rad(truth.yaw_deg)))[0, 1]) > 0.95
    assert np.ptp(middles) > 4


def test_the_mask_is_where_the_skin_is() -> None:
    clip = PhantomSettings(scene="hand", motion=5.0, seconds=6, fps=10, width=160, height=120, seed=1)
    for mask, frame in zip(masks(clip), render(clip), strict=True):
        reddish = frame.v > 132
        assert (reddish == (mask > 0)).mean() > 0.985


def test_chest_and_shoulders_rise_with_the_breath() -> None:
    clip = PhantomSettings(**{**STILL, "breathing_motion": 0.02}, scene="face", breathing_rate=20)
    truth = truth_of(clip)
    assert np.corrcoef(truth.chest, truth.people[0].breathing)[0, 1] == pytest.approx(-1)
    assert np.ptp(truth.chest) == pytest.approx(2 * 0.02 * 120, rel=0.02)
    # the shirt is darker than the wall: where the shoulder's edge lies, the higher it is the darker
    level = [frame.y[80:110, 40:50].mean() for frame in render(clip)]
    assert np.corrcoef(level, truth.chest)[0, 1] > 0.98


def test_talking_opens_the_mouth() -> None:
    clip = PhantomSettings(**{**STILL, "motion": "talking", "seconds": 5.0}, scene="face")
    pictures = film(clip)
    mouth = pictures[:, 0, 31:37, 36:45].min(axis=(1, 2))
    cheek = pictures[:, 0, 26:30, 46:50].mean(axis=(1, 2))
    assert np.ptp(mouth) > 30
    assert np.ptp(cheek) < 20


def test_the_ideal_magnified_clip_is_the_same_but_for_the_pulse() -> None:
    clip = PhantomSettings(scene="face", **{**STILL, "seconds": 4.0, "second_harmonic": 0.0})
    gain = 8.0
    plain, magnified = film(clip), film(clip, ideal_magnified(clip, gain))
    maps, truth = maps_of(clip), truth_of(clip)
    skin = maps.labels == 1
    _, small = locked_in(clip, plain)
    _, large = locked_in(clip, magnified)
    assert abs(large[1][skin].mean() / small[1][skin].mean()) == pytest.approx(1 + gain, rel=0.03)
    assert np.array_equal(plain[:, :, maps.labels == 0][:, :, :200], magnified[:, :, maps.labels == 0][:, :, :200])
    # the difference is gain times the pulse, up to rounding: noise is the same in both
    difference = (magnified - plain)[:, 1, skin].mean(axis=1)
    expected = -gain * truth.amplitude_rgb[1] * np.array(truth.blood_volume) * plain[:, 1, skin].mean()
    assert np.corrcoef(difference, expected)[0, 1] > 0.995
    with pytest.raises(ValueError, match="gain"):
        ideal_magnified(clip, -1)


@pytest.mark.parametrize("tone", [1, 3, 6])
def test_darker_skin_is_darker_and_pulses_less(tone: int) -> None:
    clip = PhantomSettings(scene="face", skin_tone=tone, **{**STILL, "seconds": 5.0, "second_harmonic": 0.0})
    truth = truth_of(clip)
    mean, pulse = locked_in(clip, film(clip))
    skin = maps_of(clip).labels == 1
    assert mean[0][skin].mean() > mean[1][skin].mean() > mean[2][skin].mean()
    assert abs(pulse[1][skin].mean()) == pytest.approx(truth.amplitude_rgb[1], rel=0.06)
    if tone == 6:
        light = truth_of(clip.model_copy(update={"skin_tone": 1}))
        assert truth.amplitude_rgb[1] < 0.8 * light.amplitude_rgb[1]
        assert sum(truth.skin_rgb) < 0.6 * sum(light.skin_rgb)


@pytest.mark.parametrize("scene", ["face", "photo_waved"])
def test_the_same_settings_give_the_same_frames(scene: str) -> None:
    clip = PhantomSettings(scene=scene, seconds=0.4, width=96, height=80, motion="tremor", seed=9)
    for one, two in zip(render(clip), render(clip), strict=True):
        assert np.array_equal(one.y, two.y)
        assert np.array_equal(one.u, two.u)
        assert np.array_equal(one.v, two.v)
    other = next(render(clip.model_copy(update={"seed": 10})))
    assert not np.array_equal(one.y, other.y)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"motion": "rotation10"}, "needs a scene with a head"), ({"motion": "flying"}, "motion"),
     ({"motion": 400.0}, "0-100"), ({"codec": "vp9", "rotation": 90}, "vp9"), ({"crf": 60}, "0-51"),
     ({"scene": "moon"}, "scene"), ({"further_heart_rates": (60.0,)}, "scene face"),
     ({"scene": "face", "further_skin_tones": (3,)}, "more people"),
     ({"scene": "face", "further_heart_rates": (10.0,)}, "20-300")],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_reason(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        PhantomSettings(**wrong)


@pytest.mark.parametrize("scene", ["face", "forearm", "hand"])
@pytest.mark.parametrize(("shape", "rate"), [("harmonics", 70.0), ("waves", 120.0), ("waves", 220.0)])
def test_blood_at_any_delay_is_exact_to_half_a_percent(scene: str, shape: str, rate: float) -> None:
    clip = PhantomSettings(scene=scene, pulse_shape=shape, heart_rate=rate, width=96, height=80, seconds=3)
    stage = stage_of(clip)
    time = np.arange(0, 3, 0.01)
    delays = stage.maps.delay_s[stage.maps.labels == 1]
    delays = np.linspace(delays.min(), delays.max(), 33)
    nodes = stage.nodes_s[0]
    shares = np.array([np.prod([(delays - o) / (n - o) for o in nodes if o != n], axis=0) for n in nodes])  # Lagrange
    found = np.stack([blood(clip, time, float(n)) for n in nodes], axis=1) @ shares
    direct = np.stack([blood(clip, time, float(d)) for d in delays], axis=1)
    assert np.abs(found - direct).max() < 0.005


@given(
    scene=st.sampled_from(["ellipse", "face", "forearm", "hand", *sorted(NEGATIVES)]),
    motion=st.sampled_from(["still", "tremor", 0.0, 2.5, 40.0, "rotation30", "reorient", "talking"]),
    size=st.sampled_from([(16, 16), (64, 22), (18, 90), (96, 80)]), rotation=st.sampled_from([0, 90, 180, 270]),
    people=st.integers(0, 3), bits=st.sampled_from([8, 10]), blur=st.sampled_from([0.0, 1.5]),
    tone=st.none() | st.integers(1, 6), balance=st.sampled_from([0.0, 0.1]), spatial=st.booleans(),
    flicker=st.sampled_from(["none", "mains", "lamp"]), full_range=st.booleans(), seed=st.integers(0, 5),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_any_settings_that_are_taken_can_be_rendered(
    scene: str, motion: str | float, size: tuple[int, int], rotation: int, people: int, bits: int, blur: float,
    tone: int | None, balance: float, spatial: bool, flicker: str, full_range: bool, seed: int,
) -> None:  # fmt: skip
    if motion in ("rotation30", "reorient", "talking") and scene not in ("face", "mannequin"):
        motion = "still"
    clip = PhantomSettings(
        scene=scene, motion=motion, width=size[0], height=size[1], rotation=rotation, bit_depth=bits, blur=blur,
        further_heart_rates=(60.0, 80.0, 100.0)[: people if scene == "face" else 0], skin_tone=tone, spatial=spatial,
        white_balance_step=balance, step_seconds=0.1, flicker=flicker, full_range=full_range, seed=seed, seconds=0.3,
        fps=10,
    )  # fmt: skip
    frames, skins = list(render(clip)), list(masks(clip))
    assert len(frames) == len(skins) == len(truth_of(clip).time_s)
    for frame, skin in zip(frames, skins, strict=True):
        assert frame.y.shape == (size[1], size[0])
        assert frame.u.shape == frame.v.shape == skin.shape == (size[1] // 2, size[0] // 2)
        assert frame.y.std() > 0
    maps = maps_of(clip)
    seen = maps.labels > 0
    assert np.isfinite(maps.delay_s[seen]).all()
    assert np.isnan(maps.delay_s[~seen]).all()
    assert (maps.amplitude[~seen] == 0).all()
