"""What is true of a synthetic recording, as JSON."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from phantom.scene import SIGNATURE, black_level, pulse_color, skin_ellipse, stored_color
from phantom.settings import PhantomSettings
from phantom.light import light
from phantom.motion import displacement
from phantom.wave import TICKS, beats, blood_volume, frame_ticks, heart_phase, heart_rate


class Truth(BaseModel):
    """The answer. Lists named per frame run over `time_s`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings: PhantomSettings
    time_s: list[float] = Field(description="Time of every frame in seconds")
    beats_s: list[float] = Field(description="Times at which the blood volume's fundamental peaks; none without pulse")
    heart_rate: list[float] | None = Field(description="Per frame, 1/min; null without pulse")
    blood_volume: list[float] = Field(description="Per frame: the wave, unit fundamental; colour follows its negative")
    light: list[float] = Field(description="Per frame: light on the scene, 1 without drift")
    ellipses: list[tuple[float, float, float, float]] = Field(
        description="Per frame: the skin as x, y of the centre and semi-axes along x and y, luma pixels of the "
        "stored picture, pixel centres at whole numbers"
    )
    amplitude_rgb: tuple[float, float, float] = Field(
        description="Amplitude of the fundamental in R, G, B in parts of the skin's mean"
    )
    skin_rgb: tuple[float, float, float] = Field(description="Mean R, G, B of the skin at light 1, 0-255")
    skin_yuv: tuple[float, float, float] = Field(description="The same in stored levels")
    pulse_yuv: tuple[float, float, float] = Field(description="Stored levels that one unit of blood volume adds")


def truth_of(settings: PhantomSettings) -> Truth:
    """The truth of the recording that `settings` describe; computed, never measured."""
    time_s = frame_ticks(settings) / TICKS
    pulsing = settings.amplitude > 0
    ellipse, moved = skin_ellipse(settings), displacement(settings, time_s)
    relative = settings.amplitude * np.array(SIGNATURE) / SIGNATURE[1]
    skin = stored_color(settings, np.array(settings.skin_rgb)) + np.array([black_level(settings), 128.0, 128.0])
    blood = blood_volume(settings, heart_phase(settings, time_s)) if pulsing else np.zeros(len(time_s))
    return Truth(
        settings=settings,
        time_s=time_s.tolist(),
        beats_s=beats(settings).tolist() if pulsing else [],
        heart_rate=heart_rate(settings, time_s).tolist() if pulsing else None,
        blood_volume=blood.tolist(),
        light=light(settings, time_s).tolist(),
        ellipses=[(ellipse.x + x, ellipse.y + y, ellipse.a, ellipse.b) for x, y in moved.tolist()],
        amplitude_rgb=_triple(relative),
        skin_rgb=settings.skin_rgb,
        skin_yuv=_triple(skin),
        pulse_yuv=_triple(pulse_color(settings)),
    )


def _triple(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
