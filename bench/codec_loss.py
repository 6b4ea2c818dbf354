"""What the codec costs: the still, clear recordings of the phantom matrix as they were coded, and without loss.

    python bench/codec_loss.py [--set report] [--cache DIR] [--lossless DIR] [--most 112] [--processes 2]

CACHE holds the set as `bench/phantom_matrix.py make` leaves it. The same recordings are rendered again with CRF 0,
their signals kept in the other folder (it resumes), and windows of 10 s of both are measured. The figures go to
bench/results/codec_loss.json.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from matrix_design import SETS, Case, design
from phantom_matrix import WINDOW_S, Work, be_nice, default_cache, made, make_one, measure_all, of
from results import save

from evaluation.metrics import Estimate
from evaluation.summary import agree
from evaluation.windows import Row

STRATUM = "clear"


def figures(rows: list[Row]) -> dict[str, Any]:
    """Coverage and error with standard errors over clips, and why windows were refused."""
    found = agree(rows, "heart_rate")

    def said(estimate: Estimate, digits: int) -> dict[str, float | None]:
        value, error = estimate.value, estimate.standard_error
        return {
            "value": None if value is None else round(value, digits),
            "standard_error": None if error is None else round(error, digits),
        }

    return {
        "windows": found.windows,
        "clips": found.clusters,
        "coverage": said(found.coverage, 4),
        "a_rms_bpm": said(found.a_rms, 3),
        "refused": dict(Counter(re.split("[:;]", row.reason)[0] for row in rows if not row.answered)),
    }


def measured(cache: Path, cases: Sequence[Case], processes: int) -> list[Row]:
    """Rows of these recordings alone."""
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            for path in cache.glob(f"{case.name}.*"):
                (Path(folder) / path.name).symlink_to(path.resolve())
        return of(measure_all(Path(folder), processes), STRATUM)


def main() -> None:
    """Render, measure and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", dest="name", choices=SETS, default="report")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--lossless", type=Path)
    parser.add_argument("--most", type=int, help="of the set's recordings, in its own mixed order")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    cache = given.cache or default_cache(given.name)
    lossless = given.lossless or default_cache(f"{given.name}-lossless")
    lossless.mkdir(parents=True, exist_ok=True)
    cases = [replace(c, settings={**c.settings, "crf": 0}) for c in design(given.name) if c.stratum == STRATUM][
        : given.most
    ]
    todo = [Work(case, lossless, extract=True, keep=False) for case in cases if not made(case, lossless, True)]
    with multiprocessing.get_context("spawn").Pool(given.processes, be_nice, maxtasksperchild=40) as pool:
        for number, (done, took, error) in enumerate(pool.imap_unordered(make_one, todo), 1):
            print(f"{number} of {len(todo)} {done} {took:.1f} s {error}", flush=True)
    coded, free = (measured(folder, cases, given.processes) for folder in (cache, lossless))
    save(
        "codec_loss",
        {
            "set": given.name,
            "stratum": STRATUM,
            "window_s": WINDOW_S,
            "coded": figures(coded),
            "lossless": figures(free),
        },
    )


if __name__ == "__main__":
    main()
