"""People come back from their blob, and say which label is theirs in which frame."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.people import People, PersonSkin, label_at

pytestmark = pytest.mark.unit


@settings(max_examples=30, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 500), min_size=2, max_size=9, unique=True).map(sorted),
    labels=st.lists(st.integers(1, 255), min_size=8, max_size=8),
)
def test_everybody_comes_back(cuts, labels):
    spans = tuple((cuts[i], cuts[i + 1], labels[i]) for i in range(0, len(cuts) - 1, 2))
    people = People([PersonSkin("1", spans, 0.25, 9, 0.5), PersonSkin("2", ())], ["one was left out"])
    assert People.from_bytes(people.to_bytes()) == people
    for frame in range(501):
        inside = [label for first, stop, label in spans if first <= frame < stop]
        assert label_at(spans, frame) == (inside[0] if inside else 0)


def test_anything_else_is_refused():
    for data in (b"", b"{}", b'{"people":[{"id":"1"}],"warnings":[]}', b"\xff", b'{"people": 3, "warnings": []}'):
        with pytest.raises(ValueError, match=r"not a blob of people|Expecting|decode"):
            People.from_bytes(data)
