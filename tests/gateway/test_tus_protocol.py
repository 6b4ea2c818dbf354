"""What the headers of tus say."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import tus
from mesh.errors import BadRequest, EmptyUpload, TooLarge, TusVersion, UnsupportedMedia

pytestmark = pytest.mark.unit


def test_one_version() -> None:
    tus.check_version("1.0.0")
    for wrong in (None, "", "1.0", "0.2.2", "1.0.0 "):
        with pytest.raises(TusVersion):
            tus.check_version(wrong)


def test_content_types() -> None:
    tus.check_content_type("application/offset+octet-stream")
    tus.check_content_type("Application/Offset+Octet-Stream; charset=x")
    for wrong in (None, "", "application/octet-stream", "video/mp4"):
        with pytest.raises(UnsupportedMedia):
            tus.check_content_type(wrong)


@pytest.mark.parametrize("header", [None, "", "-1", "1.5", "1e3", "x", "٣", "1" * 19, "+5", " 5"])
def test_what_is_no_number(header: str | None) -> None:
    with pytest.raises(BadRequest):
        tus.parse_offset(header)
    with pytest.raises(BadRequest):
        tus.parse_length(header, 1 << 60)


def test_lengths() -> None:
    assert tus.parse_length("100", 100) == 100
    assert tus.parse_offset("0") == 0
    with pytest.raises(TooLarge):
        tus.parse_length("101", 100)
    with pytest.raises(EmptyUpload):
        tus.parse_length("0", 100)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-zA-Z_]{1,10}", fullmatch=True), st.text(max_size=20), max_size=5))
def test_metadata_comes_back(values: dict[str, str]) -> None:
    header = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())
    assert tus.parse_metadata(header) == values


@pytest.mark.parametrize("header", ["a ###", "a YQ==,a YQ==", " , ", "a\tb c", "a " + "Y" * 5000, "a /w==", "é YQ=="])
def test_metadata_that_is_none(header: str) -> None:
    with pytest.raises(BadRequest):
        tus.parse_metadata(header)


@pytest.mark.parametrize("algorithm", tus.CHECKSUMS)
def test_checksums(algorithm: str) -> None:
    content = b"a piece"
    digest = base64.b64encode(hashlib.new(algorithm, content).digest()).decode()
    checksum = tus.parse_checksum(f"{algorithm} {digest}")
    assert checksum is not None
    assert checksum.holds(content)
    assert not checksum.holds(content + b"!")
    for wrong in ("crc32 AAAA", algorithm, f"{algorithm} AAAA", f"{algorithm} ###", ""):
        with pytest.raises(BadRequest):
            tus.parse_checksum(wrong)
    assert tus.parse_checksum(None) is None


def test_what_a_client_is_told() -> None:
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert dict(tus.progress(7, when)) == {"Upload-Offset": "7", "Upload-Expires": "Fri, 02 Jan 2026 03:04:05 GMT"}
    said = tus.options(1000)
    assert said["Tus-Max-Size"] == "1000"
    assert set(said["Tus-Extension"].split(",")) == set(tus.EXTENSIONS)
    assert "sha1" in said["Tus-Checksum-Algorithm"].split(",")
