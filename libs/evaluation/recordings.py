"""A recording of a dataset: where its pictures or colours are, what is true of it, and under which conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.reference import Reference

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Clip:
    """A video file."""

    path: Path


@dataclass(frozen=True)
class Pictures:
    """Pictures that are no video file yet.

    Attributes
    ----------
    time_s : float64[n]
        Of each picture from the first, increasing.
    frames : callable
        Reads them one by one: uint8[height, width, 3], R, G, B.
    """

    time_s: NDArray[np.float64]
    frames: Callable[[], Iterator[Picture]]


@dataclass(frozen=True)
class Samples:
    """Mean colours of skin, frame by frame, where the pictures were not published.

    Attributes
    ----------
    time_s : float64[n]
    rgb : float64[3, n]
        0-255.
    """

    time_s: NDArray[np.float64]
    rgb: NDArray[np.float64]


@dataclass(frozen=True)
class Stored:
    """Signals that were extracted earlier: a file that `Signals.to_bytes` wrote."""

    path: Path


Source = Clip | Pictures | Samples | Stored


@dataclass(frozen=True)
class Recording:
    """One recording of a dataset.

    Attributes
    ----------
    name, subject : str
        Unique name; who was recorded (recordings of one subject are not independent).
    source : Source
    reference : Reference
    conditions : dict of str to str
        Such as motion or light, each with its value.
    skin_tone : str or None
        Where the dataset states it, in its own scale.
    duration_s : float or None
        Where it is known without looking at the pictures: a recording in which no skin is found still has windows.
    """

    name: str
    subject: str
    source: Source
    reference: Reference
    conditions: dict[str, str] = field(default_factory=dict)
    skin_tone: str | None = None
    duration_s: float | None = None


@dataclass(frozen=True)
class Dataset:
    """How a published dataset is read.

    Attributes
    ----------
    name, title : str
        For the command line, and as published with its citation.
    layout : str
        What its folder looks like, in a few words; part of the message where nothing is found.
    find : callable
        Folder to the items (files or folders) that hold a recording each, sorted.
    read : callable
        Item to recording; raises `DatasetError`.
    window_s : float
        Usual length of a window.
    """

    name: str
    title: str
    layout: str
    find: Callable[[Path], list[Path]]
    read: Callable[[Path], Recording]
    window_s: float = 10.0
