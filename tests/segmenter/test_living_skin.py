"""Living skin: what pulses is found and kept apart from what only looks like it."""

from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.color import opencv_chroma_scale, rgb_from_yuv
from mesh.contracts import Recording
from phantom import PhantomSettings, masks, write
from segmenter.chroma_key import Key, exposure_of, segment
from segmenter.key_windows import key_windows
from segmenter.living_skin.cells import Cells, gather_cells, wanted_frames
from segmenter.living_skin.clusters import LEAST_REACH, MOST_REACH, clusters, reach
from segmenter.living_skin.pulse import shared_pulse
from segmenter.living_skin.reference import check_colour, colour_warning, find_reference, reference_at

pytestmark = pytest.mark.unit

SHARED = Path(__file__).parents[2] / ".." / "shared" / "clips"


def facts_of(width, height, **changes):
    facts = {
        "duration_s": 8.0, "frames": 240, "fps": 30.0, "variable_rate": False, "codec": "h264", "container": "mp4",
        "pixel_format": "yuv420p", "matrix": 6,
    }  # fmt: skip
    return Recording(width=width, height=height, **(facts | changes))


def decoded(path, most=300):
    """Frames of a coded clip: what a codec does to a still wall is part of what is asked."""
    found = []
    with av.open(str(path)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i >= most:
                break
            planes, (h, w) = frame.to_ndarray(), (frame.height, frame.width)
            u, v = planes[h:].reshape(2, h // 2, w // 2)
            found.append(SimpleNamespace(index=i, time=frame.time, y=planes[:h], u=u, v=v))
    return found, facts_of(w, h)


def cells_of(frames):
    times = np.array([frame.time for frame in frames])
    return gather_cells(frames, frames[0].u.shape, wanted_frames(times, 10.0))


def overlap(frames, facts, found, settings):
    key = Key(*found.stored, *opencv_chroma_scale(facts), found.similarity, exposure_of(facts), clean=True)
    times = np.array([frame.time for frame in frames])
    scores = []
    for index, (mask, truth) in enumerate(
        zip(segment(frames, key_windows(times, 1.0), 0, len(frames), key), masks(settings), strict=True)
    ):
        if index % 30 == 0:
            scores.append(((mask > 0) & (truth > 0)).sum() / ((mask > 0) | (truth > 0)).sum())
    return np.mean(scores)


@pytest.mark.parametrize(
    ("scene", "tone", "motion"),
    [("face", 1, 1.0), ("face", 6, 1.0), ("forearm", 3, "tremor"), ("hand", 5, 1.0), ("face", 4, "rotation30")],
)  # fmt: skip
def test_skin_of_all_tones_is_found_by_its_pulse(tmp_path, scene, tone, motion):
    one = PhantomSettings(scene=scene, skin_tone=tone, motion=motion, width=240, height=180, seconds=6, seed=tone)
    write(one, tmp_path / "clip.mp4")
    frames, facts = decoded(tmp_path / "clip.mp4")
    found = find_reference(facts, cells_of(frames))
    assert found.living
    assert (found.reason, found.warning) == (None, None)
    assert overlap(frames, facts, found, one) > 0.85


@pytest.mark.parametrize("seed", range(10))  # all four colours of wall are among them
def test_no_wall_is_taken_for_skin(tmp_path, seed):
    """Grey, beige and clay, coded: keyframes change a whole wall at once, twice in four seconds."""
    write(PhantomSettings(scene="wall", width=160, height=120, seconds=6, seed=seed), tmp_path / "clip.mp4")
    frames, facts = decoded(tmp_path / "clip.mp4")
    found = find_reference(facts, cells_of(frames))
    assert found.chroma is None
    assert found.reason


@pytest.mark.parametrize("scene", ["lamp", "mannequin", "object", "photo"])
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_lifeless_is_taken_for_living(tmp_path, scene, seed):
    write(PhantomSettings(scene=scene, width=160, height=120, seconds=6, seed=seed), tmp_path / "clip.mp4")
    frames, facts = decoded(tmp_path / "clip.mp4")
    found = find_reference(facts, cells_of(frames))
    assert not found.living
    assert found.reason or found.warning


# --- the shared pulse, on cells whose answer is known


def cells_with(change, seed=0, n=120, rate=15.0, shape=(24, 32), rgb=(180.0, 130.0, 110.0), noise=0.4):
    """Cells of one colour; `change(time, cell)` gives relative changes of R, G, B."""
    facts = facts_of(320, 240)
    rng = np.random.default_rng(seed)
    times = np.arange(n) / rate
    matrix, offset = rgb_from_yuv(facts)
    colours = np.array(rgb)[:, None, None, None] * (1 + change(times[:, None, None], rng.standard_normal((1, *shape))))
    yuv = np.einsum("ij,jnab->inab", np.linalg.inv(matrix), colours - offset[:, None, None, None])
    yuv = np.broadcast_to(yuv, (3, n, *shape)) + noise * rng.standard_normal((3, n, *shape))
    return Cells(times, *(plane.astype(np.float32) for plane in yuv)), facts, np.ones(shape, np.bool_)


BLOOD = np.array([0.33, 0.77, 0.53])[:, None, None, None] / 0.77


@pytest.mark.parametrize("bpm", [48, 62, 90, 150, 200])
def test_a_pulse_is_found_at_its_rate(bpm):
    found = shared_pulse(*_in_order(cells_with(lambda t, _: -0.006 * BLOOD * np.sin(2 * np.pi * bpm / 60 * t))))
    assert found is not None
    assert found.living
    assert found.rate_hz * 60 == pytest.approx(bpm, abs=3)
    assert found.blood == pytest.approx(1 - 0.33 / 0.77, abs=0.1)
    assert found.amplitude == pytest.approx(0.006 * (1 - 0.33 / 0.77), rel=0.2)


@pytest.mark.parametrize("second", [0.6, 1.0, 1.6])
def test_a_pulse_with_two_humps_a_beat_is_one_pulse(second):
    """Its second harmonic may be as strong as its rate, or stronger."""

    def change(t, _):
        turns = 2 * np.pi * 72 / 60 * t
        return -0.005 * BLOOD * (np.sin(turns) + second * np.sin(2 * turns + 0.7))

    found = shared_pulse(*_in_order(cells_with(change)))
    assert found is not None
    assert found.living
    assert found.rate_hz * 60 == pytest.approx(72, abs=3)
    assert found.dominance > 0.8


def test_people_of_one_colour_are_found_though_they_share_no_pulse():
    rates = np.array([60.0, 75.0, 95.0])
    place = np.minimum(np.arange(32) // 11, 2)  # three people side by side
    skin, facts, _ = cells_with(
        lambda t, _: -0.006 * BLOOD * np.sin(2 * np.pi * (rates[place] / 60)[None, None, :] * t)
    )
    wall, _, _ = cells_with(lambda t, _: 0 * BLOOD * t, seed=1, rgb=(110.0, 120.0, 135.0))
    people = np.zeros((24, 32), np.bool_)
    for first in (1, 12, 23):
        people[4:20, first : first + 8] = True
    both = Cells(
        skin.times, *(np.where(people, a, b) for a, b in ((skin.y, wall.y), (skin.u, wall.u), (skin.v, wall.v)))
    )
    together = shared_pulse(facts, both, people)
    assert together is not None
    assert not together.living
    found = find_reference(facts, both)
    assert found.living
    assert found.chroma is not None
    lifeless = cells_with(lambda t, _: 0 * BLOOD * t)[0]
    planes = ((lifeless.y, wall.y), (lifeless.u, wall.u), (lifeless.v, wall.v))
    dead = Cells(skin.times, *(np.where(people, a, b) for a, b in planes))
    assert find_reference(facts, dead).chroma is None  # three of a thing that does not live are no people


def _in_order(made):
    cells, facts, region = made
    return facts, cells, region


def test_noise_a_lamp_motion_and_keyframes_are_no_pulse():
    changes = {
        "noise": lambda t, _: 0 * BLOOD * t,
        "lamp": lambda t, _: 0.02 * np.ones((3, 1, 1, 1)) * np.sin(2 * np.pi * 1.3 * t),
        "each for itself": lambda t, cell: 0.01 * BLOOD * np.sin(2 * np.pi * 1.2 * t + 3 * cell),
        "far too strong": lambda t, _: 0.2 * BLOOD * np.sin(2 * np.pi * 1.2 * t),
        "red alone": lambda t, _: np.array([0.01, 0.001, 0])[:, None, None, None] * np.sin(2 * np.pi * 1.2 * t),
        # a codec draws the whole picture anew every two seconds, each part a little differently, and it wears off
        "keyframes": lambda t, cell: BLOOD * (0.004 * (1 + 3 * cell)) * (t % 2.0 - 1.0),
    }
    for name, change in changes.items():
        found = shared_pulse(*_in_order(cells_with(change)))
        assert found is not None, name
        assert not found.living, name


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 160), rows=st.integers(1, 30), columns=st.integers(1, 30))
def test_noise_of_any_shape_is_never_living(seed, n, rows, columns):
    made = cells_with(lambda t, _: 0 * BLOOD * t, seed=seed, n=n, shape=(rows, columns))
    found = shared_pulse(*_in_order(made))
    assert found is None or not found.living
    assert found is None or 0 <= found.shared <= 1


def test_a_picture_without_any_noise_has_no_pulse():
    found = shared_pulse(*_in_order(cells_with(lambda t, _: 0 * BLOOD * t, noise=0.0)))
    assert found is not None
    assert (found.shared, found.living) == (0.0, False)


def test_what_is_too_short_is_not_judged():
    pulse = cells_with(lambda t, _: -0.006 * BLOOD * np.sin(2 * np.pi * 1.2 * t), n=40)
    assert shared_pulse(*_in_order(pulse)) is None
    found = find_reference(pulse[1], pulse[0])  # then the colour decides
    assert found.chroma is not None
    assert found.living is None


def test_skin_under_odd_light_is_found_by_its_pulse_alone():
    """Under light that is nearly cyan, where no skin has this colour."""
    made = cells_with(lambda t, _: -0.008 * BLOOD * np.sin(2 * np.pi * 1.1 * t), rgb=(110.0, 150.0, 150.0))
    found = find_reference(made[1], made[0])
    assert found.living
    dead = cells_with(lambda t, _: 0 * BLOOD * t, rgb=(110.0, 150.0, 150.0))
    assert find_reference(dead[1], dead[0]).chroma is None


# --- how far the key reaches


@pytest.mark.parametrize("distance", [10, 16, 24])
def test_the_key_reaches_half_way_to_the_next_cluster(distance):
    rng = np.random.default_rng(0)
    skin = np.array([110.0, 155.0]) + 1.2 * rng.standard_normal((2000, 2))
    wall = np.array([110.0 + distance, 155.0]) + 1.0 * rng.standard_normal((3000, 2))
    found = reach(np.concatenate([skin, wall]), np.array([110.0, 155.0]))
    assert found == pytest.approx(distance / 2, abs=1.2)
    both = clusters(np.concatenate([skin, wall]))
    mine = next(cluster for cluster in both if np.hypot(*(cluster.chroma - (110, 155))) < 0.5)
    assert mine.holds(skin).mean() > 0.95
    assert mine.holds(wall).mean() < 0.05


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(1, 400), spread=st.floats(0, 20))
def test_the_reach_is_bounded(seed, n, spread):
    rng = np.random.default_rng(seed)
    colours = 128 + spread * rng.standard_normal((n, 2))
    for cluster in clusters(colours):
        assert LEAST_REACH <= np.sqrt(cluster.similarity) <= MOST_REACH + 1e-9


