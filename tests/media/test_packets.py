"""Our container of packets: what was written is read, from anywhere, and damage is noticed."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.packets import ENTRY, KEY, CodedPacket, Header, PacketsReader, PacketsWriter, pack, read_header

pytestmark = pytest.mark.unit

ticks = st.none() | st.integers(-(2**62), 2**62)
coded_packets = st.builds(
    CodedPacket,
    data=st.binary(max_size=40),
    pts=ticks,
    dts=ticks,
    duration=st.integers(0, 2**40),
    flags=st.sampled_from([0, KEY, KEY | ENTRY]),
)
headers = st.builds(
    Header,
    codec=st.sampled_from(["h264", "libdav1d"]),
    time_base=st.tuples(st.integers(1, 1001), st.integers(1, 10**7)),
    extradata=st.binary(max_size=30),
    width=st.integers(0, 8000),
    first=st.integers(0, 10**6),
    extra=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3),
)


@given(headers, st.lists(coded_packets, max_size=12), st.data())
def test_round_trip(header, packets, data):
    content = pack(header, packets)
    reader = PacketsReader(io.BytesIO(content))
    assert reader.header == header == read_header(io.BytesIO(content))
    assert list(reader.packets()) == packets
    start = data.draw(st.integers(0, len(packets)))
    stop = data.draw(st.integers(start, len(packets)))
    assert list(reader.packets(start, stop)) == packets[start:stop]


@given(headers, st.lists(coded_packets, max_size=5), st.data())
def test_cut_short_is_noticed(header, packets, data):
    content = pack(header, packets)
    with pytest.raises(ValueError, match="container"):
        PacketsReader(io.BytesIO(content[: data.draw(st.integers(0, len(content) - 1))]))


def test_unfinished_is_noticed():
    file = io.BytesIO()
    PacketsWriter(file).add(CodedPacket(b"abc", 0))
    with pytest.raises(ValueError, match="never finished"):
        PacketsReader(file)


def test_entry_is_the_last_one_shown_at_or_before():
    marks = [(0, KEY | ENTRY), (2, 0), (1, 0), (3, KEY), (4, KEY | ENTRY), (5, 0)]
    packets = [CodedPacket(b"x", pts, flags=flags) for pts, flags in marks]
    reader = PacketsReader(io.BytesIO(pack(Header("h264", (1, 25)), packets)))
    assert [reader.entry(pts) for pts in (-1, 0, 3, 4, 9)] == [0, 0, 0, 4, 4]
