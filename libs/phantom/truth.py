"""What is true of a synthetic recording: numbers as JSON, maps and masks as arrays beside it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from phantom.breathing import breath, breathing_rate, breaths
from phantom.color import offsets, stored_color
from phantom.light import flicker_hz, lamp, light
from phantom.motion import Poses, poses
from phantom.placement import Maps
from phantom.render import masks, scene_size, stage_of
from phantom.scenes import skin_ellipse
from phantom.scenes.face import heads_at_rest
from phantom.settings import PhantomSettings
from phantom.skin import amplitude_rgb, skin_rgb
from phantom.wave import TICKS, beats, blood, frame_ticks, heart_rate, interval_statistics

_MASKS_PER_SECOND = 2.0
Box = tuple[float, float, float, float]


class PersonTruth(BaseModel):
    """One person's heart, breath and skin. Lists named per frame run over `Truth.time_s`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    beats_s: list[float] = Field(description="Times at which the blood volume's fundamental peaks")
    heart_rate: list[float] = Field(description="Per frame, 1/min: of the beat under way")
    mean_heart_rate: float | None = Field(description="Of the intervals between the beats seen, 1/min; null below two")
    sdnn_ms: float | None = Field(description="Of the intervals seen; null below two")
    rmssd_ms: float | None = Field(description="Of the intervals seen; null below two")
    blood_volume: list[float] = Field(
        description="Per frame, unit fundamental: the wave where the pulse arrives with the mean of the skin, with "
        "what the breath does to it"
    )
    breathing_rate: list[float] = Field(description="Per frame, 1/min")
    breathing: list[float] = Field(description="Per frame: -1 out, 1 in")
    breaths_s: list[float] = Field(description="Times at which breathing in starts")
    amplitude_rgb: tuple[float, float, float] = Field(
        description="Amplitude of the fundamental in R, G, B in parts of the skin's mean, over the skin at rest"
    )
    skin_rgb: tuple[float, float, float] = Field(description="R, G, B of the skin at light 1 before shading, 0-255")
    skin_tone: int | None = Field(description="Fitzpatrick type, where one was asked for")
    head_boxes: list[tuple[float, float, float, float]] = Field(
        default=[], description="Per frame, of the scene face: x0, y0, x1, y1 around the head in luma pixels as the "
        "picture is seen, hidden parts with it; a turned head swings its chin out of it",
    )  # fmt: skip


