"""The real classes of `transformers`, with tiny random weights: loading, batches, prompts, memory that runs out."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; what they share is a module beside them

from sam3_kit import recording

from media.color import rgb_from_yuv
from mesh.errors import BadParameters, MissingWeights, OutOfMemory
from segmenter.sam3.model import Sam3
from segmenter.sam3.pictures import pixel_values, shown_box, stored_box, to_chroma
from segmenter.sam3.random_weights import TINY_IMAGE, tiny_configuration, write_random_weights
from segmenter.sam3.settings import Sam3Settings

torch = pytest.importorskip("torch", reason="needs the extra sam3")
pytest.importorskip("transformers", reason="needs the extra sam3")

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    write_random_weights(folder, tiny_configuration())
    return folder


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def sam3(folder):
    return Sam3.load(settings(folder))


def settings(folder, **more):
    given = {"weights": str(folder), "image_size": TINY_IMAGE, "device": "cpu", "batch": 4}
    return Sam3Settings(**(given | more))


def pictures(count, width=160, height=120, seed=0):
    rng = np.random.default_rng(seed)
    half = ((height + 1) // 2, (width + 1) // 2)
    planes = [
        [rng.integers(16, 236, shape).astype(np.uint8) for shape in ((height, width), half, half)] for _ in range(count)
    ]
    return [SimpleNamespace(y=y, u=u, v=v) for y, u, v in planes]


CLIP = recording(160, 120)


def test_masks_have_the_shape_of_the_chroma_planes(sam3):
    found = sam3.segment(pictures(5), CLIP, ["skin", "Full Face"], score=0.0)
    assert [len(one) for one in found] == [2] * 5
    for one in (one for both in found for one in both):
        assert one.skin.shape == (60, 80)
        assert one.skin.dtype == np.float32
        assert 0 <= one.skin.min() <= one.skin.max() <= 1
        assert one.instances.shape == (len(one.scores), 60, 80)
        assert one.boxes.shape == (len(one.scores), 4)
        assert (one.boxes[:, 2:] >= one.boxes[:, :2]).all()
        assert (np.diff(one.scores) <= 0).all()
    assert len(found[0][0].scores) >= 1
    assert np.abs(found[0][0].skin - found[0][1].skin).max() > 1e-6  # the prompt matters
    assert np.abs(found[0][0].skin - found[1][0].skin).max() > 1e-4  # so does the picture


def test_a_batch_changes_nothing_but_rounding(sam3):
    whole = sam3.segment(pictures(6), CLIP)
    alone = [sam3.segment([picture], CLIP)[0] for picture in pictures(6)]
    for (one,), (other,) in zip(whole, alone, strict=True):
        np.testing.assert_allclose(one.skin, other.skin, atol=1e-5)


def test_text_is_encoded_once_and_pictures_once_for_all_prompts(sam3, monkeypatch):
    calls = {"text": 0, "vision": 0}
    for name, method in (("text", "get_text_features"), ("vision", "get_vision_features")):
        original = getattr(sam3._model, method)

        def counted(*args, _name=name, _original=original, **kwargs):
            calls[_name] += 1
            return _original(*args, **kwargs)

        monkeypatch.setattr(sam3._model, method, counted)
    sam3.segment(pictures(4), CLIP, ["skin", "hand"])
    sam3.segment(pictures(4), CLIP, ["skin", "hand"])
    assert calls == {"text": 2, "vision": 2}


def test_the_image_model_is_taken_out_of_the_video_weights(tmp_path):
    write_random_weights(tmp_path, tiny_configuration(video=True))
    (found,) = Sam3.load(settings(tmp_path)).segment(pictures(1), CLIP)
    assert found[0].skin.shape == (60, 80)


def test_another_image_size_is_a_setting(folder):
    sam3 = Sam3.load(settings(folder, image_size=168))
    (found,) = sam3.segment(pictures(1), CLIP)
    assert found[0].skin.shape == (60, 80)
    with pytest.raises(ValueError, match="multiple of 14"):
        settings(folder, image_size=113)


def test_ready_after_the_warm_up(sam3):
    assert not sam3.ready
    sam3.warm_up(CLIP)
    assert sam3.ready
    assert sam3.memory_bytes() is None  # a CPU


def test_weights_that_lack_an_array_or_are_damaged(tmp_path):
    from safetensors.torch import load_file, save_file

    write_random_weights(tmp_path, tiny_configuration())
    path = tmp_path / "model.safetensors"
    arrays = load_file(path)
    gone = next(name for name in sorted(arrays) if "mask_decoder" in name)
    save_file({name: array for name, array in arrays.items() if name != gone}, path, metadata={"format": "pt"})
    with pytest.raises(MissingWeights, match="lacks 1 of"):
        Sam3.load(settings(tmp_path))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(MissingWeights, match="cannot be loaded"):
        Sam3.load(settings(tmp_path))


@pytest.mark.parametrize(("prompt", "said"), [("", "empty"), ("  ", "empty"), ("a" * 40, "tokens")])
def test_a_prompt_that_cannot_be_understood(sam3, prompt, said):
    with pytest.raises(BadParameters, match=said):
        sam3.segment(pictures(1), CLIP, [prompt])


def test_a_device_that_is_not_there(folder):
    with pytest.raises(BadParameters, match="SAM3_DEVICE=cuda:63"):
        Sam3.load(settings(folder, device="cuda:63"))


class Cramped:
    """Lets the image encoder fail as CUDA does, above so many pictures at once."""

    def __init__(self, sam3, most):
        self.most, self.tried = most, []
        self._encode = sam3._model.get_vision_features
        sam3._model.get_vision_features = self

    def __call__(self, pixels):
        self.tried.append(len(pixels))
        if len(pixels) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self._encode(pixels)


def test_out_of_memory_halves_the_batch(folder):
    sam3 = Sam3.load(settings(folder, batch=8))
    expected = sam3.segment(pictures(11), CLIP)
    cramped = Cramped(sam3, 3)
    found = sam3.segment(pictures(11), CLIP)
    assert cramped.tried == [8, 4, 2, 2, 2, 2, 2, 1]
    assert sam3.batch == 2  # and it stays so
    for (one,), (other,) in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.skin, other.skin, atol=1e-5)


def test_one_picture_that_does_not_fit_is_a_typed_failure_and_the_model_lives_on(sam3):
    expected = sam3.segment(pictures(2), CLIP)
    cramped = Cramped(sam3, 0)
    with pytest.raises(OutOfMemory, match="even for one picture") as caught:
        sam3.segment(pictures(2), CLIP)
    assert "SAM3_IMAGE_SIZE" in caught.value.hint
    assert not caught.value.recording_at_fault
    assert caught.value.__context__ is None  # nothing keeps the tensors of the attempt
    cramped.most = 4
    np.testing.assert_allclose(sam3.segment(pictures(2), CLIP)[1][0].skin, expected[1][0].skin, atol=1e-5)


def test_another_error_is_not_taken_for_lack_of_memory(sam3, monkeypatch):
    def broken(*args):
        raise RuntimeError("an illegal memory access was encountered")

    monkeypatch.setattr(sam3._model, "get_vision_features", broken)
    with pytest.raises(RuntimeError, match="illegal"):
        sam3.segment(pictures(1), CLIP)


def roi_align(features, boxes, size):
    """torchvision's, by its definition: bilinear samples at the middle of bins, one sample a bin."""
    out = []
    for number, of_picture in enumerate(boxes):
        for box in of_picture:
            x0, y0, x1, y1 = box.tolist()
            x = torch.linspace(x0, x1, 2 * size + 1)[1::2] / features.shape[3] * 2 - 1
            y = torch.linspace(y0, y1, 2 * size + 1)[1::2] / features.shape[2] * 2 - 1
            grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)[None]
            out.append(torch.nn.functional.grid_sample(features[number : number + 1], grid, align_corners=False))
    return torch.cat(out)


