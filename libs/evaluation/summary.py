"""Figures of an evaluation, over all and by condition, as they are printed and saved."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.metrics import Agreement, Estimate, agreement, upper_bound
from evaluation.reference import TOLERANCES
from evaluation.windows import Row

QUANTITIES = tuple(TOLERANCES)
_DIGITS = 4


@dataclass(frozen=True)
class FalseAnswers:
    """Heart rates of recordings without a pulse.

    Attributes
    ----------
    windows, answered : int
    recordings, answered_recordings : int
        The same of whole recordings: one with any number counts as answered.
    upper_bound : float or None
        One-sided 95 % limit of the part of recordings, 0-1.
    """

    windows: int
    answered: int
    recordings: int
    answered_recordings: int
    upper_bound: float | None


def agree(rows: Sequence[Row], quantity: str, cluster_by: Callable[[Row], str] | None = None) -> Agreement:
    """Agreement of one quantity over the rows that have a truth; errors are at the level of subjects.

    Parameters
    ----------
    rows : sequence of Row
    quantity : str
    cluster_by : callable, optional
        What is independent; the row's subject if not given.
    """
    mine = [row for row in rows if row.quantity == quantity and math.isfinite(row.truth)]
    of = cluster_by or (lambda row: row.subject)
    _, cluster = np.unique(np.array([of(row) for row in mine], dtype=str), return_inverse=True)
    columns = {
        name: np.array([getattr(row, name) for row in mine], np.float64)
        for name in ("truth", "value", "low", "high", "snr_db")
    }
    return agreement(
        columns["truth"], columns["value"], columns["low"], columns["high"], cluster.astype(np.int64),
        TOLERANCES.get(quantity, math.inf), columns["snr_db"],
    )  # fmt: skip


def false_answers(rows: Iterable[Row]) -> FalseAnswers | None:
    """How often a heart rate was given where there is no pulse; None if there are no such recordings."""
    mine = [row for row in rows if row.pulseless and row.quantity == "heart_rate"]
    if not mine:
        return None
    recordings = {row.recording for row in mine}
    answered = {row.recording for row in mine if row.answered}
    return FalseAnswers(
        len(mine),
        sum(row.answered for row in mine),
        len(recordings),
        len(answered),
        round(upper_bound(len(answered), len(recordings)), 5),
    )


def refusals(rows: Iterable[Row], quantity: str = "heart_rate") -> dict[str, int]:
    """Causes of refusals and how often each was named, most frequent first. A cause is what precedes the colon."""
    counts: dict[str, int] = {}
    for row in rows:
        if row.quantity == quantity and not row.answered:
            cause = row.reason.split(":")[0].split(";")[0].strip()
            counts[cause] = counts.get(cause, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def figures(found: Agreement) -> dict[str, Any]:
    """An agreement for JSON: null where a figure is not defined, standard errors beside the figures."""
    estimates = found.estimates()
    return {
        **{name: _rounded(one.value) for name, one in estimates.items()},
        "n": found.n,
        "windows": found.windows,
        "clusters": found.clusters,
        "standard_error": {name: _rounded(one.standard_error) for name, one in estimates.items()},
    }


def metrics(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Figures of every quantity that has a truth anywhere; of heart rate always."""
    known = {row.quantity for row in rows if math.isfinite(row.truth)} | {"heart_rate"}
    return {quantity: figures(agree(rows, quantity)) for quantity in QUANTITIES if quantity in known}


def by_condition(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, Any]]]:
    """Figures for each value of each condition, and of the skin tone: condition, value, quantity."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    names = list(dict.fromkeys(name for row in rows for name in row.conditions))
    readers: dict[str, Callable[[Row], str | None]] = {"skin_tone": lambda row: row.skin_tone}
    readers |= {name: (lambda row, key=name: row.conditions.get(key)) for name in names}
    for name, reader in readers.items():
        values = sorted({value for row in rows if (value := reader(row)) is not None})
        if values:
            found[name] = {value: metrics([row for row in rows if reader(row) == value]) for value in values}
    return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def table(rows: Sequence[Row]) -> str:
    """The figures as text: a line for each quantity, then for each condition; errors in brackets."""
    head = ("", "n", "MAE", "RMSE = A_rms", "MAPE %", "r", "bias", "limits", "coverage %", "interval %", "SNR dB")
    lines: list[tuple[str, ...]] = [head]
    known = {row.quantity for row in rows if math.isfinite(row.truth)}
    for quantity in QUANTITIES:
        if quantity not in known:
            continue
        lines.append(_line(f"{quantity}", agree(rows, quantity)))
    names = list(dict.fromkeys(name for row in rows for name in row.conditions))
    groups: list[tuple[str, list[Row]]] = []
    for tone in sorted({row.skin_tone for row in rows if row.skin_tone is not None}):
        groups.append((f"  skin tone {tone}", [row for row in rows if row.skin_tone == tone]))
    for name in names:
        for value in sorted({row.conditions[name] for row in rows if name in row.conditions}):
            groups.append((f"  {name} {value}", [row for row in rows if row.conditions.get(name) == value]))
    lines += [_line(label, found) for label, mine in groups if (found := agree(mine, "heart_rate")).windows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = "\n".join(
        line[0].ljust(widths[0]) + "".join("  " + cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))
        for line in lines
    )  # fmt: skip
    negatives = false_answers(rows)
    if negatives is not None:
        text += (
            f"\nwithout a pulse: a number in {negatives.answered} of {negatives.windows} windows, "
            f"{negatives.answered_recordings} of {negatives.recordings} recordings"
        )
    causes = refusals(rows)
    if causes:
        text += "\nrefused: " + ", ".join(f"{cause} ({count})" for cause, count in causes.items())
    return text


def _line(label: str, found: Agreement) -> tuple[str, ...]:
    return (
        label,
        f"{found.n}/{found.windows}",
        _cell(found.mae),
        _cell(found.rmse),
        _cell(found.mape),
        _cell(found.r, 3),
        _cell(found.bias),
        f"{_number(found.limit_low.value)} to {_number(found.limit_high.value)}",
        _cell(found.coverage, 1, 100),
        _cell(found.interval_coverage, 1, 100),
        _cell(found.snr_db, 1),
    )


def _cell(one: Estimate, digits: int = 2, scale: float = 1) -> str:
    if one.value is None:
        return "-"
    error = "" if one.standard_error is None else f" ({one.standard_error * scale:.{digits}f})"
    return f"{one.value * scale:.{digits}f}{error}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
