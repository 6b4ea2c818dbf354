"""`pulsemesh evaluate`: a dataset against what the mesh, or this process, measures in it."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from evaluation.datasets import DATASETS
from evaluation.errors import DatasetError, EvaluationError
from evaluation.extraction import clip_of
from evaluation.recordings import Recording
from evaluation.report import content, save
from evaluation.run import Local, Observe, Observed, evaluate
from evaluation.table import table
from evaluation.windows import Measured, Span, spans
from mesh.contracts import DISCLAIMER, Measurement, Person, Result
from mesh.parameters import Parameters
from pulsemesh.arguments import ArgumentError, check
from pulsemesh_client import Client, Refused
from pulsemesh_client.errors import Erased, Expired, NotFound

LONGEST_WINDOW_S = 60.0  # of a gateway's heart rate over time
OF_THE_CLIP = frozenset({400, 413, 415, 422})  # refusals that are one clip's fault: the others go on


@dataclass(frozen=True)
class EvaluationRequest:
    """What the user asked for.

    Attributes
    ----------
    dataset : str
        A name of `DATASETS`.
    path : Path
        Its folder.
    window_s : float or None
        0 for whole recordings, None for the dataset's usual.
    parameters : dict
        Of the jobs: what was given, already checked.
    out, cache : Path or None
        Folders for the report, and for signals that were extracted.
    gateway : str or None
        Address of a mesh that measures; this process does if None.
    """

    dataset: str
    path: Path
    window_s: float | None
    parameters: dict[str, Any]
    out: Path | None = None
    cache: Path | None = None
    gateway: str | None = None
    token: str | None = None
    as_json: bool = False
    quiet: bool = False


def evaluate_dataset(request: EvaluationRequest) -> None:
    """Do it, and print the table or the JSON.

    Raises
    ------
    ArgumentError
        If the folder is not the dataset, an argument cannot be used, or no recording could be evaluated.
    Refused, Unreachable
        If the gateway does not take a clip, or cannot be reached.
    """
    dataset = DATASETS[request.dataset]
    console = Console(stderr=True)
    try:
        with Client(request.gateway or "http://127.0.0.1", request.token) as client:
            observe: Observe
            if request.gateway is None:
                observe = Local(check(Parameters, request.parameters), request.cache)
            else:
                observe = Remote(client, request.parameters)
            found = evaluate(dataset, request.path, observe, request.window_s, _progress(console, request.quiet))
        written = [] if request.out is None else save(found, request.out)
    except EvaluationError as error:
        raise ArgumentError(str(error)) from None
    except OSError as error:
        raise ArgumentError(f"{error.filename or request.out} cannot be used: {error.strerror or error}") from None
    for failed in found.failed:
        console.print(f"left out: {failed.recording}: {failed.reason}", highlight=False, markup=False)
    if request.as_json:
        sys.stdout.write(json.dumps(content(found), indent=2, allow_nan=False) + "\n")
        return
    length = f"windows of {found.window_s:g} s" if found.window_s else "whole recordings"
    print(f"{dataset.title}: {found.recordings} recordings, {length}; standard errors in brackets")
    print(table(found.rows))
    if written:
        print(f"written into {request.out}: {', '.join(path.name for path in written)}")
    print(DISCLAIMER)


def _progress(console: Console, quiet: bool) -> Callable[[int, int, str], None] | None:
    if quiet or not console.is_terminal:
        return None
    return lambda done, total, name: console.print(f"{done + 1} of {total}: {name}", highlight=False, markup=False)


@dataclass(frozen=True)
class Remote:
    """Asks a gateway: heart rate over time, and for whole recordings every measurement.

    Attributes
    ----------
    client : Client
    parameters : dict
        Of the jobs.
    """

    client: Client
    parameters: dict[str, Any]

    def __call__(self, recording: Recording, window_s: float) -> Observed:
        """Upload the clip, and take the window's heart rate from the job's.

        Raises
        ------
        DatasetError
            If the recording has no pictures, or its job fails.
        EvaluationError
            If the windows are longer than a gateway has them.
        """
        if window_s > LONGEST_WINDOW_S:
            raise EvaluationError(f"a gateway has windows of at most {LONGEST_WINDOW_S:g} s, or 0 for whole recordings")
        parameters = {"magnify": "none", **self.parameters}
        if window_s:
            parameters["rate_window_s"] = window_s
        with tempfile.TemporaryDirectory(prefix="pulsemesh-evaluation-") as folder:
            clip = clip_of(recording, Path(folder))
            try:
                job = self.client.submit(clip, parameters)
            except Refused as refusal:
                if refusal.status in OF_THE_CLIP:
                    raise DatasetError(str(refusal)) from None
                raise
            view = self.client.wait(job)
            if not view.succeeded:
                raise DatasetError(str(view.problem) if view.problem is not None else f"the job was {view.state}")
            try:
                result = Result.model_validate_json(self.client.read(view, "result.json"))
            except (NotFound, Expired, Erased):
                raise DatasetError("its result is gone: it expired or was erased") from None
        person = max(result.people, key=lambda one: one.signal.skin_fraction)
        return Observed(
            [
                (span, Measured(in_window(person, span, result.recording.duration_s)))
                for span in spans(result.recording.duration_s, window_s)
            ]
        )


def in_window(person: Person, span: Span, duration_s: float) -> dict[str, Measurement]:
    """All measurements where the window is the recording, else the heart rate of the point nearest to its middle."""
    if span.start_s == 0 and span.end_s >= 0.98 * duration_s:
        return person.measurements
    middle = (span.start_s + span.end_s) / 2
    points = person.heart_rate_over_time
    if not points:
        return {"heart_rate": person.measurements["heart_rate"]}
    nearest = min(points, key=lambda point: abs(point.time_s - middle))
    if abs(nearest.time_s - middle) > (span.end_s - span.start_s) / 4:
        return {"heart_rate": Measurement.refused("bpm", "no window of the gateway lies here")}
    return {"heart_rate": nearest.heart_rate}
