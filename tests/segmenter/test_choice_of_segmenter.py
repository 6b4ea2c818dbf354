"""Which segmenter is chosen, and whom a click or a box means."""

from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError

from media.masks import FrameMask, Instance, MaskWriter, read_masks
from media.people import People, PersonSkin
from mesh.contracts import Chunk, Grid, Plan, Recording
from mesh.errors import BadParameters
from mesh.parameters import Parameters
from segmenter.choice import Choice, choose
from segmenter.picking import pick

pytestmark = pytest.mark.unit


def seen(found):
    return lambda: SimpleNamespace(found=found, reason="a face was seen" if found else "no face was seen")


def not_asked():
    raise AssertionError("nobody had to look for faces")


def test_what_is_asked_for_is_taken():
    for name in ("chroma", "face", "sam3"):
        assert choose(Parameters(segmenter=name), None, not_asked) == Choice(name, "it was asked for")


def test_the_automatic_choice():
    assert choose(Parameters(skin_point=(3, 4)), "cuda:0", not_asked).segmenter == "chroma"
    assert choose(Parameters(skin_chroma=(100, 150)), None, not_asked).segmenter == "chroma"
    assert choose(Parameters(key="per_frame"), "cuda:0", not_asked).segmenter == "chroma"
    assert choose(Parameters(preset="facehr"), "cuda:0", not_asked).segmenter == "chroma"
    assert choose(Parameters(), "cuda:0", not_asked) == Choice("sam3", "SAM 3 runs here, on cuda:0")
    assert choose(Parameters(), "cpu", seen(True)) == Choice("face", "a face was seen")
    assert choose(Parameters(), None, seen(False)) == Choice("chroma", "no face was seen")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"segmenter": "sam4"}, "segmenter"),
        ({"segmenter": "sam3", "prompt": ""}, "prompt"),
        ({"segmenter": "sam3", "prompt": "   "}, "prompt is empty"),
        ({"segmenter": "sam3", "prompt": "x" * 81}, "prompt"),
        ({"skin_box": (1, 2, 3, 4)}, "skin_box needs segmenter face or sam3"),
        ({"segmenter": "face", "skin_box": (1, 2, 3, 4), "skin_point": (1, 2)}, "not two of them"),
        ({"segmenter": "sam3", "skin_chroma": (100, 150)}, "skin_chroma needs"),
    ],
)
def test_parameters_that_contradict_each_other(given, message):
    with pytest.raises(ValidationError, match=message):
        Parameters(**given)


# --- picking: a picture of 160x120 that is shown turned, two people who swap labels at frame 5

BOXES = ((20, 20, 60, 80), (100, 30, 140, 90))


def plan_of(rotation=0):
    recording = Recording(
        duration_s=1.0, frames=10, width=160, height=120, fps=10.0, variable_rate=False, codec="h264",
        container="mp4", pixel_format="yuv420p", rotation=rotation,
    )  # fmt: skip
    chunks = [Chunk(index=0, first=0, frames=5, t0=0, t1=0.5), Chunk(index=1, first=5, frames=5, t0=0.5, t1=1)]
    return Plan(
        recording=recording, time_base=(1, 10), pts=list(range(10)), chunks=chunks,
        grid=Grid(origin_s=0, rate_hz=10, samples=10),
    )  # fmt: skip


def masks(index):
    writer = MaskWriter((60, 80))
    names = (1, 2) if index == 0 else (2, 1)
    for _ in range(5):
        labels = np.zeros((60, 80), np.uint8)
        for name, (x0, y0, x1, y1) in zip(names, BOXES, strict=True):
            labels[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2] = name
        labels[20:25, 15:20] = 0  # an eye
        writer.add(FrameMask(labels, [Instance(n, box) for n, box in zip(names, BOXES, strict=True)]))
    return read_masks(writer.finish())


LEFT, RIGHT = PersonSkin("1", ((0, 5, 1), (5, 10, 2))), PersonSkin("2", ((0, 5, 2), (5, 10, 1)), 0.1, 10, 0.8)
TWO = People([LEFT, RIGHT], ["person 1 was out of sight: 1-2 s", "person 2 was out of sight: 3-4 s", "one left out"])


def picked(rotation=0, **given):
    return pick(plan_of(rotation), Parameters(segmenter="face", **given), TWO, masks)


def test_a_click_and_a_box_pick_somebody():
    assert picked() == TWO
    assert picked(skin_point=(120, 60)).people == [PersonSkin("1", RIGHT.spans, 0.1, 10, 0.8)]
    assert picked(skin_point=(120, 60)).warnings == ["person 1 was out of sight: 3-4 s"]
    assert picked(skin_point=(40, 30, 0.7)).people[0].spans == LEFT.spans
    assert picked(skin_point=(34, 44)).people[0].spans == LEFT.spans  # the eye
    assert picked(skin_box=(90, 0, 159, 110)).people[0].spans == RIGHT.spans
    assert picked(skin_box=(80, 0, 160, 120)).people[0].spans == RIGHT.spans  # as far as the picture goes
    assert picked(skin_box=(159, 110, 90, 0, 0.9)).people[0].spans == RIGHT.spans  # from any corner


def test_places_are_those_of_the_picture_as_shown():
    """Turned by 90 degrees the picture is 120 wide; what is right in it as stored is shown below."""
    assert picked(90, skin_point=(60, 120)).people[0].spans == RIGHT.spans
    assert picked(90, skin_box=(30, 95, 95, 145)).people[0].spans == RIGHT.spans


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"skin_point": (80, 10)}, "nobody was found there at 0.0 s"),
        ({"skin_point": (80, 10, 0.62)}, "nobody was found there at 0.6 s"),
        ({"skin_box": (65, 95, 90, 119)}, "nobody was found there"),
        ({"skin_point": (500, 10)}, "outside the picture of 160 x 120"),
        ({"skin_box": (10, 10, 10, 50)}, "the box is empty"),
        ({"skin_box": (10, 10, 161, 50)}, "skin_box: the point 161, 10 lies outside"),
    ],
)
def test_a_click_on_the_wall(given, message):
    with pytest.raises(BadParameters, match=message) as caught:
        picked(**given)
    assert caught.value.hint
