"""A filter over frames that come in blocks: every sample of a picture along time, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from media.arrays import array_module
from ppg.filters import Filter

TILE = 4096  # samples that are turned and filtered at once


def stream(band_pass: Filter, blocks: Iterable[Any], tile: int = TILE) -> Iterator[Any]:
    """Filter fields along time, block by block; the same bits as filtering them whole, however they are cut.

    Held at a time: the kernel's length twice and a block, in the type that they came in, the block that is given
    out, and a tile in float64. Nothing depends on how many frames there are.

    Parameters
    ----------
    band_pass : Filter
    blocks : iterable of array[frames, ...]
        Frames in order, any real type; blocks may have any length, 0 too. On a GPU where they are.
    tile : int
        Samples of a frame that are filtered at once; changes no bit.

    Yields
    ------
    float32[frames, ...]
        The filtered frames in order, as many in all as came in; mirrored at the first and last frame.

    Raises
    ------
    ValueError
        If the frames of two blocks differ in shape, or `tile` is below 1.
    """
    if tile < 1:
        raise ValueError(f"a tile holds at least one sample, not {tile}")
    half = len(band_pass.kernel) // 2
    held: Any = None
    started = False  # mirrored frames stand before the first
    for block in blocks:
        if held is not None and block.shape[1:] != held.shape[1:]:
            raise ValueError(f"frames of {block.shape[1:]} after frames of {held.shape[1:]}")
        xp = array_module(block)
        held = block if held is None else xp.concatenate([held, block])
        if not started and len(held) > half:
            held = xp.concatenate([held[half:0:-1], held])
            started = True
        if started and len(held) >= 4 * half + 1:  # at least as many new frames as are read again
            yield _filtered(band_pass, held, half, len(held) - half, tile)
            held = held[len(held) - 2 * half :].copy()
    if held is None or not len(held):
        return
    if not started:
        yield _filtered(band_pass, held, 0, len(held), tile)
        return
    held = array_module(held).concatenate([held, held[-2 : -half - 2 : -1]])
    yield _filtered(band_pass, held, half, len(held) - half, tile)


def _filtered(band_pass: Filter, frames: Any, start: int, stop: int, tile: int) -> Any:
    """Frames `start` to `stop` of the filtered ones."""
    xp = array_module(frames)
    flat = frames.reshape(len(frames), -1)
    found = xp.empty((stop - start, flat.shape[1]), xp.float32)
    for first in range(0, flat.shape[1], tile):
        rows = xp.ascontiguousarray(flat[:, first : first + tile].T, dtype=xp.float64)
        found[:, first : first + tile] = band_pass(rows)[:, start:stop].T
    return found.reshape(stop - start, *frames.shape[1:])
