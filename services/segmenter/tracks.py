"""Tracks: detections of single frames linked to one piece of skin over time.

First frame by frame: each track says where it should be by now (constant velocity), and all tracks and detections of a
frame are assigned at once, cheapest sum first (Kuhn 1955, Naval Res. Logist. Q. 2:83; tracking of this kind: Bewley et
al. 2016, arXiv:1602.00763). Then tracks that were lost for longer are joined, again all at once over the whole clip
(Huang, Wu and Nevatia 2008, ECCV, LNCS 5303:788). Overlap, place, size and colour decide; labels do only where a
segmenter promises that they hold for a while.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from media.people import Span
from segmenter.alone import Alone
from segmenter.detections import Detection, Edges, Place, colour_difference

LOST_S = 1.5  # a track that nothing was assigned to for so long has ended
MOST_SHARED_S = 4.0  # for so long who is seen as one with another, or hidden behind one, is believed to walk on
REACH = 0.7  # in sizes: how far from where it should be a detection may lie …
REACH_PER_S = 1.2  # … and so much farther for each second of loss
MOST_COST = 2.2
SHARED_GROWTH, SHARED_PART = 1.3, 0.6  # a detection that grew so, over a lost track's place, shows two
UNSURE = 0.3  # a face that fits another lost track nearly as well may be either's
HIDDEN_PART = 0.4  # of where a lost track should be: who covers it hides it
GONE_S, BACK_S = 0.2, 0.5  # who was out of sight for so long may be half hidden for so long
TOUCHING = 0.3  # of the smaller of two places that both cover: then edges and points are those of both
SHARED_S, SHARED_AREA = 0.5, 0.25  # if that track was seen for so long, and has so much of the other's skin
JOIN_REACH, JOIN_REACH_PER_S, MOST_JOIN_REACH = 1.0, 0.5, 3.0
JOIN_COST = 2.5
JOIN_TRACKS = 500  # the longest ones, at most
_VELOCITY_S, _COLOUR_S, _SIZE_S = 0.25, 1.0, 0.7  # time constants of what a track remembers
_DAMPING_S = 0.8  # of the velocity of a lost track: nobody goes on for ever
_SAME_LABEL = 1.0  # taken off the cost where a segmenter promises that the label is the same one's
_NEVER = 1e6


@dataclass(eq=False)
class Track:
    """One piece of skin while it is followed.

    Attributes
    ----------
    spans : list of [first frame, frame after the last, label]
    edges, edge_speeds : tuple of float
        Left, right, top and bottom of its last detection, px, and how they move, px/s.
    shared, shared_s : Place or None, float
        Where and when its last detection was, where that showed another track's skin as well.
    hidden_s : float
        When it was last believed to be behind another.
    start_s, end_s : float
        Times of its first and last frame.
    frames, area, confidence
        How many, and sums over them.
    back_s : float
        When it was last seen again.
    alone : Alone or None
        A face while it touches no other, lately.
    touched : list of (int, Detection, Alone or None)
        Frames in which it does, or has just come back, what was found there, and what it showed alone until then.
    """

    start_s: float
    end_s: float
    first: Place
    place: Place
    first_colour: NDArray[np.float64] | None
    colour: NDArray[np.float64] | None
    cell: int
    spans: list[list[int]] = field(default_factory=list)
    edges: Edges = (0.0, 0.0, 0.0, 0.0)
    edge_speeds: Edges = (0.0, 0.0, 0.0, 0.0)
    shared: Place | None = None
    shared_s: float = -math.inf
    hidden_s: float = -math.inf
    frames: int = 0
    area: float = 0.0
    confidence: float = 0.0
    back_s: float = -math.inf
    alone: Alone | None = None
    touched: list[tuple[int, Detection, Alone | None]] = field(default_factory=list)

    @classmethod
    def begin(cls, frame: int, time: float, found: Detection, cell: int, touching: bool = False) -> Track:
        """A track that starts with a detection."""
        track = cls(time, time, found.place, found.place, found.colour, found.colour, cell, edges=found.place.edges)
        track._note(frame, time, found, touching, 1.0)
        return track

    @property
    def velocity(self) -> tuple[float, float]:
        """In px/s: what opposite edges have in common, so that what only grows or shrinks does not move.

        A neck that comes and goes below a face moves the middle of the box, but one edge alone; so does somebody who
        steps before it.
        """
        left, right, top, bottom = self.edge_speeds
        return _common(left, right), _common(top, bottom)

    def expected(self, time: float) -> Place:
        """Where it should be: on at its last velocity, which fades while nothing is seen.

        Two who are seen as one walk on, and so does who is hidden behind another: only so can they be told apart
        afterwards if they look alike.
        """
        walked = min(max(max(self.shared_s, self.hidden_s) - self.end_s, 0.0), MOST_SHARED_S)
        ahead = walked + _DAMPING_S * (1 - math.exp(-(time - self.end_s - walked) / _DAMPING_S))
        vx, vy = self.velocity
        return Place(self.place.x + vx * ahead, self.place.y + vy * ahead, self.place.width, self.place.height)

    def add(self, frame: int, time: float, found: Detection, cell: int, touching: bool = False) -> None:
        """Go on with a detection; where it touches another it says nothing of the velocity."""
        passed = max(time - self.end_s, 1e-6)
        part = 1 - math.exp(-passed / _VELOCITY_S)
        new, old = found.place, self.place
        edges = new.edges
        if not touching:
            l0, r0, t0, b0 = self.edges
            l1, r1, t1, b1 = edges
            left, right, top, bottom = self.edge_speeds
            self.edge_speeds = (
                left + part * ((l1 - l0) / passed - left),
                right + part * ((r1 - r0) / passed - right),
                top + part * ((t1 - t0) / passed - top),
                bottom + part * ((b1 - b0) / passed - bottom),
            )
        self.edges = edges
        part = 1 - math.exp(-passed / _SIZE_S)
        self.place = Place(
            new.x, new.y, old.width + part * (new.width - old.width), old.height + part * (new.height - old.height)
        )
        part = 1 - math.exp(-passed / _COLOUR_S)
        if found.colour is not None:
            self.colour = found.colour if self.colour is None else self.colour + part * (found.colour - self.colour)
            self.first_colour = self.colour if self.first_colour is None else self.first_colour
        if passed > GONE_S:
            self.back_s = time
        self.end_s, self.cell, self.shared = time, cell, None
        self._note(frame, time, found, touching, part)

    def _note(self, frame: int, time: float, found: Detection, touching: bool, part: float) -> None:
        if found.framed and (touching or time - self.back_s < BACK_S):
            self.touched.append((frame, found, self.alone))
        elif found.framed:
            self.alone = self.alone.towards(found, part) if self.alone else Alone(found.area, found.colour)
        if self.spans and self.spans[-1][1:] == [frame, found.label]:
            self.spans[-1][1] = frame + 1
        else:
            self.spans.append([frame, frame + 1, found.label])
        self.frames += 1
        self.area += found.area
        self.confidence += found.confidence

    @property
    def mixed(self) -> set[int]:
        """Frames in which a face has more skin than before it touched another, or is half hidden by that one.

        Its mask follows points that a network guesses where they are hidden, and takes in what has its colour. Who
        touches another most of the time is taken as they are.
        """
        if 2 * len(self.touched) > self.frames:
            return set()
        touched = [(frame, found, before or self.alone) for frame, found, before in self.touched]
        return {frame for frame, found, alone in touched if alone is not None and not alone.holds(found)}

    @property
    def known_s(self) -> float:
        """When it was last seen, or known not to be seen."""
        return max(self.end_s, self.shared_s, min(self.hidden_s, self.end_s + MOST_SHARED_S))

    @property
    def mean_area(self) -> float:
        """Chroma samples a frame."""
        return self.area / self.frames

    @property
    def label(self) -> int:
        """In its last frame."""
        return self.spans[-1][2]


def _common(one: float, other: float) -> float:
    """The smaller of two speeds of one direction; 0 for opposite ones."""
    return 0.0 if one * other <= 0 else min(one, other, key=abs)


def link_cost(expected: Place, colour: NDArray[np.float64] | None, found: Detection, lost_s: float) -> float:
    """How little a detection looks like the one that is expected.

    Parameters
    ----------
    expected : Place
    colour : float64[3] or None
        Of the track.
    found : Detection
    lost_s : float
        For how long nothing was assigned to the track.

    Returns
    -------
    float
        0 for the same box and colour; `_NEVER` where it lies too far away.
    """
    place = found.place
    size = math.sqrt(expected.size * place.size)
    distance = math.hypot(place.x - expected.x, place.y - expected.y) / size
    if distance > REACH + REACH_PER_S * lost_s:
        return _NEVER
    shared = expected.overlap(place)
    union = expected.width * expected.height + place.width * place.height - shared
    growth = abs(math.log(place.size / expected.size))
    return 1 - shared / max(union, 1.0) + 0.5 * distance + 0.7 * colour_difference(colour, found.colour) + 0.5 * growth


class Tracker:
    """Links the detections of one frame after the other.

    Attributes
    ----------
    ended : list of Track
        Those that are lost; all of them after `finish`.
    """

    def __init__(self) -> None:
        self.ended: list[Track] = []
        self._alive: list[Track] = []

    def add(self, frame: int, time: float, found: Sequence[Detection], cell: int = -1) -> None:
        """Take the next frame.

        Parameters
        ----------
        frame : int
            In the plan, increasing.
        time : float
            In seconds.
        found : sequence of Detection
        cell : int
            Frames with the same one share labels; -1 where labels promise nothing.
        """
        lost = [track for track in self._alive if time - track.known_s > LOST_S]
        self.ended += lost
        self._alive = [track for track in self._alive if track not in lost]
        found = sorted(found, key=lambda one: one.place.order)
        if not found:
            return
        expected = [track.expected(time) for track in self._alive]
        costs = np.full((len(self._alive), len(found)), _NEVER)
        for i, (track, place) in enumerate(zip(self._alive, expected, strict=True)):
            for j, detection in enumerate(found):
                cost = link_cost(place, track.colour, detection, time - track.end_s)
                promised = cell >= 0 and track.cell == cell and track.label == detection.label
                costs[i, j] = cost - _SAME_LABEL if promised else cost
        taken: set[int] = set()
        pairs = _assigned(costs, MOST_COST)
        linked = {i for i, _ in pairs}
        unseen = [k for k in range(len(expected)) if k not in linked]
        for i, j in pairs:
            track, detection = self._alive[i], found[j]
            taken.add(j)
            others = [k for k in unseen if _may_be_hidden(self._alive[k], track)]
            for k in others:
                if expected[k].overlap(detection.place) > HIDDEN_PART * expected[k].size ** 2:
                    self._alive[k].hidden_s = time
            if detection.framed:
                both = [self._alive[k] for k in others if costs[k, j] < min(costs[i, j] + UNSURE, MOST_COST)]
            else:
                both = _shown_too(track, detection, [(self._alive[k], expected[k]) for k in others])
            for one in [track, *both] if both else []:
                one.shared, one.shared_s = detection.place, time
            if not both:
                touching = _touches(detection, found) or any(_touch(detection.place, expected[k]) for k in others)
                track.add(frame, time, detection, cell, touching)
        for fresh in (detection for j, detection in enumerate(found) if j not in taken):
            self._alive.append(Track.begin(frame, time, fresh, cell, _touches(fresh, found)))

    def finish(self) -> list[Track]:
        """All tracks, in order of their first frames."""
        self.ended += self._alive
        self._alive = []
        return sorted(self.ended, key=_order)


def _order(track: Track) -> tuple[float, ...]:
    return track.spans[0][0], *track.first.order


def _assigned(costs: NDArray[np.float64], most: float) -> list[tuple[int, int]]:
    """Pairs of rows and columns of the cheapest sum, where to leave a pair out costs `most`."""
    rows, columns = linear_sum_assignment(np.minimum(costs, most))
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if costs[i, j] < most]


def _may_be_hidden(lost: Track, seen: Track) -> bool:
    """Whether a track that nothing was found for is somebody: a neck that a shadow cut off for a moment is not."""
    return lost.end_s - lost.start_s >= SHARED_S and lost.mean_area >= SHARED_AREA * seen.mean_area


def _touches(detection: Detection, found: Sequence[Detection]) -> bool:
    """Whether another detection of the same frame does."""
    return any(_touch(detection.place, one.place) for one in found if one is not detection)


def _touch(one: Place, other: Place) -> bool:
    if abs(one.x - other.x) >= (one.width + other.width) / 2:
        return False
    return one.overlap(other) > TOUCHING * min(one.size, other.size) ** 2


def _shown_too(track: Track, found: Detection, lost: Sequence[tuple[Track, Place]]) -> list[Track]:
    """The lost tracks that a detection of a track shows as well.

    It has grown over the place of that one; or it did before, and has not come apart since.
    """
    grown = found.place.size**2 >= SHARED_GROWTH * track.place.size**2
    both = []
    for other, place in lost:
        covered = place.overlap(found.place) > SHARED_PART * place.width * place.height
        before = track.shared is not None and track.shared is other.shared
        if (grown and covered) or (before and other.shared is not None and other.shared.overlap(found.place) > 0):
            both.append(other)
    return both


def join_tracks(tracks: Sequence[Track]) -> list[list[Track]]:
    """Tracks that are the same one's, before and after a loss.

    Parameters
    ----------
    tracks : sequence of Track

    Returns
    -------
    list of list of Track
        Each in order of time, without overlap; in order of their first frames.
    """
    chosen = sorted(tracks, key=lambda track: -track.frames)[:JOIN_TRACKS]
    chosen.sort(key=_order)
    if len(chosen) < 2:
        return [[track] for track in chosen]
    costs = np.full((len(chosen), len(chosen)), _NEVER)
    starts = np.array([track.start_s for track in chosen])
    for i, before in enumerate(chosen):
        for j in np.flatnonzero(starts > before.end_s).tolist():
            costs[i, j] = _join_cost(before, chosen[j])
    following = dict(_assigned(costs, JOIN_COST))
    heads = [i for i in range(len(chosen)) if i not in set(following.values())]
    chains = []
    for head in heads:
        chain, at = [chosen[head]], head
        while (at := following.get(at, -1)) >= 0:
            chain.append(chosen[at])
        chains.append(chain)
    return chains


def _join_cost(before: Track, after: Track) -> float:
    gap = after.start_s - before.end_s
    expected = before.expected(after.start_s)
    size = math.sqrt(expected.size * after.first.size)
    distance = math.hypot(after.first.x - expected.x, after.first.y - expected.y) / size
    reach = min(JOIN_REACH + JOIN_REACH_PER_S * gap, MOST_JOIN_REACH)
    if distance > reach:
        return _NEVER
    growth = abs(math.log(after.first.size / expected.size))
    return distance / reach + 1.2 * colour_difference(before.colour, after.first_colour) + growth + 0.02 * gap


def spans_of(chain: Sequence[Track]) -> tuple[Span, ...]:
    """The spans of a chain of tracks, without the frames in which their skin is mixed with another's."""
    found = []
    for track in chain:
        mixed = sorted(track.mixed)
        for first, stop, label in track.spans:
            for frame in mixed[bisect_left(mixed, first) : bisect_left(mixed, stop)]:
                if first < frame:
                    found.append((first, frame, label))
                first = frame + 1
            if first < stop:
                found.append((first, stop, label))
    return tuple(found)
