"""Where clips are cut, and where decoding may start."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.cuts import LEAD, SHORTEST, SNAP, boundaries, spans
from media.keyframes import is_entry, is_shown, nal_length_size, nal_units

pytestmark = pytest.mark.unit


def regular(seconds: float, fps: float = 30) -> np.ndarray:
    return np.arange(round(seconds * fps)) / fps


@given(
    steps=st.lists(st.floats(0.01, 3), min_size=1, max_size=60),
    chunk_seconds=st.floats(0.2, 10),
    data=st.data(),
)
def test_chunks_cover_the_clip(steps, chunk_seconds, data):
    times = np.concatenate([[0], np.cumsum(steps)])
    keys = data.draw(st.lists(st.integers(0, len(times) - 1), unique=True, max_size=8).map(sorted))
    cuts = boundaries(times, chunk_seconds, np.array(keys, int))
    assert cuts[0] == 0
    assert cuts == sorted(set(cuts))
    assert cuts[-1] < len(times)


def test_cuts_without_keyframes_are_exact():
    assert boundaries(regular(30), 5, np.array([0])) == [0, 150, 300, 450, 600, 750]


def test_cuts_move_to_near_keyframes_only():
    near, far = round(30 * 5 * (1 + SNAP / 2)), round(30 * 10 * (1 + SNAP))
    assert boundaries(regular(15), 5, np.array([0, near, far])) == [0, near, 300]


def test_short_last_chunk_joins_the_one_before():
    just = SHORTEST * 5
    assert boundaries(regular(10 + just - 0.1), 5, np.array([0])) == [0, 150]
    assert boundaries(regular(10 + just + 0.1), 5, np.array([0])) == [0, 150, 300]


def test_gap_makes_no_empty_chunk():
    times = np.concatenate([regular(5), 60 + regular(5)])
    assert boundaries(times, 2, np.array([0]))[:4] == [0, 60, 120, 150]


def test_leading_frames_are_bounded():
    pts, owns = np.arange(300), np.ones(300, bool)
    keys = np.zeros(300, bool)
    keys[[0, 90, 180]] = True
    found = spans(pts, owns, keys, 1 / 30, 2.0)
    assert found is not None
    assert [(s.first, s.begin) for s in found] == [(0, 0), (60, 0), (120, 90), (180, 180), (240, 180)]
    assert all((s.first - s.begin) / 30 <= LEAD * 2.0 for s in found)
    assert spans(pts, owns, keys, 1 / 30, 0.9) is None


def test_open_gop_carries_the_next_keyframe_and_its_leading_pictures():
    # coded:            I  P  B  B  I  B  B  P
    pts = np.array([0, 3, 1, 2, 6, 4, 5, 7])
    keys = np.array([True, False, False, False, True, False, False, False])
    found = spans(pts, np.ones(8, bool), keys, 0.1, 0.5)
    assert found is not None
    assert [(s.first, s.stop, s.begin, s.end) for s in found] == [(0, 6, 0, 7), (6, 8, 4, 8)]


def avc(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def test_nal_units_with_lengths_and_start_codes():
    units = [b"\x67abc", b"\x65" + b"d" * 300]
    assert list(nal_units(avc(*units), 4)) == units
    assert list(nal_units(b"\0\0\1" + units[0] + b"\0\0\1" + units[1], 0)) == units
    assert nal_length_size("h264", bytes([1, 0x64, 0, 30, 0xFF, 0xE1, 0, 0])) == 4
    assert nal_length_size("h264", b"\0\0\0\1\x67") == 0


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (b"\x65\x88", True),  # IDR
        (b"\x41\x9a", False),  # a picture that refers to others
        (b"\x06\x06\x01\x84\x80", True),  # recovery point, 0 frames
        (b"\x06\x06\x01\x24\x80", False),  # recovery point, 3 frames: gradual refresh
        (b"\x06\x05\x02ab\x06\x01\x84\x80", True),  # after another message
        (b"\x06\x06", False),
    ],
)
def test_entries_of_h264(unit, expected):
    assert is_entry("h264", avc(unit, b"\x61\x00"), 4) is expected


def test_entries_of_others():
    assert is_entry("hevc", avc(bytes([21 << 1, 1])), 4)  # CRA
    assert not is_entry("hevc", avc(bytes([1 << 1, 1])), 4)  # trailing picture
    assert is_entry("vp8", b"\x10", 0)
    assert not is_entry("vp8", b"\x11", 0)
    assert is_entry("vp9", b"\x82", 0)
    assert not is_entry("vp9", b"\x86", 0)
    assert is_entry("mpeg4", b"\0\0\1\xb6\x10", 0)
    assert not is_entry("mpeg4", b"\0\0\1\xb6\x50", 0)
    assert not is_entry("h264", b"", 4)


def test_hidden_references_own_no_frame():
    assert is_shown("vp8", b"\x10\x00")
    assert not is_shown("vp8", b"\x00\x00")
    assert is_shown("vp9", b"\x86\x00")
    assert not is_shown("vp9", b"\x84\x00")
    assert is_shown("vp9", b"\x84\xc0")  # a superframe
    assert is_shown("h264", b"\x00\x00")
