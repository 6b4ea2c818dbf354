"""People keep their identity: over chunks, crossings, losses, and whatever labels a segmenter gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_people import FPS, Walker, blobs, film, owners

from media.masks import Instance
from media.people import label_at
from segmenter.people import link_people, one_person

pytestmark = pytest.mark.unit

LIGHT, DARK = (170.0, 112.0, 148.0), (95.0, 118.0, 143.0)


def standing(x, y=240.0):
    return lambda t: (x + 6 * np.sin(1.3 * t), y + 4 * np.cos(0.9 * t))


def walking(x0, x1, seconds, y=240.0):
    return lambda t: (x0 + (x1 - x0) * t / seconds, y + 8 * np.sin(5 * t))


@given(
    walkers=st.lists(st.sampled_from([90, 230, 380, 540]), min_size=1, max_size=4, unique=True),
    cuts=st.lists(st.integers(1, 239), max_size=6),
    seed=st.integers(0, 100),
)
@settings(max_examples=20, deadline=None)
def test_who_is_who_does_not_depend_on_chunks_or_labels(walkers, cuts, seed):
    people = [Walker(standing(x), size=90) for x in walkers]
    filmed = film(people, 8, seed=seed)
    found = link_people(blobs(filmed.frames), filmed.times)
    assert link_people(blobs(filmed.frames, cuts), filmed.times) == found
    counts = owners(found, filmed)
    assert sorted(next(iter(count)) for count in counts) == list(range(len(people)))
    assert all(list(count.values()) == [240] for count in counts)
    again = film(people, 8, seed=seed)  # the same boxes under other labels
    rng = np.random.default_rng(seed + 1)
    renamed, truth = [], []
    for instances, own in zip(again.frames, again.truth, strict=True):
        names = dict(zip(sorted(own), (rng.permutation(len(own)) + 7).tolist(), strict=True))
        renamed.append([Instance(names[i.id], i.box, i.confidence, i.transform, i.signs) for i in instances])
        truth.append({names[label]: who for label, who in own.items()})
    other = link_people(blobs(renamed, cuts), filmed.times)
    assert owners(other, type(filmed)(filmed.times, renamed, truth)) == counts


@pytest.mark.parametrize("colours", [(LIGHT, DARK), (LIGHT, LIGHT)])
@pytest.mark.parametrize("seed", range(4))
def test_a_crossing_with_one_hidden_behind_the_other(colours, seed):
    """They pass each other at 120 px/s; the one behind is not seen while the boxes overlap by half."""
    seconds = 8
    front, behind = walking(120, 520, seconds, 235), walking(520, 120, seconds, 250)

    def apart(t):
        return abs(front(t)[0] - behind(t)[0]) > 55

    people = [Walker(front, 110, colours[0]), Walker(behind, 100, colours[1], apart)]
    filmed = film(people, seconds, seed=seed)
    hidden = sum(len(truth) == 1 for truth in filmed.truth)
    assert hidden > 10
    found = link_people(blobs(filmed.frames, [100, 117, 121, 160]), filmed.times)
    assert len(found.people) == 2
    assert sorted(tuple(count) for count in owners(found, filmed)) == [(0,), (1,)]
    assert sum(person.frames for person in found.people) == 2 * len(filmed.times) - hidden
    assert any("out of sight" in text for text in found.warnings)


@pytest.mark.parametrize("seed", range(4))
def test_a_crossing_that_one_colour_makes_one_piece_of(seed):
    """While they touch there is one detection of both: it is nobody's, and afterwards everybody is themselves."""
    seconds = 8
    one, two = walking(120, 520, seconds), walking(520, 120, seconds)

    def touching(t):
        return abs(one(t)[0] - two(t)[0]) < 100

    people = [Walker(one, 100, LIGHT), Walker(two, 100, (150.0, 116.0, 144.0))]
    filmed = film(people, seconds, seed=seed, merge=touching)
    found = link_people(blobs(filmed.frames), filmed.times)
    counts = owners(found, filmed)
    assert len(counts) == 2
    assert sorted(max(count, key=lambda who: count[who]) for count in counts) == [0, 1]
    for count in counts:
        assert max(count.values()) >= 0.97 * sum(count.values())  # some frames when they just touch


