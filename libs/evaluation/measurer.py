"""The measuring service, found through entry points: a library imports no service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import EvaluationError
from media.people import PersonSkin
from mesh.contracts import Grid, Person, Plan
from mesh.parameters import Parameters

GROUP = "pulsemesh.measure"


class Signals(Protocol):
    """What the camera saw of one person's skin."""

    time_s: NDArray[np.float64]
    rgb: NDArray[np.float64]
    skin_fraction: float

    def between(self, t0: float, t1: float) -> Signals:
        """The part of a window."""
        ...

    def to_bytes(self) -> bytes:
        """For a file."""
        ...


class Analysis(Protocol):
    """What was measured from signals."""

    @property
    def person(self) -> Person:
        """The measurements."""
        ...

    @property
    def grid(self) -> Grid:
        """The uniform times of the waves."""
        ...

    @property
    def waves(self) -> Mapping[str, NDArray[np.float64]]:
        """Waves on the uniform grid, among them `pulse`."""
        ...

    @property
    def beats_s(self) -> NDArray[np.float64]:
        """Times of the heart beats."""
        ...


class _Measure(Protocol):
    def __call__(self, signals: Signals, parameters: Parameters) -> Analysis: ...


class _Gather(Protocol):
    def __call__(self, plan: Plan, people: Sequence[PersonSkin], traces: Iterable[Any]) -> Sequence[Signals]: ...


class _SignalsType(Protocol):
    def __call__(self, **fields: Any) -> Signals: ...
    def from_bytes(self, data: bytes) -> Signals:
        """Inverse of `to_bytes`."""
        ...


class _TraceType(Protocol):
    def from_bytes(self, data: bytes) -> Any:
        """A trace blob."""
        ...


@dataclass(frozen=True)
class Measurer:
    """The functions and types of the measuring service.

    Attributes
    ----------
    measure : callable
        Signals and parameters to an analysis.
    signals_of : callable
        Plan, people and traces to the signals of each person.
    signals, trace : type
        Made from arrays or from bytes.
    """

    measure: _Measure
    signals_of: _Gather
    signals: _SignalsType
    trace: _TraceType


@lru_cache(maxsize=1)
def installed() -> Measurer:
    """The measuring service that is installed.

    Raises
    ------
    EvaluationError
        If there is none.
    """
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    absent = {"measure", "signals", "Signals", "Trace"} - set(found)
    if absent:
        raise EvaluationError(
            f"nothing is installed that measures ({', '.join(sorted(absent))} of {GROUP}): pip install 'pulsemesh[ppg]'"
        )
    return Measurer(found["measure"].load(), found["signals"].load(), found["Signals"].load(), found["Trace"].load())
