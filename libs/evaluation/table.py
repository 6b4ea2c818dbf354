"""The figures of an evaluation as text, standard errors in brackets."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evaluation.metrics import Agreement, Estimate
from evaluation.summary import QUANTITIES, agree, false_answers, groups, refusals
from evaluation.windows import Row

HEAD = ("", "n", "MAE", "RMSE = A_rms", "MAPE %", "r", "bias", "limits", "coverage %", "interval %", "SNR dB")


def table(rows: Sequence[Row]) -> str:
    """A line for each quantity, then one of the heart rate for each skin tone and condition.

    `n` is answered windows of those with a truth; under the lines, what was answered where there is no pulse, and
    the causes of refusals.
    """
    known = {row.quantity for row in rows if math.isfinite(row.truth)}
    lines = [HEAD] + [_line(quantity, agree(rows, quantity)) for quantity in QUANTITIES if quantity in known]
    parts = [(f"  {name} {value}", agree(mine, "heart_rate")) for name, value, mine in groups(rows)]
    lines += [_line(label, found) for label, found in parts if found.windows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    text = [
        "  ".join(cell.rjust(width) if column else cell.ljust(width)
                  for column, (cell, width) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    ]  # fmt: skip
    negatives = false_answers(rows)
    if negatives is not None:
        text.append(
            f"without a pulse: a number in {negatives.answered} of {negatives.windows} windows, "
            f"{negatives.answered_recordings} of {negatives.recordings} recordings"
        )
    causes = refusals(rows)
    if causes:
        text.append("refused: " + ", ".join(f"{cause} ({count})" for cause, count in causes.items()))
    return "\n".join(text)


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
