"""Parameters of a job: units, ranges and presets, in one schema that the API, the command and the page share."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Preset = Literal[
    "default", "facehr", "lossless",
    "evm-face", "evm-face2", "evm-baby2",
    "evm-baby", "evm-wrist", "evm-subway", "evm-shadow", "evm-camera", "evm-face2-motion",
]  # fmt: skip
MOTION = frozenset({"eulerian-motion", "phase", "acceleration"})  # methods that magnify movement
COLOUR_FIELDS = frozenset({"patch", "eulerian-colour", "acceleration-colour"})  # methods that filter a field of colour


def _released(gain: float, level: int, low_hz: float, high_hz: float) -> dict[str, Any]:
    return {
        "magnify": "eulerian-colour",
        "gain": gain,
        "pyramid_level": level,
        "magnify_low_hz": low_hz,
        "magnify_high_hz": high_hz,
        "temporal_filter": "ideal",
        "region": "picture",
    }


def _released_motion(
    gain: float, lambda_c: float, chrom_attenuation: float, band_hz: tuple[float, float] | None = None
) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "magnify": "eulerian-motion",
        "gain": gain,
        "lambda_c": lambda_c,
        "chrom_attenuation": chrom_attenuation,
    }
    if band_hz is None:
        return {**chosen, "temporal_filter": "iir"}
    return {**chosen, "temporal_filter": "butterworth", "magnify_low_hz": band_hz[0], "magnify_high_hz": band_hz[1]}


PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    # The form of faceHR (ajsteele, 2022), for comparison: key on the single frame, cascaded zero-padded moving
    # averages, the white mean, the normalised signal times 10000 on U and V alike.
    "facehr": {
        "segmenter": "chroma",
        "key": "per_frame",
        "chroma_similarity": 100.0,
        "filter": "moving_average",
        "method": "white",
        "magnify": "facehr",
    },
    # Decoded pixels of the output are exactly what was computed: for tests and for further processing.
    "lossless": {"lossless": True},
    # Colour clips of Wu et al. 2012 as their `reproduceResults.m` (2012-09-10) has them, over the whole picture. The
    # gain is true here; with compat=2012 it is theirs.
    "evm-face": _released(50, 4, 50 / 60, 60 / 60),
    "evm-face2": _released(50, 6, 50 / 60, 60 / 60),
    "evm-baby2": _released(150, 6, 140 / 60, 160 / 60),
    # Its motion clips.
    "evm-baby": _released_motion(10, 16, 0.1),
    "evm-wrist": _released_motion(10, 16, 0.1),
    "evm-subway": _released_motion(60, 90, 0.3, (3.6, 6.2)),
    "evm-shadow": _released_motion(5, 48, 0, (0.5, 10)),
    "evm-camera": _released_motion(150, 20, 0, (45, 100)),
    "evm-face2-motion": _released_motion(20, 80, 0, (0.5, 10)),
}


def _by_method(given: dict[str, Any]) -> dict[str, Any]:
    """Defaults that depend on the method."""
    magnify, released = given.get("magnify", "uniform"), given.get("compat", "none") != "none"
    colour = magnify == "eulerian-colour"
    found: dict[str, Any] = {
        "luma": magnify not in ("uniform", "facehr", "none"),
        "band": "rate" if magnify == "patch" else "fixed",
        "region": "picture" if magnify in MOTION or (colour and released) else "skin",
        "temporal_filter": "ideal" if colour and released else "fir",
    }
    if magnify in MOTION:
        found["gain"] = 8.0 if magnify == "acceleration" else 10.0
    if magnify == "eulerian-motion":
        found |= {"chrom_attenuation": 0.1, "temporal_filter": "iir" if released else "fir"}
    return found


class Parameters(BaseModel):
    """What a user can set. A preset fills what is not given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: Preset = Field(default="default", description="Fills every parameter that is not given")

    # --- split
    chunk_seconds: float = Field(
        default=5.0, ge=0.2, le=60, description="Length of a chunk, the unit of parallel work; never changes a result",
        json_schema_extra={"unit": "s"},
    )  # fmt: skip
    capture_fps: float | None = Field(
        default=None, gt=0, le=1000,
        description="Rate at which a slow-motion file was really captured; the file's own time stamps if not given",
        json_schema_extra={"unit": "1/s"},
    )  # fmt: skip

    # --- skin
    segmenter: Literal["auto", "chroma", "face", "sam3"] = Field(
        default="auto",
        description="How skin is found: by its colour, by the landmarks of faces, by SAM 3 (a GPU and its weights), or "
        "what fits best of these",
    )
    skin_point: tuple[float, float] | tuple[float, float, float] | None = Field(
        default=None,
        description="x, y[, time]: a point on skin in the picture as shown, origin top left; its colour is the key. "
        "With face and sam3 it picks the face or the piece of skin that is meant",
        json_schema_extra={"unit": "px, px, s"},
    )  # fmt: skip
    skin_box: tuple[float, float, float, float] | tuple[float, float, float, float, float] | None = Field(
        default=None,
        description="x0, y0, x1, y1[, time]: a box around the one that is meant, in the picture as shown (face, sam3)",
        json_schema_extra={"unit": "px, px, px, px, s"},
    )  # fmt: skip
    skin_chroma: tuple[float, float] | None = Field(
        default=None, description="U, V of skin as OpenCV's YUV has them, 0-255: the key itself",
    )  # fmt: skip
    chroma_similarity: float | None = Field(
        default=None, gt=0, le=20000,
        description="Largest squared distance (U-U0)^2 + (V-V0)^2 from the key that counts as skin, OpenCV's U, V; "
        "if not given 100 for a key that the user names, fitted to the colours of the clip for one that is found",
    )  # fmt: skip
    key: Literal["steady", "per_frame"] = Field(
        default="steady",
        description="Decide skin on chroma averaged over +-1 s (steady: the mask ignores the pulse) or on each frame",
    )  # fmt: skip
    prompt: str = Field(
        default="skin", min_length=1, max_length=80,
        description="What SAM 3 looks for, a short noun phrase; Full Face gives a face without eyes and mouth",
    )  # fmt: skip
    sam3_mask: Literal["semantic", "instances"] = Field(
        default="semantic", description="Skin is SAM 3's one mask of the prompt, or the union of its instances"
    )
    sam3_score: float = Field(default=0.5, ge=0, le=1, description="SAM 3 drops an instance of less")
    sam3_instances: int = Field(default=8, ge=1, le=255, description="Most instances that SAM 3 finds in a picture")
    sam3_cell_s: float = Field(
        default=1.0, ge=0.2, le=10, description="SAM 3 sees one picture in so long where nothing moves",
        json_schema_extra={"unit": "s"},
    )  # fmt: skip
    sam3_keyframes: int = Field(default=4, ge=1, le=32, description="… and at most so many where something moves")

    # --- trace
    patch_size: int | None = Field(
        default=None, ge=8, le=512, description="Side of a patch; chosen so that there are at most 64 if not given",
        json_schema_extra={"unit": "px"},
    )  # fmt: skip

    # --- pulse
    filter: Literal["butterworth", "fir", "moving_average"] = Field(
        default="butterworth", description="Band-pass of the pulse; all have zero phase"
    )
    band_low_hz: float = Field(
        default=0.6, ge=0.1, le=10, description="Lower edge of the band", json_schema_extra={"unit": "Hz"}
    )
    band_high_hz: float = Field(
        default=4.0, ge=0.2, le=20, description="Upper edge of the band", json_schema_extra={"unit": "Hz"}
    )
    n_bg_ma: int = Field(
        default=90, ge=2, le=2000, description="Window of the moving average that is taken away (moving_average only)",
        json_schema_extra={"unit": "frames"},
    )  # fmt: skip
    n_smooth_ma: int = Field(
        default=6, ge=1, le=500, description="Window of the moving average that smooths (moving_average only)",
        json_schema_extra={"unit": "frames"},
    )  # fmt: skip
    n_bg_s: float | None = Field(
        default=None, ge=0.05, le=60, description="n_bg_ma in seconds, whatever the frame rate; goes before it",
        json_schema_extra={"unit": "s"},
    )  # fmt: skip
    n_smooth_s: float | None = Field(
        default=None, ge=0, le=15, description="n_smooth_ma in seconds, whatever the frame rate; goes before it",
        json_schema_extra={"unit": "s"},
    )  # fmt: skip
    detrend: Literal["none", "smoothness_priors"] = Field(
        default="none", description="Takes slow changes of the colour away before the method and the band-pass"
    )
    detrend_hz: float = Field(
        default=0.3, ge=0.01, le=2, description="Cut-off (-3 dB) of the detrending (smoothness_priors only)",
        json_schema_extra={"unit": "Hz"},
    )  # fmt: skip
    method: Literal["pos", "chrom", "green", "lgi", "omit", "pbv", "ica", "white"] = Field(
        default="pos", description="How R, G and B become one pulse wave"
    )
    rate: Literal["fit", "welch", "fft", "beats"] = Field(
        default="fit",
        description="How the heart rate is read: fit of a wave whose rate wanders, Welch's windows, one spectrum of "
        "the whole clip, or beats",
    )
    rate_window_s: float = Field(
        default=256 / 30, ge=5, le=60,
        description="Sliding window of the heart rate; the whole clip where that is shorter",
        json_schema_extra={"unit": "s"},
    )  # fmt: skip
    rate_hop_s: float = Field(
        default=1.0, ge=0.2, le=60, description="From one sliding window of the heart rate to the next",
        json_schema_extra={"unit": "s"},
    )  # fmt: skip
    stress: bool = Field(
        default=False, description="Give an indication of stress from SDNN and LF/HF; needs 55 s; no diagnosis"
    )
    stress_sdnn_ms: float = Field(
        default=34.0, gt=0, le=500, description="SDNN below which stress is indicated", json_schema_extra={"unit": "ms"}
    )
    stress_lf_hf: float = Field(default=5.4, gt=0, le=100, description="LF/HF above which stress is indicated")
    spo2: bool = Field(
        default=False, description="Experimental: oxygen saturation; a number only with spo2_a and spo2_b of your own"
    )
    spo2_a: float | None = Field(
        default=None, ge=0, le=200, description="SpO2 = A - B R: the A of your own calibration of camera and light",
        json_schema_extra={"unit": "%"},
    )  # fmt: skip
    spo2_b: float | None = Field(
        default=None, ge=-200, le=200, description="SpO2 = A - B R: the B of your own calibration",
        json_schema_extra={"unit": "%"},
    )  # fmt: skip

    # --- field, segment
    magnify: Literal[
        "uniform", "patch", "eulerian-colour", "acceleration-colour",
        "eulerian-motion", "phase", "acceleration", "facehr", "none",
    ] = Field(
        default="uniform",
        description="How the pulse is made visible: one pulse for all skin; each patch its own; colour over a "
        "pyramid's level (Wu 2012) or its acceleration (Zhang 2017); motion (Wu 2012), its phase (Wadhwa 2013) or "
        "acceleration (Zhang 2017); none writes no magnified clip",
    )  # fmt: skip
    gain: float = Field(
        default=50.0, ge=-1, le=1000,
        description="A pulse of a levels becomes (1 + gain) a; -1 removes it. The alpha of the Eulerian methods and of "
        "motion, where 10 (acceleration: 8) is the default",
    )  # fmt: skip
    luma: bool = Field(
        default=False,
        description="Magnify brightness too; colour alone does not flicker. If not given: not with uniform, else yes",
    )
    region: Literal["skin", "picture"] = Field(
        default="skin", description="Where: on skin, or on the whole picture as Wu 2012 (the default of compat=2012)"
    )
    magnify_patch: int = Field(
        default=16, ge=2, le=256, multiple_of=2,
        description="Side of the patches that have a pulse of their own (patch only); 2 is one chroma sample",
        json_schema_extra={"unit": "px"},
    )  # fmt: skip
    pyramid_level: int = Field(
        default=4, ge=2, le=8,
        description="Level of the Gaussian pyramid, 2^level px wide samples (eulerian-colour, acceleration-colour)",
    )  # fmt: skip
    band: Literal["fixed", "rate"] = Field(
        default="fixed",
        description="What of the field's changes is magnified: a fixed band, or what follows the measured heart beat "
        "(patch, if not given; the fixed band where the rate is refused)",
    )  # fmt: skip
    magnify_low_hz: float | None = Field(
        default=None, ge=0.05, le=500, description="Lower edge of the fixed band; band_low_hz if not given",
        json_schema_extra={"unit": "Hz"},
    )  # fmt: skip
    magnify_high_hz: float | None = Field(
        default=None, ge=0.1, le=500, description="Upper edge of the fixed band; band_high_hz if not given",
        json_schema_extra={"unit": "Hz"},
    )  # fmt: skip
    temporal_filter: Literal["fir", "butterworth", "ideal", "iir"] = Field(
        default="fir",
        description="Filter of the fixed band: windowed sinc over +-2.5 s, Butterworth (zero-phase; with "
        "eulerian-motion two causal low-passes), whole bins of the clip's spectrum (ideal: colour, clips up to 120 s), "
        "or the difference of two running averages (iir: eulerian-motion)",
    )  # fmt: skip
    iir_r1: float = Field(default=0.4, gt=0, le=1, description="Weight of a new frame in the faster average (iir)")
    iir_r2: float = Field(default=0.05, gt=0, le=1, description="Weight of a new frame in the slower average (iir)")
    lambda_c: float = Field(
        default=16.0, ge=2, le=4096,
        description="Spatial wavelength below which movement is magnified less (eulerian-motion)",
        json_schema_extra={"unit": "px"},
    )  # fmt: skip
    pyramid: Literal["octave", "half_octave"] = Field(
        default="octave",
        description="Bandwidth of the steerable pyramid (phase, acceleration): half an octave lets movement grow to "
        "twice as much, in twice the time",
    )
    attenuate_others: bool = Field(
        default=False, description="Hold still what moves outside the band, within +-2.5 s (phase)"
    )
    chrom_attenuation: float = Field(
        default=1.0, ge=0, le=1,
        description="Part of the gain that U and V get (eulerian-colour; eulerian-motion, 0.1 if not given); 0 leaves "
        "colour where it is (phase, acceleration)",
    )  # fmt: skip
    compat: Literal["none", "2012"] = Field(
        default="none",
        description="2012: as the code released with Wu et al. did, faults and all (docs/magnification.md)",
    )  # fmt: skip
    layout: Literal["magnified", "side_by_side"] = Field(
        default="magnified", description="side_by_side shows the clip at the left and what became of it at the right"
    )
    facehr_delta: float = Field(default=1.0, gt=0, le=100, description="Peak of the normalised signal (facehr only)")
    facehr_multiplier: float = Field(
        default=10000.0, gt=0, le=1e6, description="Levels per unit of the normalised signal (facehr only)"
    )
    crf: int = Field(default=18, ge=0, le=40, description="Quality of the magnified clip, x264's constant rate factor")
    lossless: bool = Field(default=False, description="Write the magnified clip without loss")

    # --- map, maps, overlay
    maps: bool = Field(default=True, description="Map amplitude, delay, rate and quality of the pulse over the skin")
    map_cell: Literal[2, 4, 8, 16, 32] | None = Field(
        default=None,
        description="Side of a cell of the maps; 2 is one chroma sample. If not given the smallest of which the "
        "picture has at most 20,000",
        json_schema_extra={"unit": "px"},
    )  # fmt: skip
    map_delay: Literal["lockin", "hilbert", "correlation", "spectrum"] = Field(
        default="lockin",
        description="How delays are measured: lock-in in every cell, or Hilbert transform, cross-correlation or "
        "cross-spectrum on patches of 16 px",
    )  # fmt: skip
    overlay: bool = Field(default=True, description="Write overlay.mp4, the pulse's map over the moving picture")

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        filled = {**PRESETS.get(given.get("preset", "default"), {}), **given}
        return {**_by_method(filled), **filled}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.band_low_hz >= self.band_high_hz:
            raise ValueError("band_low_hz must be below band_high_hz")
        low, high = self.magnify_band_hz
        if low >= high:
            raise ValueError(
                f"the band of the magnification is empty: magnify_low_hz ({low:g}) must be below magnify_high_hz "
                f"({high:g})"
            )
        if self.compat == "2012" and self.magnify not in ("eulerian-colour", "eulerian-motion"):
            raise ValueError("compat=2012 needs magnify eulerian-colour or eulerian-motion")
        if self.temporal_filter == "iir" and self.magnify != "eulerian-motion":
            raise ValueError("temporal_filter=iir needs magnify=eulerian-motion")
        if self.magnify == "eulerian-motion" and self.temporal_filter == "ideal":
            raise ValueError("eulerian-motion has no temporal_filter=ideal: use fir, butterworth or iir")
        if self.magnify in ("phase", "acceleration") and self.temporal_filter != "fir":
            raise ValueError(f"magnify={self.magnify} needs temporal_filter=fir")
        if self.magnify == "eulerian-motion" and self.compat == "2012" and self.temporal_filter == "fir":
            raise ValueError("the code of 2012 has no temporal_filter=fir: use iir or butterworth, or compat=none")
        if self.iir_r1 <= self.iir_r2:
            raise ValueError("iir_r1 must be above iir_r2")
        if self.n_smooth_ma >= self.n_bg_ma:
            raise ValueError("n_smooth_ma must be below n_bg_ma")
        if self.n_bg_s is not None and self.n_smooth_s is not None and self.n_smooth_s >= self.n_bg_s:
            raise ValueError("n_smooth_s must be below n_bg_s")
        if self.skin_point is not None and self.skin_chroma is not None:
            raise ValueError("give skin_point or skin_chroma, not both")
        if self.skin_box is not None and (self.skin_point is not None or self.skin_chroma is not None):
            raise ValueError("give skin_box, or skin_point, or skin_chroma, not two of them")
        if self.skin_box is not None and self.segmenter not in ("face", "sam3"):
            raise ValueError("skin_box needs segmenter face or sam3")
        if self.skin_chroma is not None and self.segmenter in ("face", "sam3"):
            raise ValueError("skin_chroma needs segmenter auto or chroma")
        if not self.prompt.strip():
            raise ValueError("prompt is empty: name what to find, e.g. skin")
        return self

    @property
    def magnify_band_hz(self) -> tuple[float, float]:
        """Edges of the fixed band of the magnification."""
        low = self.band_low_hz if self.magnify_low_hz is None else self.magnify_low_hz
        high = self.band_high_hz if self.magnify_high_hz is None else self.magnify_high_hz
        return low, high