def test_an_example_box_is_part_of_the_prompt(sam3, monkeypatch):
    """`transformers` reads the picture under a box with torchvision; where that is absent a small one stands for it."""
    from transformers.models.sam3 import modeling_sam3

    found = sam3.segment(pictures(3), CLIP)
    try:
        import torchvision  # noqa: F401
    except ImportError:
        with pytest.raises(BadParameters, match="torchvision"):
            sam3.segment(pictures(1), CLIP, box=(10, 10, 60, 60))
        monkeypatch.setattr("segmenter.sam3.model.importlib.util.find_spec", lambda name: object())
        stand_in = SimpleNamespace(ops=SimpleNamespace(roi_align=roi_align))
        monkeypatch.setattr(modeling_sam3, "torchvision", stand_in, raising=False)
    first = sam3.segment(pictures(3), CLIP, box=(10, 10, 60, 60))
    second = sam3.segment(pictures(3), CLIP, box=(90, 60, 150, 110))
    for plain, one, other in zip(found, first, second, strict=True):
        assert np.abs(plain[0].skin - one[0].skin).max() > 1e-6
        assert np.abs(other[0].skin - one[0].skin).max() > 1e-6


@pytest.mark.parametrize("full_range", [True, False])
def test_the_encoder_sees_the_colours_of_the_picture(full_range):
    clip = recording(56, 42, full_range=full_range)
    colour = np.array([110, 100, 150], np.uint8)
    flat = SimpleNamespace(
        y=np.full((42, 56), colour[0]), u=np.full((21, 28), colour[1]), v=np.full((21, 28), colour[2])
    )
    values = pixel_values([flat], clip, 28, torch.device("cpu"), torch.float32)
    matrix, offset = rgb_from_yuv(clip)
    expected = np.clip(matrix @ colour + offset, 0, 255) / 127.5 - 1
    np.testing.assert_allclose(values[0].numpy(), np.broadcast_to(expected[:, None, None], (3, 28, 28)), atol=1e-5)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_picture_is_seen_as_shown_and_masks_come_back_as_stored(rotation):
    clip = recording(64, 48, rotation=rotation, full_range=True)
    stored = np.zeros((48, 64), np.uint8)
    stored[4:16, 8:24] = 200
    grey = np.full((24, 32), 128, np.uint8)
    values = pixel_values([SimpleNamespace(y=stored, u=grey, v=grey)], clip, 96, torch.device("cpu"), torch.float32)
    shown = np.rot90(stored, -(rotation // 90))  # a clockwise turn
    seen = values[0, 0].numpy() > 0.2
    rows, columns = np.nonzero(seen)
    expected = np.nonzero(shown > 100)
    assert rows.mean() / 96 == pytest.approx((expected[0].mean() + 0.5) / shown.shape[0], abs=0.02)
    assert columns.mean() / 96 == pytest.approx((expected[1].mean() + 0.5) / shown.shape[1], abs=0.02)
    back = to_chroma(torch.from_numpy(seen[None].astype(np.float32)), clip, (24, 32))[0] > 0.5
    assert (back & (stored[::2, ::2] > 0)).sum() / (back | (stored[::2, ::2] > 0)).sum() > 0.9
    box = (8.0, 4.0, 24.0, 16.0)
    x, y, width, height = shown_box(clip, box)
    assert (x, y) == pytest.approx(
        ((expected[1].mean() + 0.5) / shown.shape[1], (expected[0].mean() + 0.5) / shown.shape[0])
    )
    again = stored_box(clip, (x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    assert again == pytest.approx(box)


def test_odd_sizes(sam3):
    clip = recording(161, 121)
    (found,) = sam3.segment(pictures(1, 161, 121), clip)
    assert found[0].skin.shape == (61, 81)
