"""A filter over streamed blocks gives the bits of the filter over everything."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.filters import butterworth, moving_averages_s
from ppg.streams import stream

pytestmark = pytest.mark.unit

BAND_PASS = butterworth(0.6, 4.0, 30.0)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 100),
    lengths=st.lists(st.integers(0, 220), min_size=1, max_size=6),
    tile=st.integers(1, 20),
    kind=st.sampled_from([np.uint8, np.float32]),
)
def test_streamed_is_whole_bit_for_bit(seed, lengths, tile, kind):
    frames = np.random.default_rng(seed).integers(0, 255, (sum(lengths), 2, 3)).astype(kind)
    blocks = np.split(frames, np.cumsum(lengths)[:-1])
    found = list(stream(BAND_PASS, blocks, tile))
    if not len(frames):
        assert not found
        return
    expected = np.moveaxis(BAND_PASS(np.moveaxis(frames, 0, -1)), -1, 0).astype(np.float32)
    np.testing.assert_array_equal(np.concatenate(found), expected)


def test_only_a_bounded_part_is_held():
    """What has come out is never far behind what went in, however long the recording."""
    taken = 0

    def blocks():
        nonlocal taken
        for _ in range(200):
            taken += 50
            yield np.zeros((50, 4), np.uint8)

    given = 0
    for part in stream(BAND_PASS, blocks()):
        given += len(part)
        assert taken - given <= len(BAND_PASS.kernel) + 50
    assert given == 10_000


def test_frames_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="after frames of"):
        list(stream(BAND_PASS, [np.zeros((2, 4)), np.zeros((2, 5))]))
    with pytest.raises(ValueError, match="tile"):
        list(stream(BAND_PASS, [np.zeros((2, 4))], tile=0))


@pytest.mark.parametrize("rate", [12.0, 29.97, 60.0, 120.0])
def test_moving_averages_in_seconds_are_the_same_filter_at_any_rate(rate):
    found = moving_averages_s(3.0, 0.2, rate)
    frequency = np.array([0.5, 1.0, 1.5, 2.0])
    exact = (1 - np.sinc(3.0 * frequency)) * np.sinc(0.2 * frequency)
    np.testing.assert_allclose(found.gain_at(frequency), exact, atol=0.12 * 12 / rate)
    assert abs(float(found.gain_at(0.0))) < 1e-12
    assert moving_averages_s(3.0, 0.0, rate).gain_at(1.0) == pytest.approx(1.0, abs=0.02)


def test_moving_averages_of_nothing_are_refused():
    with pytest.raises(ValueError, match="no more than one frame"):
        moving_averages_s(0.05, 0.0, 15.0)
