"""The phantom matrix: hundreds of synthetic recordings over every factor, measured in windows of 10 s.

    python bench/phantom_matrix.py make [--set calibration|development|report] [--cache DIR]  renders, extracts; resumes
    python bench/phantom_matrix.py report [--set report] [--cache DIR]    measures; bench/results/phantom_matrix.json

`make` keeps of each recording its signals (`<name>.signals`, or `<name>.noskin` where no skin was found) and its truth
(`<name>.json`); clips are deleted after use. With --keep-clips they stay, and --again extracts the signals of those
that stayed anew; `render` renders only. Thresholds and intervals are calibrated on one set and reported on the other.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matrix_design import HEIGHT, NEGATIVES, POSITIVES, SETS, STILL, WIDTH, Case, design
from results import save

from evaluation.datasets.phantom import PHANTOM, read
from evaluation.extraction import signals_of_clip
from evaluation.measurer import installed
from evaluation.metrics import interval_coverage, jackknife, upper_bound
from evaluation.run import Local
from evaluation.summary import agree, false_answers, figures, refusals
from evaluation.windows import Row, rows
from mesh.errors import Failure
from mesh.parameters import Parameters
from phantom import PhantomSettings, truth_of, write

WINDOW_S = 10.0
PROCESSES = 2
CONDITIONS = ("stratum", "task", "motion", "scene", "light", "amplitude", "crf", "frame_times", "rate", "rate_change")
KEPT = ("time_s", "heart_rate", "beats_s", "amplitude_rgb")
KEPT_OF_PERSON = ("breathing_rate", "sdnn_ms", "rmssd_ms")
TARGET = {
    "a_rms_still_bpm": 1.0, "a_rms_moving_bpm": 3.0, "coverage_clear": 0.95, "wrong_compressed": 0.01,
    "interval_coverage": (0.87, 0.93), "negatives_without_a_number": 0.99, "clips": 300, "windows": 1000,
}  # fmt: skip


def default_cache(name: str) -> Path:
    """Under the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pulsemesh" / "phantom-matrix" / name


# --- make


def settings_of(case: Case) -> PhantomSettings:
    """The phantom's settings; the amplitude becomes what it must be for the skin tone to leave the wanted one."""
    wanted = float(case.settings.get("amplitude", 0.008))
    if not wanted:
        return PhantomSettings(**case.settings)
    left = truth_of(PhantomSettings(**{**case.settings, "seconds": 1.0})).amplitude_rgb[1] / wanted
    return PhantomSettings(**{**case.settings, "amplitude": min(wanted / left, 0.05) if left > 0 else wanted})


@dataclass(frozen=True)
class Work:
    """One case to be made in `cache`."""

    case: Case
    cache: Path
    extract: bool
    keep: bool


def make_one(work: Work) -> tuple[str, float, str]:
    """Render a case, extract its signals, keep both with the truth; name, seconds that it took, what went wrong."""
    start = time.perf_counter()
    name = work.case.name
    clip, beside = work.cache / f"{name}.mp4", work.cache / f"{name}.json"
    if not (clip.is_file() and beside.is_file()):
        _put(beside, render_one(work.case, clip))
    if work.extract:
        try:
            found = signals_of_clip(clip, Parameters(), installed(), workers=1)
        except Failure as error:  # the others go on; it stays to be made
            return name, time.perf_counter() - start, str(error)
        target = clip.with_suffix(".signals" if found else ".noskin")
        _put(target, found[0].to_bytes() if found else b"")
        if not work.keep:
            clip.unlink()
    return name, time.perf_counter() - start, ""


