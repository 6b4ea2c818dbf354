"""Polygons, the canonical face, pose and smoothing: what must hold without any model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from media.polygons import fill, fill_convex
from segmenter.face import appearance, canonical
from segmenter.face.between import moved
from segmenter.face.obstruction import Look
from segmenter.face.pose import axes, motion_of, pose_of
from segmenter.face.regions import OVAL, REGIONS, outline
from segmenter.face.smoothing import smooth
from segmenter.face.tracks import Sample, SampledFace, chain, forget, link, present

pytestmark = pytest.mark.unit


affine = st.tuples(
    st.floats(0.3, 4), st.floats(-1, 1), st.floats(-1, 1), st.floats(0.3, 4), st.floats(-300, 300), st.floats(-300, 300)
)


@settings(max_examples=40, deadline=None)
@given(affine, st.floats(-50, 50))
def test_the_canonical_fit_undoes_any_affine_view(given_affine, yaw) -> None:  # type: ignore[no-untyped-def]
    a, b, c, d, x, y = given_affine
    if abs(a * d - b * c) < 0.05:
        return
    linear = np.array([[a, b], [c, d]])
    points = np.zeros((468, 2))
    points[canonical.POINTS] = canonical.PLACES @ linear.T + [x, y]
    found = canonical.fit(points, yaw)
    assert canonical.apply(found, points[canonical.POINTS]) == pytest.approx(canonical.PLACES, abs=1e-5)
    assert canonical.apply(canonical.inverse(found), canonical.PLACES) == pytest.approx(
        points[canonical.POINTS], abs=1e-5
    )


def test_points_on_a_line_have_no_canonical_face() -> None:
    with pytest.raises(ValueError, match="one line"):
        canonical.fit(np.outer(np.arange(468.0), [1.0, 2.0]))


def test_regions_lie_apart_in_the_canonical_face() -> None:
    width, height = canonical.SIZE
    layers = [fill(np.array(polygon, float), (len(polygon),), (height, width)) for polygon in REGIONS.values()]
    assert set(REGIONS) == {"forehead", "right_cheek", "left_cheek", "nose", "chin"}
    assert np.sum(layers, axis=0).max() == 1
    assert min(layer.sum() for layer in layers) > 900
    assert (layers[1] != layers[2][:, ::-1]).sum() < 50  # mirror images, but for samples right on an edge


def head(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> NDArray[np.float64]:
    """468 points of a head, symmetric where `pose` looks, seen after a turn, a nod and a lean, in degrees."""
    rng = np.random.default_rng(5)
    points = rng.normal(0, 60, (468, 3))
    places = {33: (-50, -30, -20), 127: (-90, -30, 60), 234: (-92, 0, 70), 162: (-88, -50, 55), 93: (-90, 20, 65)}
    mirror = {33: 263, 127: 356, 234: 454, 162: 389, 93: 323}
    for right, (x, y, z) in places.items():
        points[right], points[mirror[right]] = (x, y, z), (-x, y, z)
    points[10], points[152] = (0, -100, 0), (0, 100, 0)
    points[109], points[148], points[338], points[377] = (-20, -99, 0), (-20, 97, 0), (20, -99, 0), (20, 97, 0)
    # x right, y down, z away: a face that turns to the right of the picture brings its left side (x > 0) away
    a, b, c = np.deg2rad([yaw, pitch, roll])
    turn = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    lean = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return points @ (lean @ nod @ turn).T + [320, 240, 0]


@pytest.mark.parametrize("angle", [-40, -10, 0, 10, 40])
def test_pose_is_read_off_the_points(angle: float) -> None:
    for name in ("yaw", "pitch", "roll"):
        found = pose_of(axes(head(**{name: angle})))
        assert getattr(found, name) == pytest.approx(angle, abs=0.5)
        others = {"yaw", "pitch", "roll"} - {name}
        assert all(abs(getattr(found, other)) < 0.5 for other in others)


def test_a_face_that_turns_to_the_right_shows_its_nose_on_the_right() -> None:
    points = head()
    points[1] = (320, 240, -60)  # the tip of the nose, nearest to the camera
    centre = np.array([320, 240, 0])
    a = np.deg2rad(20)
    turn = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    turned = (points - centre) @ turn.T + centre
    assert turned[1, 0] > 320 + 15
    assert pose_of(axes(turned)).yaw > 15


def egg(yaw: float) -> NDArray[np.float64]:
    """468 points of the front of an egg, the oval of the mesh where its sides begin, seen after a turn."""
    across = np.random.default_rng(6).uniform(-0.9, 0.9, 468)
    down = np.random.default_rng(7).uniform(-0.9, 0.9, 468)
    points = np.stack([90 * across * np.sqrt(1 - down**2), 120 * down, -90 * np.sqrt(1 - across**2)], axis=1)
    around = 2 * np.pi * np.arange(len(OVAL)) / len(OVAL)
    points[list(OVAL)] = np.stack([90 * np.sin(around), -120 * np.cos(around), np.zeros(len(OVAL))], axis=1)
    for right, left in ((33, 263), (127, 356), (234, 454), (162, 389), (93, 323), (109, 338), (148, 377)):
        points[right] = points[left] * [-1, 1, 1]
    points[10], points[152] = (0, -120, 0), (0, 120, 0)
    a = np.deg2rad(yaw)
    turn = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    return points @ turn.T + [320, 240, 0]


@pytest.mark.parametrize("yaw", [-50, -20, 0, 20, 50])
def test_an_outline_is_convex_and_holds_the_face_and_the_side_that_is_seen(yaw: float) -> None:
    points = egg(yaw)
    corners = outline(points, axes(points))
    edges = np.diff(corners, axis=0, append=corners[:1])
    following = np.roll(edges, -1, axis=0)
    assert (edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0] >= -1e-6).all()
    inside = fill_convex(corners, (480, 640))
    places = points[:, :2].astype(int)
    assert inside[places[:, 1], places[:, 0]].mean() > 0.98
    beside = [np.flatnonzero(inside[row])[[0, -1]] - 320 for row in (240, 320)]  # to the left and right of the neck
    if yaw == 0:
        assert abs(beside[0].sum()) <= 1
    else:  # the side of the head comes into view where the face turns away from, less of it at the jaw
        back = 0 if yaw > 0 else 1
        swung = 90 * np.cos(np.deg2rad(yaw))
        assert abs(beside[0][back]) > swung + 30 * np.sin(np.deg2rad(abs(yaw)))
        assert abs(beside[0][back]) - abs(beside[1][back]) > 5


def test_motion_is_in_degrees_and_widths_a_second() -> None:
    points = head()
    assert motion_of(points, np.tile([30.0, 40.0, 0.0], (468, 1)), axes(points)).speed == pytest.approx(
        50 / 184, rel=1e-6
    )
    velocity = (head(yaw=0.05) - head(yaw=-0.05)) / 0.1 * 20  # 20 degrees a second
    assert motion_of(points, velocity, axes(points)).turn == pytest.approx(20, rel=0.02)


LOOK = Look(0.95, 1.0, 0.0, 0.0, 0.0, 150.0, 0.5, 0.0)


def face(x: float, y: float = 100.0, size: float = 60.0) -> SampledFace:
    rng = np.random.default_rng(2)
    points = rng.uniform(-size / 2, size / 2, (468, 3)) + np.array([x, y, 0])
    box = np.array([x - size / 2, y - size / 2, x + size / 2, y + size / 2])
    return SampledFace(points, box, LOOK, np.zeros((3, appearance.ROWS, appearance.COLUMNS), np.uint8))


def linked(places: list[list[float]], step: float = 0.1) -> list[Sample]:
    found: list[Sample] = []
    for number, faces in enumerate(places):
        sample = Sample(number * step, [face(x) for x in faces])
        link(found, sample)
        found.append(sample)
    return found


def where(track: list[tuple[float, SampledFace]]) -> list[float]:
    return [float(entry.box[[0, 2]].mean()) for _, entry in track]


def test_faces_are_followed_whatever_their_order_and_over_a_short_loss() -> None:
    samples = linked([[100, 300], [302, 104], [108], [309, 112]])
    assert where(chain(samples[0], 0, 0, 9)) == [100, 104, 108, 112]
    assert where(chain(samples[3], 0, 0, 9)) == [300, 302, 309]
    assert where(chain(samples[1], 1, 0.05, 0.25)) == [104, 108]


def test_links_are_the_same_backwards() -> None:
    rng = np.random.default_rng(3)
    places = [[100 + 8 * k, 300 - 9 * k][: 1 if k == 4 else 2] for k in range(12)]
    for faces in places:
        rng.shuffle(faces)
    there, back = linked(places), linked(places[::-1])
    tracks = {tuple(where(chain(s, n, -9, 9))) for s in there for n in range(len(s.faces))}
    reversed_tracks = {tuple(where(chain(s, n, -9, 9))[::-1]) for s in back for n in range(len(s.faces))}
    assert tracks == reversed_tracks


def test_a_frame_shows_the_faces_of_the_samples_beside_it() -> None:
    samples = linked([[100], [100, 300], [300]])

    def shown(time: float) -> list[float]:
        return sorted(where([(0.0, s.faces[n])])[0] for s, n in present(samples, time))

    assert shown(0.1) == [100, 300]
    assert shown(0.04) == [100]
    assert shown(0.06) == [100, 300]  # the second one's first sample is the nearer one
    assert shown(0.14) == [100, 300]
    assert shown(0.16) == [300]
    assert shown(0.9) == []


def test_a_forgotten_sample_is_held_by_nobody() -> None:
    samples = linked([[100], [101], [102]])
    forget(samples[0])
    assert where(chain(samples[2], 0, -9, 9)) == [101, 102]


@settings(max_examples=25, deadline=None)
@given(st.floats(-30, 30), st.floats(0.5, 1.5), st.integers(0, 99))
def test_smoothing_keeps_an_even_motion_where_it_is(speed, time, seed) -> None:  # type: ignore[no-untyped-def]
    times = np.arange(21) / 10
    shape = np.random.default_rng(seed).uniform(0, 200, (468, 3))
    points = shape + (speed * times)[:, None, None] * np.array([1.0, 0.0, 0.0])
    found = smooth(times, points, time, 1.0)
    assert found.points == pytest.approx(shape + np.array([speed * time, 0, 0]), abs=1e-6)
    assert found.velocity[:, 0] == pytest.approx(np.full(468, speed), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999))
def test_smoothing_is_the_same_backwards(seed) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(-1, 1, 12))
    points = rng.normal(0, 3, (12, 468, 3)) + rng.uniform(0, 300, (468, 3))
    there, back = smooth(times, points, 0.1, 1.0), smooth(-times[::-1], points[::-1], -0.1, 1.0)
    assert there.points == pytest.approx(back.points, abs=1e-9)
    assert there.velocity == pytest.approx(-back.velocity, abs=1e-9)


def test_smoothing_takes_away_a_wobble_at_the_rate_of_the_heart() -> None:
    times = np.arange(41) / 10
    shape = np.random.default_rng(0).uniform(0, 200, (468, 3))
    for rate in (0.9, 1.2, 2.0, 3.0):
        points = shape * (1 + 0.002 * np.sin(2 * np.pi * rate * times)[:, None, None])
        left = []
        for time in np.arange(1.2, 2.8, 0.05):
            inside = np.abs(times - time) <= 1
            left.append(smooth(times[inside], points[inside], float(time), 1.0).points / shape - 1)
        assert np.abs(left).max() < 0.2 * 0.002


def test_a_head_that_jumps_is_followed_at_once() -> None:
    times = np.arange(21) / 10
    shape = np.random.default_rng(0).uniform(0, 200, (468, 3))
    points = shape + np.where(times < 1.0, 0.0, 40.0)[:, None, None] * np.array([1.0, 0.0, 0.0])
    for time, expected in ((0.7, 0.0), (1.3, 40.0)):
        assert np.abs(smooth(times, points, time, 1.0).points[:, 0] - shape[:, 0] - expected).max() < 1


def test_a_turn_is_followed_where_it_was_looked_at_in_every_frame() -> None:
    """100 px in 0.45 s with the least jerk: ten samples a second lose it by far, thirty by a px."""

    def place(times: NDArray[np.float64]) -> NDArray[np.float64]:
        part = np.clip((times - 1.0) / 0.45, 0, 1)
        return np.asarray(100 * part**3 * (10 - 15 * part + 6 * part**2))

    shape = np.random.default_rng(0).uniform(0, 200, (468, 3))
    samples, frames = np.arange(25) / 10, np.arange(73) / 30
    at = {len(t): shape + place(t)[:, None, None] * np.array([1.0, 0, 0]) for t in (samples, frames)}
    off, off_alone = [], []
    for time in frames[(frames > 1.0) & (frames < 1.45)].tolist():
        wide, near = np.abs(samples - time) <= 1 + 1e-9, np.abs(frames - time) <= 0.2 + 1e-9
        given_points = samples[wide], at[25][wide], time, 1.0
        for close, found in ((None, off_alone), ((frames[near], at[73][near]), off)):
            x = smooth(*given_points, close).points[:, 0] - shape[:, 0]
            found.append(abs(float(x.mean()) - float(place(np.array([time]))[0])))
    assert max(off) < 1.6
    assert max(off_alone) > 6


def test_what_was_seen_between_two_samples_belongs_to_its_face() -> None:
    samples = linked([[100, 300], [302, 130], [160]])
    samples[0].between[0] = [(0.03, face(110)), (0.07, face(120))]
    samples[1].between[1] = [(0.15, face(145))]
    assert where(chain(samples[2], 0, 0, 9, between=True)) == [100, 110, 120, 130, 145, 160]
    assert where(chain(samples[0], 0, 0.03, 0.16, between=True)) == [110, 120, 130, 145]
    assert where(chain(samples[1], 1, 0.06, 0.12, between=True)) == [120, 130]
    assert where(chain(samples[2], 0, 0, 9)) == [100, 130, 160]
    assert where(chain(samples[1], 0, 0, 9, between=True)) == [300, 302]


def test_a_face_has_moved_by_its_own_width_not_by_pixels() -> None:
    assert not moved(face(100), face(100.2))
    assert moved(face(100), face(102))
    assert not moved(face(100, size=600), face(102, size=600))


def shown_cells() -> NDArray[np.int64]:
    return np.zeros((appearance.ROWS, appearance.COLUMNS, 3), np.int64) + np.array([150, 112, 148])


def skin_of(shown: NDArray[np.int64], count: int = 1) -> NDArray[np.bool_]:
    return appearance.skin_of([np.moveaxis(shown, -1, 0).astype(np.uint8)] * count, 0.0)


def cover_of(shown: NDArray[np.int64]) -> appearance.Cover:
    return appearance.cover_of(np.moveaxis(shown, -1, 0).astype(np.uint8), 0.0)


def test_hair_and_cloth_are_no_skin_and_cover_it() -> None:
    shown, rows = shown_cells(), np.arange(appearance.ROWS)
    shown[rows < 14] = [50, 126, 131]  # hair
    clean = skin_of(shown, 10)
    assert clean.shape == (appearance.FINE * appearance.ROWS, appearance.FINE * appearance.COLUMNS)
    assert not clean[: 2 * 13].any()
    assert clean[2 * 15 :].all()
    assert cover_of(shown).covered < 0.15
    shown[rows > 36] = [170, 140, 118]  # a mask
    clean = skin_of(shown)
    assert not clean[2 * 38 :].any() or not clean[40:60].any()
    found = cover_of(shown)
    assert found.covered > 0.3
    assert found.brightness == pytest.approx((150 - 16) / 219, abs=0.15)


def test_what_shines_or_lies_in_the_shade_covers_nothing_and_another_hue_does() -> None:
    """Luma that changes alone, as by a lamp's reflection, takes the ratio of chroma to it along."""
    for luma in (95, 120, 190, 225):
        shown = shown_cells()
        shown[:, :40, 0] = luma
        assert cover_of(shown).covered < 0.02
        shown[:, :40, 1:] = 128 + (shown[:, :40, 1:] - 128) * [-1, 1]  # as bright, another hue
        assert cover_of(shown).covered > 0.2


