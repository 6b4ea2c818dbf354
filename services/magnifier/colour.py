"""One dataflow for all methods that magnify colour: a coarse field of each frame, filtered in time, scaled, added.

field (means of Y, U, V) -> weights over the frames around -> gain -> interpolation to every sample -> sum with the
planes. `patch` has a field of patch means, `eulerian-colour` (Wu et al. 2012, ACM TOG 31(4):65) a level of a Gaussian
pyramid, `acceleration-colour` (Zhang et al. 2017, CVPR) the same with the second derivative of a Gaussian in time. All
steps are linear, and a pulse of a levels becomes (1 + gain) a: the gain is divided by the filter's response at the
measured rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magnifier.field import PICTURE, FieldBlob, FieldMaker, Samples
from magnifier.field_layer import FieldLayer
from magnifier.methods import Segment
from magnifier.motion.acceleration import acceleration_kernel
from magnifier.motion.protocol import Magnified
from magnifier.temporal import Basis, KernelRows, PhaseRows, Row, Rows, butterworth_kernel, fir_kernel, ideal_basis
from magnifier.window import WholeClip, Window
from media.masks import FrameMask, read_masks
from media.people import Span, label_at
from media.planes import Planes
from media.pulse_blob import PersonWaves, Pulse
from media.timeline import frame_times, mean_rate
from mesh.contracts import Plan
from mesh.errors import BadParameters
from mesh.parameters import Parameters
from mesh.support import fields_travel, segment_support

_LEAST_RESPONSE = 0.3  # of a filter at the measured rate; with less the rate lies outside the band
NO_RATE = (
    "No heart rate was found to follow, so everything on the skin between {low:g} and {high:g} Hz was magnified: what "
    "is seen may not be a pulse."
)
OUTSIDE = (
    "The measured heart rate ({rate:.2f} Hz) lies outside the band of the magnification ({low:g} to {high:g} Hz), so "
    "the pulse is hardly magnified. Set magnify_low_hz and magnify_high_hz around it, or band=rate."
)


@dataclass(frozen=True)
class Source:
    """Whose pulse is magnified where.

    Attributes
    ----------
    person : PersonWaves or None
        None for everybody: the whole picture.
    rows : Rows or Basis
        The filter in time.
    gains : tuple of float
        Of Y, U, V, with the filter's response taken into account.
    """

    person: PersonWaves | None
    rows: Rows | Basis
    gains: tuple[float, float, float]

    def spans(self) -> tuple[Span, ...]:
        """Where the person is; nothing for the whole picture."""
        return () if self.person is None else self.person.spans


def sources(plan: Plan, pulse: Pulse, parameters: Parameters) -> tuple[list[Source], list[str]]:
    """One source a person, or one for the whole picture, and warnings for the user.

    Raises
    ------
    ValueError
        If the band does not fit the clip.
    """
    times = frame_times(plan)
    rate = mean_rate(times)
    people: list[PersonWaves | None] = list(pulse.people)
    if parameters.region == "picture":
        people = [None]
    found, warnings = [], []
    for person in people:
        heart = person if person is not None else next((p for p in pulse.people if p.rate_hz is not None), None)
        heart_hz = None if heart is None else heart.rate_hz
        low, high = parameters.magnify_band_hz
        if parameters.band == "rate" and (heart is None or heart_hz is None or not np.isfinite(heart.phase).all()):
            warnings.append(NO_RATE.format(low=low, high=high))
        rows, response = temporal_filter(times, rate, parameters, heart, heart_hz)
        if response < _LEAST_RESPONSE:
            if parameters.compat == "none":
                warnings.append(OUTSIDE.format(rate=heart_hz, low=low, high=high))
            response = 1.0
        if parameters.compat == "2012":
            response = 1.0
        gain = parameters.gain / response
        chroma = gain * parameters.chrom_attenuation
        found.append(Source(person, rows, (gain if parameters.luma else 0.0, chroma, chroma)))
    return found, warnings


def temporal_filter(
    times: NDArray[np.float64], rate: float, parameters: Parameters, heart: PersonWaves | None, heart_hz: float | None
) -> tuple[Rows | Basis, float]:
    """The filter that the parameters ask for and its response at the heart's rate (1 where that is not known).

    Raises
    ------
    ValueError
        If the band does not fit the clip.
    """
    low, high = parameters.magnify_band_hz
    follows = (
        parameters.band == "rate" and heart is not None and heart_hz is not None and np.isfinite(heart.phase).all()
    )
    if parameters.magnify == "acceleration-colour":
        centre = heart_hz if follows and heart_hz is not None else float(np.sqrt(low * high))
        kernel = acceleration_kernel(centre, rate)
        rows = KernelRows(times, rate, kernel[len(kernel) // 2 :])
        return rows, 1.0 if heart_hz is None else rows.response(heart_hz)
    if follows and heart is not None and heart_hz is not None:
        return PhaseRows(times, heart.phase, rate, heart_hz), 1.0
    if parameters.temporal_filter == "ideal" and parameters.band == "fixed":
        basis = ideal_basis(times, low, high, parameters.compat == "2012")
        return basis, 1.0 if heart_hz is None else basis.response(heart_hz, times)
    recursive = parameters.temporal_filter == "butterworth" and parameters.band == "fixed"
    make = butterworth_kernel if recursive else fir_kernel
    rows = KernelRows(times, rate, make(low, high, rate))
    return rows, 1.0 if heart_hz is None else rows.response(heart_hz)


def colour(segment: Segment) -> Iterator[Magnified]:
    """The magnified frames of a segment."""
    plan, parameters, record = segment.plan, segment.parameters, segment.record
    try:
        found, warnings = sources(plan, segment.pulse, parameters)
    except ValueError as error:  # what could not be known before the clip was decoded
        raise BadParameters(str(error)) from error
    for text in warnings:
        record.warn(text)
    canonical = read_masks(segment.inputs.of("mask")[segment.index].read()).canonical
    maker = FieldMaker(plan.recording, parameters, canonical)
    channels = slice(0 if parameters.luma else 1, 3)
    series = [_Series(source, maker, channels, plan, parameters) for source in found if any(source.gains)]
    layer = FieldLayer(plan.recording, maker, record)
    fields = _fields(segment, maker)
    for frame, mask in segment.frames():
        for one in series:
            while one.wants(frame.index):
                number, layers = next(fields)
                for other in series:
                    other.add(number, layers)
        planes: Planes = (frame.y, frame.u, frame.v)
        layer.look(mask)
        for one in series:
            planes = one.added(layer, planes, frame.index, mask)
        yield Magnified(frame.index, *planes)


class _Series:
    """The fields of one source over time."""

    def __init__(self, source: Source, maker: FieldMaker, channels: slice, plan: Plan, parameters: Parameters) -> None:
        self._source, self._channels = source, channels
        self._followed = maker.canonical is not None and source.person is not None
        grid = maker.canonical if self._followed and maker.canonical is not None else maker.grid
        self._frames = len(plan.pts)
        self._row: tuple[int, Row] | None = None
        self._window: Window | WholeClip
        if isinstance(source.rows, Basis):
            self._window = WholeClip(source.rows, channels, grid.shape)
        else:
            times = frame_times(plan)
            before, after = segment_support(parameters)
            longest = int(
                np.max(np.searchsorted(times, times + after + 1e-3) - np.searchsorted(times, times - before - 1e-3)) + 2
            )
            self._window = Window(channels, grid.shape, longest)
        self._gains = np.array(source.gains[channels], np.float32)[:, None, None]

    def wants(self, frame: int) -> bool:
        """Whether more frames must be added before the output at `frame` is known."""
        if isinstance(self._source.rows, Basis):
            last = self._frames - 1
        else:
            if self._row is None or self._row[0] != frame:
                self._row = (frame, self._source.rows.row(frame))
            last = self._row[1].first + len(self._row[1].weights) - 1
        due = self._window.next
        return due is None or due <= last

    def add(self, frame: int, layers: dict[int, Samples]) -> None:
        """The next frame's fields."""
        label = PICTURE
        if self._source.person is not None:
            label = label_at(self._source.spans(), frame)
        if self._followed:
            self._window.add(frame, layers.get(label) if label else None)
        else:
            self._window.add(frame, layers.get(PICTURE) if label or self._source.person is None else None)

    def added(self, layer: FieldLayer, planes: Planes, frame: int, mask: FrameMask) -> Planes:
        """The planes with this source's pulse magnified."""
        if isinstance(self._window, WholeClip):
            levels = self._window.filtered(frame)
        else:
            assert self._row is not None
            row = self._row[1]
            levels = self._window.filtered(row)
            self._window.forget(row.first)
        person = self._source.person
        label = None if person is None else label_at(person.spans, frame)
        if label == 0:
            return planes
        transform = None
        if self._followed:
            transform = next((i.transform for i in mask.instances if i.id == label), None)
            if transform is None:
                return planes
        measured = (0.0, 0.0, 0.0)
        if person is not None:
            measured = (float(person.delta_Y[frame]), float(person.delta_U[frame]), float(person.delta_V[frame]))
        return layer.add(planes, levels * self._gains, self._channels, label, transform, measured)


def _fields(segment: Segment, maker: FieldMaker) -> Iterator[tuple[int, dict[int, Samples]]]:
    """The fields of all frames of the segment's span: out of the blobs, or made again from the chunks around."""
    span = segment.span()
    if not fields_travel(segment.parameters):
        for frame, mask in segment.frames(span):
            yield frame.index, maker.fields(frame, mask)
        return
    for blob in segment.inputs.of("field").values():
        content = FieldBlob.from_bytes(blob.read())
        for frame_index in range(max(content.first, span.start), min(content.first + content.frames, span.stop)):
            yield frame_index, content.of(frame_index)
