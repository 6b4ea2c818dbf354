"""Which synthetic recordings the phantom matrix is made of: seeded random draws over all factors, in strata.

A full grid of the factors would have millions of cells; draws at random inside strata that are as large as the claims
about them need give every factor its whole range and every claim its clips. No two sets share a seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

SECONDS = 31.0  # three windows of 10 s and what a camera starts with
NEGATIVE_SECONDS = 11.0
# what was seen in `development` may shape the signs of the gate; nobody looks at `report` before they are fixed
SETS = {"calibration": 1_000_000, "development": 2_000_000, "report": 3_000_000}
WIDTH, HEIGHT = 320, 240

# stratum -> clips of a set. Tasks A to D of DeepMag (Chen, McDuff 2018): still, 10 and 30 degrees/s, re-orientation.
POSITIVES = {
    "clear": 112,  # still, amplitude 0.5-1.5 %, CRF 18-23
    "weak": 36,  # still, amplitude 0.2-0.5 %, CRF 18-23
    "middle": 24,  # still, amplitude 0.5-1.5 %, CRF 24-27
    "compressed": 56,  # still, amplitude 0.2-1.5 %, CRF 28-33
    "rotation10": 32,
    "rotation30": 32,
    "reorient": 32,
    "talking": 16,
    "tremor": 16,
}
NEGATIVES = {"wall": 50, "mannequin": 50, "photo": 50, "photo_waved": 50, "lamp": 50, "object": 50, "pulseless": 30}
TASKS = {"still": "A", "rotation10": "B", "rotation30": "C", "reorient": "D"}
STILL = ("clear", "weak", "middle", "compressed")


@dataclass(frozen=True)
class Case:
    """One recording of the matrix.

    Attributes
    ----------
    name, stratum : str
    settings : dict
        Of `PhantomSettings`. `amplitude` is that wanted on the skin as it is: `phantom_matrix` divides by what the
        skin tone leaves of it.
    condition : dict of str to str
        What figures are given for.
    """

    name: str
    stratum: str
    settings: dict[str, Any]
    condition: dict[str, str] = field(default_factory=dict)


def design(name: str, size: float = 1.0) -> list[Case]:
    """All cases of a set, mixed, so that the first part of them is a fair sample of all.

    Parameters
    ----------
    name : str
        One of `SETS`.
    size : float
        Part of the clips of each stratum, at least one each; for trying out.

    Raises
    ------
    KeyError
        If there is no such set.
    """
    base = SETS[name]
    cases = []
    for stratum, count in {**POSITIVES, **NEGATIVES}.items():
        for number in range(max(round(size * count), 1)):
            seed = base + 1000 * (list({**POSITIVES, **NEGATIVES}).index(stratum) + 1) + number
            cases.append(_case(stratum, f"{stratum}-{number:03d}", seed))
    order = np.random.default_rng(base).permutation(len(cases))
    return [cases[k] for k in order]


def _case(stratum: str, name: str, seed: int) -> Case:
    draw = np.random.default_rng(seed)
    settings: dict[str, Any] = {"seed": seed, "width": WIDTH, "height": HEIGHT}
    settings |= _camera(draw)
    light = _light(draw)
    settings |= light[1]
    settings["skin_tone"] = int(draw.integers(1, 7))
    if stratum in NEGATIVES:
        settings |= _negative(draw, stratum)
        settings["seconds"] = NEGATIVE_SECONDS
    else:
        settings |= _heart(draw)
        settings |= _scene(draw, stratum)
        settings["seconds"] = SECONDS
    return Case(name, stratum, settings, _condition(stratum, light[0], settings))


def _camera(draw: np.random.Generator) -> dict[str, Any]:
    """Frame rate and its jitter, noise, blur, matrix and range."""
    jitter = draw.choice(["even", "jittered", "dropped"], p=[0.65, 0.25, 0.1])
    return {
        "fps": float(draw.choice([24.0, 25.0, 30.0], p=[0.1, 0.15, 0.75])),
        "variable_rate": bool(jitter == "jittered"),
        "dropped_frames": 0.03 if jitter == "dropped" else 0.0,
        "read_noise": round(float(draw.uniform(0.5, 2.0)), 2),
        "shot_noise": round(float(draw.uniform(1.0, 2.5)), 2),
        "blur": round(float(draw.choice([0.0, draw.uniform(0.3, 1.5)])), 2),
        "texture": round(float(draw.uniform(0.02, 0.06)), 3),
        "matrix": str(draw.choice(["bt601", "bt709"])),
        "full_range": bool(draw.random() < 0.3),
        "crf": int(draw.integers(18, 34)),
    }


def _light(draw: np.random.Generator) -> tuple[str, dict[str, Any]]:
    kind = str(draw.choice(["steady", "drifting", "mains", "exposure", "white balance"], p=[0.35, 0.3, 0.15, 0.1, 0.1]))
    values: dict[str, Any] = {"drift": 0.005}
    if kind == "drifting":
        values["drift"] = round(float(draw.uniform(0.02, 0.08)), 3)
    elif kind == "mains":
        values |= {"flicker": "mains", "flicker_hz": float(draw.choice([100.0, 120.0]))}
        values["flicker_depth"] = round(float(draw.uniform(0.005, 0.03)), 4)
    elif kind == "exposure":
        values |= {"exposure_step": round(float(draw.uniform(0.01, 0.06)), 3)}
    elif kind == "white balance":
        values |= {"white_balance_step": round(float(draw.uniform(0.005, 0.03)), 4)}
    if kind in ("exposure", "white balance"):
        values["step_seconds"] = round(float(draw.uniform(7, 14)), 1)
    return kind, values


def _heart(draw: np.random.Generator) -> dict[str, Any]:
    """Rate over the whole range, its change, variability and the breath."""
    rate = float(draw.uniform(42, 110) if draw.random() < 0.65 else draw.uniform(110, 210))
    values: dict[str, Any] = {"heart_rate": round(rate, 1)}
    change = draw.choice(["none", "ramp", "step"], p=[0.75, 0.2, 0.05])
    if change != "none":
        end = rate * (1 + float(draw.choice([-1, 1]) * draw.uniform(0.05, 0.15)))
        values |= {"heart_rate_end": round(float(np.clip(end, 40, 220)), 1), "heart_rate_change": str(change)}
    # variability falls with the rate: a part of the interval, not a time
    interval_ms = 60_000 / rate
    values["sdnn"] = round(float(draw.uniform(0.005, 0.05)) * interval_ms, 1)
    values["lf_hf"] = round(float(np.exp(draw.uniform(np.log(0.5), np.log(4)))), 2)
    values["breathing_rate"] = round(float(draw.uniform(9.1, 23.9)), 1)
    values["breathing_amplitude"] = round(float(draw.uniform(0, 0.3)), 2)
    values["breathing_baseline"] = round(float(draw.uniform(0, 0.8)), 2)
    values["pulse_shape"] = str(draw.choice(["harmonics", "waves"]))
    return values


def _scene(draw: np.random.Generator, stratum: str) -> dict[str, Any]:
    values: dict[str, Any] = {"amplitude": round(float(draw.uniform(0.005, 0.015)), 5)}
    if stratum in STILL:
        values |= {"motion": "still", "scene": str(draw.choice(["face", "forearm", "hand"], p=[0.7, 0.15, 0.15]))}
        values["crf"] = int(draw.integers(18, 24))
    else:
        scene = str(draw.choice(["face", "forearm", "hand"])) if stratum == "tremor" else "face"
        values |= {"motion": stratum, "scene": scene}
    if stratum == "weak":
        values["amplitude"] = round(float(draw.uniform(0.002, 0.005)), 5)
    elif stratum == "middle":
        values["crf"] = int(draw.integers(24, 28))
    elif stratum == "compressed":
        values["amplitude"] = round(float(draw.uniform(0.002, 0.015)), 5)
        values["crf"] = int(draw.integers(28, 34))
    return values


def _negative(draw: np.random.Generator, stratum: str) -> dict[str, Any]:
    """Nothing here pulses; breath, motion, light and noise are as everywhere else."""
    values: dict[str, Any] = {"scene": stratum, "motion": "still"}
    if stratum == "pulseless":  # everything of a person but the pulse
        motion = str(draw.choice(["still", "still", "rotation10", "reorient", "talking", "tremor"]))
        values |= {"scene": "face", "amplitude": 0.0, "motion": motion}
    elif stratum == "mannequin":
        values["motion"] = str(draw.choice(["still", "still", "rotation10", "rotation30", "reorient"]))
    elif stratum == "lamp":
        values |= {"flicker": "lamp", "flicker_hz": round(float(draw.uniform(0.7, 3.0)), 3)}
        values["flicker_depth"] = round(float(draw.uniform(0.003, 0.03)), 4)
    if stratum in ("wall", "object", "photo", "photo_waved") and draw.random() < 0.3:  # a lamp that flickers on it
        values |= {"flicker": "lamp", "flicker_hz": round(float(draw.uniform(0.7, 3.0)), 3)}
        values["flicker_depth"] = round(float(draw.uniform(0.003, 0.03)), 4)
    return values


def _condition(stratum: str, light: str, settings: dict[str, Any]) -> dict[str, str]:
    found = {
        "stratum": stratum,
        "scene": settings["scene"],
        "motion": str(settings["motion"]),
        "light": "lamp" if settings.get("flicker") == "lamp" else light,
        "skin_tone": str(settings["skin_tone"]),
        "crf": _class(settings["crf"], (18, 24, 28, 34), lambda low, high: f"{low}-{high - 1}"),
        "frame_times": "jittered" if settings["variable_rate"] else "dropped" if settings["dropped_frames"] else "even",
    }
    if stratum in POSITIVES:
        found["task"] = TASKS.get(str(settings["motion"]), "other")
        found["amplitude"] = "0.5 % and more" if settings["amplitude"] >= 0.005 else "below 0.5 %"
        found["rate"] = _class(settings["heart_rate"], (40, 60, 90, 130, 221), lambda low, high: f"{low}-{high}")
        found["rate_change"] = settings.get("heart_rate_change", "none")
    return found


def _class(value: float, edges: tuple[int, ...], label: Any) -> str:
    for low, high in pairwise(edges):
        if low <= value < high:
            return str(label(low, high))
    raise ValueError(f"{value} lies outside {edges}")
