"""The methods by name: how the magnified frames of one chunk are made.

A method is a generator of the frames of its segment, in order. It reads what it needs through a `Segment`: frames and
masks of a span of time around the chunk (as much as `mesh.support.segment_support` declares), fields, the pulse. What
it did to the samples goes into `segment.record`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from magnifier.layout import side_by_side
from magnifier.motion.protocol import Magnified
from magnifier.record import Record
from media.decode import Frame, frames
from media.masks import FrameMask, read_masks
from media.planes import Planes
from media.pulse_blob import Pulse
from media.timeline import frame_range, frame_times
from mesh.contracts import Plan
from mesh.errors import NoFrames
from mesh.parameters import COLOUR_FIELDS, Parameters
from mesh.stages import Inputs
from mesh.support import segment_support


@dataclass(frozen=True)
class Segment:
    """What a method may read to magnify chunk `index`."""

    plan: Plan
    index: int
    parameters: Parameters
    pulse: Pulse
    inputs: Inputs
    record: Record = field(default_factory=Record)

    @property
    def support_s(self) -> tuple[float, float]:
        """Seconds before and after a frame that its magnified form may depend on."""
        return segment_support(self.parameters)

    @property
    def own(self) -> range:
        """Frames of the plan that this segment gives out."""
        chunk = self.plan.chunks[self.index]
        return range(chunk.first, chunk.first + chunk.frames)

    def span(self) -> range:
        """Frames that the support of the segment's own frames reaches."""
        times = frame_times(self.plan)
        before, after = self.support_s
        first, stop = frame_range(times, times[self.own[0]] - before - _TICK, times[self.own[-1]] + after + _TICK)
        return range(min(first, self.own[0]), max(stop, self.own[-1] + 1))

    def frames(self, wanted: range | None = None) -> Iterator[tuple[Frame, FrameMask]]:
        """Frames and masks of `wanted` (the segment's own if not given), decoded across chunks.

        Raises
        ------
        NoFrames
            If one of them is not there.
        """
        wanted = self.own if wanted is None else wanted
        chunks, masks = self.inputs.of("chunk"), self.inputs.of("mask")
        due = wanted.start
        for index, blob in chunks.items():
            chunk = self.plan.chunks[index]
            first, stop = max(chunk.first, wanted.start), min(chunk.first + chunk.frames, wanted.stop)
            if first >= stop:
                continue
            t0 = float(frame_times(self.plan)[first])
            labels = read_masks(masks[index].read()).frames()
            for _ in range(first - chunk.first):
                next(labels)
            for frame, mask in zip(frames(self.plan, {index: blob}, t0), labels, strict=False):
                if frame.index >= stop:
                    break
                if frame.index != due:
                    raise NoFrames(f"frame {due} of the clip was not there")
                yield frame, mask
                due += 1
        if due != wanted.stop:
            raise NoFrames(f"frame {due} of the clip was not there")


Maker = Callable[[Segment], Iterator[Magnified]]
_TICK = 1e-6  # s: times are sums of rounded ticks


def _uniform(segment: Segment) -> Iterator[Magnified]:
    from magnifier.render import Magnifier

    magnifier = Magnifier(segment.plan, segment.pulse, segment.parameters, segment.record)
    for frame, mask in segment.frames():
        yield Magnified(frame.index, *magnifier.magnify(frame.index, (frame.y, frame.u, frame.v), mask.labels))


def _colour(segment: Segment) -> Iterator[Magnified]:
    from magnifier.colour import colour

    yield from colour(segment)


def _moving(segment: Segment) -> Iterator[Magnified]:
    from magnifier.moving import moving

    yield from moving(segment)


_COLOUR = COLOUR_FIELDS | {"uniform", "facehr"}  # without luma they leave brightness as it is
METHODS: dict[str, Maker] = {
    "uniform": _uniform,
    "facehr": _uniform,
    "patch": _colour,
    "eulerian-colour": _colour,
    "acceleration-colour": _colour,
    "eulerian-motion": _moving,
    "phase": _moving,
    "acceleration": _moving,
}


def arranged(segment: Segment) -> Iterator[tuple[int, Planes]]:
    """The frames of a segment as they are shown: magnified, beside the original where that is asked for."""
    frames = METHODS[segment.parameters.magnify](segment)
    changes_luma = segment.parameters.luma or segment.parameters.magnify not in _COLOUR
    originals = segment.frames() if segment.parameters.layout == "side_by_side" else None
    for made in frames:
        planes: Planes = (made.y, made.u, made.v)
        if changes_luma:
            segment.record.look(made.y)
        if originals is not None:
            before, _ = next(originals)
            planes = side_by_side((before.y, before.u, before.v), planes, segment.plan.recording.rotation)
        yield made.index, planes
