"""What a synthetic recording shows, and how it is filmed and coded."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Scene = Literal[
    "ellipse", "face", "forearm", "hand", "wrist",
    "wall", "mannequin", "photo", "photo_waved", "lamp", "object",
]  # fmt: skip
Motion = Literal["still", "rotation10", "rotation30", "reorient", "tremor", "talking", "crossing"]

NEGATIVES: frozenset[str] = frozenset({"wall", "mannequin", "photo", "photo_waved", "lamp", "object"})
HEADS: frozenset[str] = frozenset({"face", "mannequin"})  # scenes with a head that can turn and talk
_OF_A_HEAD = frozenset({"rotation10", "rotation30", "reorient", "talking"})


def _setting(default: Any, text: str, unit: str | None = None, **bounds: Any) -> Any:
    return Field(default=default, description=text, json_schema_extra={"unit": unit} if unit else None, **bounds)


class PhantomSettings(BaseModel):
    """Settings of a synthetic recording: who or what is seen, how blood, breath and body move, light, camera, file.

    The same settings always give the same frames. The defaults are a slowly moving ellipse of pulsing skin before a
    wall, the scene of quick tests. `amplitude=0` keeps everything but the pulse; the scenes `wall`, `mannequin`,
    `photo`, `photo_waved`, `lamp` and `object` never have one. docs/phantom.md says where each part comes from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seconds: float = _setting(20.0, "Length", "s", gt=0, le=3600)
    fps: float = _setting(30.0, "Mean frame rate", "1/s", ge=1, le=240)
    width: int = _setting(640, "Stored width", "px", ge=16, le=4096, multiple_of=2)
    height: int = _setting(480, "Stored height", "px", ge=16, le=4096, multiple_of=2)
    seed: int = _setting(0, "Seed of texture, noise, motion, variability and jitter", ge=0)
    scene: Scene = _setting(
        "ellipse", "What is seen: ellipse, face, forearm, hand, wrist; or, without a pulse, wall, mannequin, photo, "
        "photo_waved (by hand), lamp (flickering on a wall), object (of the colour of skin)",
    )  # fmt: skip

    # --- the heart
    heart_rate: float = _setting(72.0, "Heart rate at the start", "1/min", ge=20, le=300)
    heart_rate_end: float | None = _setting(
        None, "Heart rate at the end; constant if not given", "1/min", ge=20, le=300
    )
    heart_rate_change: Literal["ramp", "step"] = _setting("ramp", "How the rate gets there: a ramp, or a step half-way")
    sdnn: float = _setting(0.0, "Standard deviation of the intervals between beats", "ms", ge=0, le=200)
    rmssd: float | None = _setting(None, "Root mean square of successive differences", "ms", ge=0, le=300)
    lf_hf: float | None = _setting(
        None, "Power of the intervals at 0.04-0.15 Hz over that at 0.15-0.4 Hz; 1 if sdnn alone is given",
        ge=0, le=100,
    )  # fmt: skip
    respiratory_arrhythmia: float | None = _setting(
        None, "Largest change of an interval with the breath", "ms", ge=0, le=200
    )
    premature_beats: float = _setting(0.0, "Part of the beats that come early, with a pause after them", ge=0, le=0.2)
    amplitude: float = _setting(
        0.008, "Amplitude of the fundamental in green in parts of its mean, over the skin (cameras see 0.002-0.015); "
        "red has 0.33/0.77 of it, blue 0.53/0.77; with skin_tone, on light skin",
        ge=0, le=0.05,
    )  # fmt: skip
    pulse_shape: Literal["harmonics", "waves"] = _setting(
        "harmonics", "Shape of a beat: two harmonics, or a systolic and a diastolic wave"
    )
    second_harmonic: float = _setting(
        0.29, "Of the shape harmonics: amplitude of the second in parts of the fundamental", ge=0, le=1
    )
    diastolic_wave: float = _setting(
        0.45, "Of the shape waves: height of the diastolic wave in parts of the systolic", ge=0, le=1
    )

    # --- the breath
    breathing_rate: float = _setting(15.0, "Breathing rate at the start", "1/min", ge=4, le=40)
    breathing_rate_end: float | None = _setting(
        None, "Breathing rate at the end of a ramp; constant if not given", "1/min", ge=4, le=40
    )
    breathing_motion: float = _setting(
        0.006, "Rise of chest and shoulders in parts of the height of the picture", ge=0, le=0.1
    )
    breathing_amplitude: float = _setting(
        0.0, "Change of the pulse's amplitude with the breath, relative", ge=0, le=0.9
    )
    breathing_baseline: float = _setting(
        0.0, "Change of the blood's baseline with the breath, in parts of the pulse's amplitude", ge=0, le=5
    )

    # --- the scene
    skin_tone: int | None = _setting(
        None, "Fitzpatrick type, 1 light to 6 dark: colour and strength of the pulse follow from melanin", ge=1, le=6
    )
    skin_rgb: tuple[float, float, float] = _setting(
        (196.0, 144.0, 120.0), "Mean R, G, B of the skin, 0-255, where skin_tone is not given"
    )
    further_heart_rates: tuple[float, ...] = _setting(
        (), "Heart rates of further people in the scene face, one a person", "1/min", max_length=3
    )
    further_skin_tones: tuple[int, ...] = _setting(
        (), "Skin tones of the further people; like the first person's where not given", max_length=3
    )
    spatial: bool = _setting(True, "Amplitude and delay of the pulse differ over the skin (but for the ellipse)")
    texture: float = _setting(0.06, "Standard deviation of the texture, relative", ge=0, le=0.5)
    motion: Motion | float = _setting(
        1.5, "Largest excursion of a slow sway in px; or still, rotation10 or rotation30 (head, degrees/s over 120 "
        "degrees), reorient (head, every second, in steps of 20 degrees), tremor, talking, "
        "crossing (the people on the left and on the right change places half-way, the nearer before the farther)",
    )  # fmt: skip
    walking_speed: float = _setting(
        120.0, "Speed at which people walk who change places; a slow walk takes up the whole recording", "px/s",
        ge=5, le=1000,
    )  # fmt: skip

    # --- the light
    exposure: float = _setting(
        1.0, "Exposure: skin is too dark far below 1; above, R, G and B clip at 255 one after the other", gt=0, le=4
    )
    drift: float = _setting(0.01, "Slow change of the light (below 0.1 Hz), relative", ge=0, le=0.3)
    side_light: float = _setting(
        0.12, "How much less light falls on the right edge of the picture than on the left (but for the ellipse): what "
        "moves or turns changes its brightness", ge=0, le=1,
    )  # fmt: skip
    flicker: Literal["none", "mains", "lamp"] = _setting(
        "none", "mains: fast flicker, sampled row by row by a rolling shutter; lamp: all rows alike"
    )
    flicker_hz: float | None = _setting(
        None, "Frequency of the light; if not given 100 for mains, 1.4 for lamp", "Hz", gt=0, le=1000
    )
    flicker_depth: float = _setting(0.01, "Amplitude of the flicker, relative", ge=0, le=0.5)
    exposure_step: float = _setting(0.0, "Change of exposure, up and down in turn, relative", ge=0, le=0.5)
    white_balance_step: float = _setting(
        0.0, "Change of red up and blue down, and back, in turn, relative", ge=0, le=0.3
    )
    step_seconds: float = _setting(4.0, "Time from one step of exposure or white balance to the next", "s", gt=0)

    # --- the camera
    read_noise: float = _setting(1.0, "Standard deviation that does not depend on the light", "levels", ge=0, le=50)
    shot_noise: float = _setting(
        1.5, "Standard deviation of photon noise at level 255; follows its root", "levels", ge=0, le=50
    )
    blur: float = _setting(0.0, "Standard deviation of the lens's blur", "px", ge=0, le=20)
    variable_rate: bool = _setting(False, "Jitter every frame's time by up to 0.4 of a frame")
    dropped_frames: float = _setting(0.0, "Part of the frames that never arrive", ge=0, le=0.5)
    matrix: Literal["bt601", "bt709"] = _setting("bt601", "Matrix of Y, U, V")
    full_range: bool = _setting(False, "Y, U, V use 0-255 instead of 16-235/240")
    bit_depth: Literal[8, 10] = _setting(8, "Bits of a sample")

    # --- the file
    codec: Literal["h264", "vp9"] = _setting("h264", "How it is coded")
    crf: int = _setting(18, "Constant rate factor, of x264 (0-51) or VP9 (0-63); 0 is lossless", ge=0, le=63)
    keyframe_interval: int = _setting(60, "Frames from keyframe to keyframe", ge=1, le=100000)
    open_gop: bool = _setting(False, "Let B-frames refer across keyframes")
    b_frames: int = _setting(2, "Most B-frames in a row", ge=0, le=8)
    audio: bool = _setting(False, "Add a track with a short tone at every beat")
    rotation: Literal[0, 90, 180, 270] = _setting(0, "Clockwise turn for display that the file asks for", "deg")

    @property
    def pulsing(self) -> bool:
        """Whether anything in the picture has a pulse."""
        return self.amplitude > 0 and self.scene not in NEGATIVES

    def people(self) -> list[PhantomSettings]:
        """One set of settings a person: heart rate, breath and skin tone differ, the rest is shared."""
        found = [self]
        for number, rate in enumerate(self.further_heart_rates, start=1):
            own: dict[str, Any] = {
                "heart_rate": rate,
                "heart_rate_end": None,
                "breathing_rate": min(self.breathing_rate * (1 + 0.15 * number), 40.0),
                "breathing_rate_end": None,
                "seed": self.seed + 7919 * number,
                "further_heart_rates": (),
                "further_skin_tones": (),
            }
            if number <= len(self.further_skin_tones):
                own["skin_tone"] = self.further_skin_tones[number - 1]
            found.append(self.model_copy(update=own))
        return found

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(not 0 <= level <= 255 for level in self.skin_rgb):
            raise ValueError("skin_rgb must lie in 0-255")
        if self.open_gop and not self.b_frames:
            raise ValueError("open_gop needs b_frames")
        if isinstance(self.motion, float) and not 0 <= self.motion <= 100:
            raise ValueError("motion must be a name or lie in 0-100 px")
        if self.motion in _OF_A_HEAD and self.scene not in HEADS:
            raise ValueError(f"motion {self.motion} needs a scene with a head: {', '.join(sorted(HEADS))}")
        if self.motion == "crossing" and not self.further_heart_rates:
            raise ValueError("motion crossing needs further_heart_rates: two people or more in the scene face")
        if self.codec == "h264" and self.crf > 51:
            raise ValueError("crf of h264 must lie in 0-51")
        if self.codec == "vp9" and (self.open_gop or self.rotation or self.bit_depth != 8):
            raise ValueError("vp9 takes no open_gop, no rotation and 8 bits")
        if self.further_heart_rates and self.scene != "face":
            raise ValueError("further_heart_rates needs scene face")
        if len(self.further_skin_tones) > len(self.further_heart_rates):
            raise ValueError("further_skin_tones has more people than further_heart_rates")
        if any(not 20 <= rate <= 300 for rate in self.further_heart_rates):
            raise ValueError("further_heart_rates must lie in 20-300")
        if any(not 1 <= tone <= 6 for tone in self.further_skin_tones):
            raise ValueError("further_skin_tones must lie in 1-6")
        from phantom.variability import powers  # it needs the settings' type

        for person in self.people():
            powers(person)
        return self
