"""Fits the gate and the interval of the heart rate to synthetic recordings whose answer is known.

python bench/calibrate.py FOLDER [--write] [--processes 2]

FOLDER holds `<name>.signals` and `<name>.json`, as `bench/phantom_matrix.py make --set calibration` leaves them. The
model is judged on recordings that it was not fitted to (five folds); the constants are then fitted to all. `--write`
puts them into services/ppg/calibration.py; the report goes to bench/results/calibration.json.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from results import save
from sklearn.linear_model import LogisticRegression, QuantileRegressor
from sklearn.model_selection import GroupKFold

from mesh.parameters import Parameters
from ppg.measure import ask
from ppg.quality import HALF_RATE_DB, terms
from ppg.signals import Signals

Floats = NDArray[np.float64]

SIGNS = (
    "snr_db", "dominance_db", "others_db", "agreeing", "patches_green", "patches_colour", "colour_db", "colour_phase",
    "fit", "log_rate", "log_seconds", "log_bits", "motion", "double_db",
)  # fmt: skip
RIGHT_BPM = 3.0
STRENGTH = 0.03  # of the data against the prior that weights are small
SPANS = ((0, 10), (10, 20), (20, 30), (0, 5.5), (5, 10.5), (0, 31))  # s
TARGET = __file__.replace("bench/calibrate.py", "services/ppg/calibration.py")


@dataclass(frozen=True)
class Window:
    """Candidates of one window: signs, rates and deviations (bpm); truth in bpm, NaN without a pulse."""

    name: str
    stratum: str
    seconds: float
    truth: float
    signs: Floats
    rates: Floats
    deviations: Floats


def windows(path: Path) -> list[Window]:
    """All windows of one recording."""
    signals = Signals.from_bytes(path.read_bytes())
    truth = json.loads(path.with_suffix(".json").read_text())
    time = np.array(truth["time_s"])
    rate = np.array([np.nan if one is None else one for one in truth["heart_rate"] or [None]], np.float64)
    found = []
    for start, end in SPANS:
        if end > signals.duration_s + 0.2:
            continue
        part = signals.between(start, end)
        inside = (time >= start) & (time < end)
        asked = ask(part, Parameters())
        mean = float(rate[inside].mean()) if len(rate) == len(time) else np.nan
        if asked is not None and asked.candidates:
            found.append(
                Window(
                    path.stem, truth["stratum"], end - start, mean,
                    np.array([[one.evidence[name] for name in SIGNS] for one in asked.candidates]),
                    np.array([60 * one.mean.hz for one in asked.candidates]),
                    np.array([60 * one.mean.deviation_hz for one in asked.candidates]),
                )
            )  # fmt: skip
    return found


@dataclass(frozen=True)
class Model:
    """The logistic regression."""

    limits: Floats
    centre: Floats
    scale: Floats
    weights: Floats
    intercept: float

    def probability(self, signs: Floats) -> Floats:
        """Of each row."""
        return np.asarray(1 / (1 + np.exp(-np.clip(self.intercept + self.terms(signs) @ self.weights, -50, 50))))

    def terms(self, signs: Floats) -> Floats:
        """What the weights are for."""
        return terms((np.clip(signs, *self.limits) - self.centre) / self.scale)


def fit(signs: Floats, right: NDArray[np.bool_]) -> Model:
    """Fit to candidates that are right or not."""
    limits = np.quantile(signs, [0.005, 0.995], axis=0)
    clipped = np.clip(signs, *limits)
    scale = np.maximum(clipped.std(axis=0), 1e-6)
    start = Model(limits, clipped.mean(axis=0), scale, np.zeros(0), 0.0)
    found = start.terms(signs)
    # the prior is for terms of one size
    size = np.maximum(found.std(axis=0), 1e-6)
    model = LogisticRegression(C=STRENGTH, max_iter=5000).fit(found / size, right)
    return Model(limits, start.centre, scale, model.coef_[0] / size, float(model.intercept_[0]))


def interval(rates: Floats, deviations: Floats, trust: Floats, errors: Floats) -> Floats:
    """The 0.9 quantile of |error| in Hz as a line in deviation, doubt and rate."""
    regressors = np.stack([deviations, 1 - trust, rates], axis=1)
    model = QuantileRegressor(quantile=0.9, alpha=0.0, solver="highs").fit(regressors, np.abs(errors))
    return np.array([model.intercept_, *model.coef_])


def chosen(all_windows: list[Window], trust: list[Floats]) -> tuple[Floats, Floats, Floats, Floats]:
    """Of each window: probability, rate, deviation and error of the candidate that is most likely right."""
    best = [int(one.argmax()) for one in trust]
    p = np.array([one[k] for one, k in zip(trust, best, strict=True)])
    rate = np.array([one.rates[k] for one, k in zip(all_windows, best, strict=True)])
    deviation = np.array([one.deviations[k] for one, k in zip(all_windows, best, strict=True)])
    return p, rate, deviation, rate - np.array([one.truth for one in all_windows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threshold", type=float, default=0.9)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    paths = sorted(given.folder.glob("*.signals"))
    with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
        found = [one for part in pool.imap(windows, paths, chunksize=4) for one in part]
    signs = np.concatenate([one.signs for one in found])
    right = np.concatenate([np.abs(one.rates - one.truth) <= RIGHT_BPM for one in found])
    owner = np.repeat(np.arange(len(found)), [len(one.rates) for one in found])
    names = sorted({one.name for one in found})
    group = np.array([names.index(found[k].name) for k in owner])
    trust = np.zeros(len(signs))
    for train, test in GroupKFold(5).split(signs, right, group):
        trust[test] = fit(signs[train], right[train]).probability(signs[test])
    trust = np.where(signs[:, SIGNS.index("double_db")] > HALF_RATE_DB, np.minimum(trust, 0.5), trust)
    parts = [trust[owner == k] for k in range(len(found))]
    p, rate, deviation, error = chosen(found, parts)
    answered = (p >= given.threshold) & np.isfinite(error)
    line = interval(rate[answered] / 60, deviation[answered] / 60, p[answered], error[answered] / 60)
    width = 60 * (line[0] + line[1] * deviation / 60 + line[2] * (1 - p) + line[3] * rate / 60)
    report = judge(found, p, error, width, given.threshold)
    print(json.dumps(report, indent=1))
    save("calibration", report)
    if given.write:
        write(fit(signs, right), line, given.threshold, len(paths), len(found))


def judge(found: list[Window], p: Floats, error: Floats, width: Floats, threshold: float) -> dict[str, Any]:
    """Risk against coverage, and per stratum of windows of 10 s what the threshold gives."""
    stratum = np.array([one.stratum for one in found])
    ten = np.array([one.seconds == 10 for one in found])
    alive = np.isfinite(error)
    rows: dict[str, Any] = {}
    for name in sorted(set(stratum)):
        mask = (stratum == name) & ten
        answered = mask & (p >= threshold)
        rows[name] = {"windows": int(mask.sum()), "coverage": round(float((p[mask] >= threshold).mean()), 4)}
        if (answered & alive).any():
            rows[name] |= {
                "a_rms_bpm": round(float(np.sqrt((error[answered] ** 2).mean())), 3),
                "wrong": int((np.abs(error[answered]) > RIGHT_BPM).sum()),
                "interval_coverage": round(float((np.abs(error) <= width)[answered].mean()), 4),
            }
    curve = []
    for level in (0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97):
        mask = ten & alive & (p >= level)
        curve.append({
            "threshold": level,
            "coverage": round(float((p[ten & alive] >= level).mean()), 4),
            "coverage_clear": round(float((p[ten & (stratum == "clear")] >= level).mean()), 4),
            "wrong": round(float((np.abs(error[mask]) > RIGHT_BPM).mean()), 4) if mask.any() else None,
            "a_rms_bpm": round(float(np.sqrt((error[mask] ** 2).mean())), 3) if mask.any() else None,
            "negatives_answered": round(float((p[ten & ~alive] >= level).mean()), 4),
        })  # fmt: skip
    lengths = {}
    for seconds in sorted({one.seconds for one in found}):
        mask = (np.array([one.seconds for one in found]) == seconds) & (p >= threshold)
        lengths[f"{seconds:g} s"] = {
            "interval_coverage": round(float((np.abs(error) <= width)[mask & alive].mean()), 4),
            "wrong": round(float((np.abs(error) > RIGHT_BPM)[mask & alive].mean()), 4),
            "negatives_answered": int((mask & ~alive).sum()),
        }
    return {"threshold": threshold, "strata": rows, "risk_coverage": curve, "lengths": lengths}


def write(model: Model, line: Floats, threshold: float, recordings: int, count: int) -> None:
    """services/ppg/calibration.py."""

    def numbers(name: str, values: Floats) -> str:
        body = ", ".join(f"{value:.6g}" for value in values)
        lines, row = [], "   "
        for item in body.split(", "):
            if len(row) + len(item) > 115:
                lines.append(row)
                row = "   "
            row += f" {item},"
        return f"{name} = (\n" + "\n".join([*lines, row]) + "\n)  # fmt: skip\n"

    made = f"Made by `python bench/calibrate.py FOLDER --write`, fitted to {count} windows of {recordings} recordings"
    names = "".join(f'    "{name}",\n' for name in SIGNS)
    limits = numbers("LOWEST", model.limits[0]) + numbers("HIGHEST", model.limits[1])
    Path(TARGET).write_text(
        f'''"""Constants of the gate and the interval of the heart rate.

{made}
of `bench/phantom_matrix.py make --set calibration`. What they are is in `ppg.quality`.
"""

SIGNS = (
{names})
{limits}LIMITS = (LOWEST, HIGHEST)
{numbers("CENTRE", model.centre)}{numbers("SCALE", model.scale)}{numbers("WEIGHTS", model.weights)}'''
        f"INTERCEPT = {model.intercept:.6g}\n"
        f"LEAST_PROBABILITY = {threshold:g}\n"
        f"# Hz: constant, per Hz of the fit's deviation, per unit of doubt, per Hz of the rate\n"
        f"INTERVAL = ({', '.join(f'{value:.6g}' for value in line)})\n"
    )


if __name__ == "__main__":
    main()