# --- a colour that the user named


def test_a_wrong_click_is_named():
    wall, wood, skin = np.array([140.0, 108.0]), np.array([110.0, 155.0]), np.array([110.0, 155.0])
    assert "hardly one that skin has" in colour_warning(wall, None)
    assert "no pulse" in colour_warning(wall, False)
    assert "no clear pulse" in colour_warning(wood, False)
    assert "almost grey" in colour_warning(np.array([127.0, 134.0]), None)
    assert colour_warning(skin, None) is None
    assert colour_warning(skin, True) is None
    assert colour_warning(wall, True) is None  # living, under whatever light


def test_a_named_colour_is_checked_against_the_clip():
    cells, facts, _ = cells_with(lambda t, _: -0.006 * BLOOD * np.sin(2 * np.pi * 1.2 * t))
    found = find_reference(facts, cells)
    named = reference_at(facts, found.chroma)
    checked = check_colour(facts, cells, named, 100.0)
    assert (checked.chroma, checked.living, checked.warning) == (named.chroma, True, None)
    elsewhere = check_colour(facts, cells, reference_at(facts, (150.0, 105.0)), 100.0)
    assert "wall or on cloth" in elsewhere.warning


@pytest.mark.clips
@pytest.mark.parametrize(
    ("name", "kept", "living"), [("face.mp4", True, True), ("wrist.mp4", True, None), ("baby.mp4", False, None)]
)
def test_the_shared_clips(name, kept, living):
    if not (SHARED / name).exists():
        pytest.skip(f"the shared clip {name} is not here")
    frames, facts = decoded(SHARED / name)
    found = find_reference(facts, cells_of(frames))
    assert (found.chroma is not None) == kept
    if living is not None:
        assert found.living == living
