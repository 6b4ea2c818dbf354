"""Coded video of a live session: its skin, and colours that show the pulse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_pieces import picture_clip, pieces_of

from media.fragments import Stream, StreamedFrame
from mesh.contracts import Recording
from mesh.errors import BadParameters, BadRequest, TooManyPixels, UnreadableVideo
from mesh.live import MEDIA_PATCHES, LiveColours, LiveMediaRequest
from phantom import PhantomSettings, write
from ppg.live import reading
from segmenter.face import models
from segmenter.face.reader import FaceReader
from segmenter.live_media import answer, colours
from segmenter.live_skin import Patches, Skin, find_skin, go_on, overlap

pytestmark = pytest.mark.unit

RATE = 66.0
RECORDING = Recording(
    duration_s=0.0, frames=0, width=64, height=48, fps=0.0, variable_rate=True, codec="vp8", container="stream",
    pixel_format="yuv420p", full_range=False, matrix=6,
)  # fmt: skip


def played(pieces: list[tuple[float, bytes]], **more: object) -> tuple[list[float], list[list[object]], LiveColours]:
    """Times and colours of a stream that comes piece by piece, kept as the gateway keeps it; and the last answer."""
    head, held, last, skin, times, rows = b"", b"", None, None, [], []
    for _, piece in pieces:
        held += piece
        said = colours(LiveMediaRequest(after_s=last, skin=skin, **more), head + held)
        if said.head:
            whole = head + held
            head, held = whole[: said.head], whole[said.restart :]
        times += said.t
        rows += said.rgb
        skin, last = said.skin, times[-1] if times else None
    return times, rows, said


def array_of(rows: list[list[object]]) -> np.ndarray:
    """float64[n, 16, 3]"""
    return np.array([[colour or (np.nan,) * 3 for colour in row] for row in rows], np.float64)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of pulsing skin."""
    path = tmp_path_factory.mktemp("live") / "skin.mp4"
    write(PhantomSettings(seconds=10.2, width=160, height=120, heart_rate=RATE), path)
    return path


@pytest.mark.parametrize(("container", "codec"), [("webm", "libvpx"), ("mp4", "libx264")])
def test_the_rate_is_in_the_colours(clip, container, codec):
    pieces = pieces_of(clip, container=container, codec=codec, bits_per_s=1_000_000)
    times, rows, said = played(pieces)
    assert len(times) == 306
    assert (np.diff(times) > 0).all()
    assert said.reason is None
    found = reading(np.array(times), array_of(rows))
    assert found.state == "good"
    assert found.heart_rate.value == pytest.approx(RATE, abs=2)


def test_a_spot_that_is_named_is_skin(clip):
    pieces = pieces_of(clip, bits_per_s=1_000_000)[:3]
    _, rows, _ = played(pieces, skin_point=(80.0, 60.0))
    assert np.isfinite(array_of(rows)[-1]).any()
    with pytest.raises(BadParameters, match="skin_point"):
        played(pieces, skin_point=(1600.0, 60.0))


def test_where_there_is_no_skin_the_reason_is_said(tmp_path):
    grass = np.full((20, 48, 64, 3), (30, 140, 40), np.uint8)
    pieces = pieces_of(picture_clip(tmp_path / "grass.mkv", grass))
    times, rows, said = played(pieces)
    assert len(times) == 20
    assert not np.isfinite(array_of(rows)).any()
    assert said.reason


def test_what_is_no_stream_of_ours_is_refused(clip, tmp_path):
    stream = b"".join(data for _, data in pieces_of(clip)[:3])
    for wrong in ("x", "AAAA", Skin(np.ones((2, 2), np.bool_), 0.0, np.ones((16, 3))).to_text()[:-8]):
        with pytest.raises(BadRequest):
            colours(LiveMediaRequest(skin=wrong), stream)
    with pytest.raises(BadRequest):
        answer(b"\2\0\0\0no")
    with pytest.raises(UnreadableVideo):
        answer(LiveMediaRequest().pack(b"no video at all"))
    large = pieces_of(picture_clip(tmp_path / "large.mkv", np.zeros((3, 1090, 1922, 3), np.uint8)))
    with pytest.raises(TooManyPixels):
        played(large)


@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 50), width=st.integers(1, 50), seed=st.integers(0, 2**31))
def test_what_was_taken_for_skin_comes_back(height, width, seed):
    chance = np.random.default_rng(seed)
    skin = Skin(chance.random((height, width)) > 0.5, chance.uniform(-5, 1e5), chance.random((MEDIA_PATCHES, 3)), False)
    again = Skin.from_text(skin.to_text(), (height, width))
    assert again is not None
    assert (again.mask == skin.mask).all()
    assert (again.factors == skin.factors).all()
    assert (again.looked_s, again.seen) == (skin.looked_s, skin.seen)
    assert Skin.from_text(skin.to_text(), (height + 1, width)) is None, "a picture of another size"