def test_a_side_of_the_face_in_the_shade_is_skin_all_the_same() -> None:
    # over the canonical face; beside it the shade stays as it is
    light = np.clip(np.interp(np.arange(appearance.COLUMNS), [16, 80], [1.0, 0.62]), 0.62, 1)[None, :, None]
    shown = (np.array([134.0, -16.0, 20.0]) * light + [16, 128, 128]).round().astype(np.int64) + 0 * shown_cells()
    assert skin_of(shown).mean() > 0.95
    assert cover_of(shown).covered < 0.02


@pytest.mark.parametrize("part", [0.2, 0.4, 0.6, 0.8])
def test_the_edge_of_skin_before_a_wall_lies_where_it_is(part: float) -> None:
    """A cell that is skin by a part lets the edge run through it, to half a cell, whatever the part."""
    shown = shown_cells()
    wall = np.array([150, 150, 110])
    shown[:, 75:] = wall
    shown[:, 74] = (part * shown[0, 0] + (1 - part) * wall).round()
    edge = skin_of(shown).sum(axis=1) / appearance.FINE
    assert np.abs(edge - (74 + part)).max() <= 0.75


def test_specks_of_another_colour_stay_skin_and_eyes_do_not() -> None:
    shown = shown_cells()
    shown[30, 40] = shown[45, 52] = [40, 128, 128]
    assert skin_of(shown).all()
    shown[30:36, 40:46] = [40, 128, 128]
    assert not skin_of(shown)[62:70, 82:90].any()
