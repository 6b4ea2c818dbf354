"""The promises on a real face: its rate, and a gain that is what was asked for, in the file that a user gets."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest

from media.color import rgb_from_yuv

pytestmark = pytest.mark.clips

PULSE_HZ = 0.88  # 53 bpm


def skin_means(content, labels, recording):  # type: ignore[no-untyped-def]
    """Mean Y, U, V and G over the mask of each frame, at chroma resolution; [n, 4]."""
    matrix, offset = rgb_from_yuv(recording)
    rows = []
    with av.open(io.BytesIO(content) if isinstance(content, bytes) else str(content)) as container:
        for frame, mask in zip(container.decode(video=0), labels, strict=True):
            planes = frame.to_ndarray()
            h, w = frame.height, frame.width
            y = planes[:h].reshape(h // 2, 2, w // 2, 2).mean(axis=(1, 3))
            u, v = planes[h:].reshape(2, h // 2, w // 2)
            skin = mask.astype(bool)
            yuv = np.array([y[skin].mean(), u[skin].mean(), v[skin].mean()])
            rows.append([*yuv, (matrix @ yuv + offset)[1]])
    return np.array(rows)


def phasor(signal, fps):  # type: ignore[no-untyped-def]
    """Complex amplitude at the pulse, Hann-windowed."""
    n = np.arange(len(signal))
    window = np.hanning(len(signal))
    detrended = signal - np.polyval(np.polyfit(n, signal, 2), n)
    return 2 * np.sum(window * detrended * np.exp(-2j * np.pi * PULSE_HZ * n / fps)) / window.sum()


@pytest.fixture(scope="module")
def face(shared_clip) -> Path:  # type: ignore[no-untyped-def]
    return shared_clip("face.mp4")


@pytest.mark.parametrize(("luma", "gain"), [(True, 20.0), (False, 20.0), (False, 50.0)])
def test_the_gain_in_the_decoded_clip_is_the_one_asked_for(face, process, luma, gain) -> None:  # type: ignore[no-untyped-def]
    made = process(face, luma=luma, gain=gain)
    rate = made.result.people[0].measurements["heart_rate"]
    assert rate.status == "ok"
    assert rate.value == pytest.approx(53, abs=1.5)
    assert rate.low <= rate.value <= rate.high
    before = skin_means(face, made.labels, made.plan.recording)
    after = skin_means(made.files["magnified.mp4"], made.labels, made.plan.recording)
    assert len(after) == 301
    channels = {"G": 3} if luma else {"U": 1, "V": 2}
    for name, column in channels.items():
        ratio = phasor(after[:, column], 30) / phasor(before[:, column], 30)
        assert abs(ratio) == pytest.approx(1 + gain, rel=0.10), name
        assert abs(np.angle(ratio)) <= 0.1, name
    if not luma:  # brightness is left alone
        assert abs(phasor(after[:, 0], 30) / phasor(before[:, 0], 30)) == pytest.approx(1, abs=0.3)


def test_the_output_looks_like_the_input(face, process) -> None:  # type: ignore[no-untyped-def]
    made = process(face)
    with av.open(str(face)) as a, av.open(io.BytesIO(made.files["magnified.mp4"])) as b:
        one, two = a.streams.video[0], b.streams.video[0]
        for field in ("width", "height"):
            assert getattr(one, field) == getattr(two, field)
        for field in ("color_range", "colorspace", "color_primaries", "color_trc"):
            assert getattr(one.codec_context, field) == getattr(two.codec_context, field), field
        assert len(b.streams.audio) == len(a.streams.audio)
        times = [[f.time for f in c.decode(video=0)] for c in (a, b)]
    assert np.allclose(np.array(times[0]) - times[0][0], np.array(times[1]) - times[1][0], atol=1e-4)


def test_a_baby_in_a_cot_gives_no_number(shared_clip, process) -> None:  # type: ignore[no-untyped-def]
    made = process(shared_clip("baby.mp4"))
    for person in made.result.people:
        rate = person.measurements["heart_rate"]
        assert rate.status == "refused"
        assert rate.value is None
        assert rate.reason


def test_a_wrist_is_right_or_refused(shared_clip, process) -> None:  # type: ignore[no-untyped-def]
    made = process(shared_clip("wrist.mp4"))
    rate = made.result.people[0].measurements["heart_rate"]
    assert rate.status == "refused" or rate.value == pytest.approx(55, abs=3)
