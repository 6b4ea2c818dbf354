"""The anchor of a clip: a small picture of its skin, to which every frame is registered, and whether it needs one."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray
from scipy import ndimage

from segmenter.anchored.pictures import Plane, Small, factor, small_picture
from segmenter.anchored.registration import Registration, Template, register, template_of

# Root mean square movement over skin and time under which skin is not followed: in samples of the small picture, and in
# luma pixels. Reading between samples costs a map about as much as that (bench/follow.py).
REST, REST_PX = 0.625, 1.0
PICTURES = 64  # of the first seconds that are looked at
_EDGE = 2  # samples at the edge of the skin that are not its own
_ALIKE = 0.5  # least likeness of a picture that shows the anchor's skin
_KEPT = 0.7  # of the usual likeness
_FOUND = 0.6  # part of the pictures in which the skin must be found


@dataclass(frozen=True)
class Anchor:
    """What frames are registered to.

    Attributes
    ----------
    luma : uint8[h, w]
        The picture, as of `pictures.reduced`.
    pieces : uint8[h, w]
        0 is no skin; 1, 2, … the piece, where its inside lies.
    likeness : tuple of float
        Of each piece: registrations that are less like it are none.
    moved_px : float
        How far the skin moves in the first seconds, luma pixels, root mean square over skin and time.
    """

    luma: Plane
    pieces: Plane
    likeness: tuple[float, ...]
    moved_px: float

    def templates(self) -> list[Template]:
        """Its pieces, ready to be found."""
        small = small_picture(self.luma)
        found = [template_of(small, self.pieces == number + 1) for number in range(len(self.likeness))]
        return [template for template in found if template is not None]

    def to_json(self) -> dict[str, Any]:
        """What a blob keeps of it, a few tens of kilobytes."""
        return {
            "shape": self.luma.shape,
            "luma": _packed(self.luma),
            "pieces": _packed(self.pieces),
            "likeness": self.likeness,
            "moved_px": self.moved_px,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Anchor:
        """What `to_json` gave."""
        shape = (int(content["shape"][0]), int(content["shape"][1]))
        luma, pieces = (_unpacked(content[name], shape) for name in ("luma", "pieces"))
        return cls(luma, pieces, tuple(content["likeness"]), content["moved_px"])


def _packed(plane: Plane) -> str:
    return base64.b64encode(zstandard.ZstdCompressor(level=9).compress(plane.tobytes())).decode()


def _unpacked(text: str, shape: tuple[int, int]) -> Plane:
    content = zstandard.ZstdDecompressor().decompress(base64.b64decode(text), max_output_size=shape[0] * shape[1])
    return np.frombuffer(content, np.uint8).reshape(shape)


def looked_at(count: int) -> NDArray[np.intp]:
    """Which of `count` pictures are looked at: spread evenly but not regularly, so that no tremor is in step with them.

    Returns
    -------
    intp[m]
        In order, at most `PICTURES`.
    """
    if count <= PICTURES:
        return np.arange(count)
    shares = (np.arange(PICTURES) + np.random.default_rng(0).uniform(size=PICTURES)) / PICTURES
    return np.unique((shares * count).astype(np.intp))


def find_anchor(
    pictures: Sequence[Plane], pieces_at: Callable[[int], NDArray[np.integer[Any]]], size: tuple[int, int]
) -> Anchor | None:
    """The anchor of a clip.

    Parameters
    ----------
    pictures : sequence of uint8[h, w]
        Of the first seconds, as of `pictures.reduced`.
    pieces_at : callable
        Gives for a picture's number the pieces of its skin: int[h, w], 0 no skin, 1, 2, …; of the same size.
    size : tuple of int
        Width and height of the luma plane.

    Returns
    -------
    Anchor or None
        None where the skin rests, or cannot be followed: too little of it, without anything to hold on to, or changing
        too much.
    """
    smalls = [small_picture(luma) for luma in pictures]
    side = factor(*size)
    chosen = len(pictures) // 2
    pieces, found = _followed(smalls, chosen, pieces_at)
    if found is None or found.moved.max() * side < max(REST_PX, REST * side):
        return None
    usual = found.usual()
    if usual != chosen:  # from where the skin is most of the time the ways are shorter
        again = _followed(smalls, usual, pieces_at)
        if again[1] is not None:
            chosen, (pieces, found) = usual, again
    assert found is not None
    pieces = np.where(np.isin(pieces, np.flatnonzero(found.kept) + 1), pieces, 0)
    names = np.zeros(len(found.kept) + 1, np.uint8)
    names[1:][found.kept] = np.arange(1, found.kept.sum() + 1)
    likeness = tuple(round(float(value), 3) for value in found.least[found.kept])
    return Anchor(pictures[chosen], names[pieces], likeness, round(side * float(found.moved.max()), 2))


def _insides(pieces: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """Pieces without their edges, but for those of the picture."""
    result = np.zeros(pieces.shape, np.uint8)
    for number in range(1, int(pieces.max(initial=0)) + 1):
        result[ndimage.binary_erosion(pieces == number, iterations=_EDGE, border_value=1)] = number
    return result


@dataclass(frozen=True)
class _Followed:
    """How the pieces of one picture were found in all.

    Attributes
    ----------
    kept : bool[pieces]
        Whether a piece was found in enough of them.
    least : float64[pieces]
        Likeness under which it is not found.
    moved : float64[pieces]
        Root mean square movement, samples; 0 where it was not found.
    middles : float64[pictures, pieces, 2]
        Where the middle of a piece lies; NaN where it was not found.
    """

    kept: NDArray[np.bool_]
    least: NDArray[np.float64]
    moved: NDArray[np.float64]
    middles: NDArray[np.float64]

    def usual(self) -> int:
        """The picture in which the skin lies nearest to where it is on average."""
        middles = self.middles[:, self.kept]
        away = np.square(middles - np.nanmean(middles, axis=0)).sum(axis=(1, 2))
        return int(np.nanargmin(away)) if np.isfinite(away).any() else 0


def _followed(
    smalls: list[Small], chosen: int, pieces_at: Callable[[int], NDArray[np.integer[Any]]]
) -> tuple[NDArray[np.uint8], _Followed | None]:
    """The pieces of one picture, and how they were found in all; None where none of them was."""
    pieces = _insides(pieces_at(chosen))
    count = int(pieces.max(initial=0))
    kept, least, moved = np.zeros(count, np.bool_), np.zeros(count), np.zeros(count)
    middles = np.full((len(smalls), count, 2), np.nan)
    for number in range(count):
        template = template_of(smalls[chosen], pieces == number + 1)
        if template is None:
            continue
        found = [register(template, small) for small in smalls]
        good = [n for n, one in enumerate(found) if one is not None and one.likeness >= _ALIKE]
        if len(good) < _FOUND * len(smalls):
            continue
        places = [one for n in good if (one := found[n]) is not None]
        kept[number] = True
        least[number] = _KEPT * np.median([one.likeness for one in places])
        middle = np.array([*template.middle, 1.0])
        middles[good, number] = [one.matrix @ middle for one in places]
        moved[number] = _movement(places, middle, template.reach)
    return pieces, _Followed(kept, least, moved, middles) if kept.any() else None


def _movement(places: list[Registration], middle: NDArray[np.float64], reach: float) -> float:
    """Root mean square distance of the skin from where it is on average, over the skin and all pictures, samples."""
    shift = np.array([one.matrix @ middle for one in places])
    turn = np.array([one.matrix[:, 0] for one in places])
    return float(np.sqrt(shift.var(axis=0).sum() + reach**2 * turn.var(axis=0).sum()))
