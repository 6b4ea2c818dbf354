"""Figures of an evaluation, over all and by condition, as they are printed and saved."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.metrics import Agreement, agreement, upper_bound
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


def groups(rows: Sequence[Row]) -> list[tuple[str, str, list[Row]]]:
    """The rows of each skin tone and of each value of each condition: condition, value, rows."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        tone = {} if row.skin_tone is None else {"skin_tone": row.skin_tone}
        for name, value in {**tone, **row.conditions}.items():
            found.setdefault((name, value), []).append(row)
    order = {name: place for place, name in enumerate(dict.fromkeys(name for name, _ in found))}
    return [(*key, found[key]) for key in sorted(found, key=lambda key: (order[key[0]], key[1]))]


def by_condition(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, Any]]]:
    """Figures by condition, value and quantity; the skin tone is a condition like others."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, value, mine in groups(rows):
        found.setdefault(name, {})[value] = metrics(mine)
    return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
