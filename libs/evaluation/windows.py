"""Windows of recordings: what was measured in each, and what is true of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from evaluation.errors import EvaluationError
from evaluation.reference import Reference
from mesh.contracts import Measurement

LEAST_SECONDS = 5.0  # of the shortest measurement


@dataclass(frozen=True)
class Span:
    """From when to when, s."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Measured:
    """What was measured in one window.

    Attributes
    ----------
    measurements : mapping of str to Measurement
    snr_db : float
        Of the pulse wave against the true rate; NaN where unknown.
    """

    measurements: Mapping[str, Measurement]
    snr_db: float = math.nan


@dataclass(frozen=True)
class Row:
    """One quantity in one window of one recording.

    Attributes
    ----------
    recording, subject, quantity, unit : str
    start_s, end_s : float
    truth : float
        NaN where nothing is known, or there is nothing to measure.
    pulseless : bool
        There is certainly no pulse: a heart rate is an error.
    value, low, high, confidence : float
        NaN where refused.
    reason : str
        Of a refusal.
    snr_db : float
    conditions : dict of str to str
    skin_tone : str or None
    """

    recording: str
    subject: str
    quantity: str
    unit: str
    start_s: float
    end_s: float
    truth: float
    pulseless: bool
    value: float
    low: float
    high: float
    confidence: float
    reason: str
    snr_db: float = math.nan
    conditions: Mapping[str, str] = field(default_factory=dict)
    skin_tone: str | None = None

    @property
    def answered(self) -> bool:
        """Whether a number was given."""
        return math.isfinite(self.value)


def spans(duration_s: float, window_s: float) -> list[Span]:
    """Windows one after the other from the start; what is left at the end is not used.

    Parameters
    ----------
    duration_s : float
    window_s : float
        0 for the whole recording. A recording that is shorter than a window is one window.

    Raises
    ------
    EvaluationError
        If windows are shorter than any measurement.
    """
    if window_s and window_s < LEAST_SECONDS:
        raise EvaluationError(f"a window of {window_s:g} s is too short: {LEAST_SECONDS:g} s at least, 0 for all")
    # a last frame's length may be missing at the end of the last window
    count = math.floor(duration_s / window_s + 0.02) if window_s else 0
    if not count:
        return [Span(0.0, duration_s)] if duration_s > 0 else []
    return [Span(k * window_s, (k + 1) * window_s) for k in range(count)]


def rows(recording: str, subject: str, reference: Reference, span: Span, measured: Measured,
         conditions: Mapping[str, str], skin_tone: str | None) -> Iterator[Row]:  # fmt: skip
    """A row for every quantity that is measured or known in the window."""
    truths = reference.truths(span.start_s, span.end_s)
    for quantity in dict.fromkeys([*truths, *measured.measurements]):
        found = measured.measurements.get(quantity)
        given = found is not None and found.status == "ok"
        yield Row(
            recording,
            subject,
            quantity,
            found.unit if found is not None else "",
            span.start_s,
            span.end_s,
            truths.get(quantity, math.nan),
            reference.pulseless,
            _float(found.value) if found is not None and given else math.nan,
            _float(found.low) if found is not None and given else math.nan,
            _float(found.high) if found is not None and given else math.nan,
            _float(found.confidence) if found is not None and given else math.nan,
            "" if given else (found.reason or "refused") if found is not None else "not measured",
            measured.snr_db if quantity == "heart_rate" else math.nan,
            conditions,
            skin_tone,
        )


def _float(value: float | None) -> float:
    return math.nan if value is None else value