class Truth(BaseModel):
    """The answer. Lists named per frame run over `time_s`; what is one person's is the first one's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings: PhantomSettings
    time_s: list[float] = Field(description="Time of every frame in seconds")
    beats_s: list[float] = Field(description="Times at which the blood volume's fundamental peaks; none without pulse")
    heart_rate: list[float] | None = Field(description="Per frame, 1/min; null without pulse")
    blood_volume: list[float] = Field(description="Per frame: the wave, unit fundamental; colour follows its negative")
    people: list[PersonTruth] = Field(description="Everyone with a pulse in the picture, from the left at the start")
    light: list[float] = Field(
        description="Per frame: light and exposure; mains flicker and light from the side are not in it"
    )
    flicker_hz: float | None = Field(description="Frequency of the flickering light; null where it is steady")
    displacement: list[tuple[float, float]] = Field(
        description="Per frame: x, y of the head, hand or object in luma pixels as the picture is seen; of the first "
        "person, whom the others move like but for where they walk"
    )
    chest: list[float] = Field(description="Per frame: y of chest and shoulders in luma pixels as the picture is seen")
    yaw_deg: list[float] = Field(description="Per frame: rotation of the head about the vertical axis")
    ellipses: list[tuple[float, float, float, float]] = Field(
        description="Per frame, of the scene ellipse: the skin as x, y of the centre and semi-axes along x and y, luma "
        "pixels of the stored picture, pixel centres at whole numbers"
    )
    amplitude_rgb: tuple[float, float, float] = Field(
        description="Amplitude of the fundamental in R, G, B in parts of the skin's mean"
    )
    skin_rgb: tuple[float, float, float] = Field(description="Mean R, G, B of the skin at light 1, 0-255")
    skin_yuv: tuple[float, float, float] = Field(description="The same in stored levels, of 8 bits")
    pulse_yuv: tuple[float, float, float] = Field(description="Stored levels that one unit of blood volume adds")


def truth_of(settings: PhantomSettings) -> Truth:
    """The truth of the recording that `settings` describe; computed, never measured."""
    time_s = frame_ticks(settings) / TICKS
    pulsing = settings.pulsing
    moved = poses(settings, time_s, *scene_size(settings))
    still = settings.scene in ("photo", "photo_waved")
    seen = moved.paper if still else moved.head
    color, relative = skin_rgb(settings), amplitude_rgb(settings)
    boxes = _head_boxes(settings, moved)
    people = [_person(*one, time_s) for one in zip(settings.people(), boxes, strict=True)] if pulsing else []
    ellipses = []
    if settings.scene == "ellipse":
        shape = skin_ellipse(settings.width, settings.height)
        ellipses = [(shape.x + x, shape.y + y, shape.a, shape.b) for x, y in moved.head.tolist()]
    return Truth(
        settings=settings,
        time_s=time_s.tolist(),
        beats_s=people[0].beats_s if people else [],
        heart_rate=people[0].heart_rate if people else None,
        blood_volume=people[0].blood_volume if people else [0.0] * len(time_s),
        people=people,
        light=light(settings, time_s).tolist(),
        flicker_hz=None if lamp(settings) == "none" else flicker_hz(settings),
        displacement=[(x, y) for x, y in (seen if still else seen + moved.walks.shift[0]).tolist()],
        chest=moved.body[:, 1].tolist(),
        yaw_deg=np.rad2deg(moved.yaw).tolist(),
        ellipses=ellipses,
        amplitude_rgb=_triple(relative),
        skin_rgb=_triple(color),
        skin_yuv=_triple(stored_color(settings, color) + np.array(offsets(settings))),
        pulse_yuv=_triple(stored_color(settings, -relative * color)),
    )


def _head_boxes(settings: PhantomSettings, moved: Poses) -> list[list[Box]]:
    """For each person the box of every frame; none but for the scene face."""
    if settings.scene != "face":
        return [[] for _ in settings.people()]
    found = []
    for head, shift in zip(heads_at_rest(settings, *scene_size(settings)), moved.walks.shift, strict=True):
        at, half = np.array(head.middle) + moved.head + shift, np.array(head.half)
        found.append([(x0, y0, x1, y1) for x0, y0, x1, y1 in np.hstack([at - half, at + half]).round(2).tolist()])
    return found


def _person(settings: PhantomSettings, boxes: list[Box], time_s: NDArray[np.float64]) -> PersonTruth:
    found = beats(settings)
    statistics = interval_statistics(settings)
    return PersonTruth(
        beats_s=found.tolist(),
        heart_rate=heart_rate(settings, time_s).tolist(),
        mean_heart_rate=60 * (len(found) - 1) / float(found[-1] - found[0]) if len(found) > 1 else None,
        sdnn_ms=statistics[0] if statistics else None,
        rmssd_ms=statistics[1] if statistics else None,
        blood_volume=blood(settings, time_s).tolist(),
        breathing_rate=breathing_rate(settings, time_s).tolist(),
        breathing=breath(settings, time_s).tolist(),
        breaths_s=breaths(settings).tolist(),
        amplitude_rgb=_triple(amplitude_rgb(settings)),
        skin_rgb=_triple(skin_rgb(settings)),
        skin_tone=settings.skin_tone,
        head_boxes=boxes,
    )


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def maps_of(settings: PhantomSettings) -> Maps:
    """Amplitude, delay and skin of every place at rest, at half the stored picture's resolution.

    Parameters
    ----------
    settings : PhantomSettings

    Returns
    -------
    Maps
    """
    found = stage_of(settings).maps
    turns = settings.rotation // 90 if settings.scene != "ellipse" else 0
    amplitude, delay = np.rot90(found.amplitude, turns), np.rot90(found.delay_s, turns)
    labels = np.rot90(found.labels, turns)
    if not settings.pulsing:
        amplitude = np.zeros_like(amplitude)
    return Maps(amplitude, delay, labels)


def write_arrays(settings: PhantomSettings, path: Path | str) -> None:
    """Write maps and masks as one compressed .npz file.

    `amplitude` float16, `delay_s` float16 and `labels` uint8 are those of `Maps`; `masks` uint8[m, h, w] are the
    labels of the frames `mask_frames` int32[m], two a second.

    Parameters
    ----------
    settings : PhantomSettings
    path : Path or str
    """
    maps = maps_of(settings)
    ticks = frame_ticks(settings)
    due = np.searchsorted(ticks, np.arange(0, ticks[-1] + 1, TICKS / _MASKS_PER_SECOND))
    wanted = set(np.minimum(due, len(ticks) - 1).tolist())
    chosen = [(i, mask) for i, mask in enumerate(masks(settings)) if i in wanted]
    assert all(one[0] < other[0] for one, other in pairwise(chosen))
    with Path(path).open("wb") as file:
        np.savez_compressed(
            file,
            amplitude=maps.amplitude.astype(np.float16),
            delay_s=maps.delay_s.astype(np.float16),
            labels=maps.labels,
            mask_frames=np.array([i for i, _ in chosen], np.int32),
            masks=np.stack([mask for _, mask in chosen]),
        )
