"""What live readings give and refuse: of one mean colour, and of up to 16 patches, which can be asked for more.

    python bench/live_gate.py FOLDER [--every 2]

FOLDER holds recordings as `bench/phantom_matrix.py make --set report` leaves them. A reading looks at the first 12 s.
Wrong is a rate that is off by more than 3 bpm, or any where there is no pulse.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from results import save

from mesh.live import MOST_PATCHES
from ppg.live import reading
from ppg.patches import FEWEST
from ppg.signals import Signals

SECONDS = 12.0
RIGHT_BPM = 3.0


def truth_of(path: Path) -> float | None:
    """Mean rate of the first seconds, bpm; None without a pulse."""
    known = json.loads(path.with_suffix(".json").read_text())
    if not known["heart_rate"]:
        return None
    rates, time = np.array(known["heart_rate"], np.float64), np.array(known["time_s"])
    return float(rates[time < time[0] + SECONDS].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=2, help="one recording of so many")
    given = parser.parse_args()
    found: dict[str, dict[str, dict[str, int]]] = {
        kind: defaultdict(lambda: {"recordings": 0, "given": 0, "wrong": 0}) for kind in ("one_colour", "patches")
    }
    for path in sorted(given.folder.glob("*.signals"))[:: given.every]:
        signals = Signals.from_bytes(path.read_bytes())
        if len(signals.patches) < FEWEST:
            continue
        inside = signals.patch_time_s < signals.patch_time_s[0] + SECONDS
        largest = np.argsort(-signals.patch_counts)[:MOST_PATCHES]
        patches = signals.patches[largest].transpose(2, 0, 1)[inside]
        truth = truth_of(path)
        known = np.isfinite(patches)
        total = np.where(known, patches, 0.0).sum(axis=1, keepdims=True)
        number = known.sum(axis=1, keepdims=True)
        mean = np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
        for kind, seen in (("one_colour", mean), ("patches", patches)):
            rate = reading(signals.patch_time_s[inside], seen).heart_rate.value
            count = found[kind][path.stem.rpartition("-")[0]]
            count["recordings"] += 1
            if rate is not None:
                count["given"] += 1
                count["wrong"] += truth is None or abs(rate - truth) > RIGHT_BPM
    figures: dict[str, Any] = {"seconds": SECONDS}
    for kind, strata in found.items():
        figures[kind] = {
            name: sum(count[name] for count in strata.values()) for name in ("recordings", "given", "wrong")
        } | {"strata": dict(strata)}
    save("live_gate", figures)


if __name__ == "__main__":
    main()