def frame_of(seed: int, level: float = 120.0) -> StreamedFrame:
    """A frame brighter to the right and downwards, so that another place has another colour."""
    y = level + np.add.outer(np.arange(48), np.arange(64)) / 4
    noise = np.random.default_rng(seed).normal(0, 1, (48, 64))
    return StreamedFrame(
        0.1 * seed,
        np.rint(y + noise).astype(np.uint8),
        np.full((24, 32), 110, np.uint8),
        np.full((24, 32), 150, np.uint8),
    )


def test_another_mask_leaves_no_step():
    """The skin moved by a third: the colours of the new patches go on at those of the old, and follow the light."""
    old, new = np.zeros((24, 32), np.bool_), np.zeros((24, 32), np.bool_)
    old[2:20, 2:18] = new[4:22, 10:28] = True
    skin = Skin(old, 0.0, np.ones((16, 3)))
    after = go_on(skin, new, frame_of(5), RECORDING)
    before_rgb = Patches(old, RECORDING).colours(frame_of(5))
    plain = Patches(new, RECORDING).colours(frame_of(5))
    assert np.nanmax(np.abs(plain - before_rgb)) > 2, "what the step would be"
    np.testing.assert_allclose(plain * after.factors, before_rgb, rtol=1e-9)
    brighter = Patches(new, RECORDING).colours(frame_of(6, 126.0)) * after.factors
    assert np.nanmean(brighter[:, 1] - before_rgb[:, 1]) == pytest.approx(6 * 255 / 219, rel=0.15)


def test_patches_are_means_of_their_samples():
    mask = np.zeros((24, 32), np.bool_)
    mask[4:20, 8:24] = True
    frame = frame_of(1)
    rgb = Patches(mask, RECORDING).colours(frame)
    luma = frame.y[8:16, 16:24].mean()  # the first of four by four patches
    assert rgb[0, 1] == pytest.approx((luma - 16) * 255 / 219 + (-0.344136 * -18 - 0.714136 * 22) * 255 / 224, abs=0.05)
    assert np.isfinite(rgb).all()
    mask[4:8, 8:12] = False
    mask[4, 8] = True
    assert np.isnan(Patches(mask, RECORDING).colours(frame)[0]).all(), "too few samples"
    assert np.isnan(Patches(np.zeros_like(mask), RECORDING).colours(frame)).all()


@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), seed=st.integers(0, 2**31))
def test_one_colour_is_itself_in_every_patch_whatever_the_size(height, width, seed):
    chance = np.random.default_rng(seed)
    recording = RECORDING.model_copy(update={"height": height, "width": width})
    shape = ((height + 1) // 2, (width + 1) // 2)
    frame = StreamedFrame(
        0.0, np.full((height, width), 90, np.uint8), np.full(shape, 120, np.uint8), np.full(shape, 140, np.uint8)
    )
    mask = chance.random(shape) < chance.random()
    rgb = Patches(mask, recording).colours(frame)
    known = np.isfinite(rgb).all(axis=1)
    assert known.sum() <= mask.sum() // 16
    np.testing.assert_allclose(rgb[known] - rgb[known][:1], 0.0, atol=1e-9)


def test_the_same_skin_is_not_chosen_anew(clip):
    """A look every two seconds: the first mask stays while it fits, whatever the pulse does to the key's edge."""
    first = played(pieces_of(clip, bits_per_s=1_000_000)[:3])[2]
    last = played(pieces_of(clip, bits_per_s=1_000_000)[:12])[2]
    assert first.skin is not None
    assert last.skin is not None
    one, other = Skin.from_text(first.skin, (60, 80)), Skin.from_text(last.skin, (60, 80))
    assert one is not None
    assert other is not None
    assert other.looked_s > one.looked_s + 3
    assert (one.mask == other.mask).all()
    assert overlap(one.mask, one.mask) == 1.0
    assert overlap(one.mask, ~one.mask) == 0.0


@pytest.mark.clips
def test_a_face_is_found_before_what_has_its_colour():
    path = Path(__file__).parents[2] / ".." / "shared" / "clips" / "face.mp4"
    if not path.exists():
        pytest.skip("the shared clips are not here")
    if models.problem() is not None:
        pytest.skip("the models of faces are not installed")
    stream = Stream(b"".join(data for _, data in pieces_of(path)[:2]))
    frame = next(stream.frames())
    assert stream.recording is not None
    mask, reason = find_skin(frame, stream.recording)
    assert mask is not None
    assert reason is None
    left, top, right, bottom = FaceReader(stream.recording).read(frame)[0].box / 2
    rows, columns = np.nonzero(mask)
    inside = (rows >= top) & (rows <= bottom) & (columns >= left) & (columns <= right)
    assert inside.mean() > 0.9
    assert len(rows) > 0.4 * (right - left) * (bottom - top)
    rgb = Patches(mask, stream.recording).colours(frame)
    assert np.isfinite(rgb).all(axis=1).sum() >= 12
    assert (np.nanmean(rgb, axis=0)[:-1] > np.nanmean(rgb, axis=0)[1:]).all(), "skin: more red than green than blue"