def render_one(case: Case, clip: Path) -> bytes:
    """Write the clip; what is true of it as JSON."""
    settings = settings_of(case)
    part = clip.with_name(f".{clip.name}")
    truth = write(settings, part).model_dump(mode="json")
    part.replace(clip)
    content = {key: truth[key] for key in KEPT}
    content["people"] = [{key: one[key] for key in KEPT_OF_PERSON} for one in truth["people"]]
    content |= {
        "condition": case.condition,
        "stratum": case.stratum,
        "settings": settings.model_dump(mode="json"),
        "bits_per_pixel": 8 * clip.stat().st_size / (len(truth["time_s"]) * WIDTH * HEIGHT),
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _put(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)


def made(case: Case, cache: Path, extract: bool) -> bool:
    """Whether a case has its truth, and its signals (or its clip)."""
    kept = {suffix: (cache / f"{case.name}{suffix}").is_file() for suffix in (".signals", ".noskin", ".json", ".mp4")}
    return kept[".json"] and (kept[".signals"] or kept[".noskin"] or (kept[".mp4"] and not extract))


def make(given: argparse.Namespace, cache: Path) -> None:
    """Make what is not there yet; with `--again`, signals of clips that were kept anew."""
    cache.mkdir(parents=True, exist_ok=True)
    extract = given.step == "make"
    cases = design(given.name, given.size)
    if given.again:
        for case in cases:
            for suffix in (".signals", ".noskin"):
                (cache / f"{case.name}{suffix}").unlink(missing_ok=True)
    keep = given.keep_clips or not extract
    todo = [Work(case, cache, extract, keep) for case in cases if not made(case, cache, extract)]
    print(f"{len(todo)} clips to make in {cache}", flush=True)
    start = time.perf_counter()
    # a fresh process now and then: what libraries leak must not add up over hundreds of clips
    with multiprocessing.get_context("spawn").Pool(given.processes, be_nice, maxtasksperchild=40) as pool:
        for number, (done, took, error) in enumerate(pool.imap_unordered(make_one, todo), 1):
            passed = time.perf_counter() - start
            rest = passed / number * (len(todo) - number)
            print(f"{number} of {len(todo)} {done} {took:.1f} s {error}, {rest / 60:.1f} min to go", flush=True)


def be_nice() -> None:
    os.nice(5)
    os.environ["OMP_NUM_THREADS"] = "1"


# --- report


def measure_one(path: Path) -> list[Row]:
    """Rows of one kept recording."""
    recording = read(path)
    observe = Local(Parameters())
    return [
        row
        for span, measured in observe(recording, WINDOW_S).windows
        for row in rows(
            recording.name, recording.subject, recording.reference, span, measured, recording.conditions,
            recording.skin_tone,
        )
    ]  # fmt: skip


def measure_all(cache: Path, processes: int) -> list[Row]:
    """Rows of every kept recording, in order."""
    with multiprocessing.get_context("spawn").Pool(processes, be_nice) as pool:
        return [row for found in pool.imap(measure_one, PHANTOM.find(cache), chunksize=8) for row in found]


def of(found: Sequence[Row], *strata: str) -> list[Row]:
    """Rows of heart rate of some strata."""
    return [row for row in found if row.quantity == "heart_rate" and row.conditions["stratum"] in strata]


def targets(found: Sequence[Row]) -> dict[str, Any]:
    """Each claim: the figure, its standard error at the level of clips, the target, and whether it is met."""
    moving = tuple(name for name in POSITIVES if name not in STILL)
    still, moved = agree(of(found, *STILL), "heart_rate"), agree(of(found, *moving), "heart_rate")
    clear = agree(of(found, "clear"), "heart_rate")
    compressed = of(found, "compressed")
    squeezed = agree(compressed, "heart_rate")
    everything = agree(of(found, *POSITIVES), "heart_rate")
    low, high = TARGET["interval_coverage"]
    refused = [row for row in compressed if not row.answered]
    named = sum("compress" in row.reason.split(":")[0] for row in refused)  # the cause, not what else might help
    negatives = false_answers(of(found, *NEGATIVES))
    claims: dict[str, Any] = {
        "clips": {"value": everything.clusters, "target": TARGET["clips"]},
        "windows": {"value": everything.windows, "target": TARGET["windows"]},
        "a_rms_still_bpm": _claim(still.a_rms, TARGET["a_rms_still_bpm"], at_most=True),
        "a_rms_moving_bpm": _claim(moved.a_rms, TARGET["a_rms_moving_bpm"], at_most=True),
        "coverage_clear": _claim(clear.coverage, TARGET["coverage_clear"], at_most=False),
        "wrong_compressed": _claim(squeezed.wrong, TARGET["wrong_compressed"], at_most=True),
        "refusals_that_name_compression": {
            "value": round(named / len(refused), 4) if refused else None, "refused_windows": len(refused),
        },
        "interval_coverage": {
            "value": everything.interval_coverage.value,
            "standard_error": everything.interval_coverage.standard_error,
            "target": [low, high],
            "met": everything.interval_coverage.value is not None and low <= everything.interval_coverage.value <= high,
        },
    }  # fmt: skip
    for name in ("clips", "windows"):
        claims[name]["met"] = claims[name]["value"] >= claims[name]["target"]
    if negatives is not None:
        windows = 1 - negatives.answered / negatives.windows
        clips = 1 - negatives.answered_recordings / negatives.recordings
        claims["negatives_without_a_number"] = {
            "value": round(windows, 5),
            "windows": negatives.windows,
            "clips": negatives.recordings,
            "clips_without_a_number": round(clips, 5),
            "clips_lower_bound": round(1 - upper_bound(negatives.answered_recordings, negatives.recordings), 5),
            "target": TARGET["negatives_without_a_number"],
            "met": min(windows, clips) >= TARGET["negatives_without_a_number"],
        }
    return claims


def _claim(estimate: Any, target: float, at_most: bool) -> dict[str, Any]:
    met = estimate.value is not None and (estimate.value <= target if at_most else estimate.value >= target)
    return {"value": estimate.value, "standard_error": estimate.standard_error, "target": target, "met": met}


def risk_coverage(found: Sequence[Row]) -> list[dict[str, float]]:
    """Were only the most trusted windows answered: A_rms and wrong numbers for a tenth of them, two tenths, ..."""
    mine = [row for row in of(found, *POSITIVES) if np.isfinite(row.truth)]
    answered = sorted((row for row in mine if row.answered), key=lambda row: -row.confidence)
    curve = []
    for part in range(1, 11):
        kept = answered[: round(part / 10 * len(answered))]
        errors = np.array([row.value - row.truth for row in kept])
        if len(errors):
            curve.append(
                {
                    "coverage": round(len(kept) / len(mine), 4),
                    "a_rms_bpm": round(float(np.sqrt(np.mean(errors**2))), 3),
                    "wrong": round(float((np.abs(errors) > 5).mean()), 4),
                    "least_confidence": round(kept[-1].confidence, 3),
                }
            )
    return curve


def intervals_by_confidence(found: Sequence[Row]) -> list[dict[str, Any]]:
    """Does the interval hold the truth as often for the trusted as for the doubtful?"""
    mine = [row for row in of(found, *POSITIVES) if row.answered and np.isfinite(row.truth)]
    mine.sort(key=lambda row: row.confidence)
    groups = []
    for part in np.array_split(np.arange(len(mine)), 5):
        kept = [mine[k] for k in part]
        if kept:
            columns = [np.array([getattr(row, name) for row in kept]) for name in ("truth", "low", "high")]
            _, cluster = np.unique([row.recording for row in kept], return_inverse=True)
            one = jackknife(interval_coverage, cluster, *columns)
            groups.append({"confidence": [round(kept[0].confidence, 3), round(kept[-1].confidence, 3)],
                           "interval_coverage": one.value, "standard_error": one.standard_error})  # fmt: skip
    return groups


def by(found: Sequence[Row], names: Sequence[str], tone: bool = True) -> dict[str, Any]:
    """Figures of the heart rate for each value of each condition, of clips with a pulse."""
    mine = of(found, *POSITIVES)
    readers: dict[str, Callable[[Row], str | None]] = {
        name: (lambda row, key=name: row.conditions.get(key)) for name in names
    }
    if tone:
        readers["skin_tone"] = lambda row: row.skin_tone
    groups: dict[str, Any] = {}
    for name, reader in readers.items():
        values = sorted({value for row in mine if (value := reader(row)) is not None})
        groups[name] = {
            value: _short(figures(agree([row for row in mine if reader(row) == value], "heart_rate")))
            for value in values
        }
    return groups


def _short(all_figures: dict[str, Any]) -> dict[str, Any]:
    wanted = ("mae", "a_rms", "r", "coverage", "interval_coverage", "wrong", "snr_db")
    kept = {name: all_figures[name] for name in wanted}
    errors = {name: all_figures["standard_error"][name] for name in ("a_rms", "coverage", "interval_coverage")}
    return {**kept, "n": all_figures["n"], "windows": all_figures["windows"], "clips": all_figures["clusters"],
            "standard_error": errors}  # fmt: skip


def negatives_by_kind(found: Sequence[Row]) -> dict[str, Any]:
    """Windows and clips in which a number was given, for each kind of negative."""
    kinds = {}
    for kind in NEGATIVES:
        one = false_answers(of(found, kind))
        if one is not None:
            kinds[kind] = {"windows": one.windows, "answered": one.answered, "clips": one.recordings,
                           "answered_clips": one.answered_recordings}  # fmt: skip
    return kinds


def wrong_windows(found: Sequence[Row]) -> Iterator[str]:
    """The worst answers in words, for whoever wants to look at them."""
    mine = [row for row in found if row.quantity == "heart_rate" and row.answered]
    bad = [row for row in mine if row.pulseless or abs(row.value - row.truth) > 5]
    for row in bad:
        yield (
            f"{row.recording} {row.start_s:g} s: {row.value:.1f} ({row.low:.1f}-{row.high:.1f}, confidence "
            f"{row.confidence:.2f}) for {row.truth:.1f}"
        )


def report(name: str, cache: Path, processes: int) -> None:
    """Measure everything and write the figures."""
    start = time.perf_counter()
    found = measure_all(cache, processes)
    took = time.perf_counter() - start
    mine = of(found, *POSITIVES)
    content = {
        "set": name,
        "seeds": f"{SETS[name]} and up",
        "window_s": WINDOW_S,
        "targets": targets(found),
        "heart_rate": figures(agree(mine, "heart_rate")),
        "respiration_rate": figures(agree(found, "respiration_rate")),
        "conditions": by(found, CONDITIONS),
        "risk_coverage": risk_coverage(found),
        "interval_coverage_by_confidence": intervals_by_confidence(found),
        "negatives": negatives_by_kind(found),
        "refusals": {stratum: refusals(of(found, stratum)) for stratum in (*POSITIVES, *NEGATIVES)},
        "wrong": list(wrong_windows(found)),
        "measured_in_s": round(took, 1),
    }  # fmt: skip
    save("phantom_matrix" if name == "report" else f"phantom_matrix_{name}", content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("render", "make", "report"))
    parser.add_argument("--set", choices=tuple(SETS), default="report", dest="name")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--size", type=float, default=1.0, help="part of the clips, for trying out")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--keep-clips", action="store_true", help="do not delete the clips")
    parser.add_argument("--again", action="store_true", help="extract signals again from clips that were kept")
    given = parser.parse_args()
    cache = given.cache or default_cache(given.name)
    if given.step == "report":
        report(given.name, cache, given.processes)
    else:
        make(given, cache)


if __name__ == "__main__":
    main()
