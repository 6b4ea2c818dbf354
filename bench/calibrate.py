"""Fits the gates and the intervals of the heart rate to synthetic recordings whose answer is known.

python bench/calibrate.py FOLDER [--write] [--windows FILE] [--processes 2]

FOLDER holds `<name>.signals` and `<name>.json`, as `bench/phantom_matrix.py make --set calibration` leaves them;
`bench/pristine.py` adds what no codec has touched. Each model is judged on recordings that it was not fitted to (five
folds); the constants are then fitted to all. `--write` puts them into services/ppg/calibration.py; the report goes to
bench/results/calibration.json.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pristine import COUNT, pristine
from results import save
from sklearn.linear_model import LogisticRegression, QuantileRegressor
from sklearn.model_selection import GroupKFold

from mesh.parameters import Parameters
from ppg.candidates import FEATURES
from ppg.gate import Gate, terms
from ppg.interval import shares
from ppg.measure import ask
from ppg.quality import contested, doubted, rival
from ppg.signals import Signals

Floats = NDArray[np.float64]

# what a picture shows; and what a bare trace does
PICTURE = FEATURES
TRACE = ("snr_db", "dominance_db", "consistency", "fit", "log_rate", "log_seconds", "double_db", "half_db")
THRESHOLDS = {"picture": 0.92, "trace": 0.86}  # of traces: one in a hundred is wrong
RIGHT_BPM = 3.0
NO_TRACES = ("wall", "lamp", "object", "pristine", "lifeless")  # strata; some of the last two are under a lamp
STRENGTH = 0.3  # of the data against the prior that weights are small
SPANS = ((0, 10), (10, 20), (20, 30), (0, 5.5), (5, 10.5), (0, 31))  # s
TARGET = Path(__file__).parents[1] / "services" / "ppg" / "calibration.py"


@dataclass(frozen=True)
class Window:
    """Candidates of one window: signs, rates and deviations (bpm); truth in bpm, NaN without a pulse."""

    name: str
    stratum: str
    lamp: bool
    seconds: float
    truth: float
    signs: Floats
    rates: Floats
    deviations: Floats


def windows(source: Path | int) -> list[Window]:
    """All windows of one recording: of a file, or of a seed of `pristine`."""
    if isinstance(source, int):
        (signals, truth), name = pristine(source), f"pristine-{source:03d}"
    else:
        signals, name = Signals.from_bytes(source.read_bytes()), source.stem
        truth = json.loads(source.with_suffix(".json").read_text())
    time = np.array(truth["time_s"])
    rate = np.array([np.nan if one is None else one for one in truth["heart_rate"] or [None]], np.float64)
    found = []
    for start, end in SPANS:
        if end > signals.duration_s + 0.2:
            continue
        inside = (time >= start) & (time < end)
        asked = ask(signals.between(start, end), Parameters())
        if asked is None or not asked.candidates:
            continue
        found.append(
            Window(
                name=name,
                stratum=truth["stratum"],
                lamp=truth["condition"]["light"] == "lamp",
                seconds=end - start,
                truth=float(rate[inside].mean()) if len(rate) == len(time) else np.nan,
                signs=np.array([[one.evidence[name] for name in FEATURES] for one in asked.candidates]),
                rates=np.array([60 * one.mean.hz for one in asked.candidates]),
                deviations=np.array([60 * one.mean.deviation_hz for one in asked.candidates]),
            )
        )
    return found


def fit(
    names: tuple[str, ...], signs: Floats, right: NDArray[np.bool_], threshold: float, products: bool = True
) -> Gate:
    """A gate fitted to candidates that are right or not; without an interval."""
    mine = signs[:, [FEATURES.index(name) for name in names]]
    lowest, highest = np.quantile(mine, [0.005, 0.995], axis=0)
    clipped = np.clip(mine, lowest, highest)
    centre, scale = clipped.mean(axis=0), np.maximum(clipped.std(axis=0), 1e-6)
    found = terms((clipped - centre) / scale, products)
    size = np.maximum(found.std(axis=0), 1e-6)  # the prior is for terms of one size
    model = LogisticRegression(C=STRENGTH, max_iter=5000).fit(found / size, right)
    lists = (lowest, highest, centre, scale, model.coef_[0] / size)
    return Gate(names, *(tuple(float(f"{one:.6g}") for one in row) for row in lists),
                float(model.intercept_[0]), threshold, (0.0, 0.0, 0.0, 0.0), products)  # fmt: skip


def probabilities(gate: Gate, signs: Floats) -> Floats:
    """Of each row, as `ppg.quality.probability` has it."""
    found = gate.probabilities(signs[:, [FEATURES.index(name) for name in gate.signs]])
    return doubted(found, signs[:, FEATURES.index("double_db")])


def interval(rates: Floats, deviations: Floats, trust: Floats, errors: Floats) -> tuple[float, float, float, float]:
    """The 0.9 quantile of |error| in Hz as a line in deviation, doubt and rate."""
    regressors = np.stack([deviations, 1 - trust, rates], axis=1)
    model = QuantileRegressor(quantile=0.9, alpha=0.0, solver="highs").fit(regressors, np.abs(errors))
    one, two, three, four = (float(f"{value:.6g}") for value in (model.intercept_, *model.coef_))
    return one, two, three, four


def chosen(found: list[Window], trust: list[Floats]) -> tuple[Floats, Floats, Floats, Floats]:
    """Of each window: highest probability; rate, deviation and error of the candidates that agree with it, in bpm."""
    p, rate, deviation = [], [], []
    for one, own in zip(found, trust, strict=True):
        order = np.argsort(-own, kind="stable")
        share = shares(one.rates[order] / 60, one.deviations[order] / 60, own[order])
        p.append(contested(own[order[0]], rival(one.rates[order] / 60, own[order])))
        rate.append(float(share @ one.rates[order]))
        deviation.append(float(share[share > 0] @ one.deviations[order][share > 0]))
    truth = np.array([one.truth for one in found])
    return np.array(p), np.array(rate), np.array(deviation), np.array(rate) - truth


def calibrate(
    found: list[Window], names: tuple[str, ...], threshold: float, products: bool = True
) -> tuple[Gate, dict[str, Any]]:
    """The gate fitted to all windows, and what five folds say of it."""
    signs = np.concatenate([one.signs for one in found])
    right = np.concatenate([np.abs(one.rates - one.truth) <= RIGHT_BPM for one in found])
    owner = np.repeat(np.arange(len(found)), [len(one.rates) for one in found])
    recordings = sorted({one.name for one in found})
    group = np.array([recordings.index(found[k].name) for k in owner])
    trust = np.zeros(len(signs))
    for train, test in GroupKFold(5).split(signs, right, group):
        trust[test] = probabilities(fit(names, signs[train], right[train], threshold, products), signs[test])
    p, rate, deviation, error = chosen(found, [trust[owner == k] for k in range(len(found))])
    answered = (p >= threshold) & np.isfinite(error)
    line = interval(rate[answered] / 60, deviation[answered] / 60, p[answered], error[answered] / 60)
    gate = replace(fit(names, signs, right, threshold, products), interval=line)
    width = 60 * np.array([gate.half_width(d / 60, one, r / 60) for d, one, r in zip(deviation, p, rate, strict=True)])
    return gate, judge(found, p, error, width, threshold)


def judge(found: list[Window], p: Floats, error: Floats, width: Floats, threshold: float) -> dict[str, Any]:
    """Risk against coverage, and per stratum of windows of 10 s what the threshold gives."""
    stratum = np.array([one.stratum for one in found])
    seconds = np.array([one.seconds for one in found])
    ten, alive = seconds == 10, np.isfinite(error)
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
    for level in (0.5, 0.7, 0.8, 0.85, 0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.97):
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
    for length in sorted(set(seconds)):
        mask = (seconds == length) & (p >= threshold)
        lengths[f"{length:g} s"] = {
            "interval_coverage": round(float((np.abs(error) <= width)[mask & alive].mean()), 4),
            "wrong": round(float((np.abs(error) > RIGHT_BPM)[mask & alive].mean()), 4),
            "negatives_answered": int((mask & ~alive).sum()),
        }
    return {"threshold": threshold, "strata": rows, "risk_coverage": curve, "lengths": lengths}


def source(gates: dict[str, Gate], recordings: int, count: int) -> str:
    """services/ppg/calibration.py."""

    def numbers(values: tuple[float, ...]) -> str:
        lines, row = [], "       "
        for value in values:
            item = f" {value:.6g},"
            if len(row) + len(item) > 119:
                lines.append(row)
                row = "       "
            row += item
        return "(\n" + "\n".join([*lines, row]) + "\n    )"

    text = f'''"""Constants of the gates and the intervals of the heart rate.

