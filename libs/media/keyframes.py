"""Where decoding can start, read from the coded packets: a container's keyframe flag alone cannot be trusted.

A packet is an entry if everything that follows it in presentation order decodes without what came before.
"""

from __future__ import annotations

from collections.abc import Iterator

# ITU-T H.264 (08/2021), tables 7-1 and D.1
_H264_IDR, _H264_SEI, _RECOVERY_POINT = 5, 6, 6
# ITU-T H.265 (08/2021), table 7-1: BLA 16-18, IDR 19-20, CRA 21
_HEVC_BLA, _HEVC_ENTRY = frozenset(range(16, 19)), frozenset(range(19, 22))
_VOP_START = b"\0\0\1\xb6"  # ISO/IEC 14496-2, vop_start_code


def nal_length_size(codec: str, extradata: bytes) -> int:
    """Bytes of the length before each NAL unit (avcC, hvcC: ISO/IEC 14496-15); 0 for start codes."""
    if codec == "h264" and len(extradata) > 6 and extradata[0] == 1:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) > 22 and extradata[0] == 1:
        return (extradata[21] & 3) + 1
    return 0


def nal_units(data: bytes, length_size: int) -> Iterator[bytes]:
    """NAL units of a packet, with length prefixes or with start codes."""
    if length_size:
        position = 0
        while position + length_size < len(data):
            size = int.from_bytes(data[position : position + length_size], "big")
            position += length_size
            yield data[position : position + size]
            position += size
        return
    start = data.find(b"\0\0\1")
    while start >= 0:
        following = data.find(b"\0\0\1", start + 3)
        yield data[start + 3 : following if following >= 0 else len(data)]
        start = following


def is_entry(codec: str, data: bytes, length_size: int) -> bool:
    """Whether decoding can start at a packet that the container calls a keyframe.

    H.264: an IDR picture, or a recovery point that needs no frame to recover. HEVC: IDR or CRA. VP8, VP9, MPEG-4:
    the picture says that it is coded by itself. AV1: the container's word is taken.
    """
    if not data:
        return False
    if codec == "h264":
        return any(_h264_entry(unit) for unit in nal_units(data, length_size) if unit)
    if codec == "hevc":
        return any(unit[0] >> 1 & 63 in _HEVC_ENTRY for unit in nal_units(data, length_size) if unit)
    if codec == "vp8":
        return data[0] & 1 == 0
    if codec == "vp9":
        return _vp9_key(data)
    if codec == "mpeg4":
        start = data.find(_VOP_START)
        return start >= 0 and start + 4 < len(data) and data[start + 4] >> 6 == 0
    return codec == "av1"


def breaks_order(codec: str, data: bytes, length_size: int) -> bool:
    """Whether a keyframe makes decoders drop its leading pictures: a broken link (BLA) of HEVC."""
    return codec == "hevc" and any(unit[0] >> 1 & 63 in _HEVC_BLA for unit in nal_units(data, length_size) if unit)


def is_shown(codec: str, data: bytes) -> bool:
    """Whether a packet holds a frame that is shown: VP8 and VP9 have pictures that only serve as references."""
    if codec == "vp8":  # RFC 6386, 9.1: show_frame
        return bool(data[0] & 0x10)
    if codec == "vp9" and data[-1] & 0xE0 != 0xC0:  # a superframe ends with a frame that is shown
        return _vp9_shown(data)
    return True


def _h264_entry(unit: bytes) -> bool:
    kind = unit[0] & 31
    return kind == _H264_IDR or (kind == _H264_SEI and _recovers_at_once(unit[1:]))


def _recovers_at_once(payload: bytes) -> bool:
    """Whether SEI messages hold a recovery point with recovery_frame_cnt = 0 (its ue(v) code is a single 1 bit)."""
    position = 0
    while position + 2 < len(payload):
        kind = size = 0
        while position < len(payload) and payload[position] == 0xFF:
            kind, position = kind + 255, position + 1
        if position >= len(payload):
            return False
        kind, position = kind + payload[position], position + 1
        while position < len(payload) and payload[position] == 0xFF:
            size, position = size + 255, position + 1
        if position >= len(payload):
            return False
        size, position = size + payload[position], position + 1
        if kind == _RECOVERY_POINT:
            return position < len(payload) and payload[position] & 0x80 != 0
        position += size
    return False


def _vp9_bits(data: bytes) -> tuple[int, int]:
    """First byte of the uncompressed header and the position after the profile (VP9 specification, 6.2)."""
    first = data[0]
    profile = (first >> 5 & 1) | (first >> 4 & 1) << 1
    return first, 5 if profile == 3 else 4


def _vp9_key(data: bytes) -> bool:
    first, position = _vp9_bits(data)
    return first >> 6 == 2 and not first >> 7 - position & 1 and not first >> 6 - position & 1


def _vp9_shown(data: bytes) -> bool:
    first, position = _vp9_bits(data)
    existing = first >> 7 - position & 1
    return bool(existing or first >> 5 - position & 1)
