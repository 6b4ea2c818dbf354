"""A dataset from its folder to rows: each recording in windows, measured and compared with what is true."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from evaluation.datasets import items
from evaluation.errors import DatasetError, EvaluationError
from evaluation.extraction import extract
from evaluation.measurer import Measurer, installed
from evaluation.recordings import Dataset, Pictures, Recording, Samples
from evaluation.snr import snr_db
from evaluation.windows import Measured, Row, Span, rows, spans
from mesh.contracts import Measurement
from mesh.errors import Failure
from mesh.parameters import Parameters

WAVE = "pulse"
NO_SKIN = "no skin found"


@dataclass(frozen=True)
class Observed:
    """What a way of measuring found in one recording: its windows, each with what was measured."""

    windows: Sequence[tuple[Span, Measured]]


class Observe(Protocol):
    """A way of measuring a recording in windows of so many seconds."""

    def __call__(self, recording: Recording, window_s: float) -> Observed: ...


@dataclass(frozen=True)
class Local:
    """Measures in this process.

    Attributes
    ----------
    parameters : Parameters
    cache : Path or None
        Where signals from pictures are kept.
    """

    parameters: Parameters
    cache: Path | None = None
    measurer: Measurer = field(default_factory=installed)

    def __call__(self, recording: Recording, window_s: float) -> Observed:
        """Measure every window by itself, from its own signals alone."""
        signals = extract(recording, self.parameters, self.measurer, self.cache)
        if signals is None:
            refused = Measurement.refused("bpm", NO_SKIN)
            duration = _duration(recording)
            return Observed([(span, Measured({"heart_rate": refused})) for span in spans(duration, window_s)])
        found = []
        first = float(signals.time_s[0])
        for span in spans(_end(signals.time_s.tolist()) - first, window_s):
            analysis = self.measurer.measure(signals.between(first + span.start_s, first + span.end_s), self.parameters)
            truth = recording.reference.truths(span.start_s, span.end_s).get("heart_rate")
            ratio = math.nan
            if truth is not None and WAVE in analysis.waves:
                wave = analysis.waves[WAVE]
                ratio = snr_db(wave, analysis.grid.rate_hz, truth / 60)
            found.append((span, Measured(analysis.person.measurements, ratio)))
        return Observed(found)


def _end(time_s: Sequence[float]) -> float:
    """Of the last frame, which lasts as long as the mean."""
    return float(time_s[-1]) + (float(time_s[-1]) - float(time_s[0])) / max(len(time_s) - 1, 1)


def _duration(recording: Recording) -> float:
    """Where no signals tell: of what is known, so that windows without skin count as refused."""
    if recording.duration_s is not None:
        return recording.duration_s
    match recording.source:
        case Pictures(time_s=time_s) | Samples(time_s=time_s):
            return _end(time_s.tolist())
    known = [
        _end(series.time_s.tolist())
        for series in (recording.reference.heart_rate, recording.reference.breathing)
        if series is not None and len(series.time_s) > 1
    ]
    beats = recording.reference.beats_s
    if beats is not None and len(beats):
        known.append(float(beats[-1]))
    return max(known, default=0.0)


@dataclass(frozen=True)
class Failed:
    """A recording that could not be evaluated."""

    recording: str
    reason: str


@dataclass(frozen=True)
class Evaluation:
    """Everything that was found out about a dataset.

    Attributes
    ----------
    dataset : str
    window_s : float
    recordings : int
        Evaluated.
    rows : list of Row
    failed : list of Failed
    """

    dataset: str
    window_s: float
    recordings: int
    rows: list[Row]
    failed: list[Failed]


def evaluate(dataset: Dataset, path: Path, observe: Observe, window_s: float | None = None,
             progress: Callable[[int, int, str], None] | None = None) -> Evaluation:  # fmt: skip
    """Evaluate all recordings of a folder.

    Parameters
    ----------
    dataset : Dataset
    path : Path
        Its folder.
    observe : callable
        `Local`, or one that asks a gateway.
    window_s : float, optional
        0 for whole recordings; the dataset's usual one if not given.
    progress : callable
        Called with how many recordings are done, how many there are, and the name of the next.

    Raises
    ------
    DatasetError
        If the folder does not look like the dataset.
    EvaluationError
        If no recording could be evaluated.
    """
    window = dataset.window_s if window_s is None else window_s
    spans(1.0, window)  # refuses at once what would be refused later
    todo = items(dataset, path)
    found: list[Row] = []
    failed: list[Failed] = []
    for number, item in enumerate(todo):
        name = item.stem
        if progress is not None:
            progress(number, len(todo), name)
        try:
            recording = dataset.read(item)
            name = recording.name
            for span, measured in observe(recording, window).windows:
                found += rows(
                    name, recording.subject, recording.reference, span, measured, recording.conditions,
                    recording.skin_tone,
                )  # fmt: skip
        except (DatasetError, Failure) as error:
            failed.append(Failed(name, str(error)))
    if len(failed) == len(todo):
        raise EvaluationError(
            f"none of {len(todo)} recordings could be evaluated; {failed[0].recording}: {failed[0].reason}"
        )
    return Evaluation(dataset.name, window, len(todo) - len(failed), found, failed)