Made by `python bench/calibrate.py FOLDER --write`, fitted to {count} windows of {recordings} recordings of
`bench/phantom_matrix.py make --set calibration` and of `bench/pristine.py`. What they are is in `ppg.gate`.
"""

from ppg.gate import Gate

# fmt: off
'''
    for name, gate in gates.items():
        text += f"{name.upper()} = Gate(\n    signs=(\n"
        text += "".join(f'        "{sign}",\n' for sign in gate.signs) + "    ),\n"
        for key in ("lowest", "highest", "centre", "scale", "weights"):
            text += f"    {key}={numbers(getattr(gate, key))},\n"
        text += f"    intercept={gate.intercept:.6g},\n    least_probability={gate.least_probability:g},\n"
        text += f"    interval={gate.interval},\n    products={gate.products},\n)\n"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--windows", type=Path, help="keeps what the methods said here, or reads it; for another fit")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    paths = sorted(given.folder.glob("*.signals"))
    if given.windows is not None and given.windows.is_file():
        found = pickle.loads(given.windows.read_bytes())
    else:
        with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
            found = [one for part in pool.imap(windows, [*paths, *range(COUNT)], chunksize=4) for one in part]
        if given.windows is not None:
            given.windows.write_bytes(pickle.dumps(found))
    picture, judged = calibrate(found, PICTURE, THRESHOLDS["picture"])
    # nobody hands in the trace of a lamp as skin's, and nothing in a trace alone tells it from a pulse
    skin = [one for one in found if not one.lamp and one.stratum not in NO_TRACES]
    trace, of_traces = calibrate(skin, TRACE, THRESHOLDS["trace"], products=False)
    report = {"recordings": len(paths), "pristine": COUNT, "windows": len(found), "picture": judged, "trace": of_traces}
    print(json.dumps(report, indent=1))
    save("calibration", report)
    if given.write:
        TARGET.write_text(source({"picture": picture, "trace": trace}, len(paths) + COUNT, len(found)))


if __name__ == "__main__":
    main()