def test_short_and_long_losses_are_bridged_and_said():
    def seen(t):
        return not (2.0 <= t < 2.4 or 5.0 <= t < 8.0)

    filmed = film([Walker(standing(200), 100, seen=seen), Walker(standing(480), 80)], 12)
    found = link_people(blobs(filmed.frames), filmed.times)
    assert [len(count) for count in owners(found, filmed)] == [1, 1]
    lost = next(person for person in found.people if person.frames < 360)
    assert lost.frames == round(12 * FPS) - 12 - 90
    assert label_at(lost.spans, round(6 * FPS)) == 0
    assert found.warnings == [f"person {lost.id} was out of sight: 5.0-8.0 s"]


def test_somebody_else_elsewhere_is_not_taken_for_who_left():
    people = [
        Walker(standing(120), 90, LIGHT, lambda t: t < 5),
        Walker(standing(520), 90, DARK, lambda t: t >= 5.5),
    ]
    filmed = film(people, 11)
    counts = owners(link_people(blobs(filmed.frames), filmed.times), filmed)
    assert sorted(tuple(count) for count in counts) == [(0,), (1,)]


def test_what_is_seen_for_a_moment_is_left_out_with_a_reason():
    people = [Walker(standing(200), 120), Walker(standing(520), 60, seen=lambda t: 3 <= t < 3.8)]
    found = link_people(blobs(film(people, 10).frames), film(people, 10).times)
    assert [person.id for person in found.people] == ["1"]
    assert found.warnings == ["1 piece of skin was left out: seen for 0.8 s at most, less than 2 s"]
    nobody = film([Walker(standing(200), seen=lambda t: 1 <= t < 2)], 10)
    assert link_people(blobs(nobody.frames), nobody.times).people == []
    short = film([Walker(standing(200))], 1.0)  # a clip as short as that keeps whoever is in it
    assert len(link_people(blobs(short.frames), short.times).people) == 1


def test_fast_motion_and_another_frame_rate():
    for rate in (7, 15, 60):
        times = np.arange(8 * rate) / rate
        walker = Walker(lambda t: (320 + 220 * np.sin(2 * np.pi * t / 3), 240), 110)
        frames = [[Instance(1, walker.box(t), 0.8)] for t in times.tolist()]
        found = link_people(blobs(frames), times)
        assert [person.spans for person in found.people] == [((0, len(times), 1),)], rate
        assert found.people[0].confidence == 0.8


def test_labels_that_hold_within_a_cell_are_believed():
    """Two boxes that swap places from one frame to the next: only the labels tell."""
    times = np.arange(90) / FPS
    left, right = (100, 100, 200, 230), (140, 100, 240, 230)
    frames = []
    for number in range(90):
        places = (left, right) if number % 2 == 0 else (right, left)
        frames.append([Instance(1, places[0]), Instance(2, places[1])])
    cells = np.zeros(90, np.int64)
    found = link_people(blobs(frames), times, cells)
    assert sorted(person.spans for person in found.people) == [((0, 90, 1),), ((0, 90, 2),)]
    unbelieved = link_people(blobs(frames), times)
    assert all(len(person.spans) == 90 for person in unbelieved.people)


def test_more_people_than_are_kept():
    people = [Walker(standing(60 + 65 * (n % 9), 150 + 200 * (n // 9)), 40 + n) for n in range(10)]
    filmed = film(people, 4)
    found = link_people(blobs(filmed.frames), filmed.times)
    assert [person.id for person in found.people] == [str(n) for n in range(1, 9)]
    assert found.people[0].skin_fraction > found.people[-1].skin_fraction
    assert any("10 people" in text for text in found.warnings)


def test_an_empty_clip_and_a_whole_mask():
    times = np.arange(60) / FPS
    assert link_people(blobs([[] for _ in times]), times).people == []
    assert one_person(blobs([[] for _ in times])).people == []
