"""SAM 3 on a device: pictures and a prompt in, probabilities of skin and its instances out.

bfloat16 on CUDA, float32 on a CPU. A prompt's text is encoded once, a picture once for all prompts. Where the device
runs out of memory the batch is halved; one picture that does not fit is a typed failure, and the model stays usable.
"""

from __future__ import annotations

import gc
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.color import chroma_shape
from mesh.contracts import Recording
from mesh.errors import BadParameters, OutOfMemory
from segmenter.frames import Picture
from segmenter.sam3.instances import without_duplicates
from segmenter.sam3.loading import Tokenizer, choose_device, choose_dtype, load_pretrained, tokens_of
from segmenter.sam3.pictures import pixel_values, shown_box, stored_box, to_chroma
from segmenter.sam3.settings import Sam3Settings, Wanted
from segmenter.sam3.weights import find_weights, fingerprint

Box = tuple[float, float, float, float]
_PROMPTS = 64  # encoded texts that are kept


@dataclass(frozen=True)
class Segmentation:
    """What one prompt found in one picture.

    Attributes
    ----------
    skin : float32[h, w]
        Probability that a sample belongs to what the prompt names, 0-1, at chroma resolution.
    instances : float32[k, h, w]
        The same of each instance, highest score first; none overlaps another by more than half.
    scores : float64[k]
        0-1: the query's score times the presence score.
    boxes : float64[k, 4]
        x0, y0, x1, y1 in luma pixels of the stored picture.
    """

    skin: NDArray[np.float32]
    instances: NDArray[np.float32]
    scores: NDArray[np.float64]
    boxes: NDArray[np.float64]


@dataclass(frozen=True)
class _Asked:
    """What is asked of every picture of a call."""

    recording: Recording
    prompts: list[str]
    box: Box | None
    score: float
    instances: int


class Sam3:
    """The image model of SAM 3.

    Parameters
    ----------
    model : transformers.Sam3Model
        On the CPU; it is moved to the device here.
    tokenizer : callable
        A tokenizer of `transformers`.
    settings : Sam3Settings
    weights : str, optional
        Which weights these are (`segmenter.sam3.weights.fingerprint`).

    Attributes
    ----------
    batch : int
        Pictures that are encoded at once; halved whenever memory does not suffice.
    ready : bool
        Whether it was warmed up.
    """

    def __init__(self, model: Any, tokenizer: Tokenizer, settings: Sam3Settings, weights: str = "unnamed") -> None:
        self.settings = settings
        self.weights = weights
        self.device = choose_device(settings.device)
        self.dtype = choose_dtype(self.device)
        self.batch = settings.batch
        self.ready = False
        self._model = model.to(self.device, self.dtype).eval()
        self._tokenizer = tokenizer
        self._texts: dict[str, tuple[Any, Any]] = {}
        if settings.compile:
            self._model.vision_encoder.compile(dynamic=False)

    @classmethod
    def load(cls, settings: Sam3Settings | None = None) -> Sam3:
        """Find the weights and load them.

        Raises
        ------
        MissingWeights
            If they, or the libraries, are not there, or are not those of SAM 3.
        BadParameters
            If the settings name a device that is not there.
        """
        settings = settings or Sam3Settings()
        model, tokenizer = load_pretrained(settings)
        return cls(model, tokenizer, settings, fingerprint(find_weights(settings).folder))

    @property
    def description(self) -> dict[str, Any]:
        """Its device, and a name of all that changes masks and is no parameter of a job."""
        precision = str(self.dtype).removeprefix("torch.")
        name = f"SAM 3 {self.weights}, {self.settings.image_size} px, {precision}"
        return {"device": str(self.device), "name": name}

    def warm_up(self, recording: Recording) -> None:
        """Run on grey pictures, so that the first real ones wait for no compilation; then it is `ready`.

        Parameters
        ----------
        recording : Recording
            Any clip's: of the size that is expected.

        Raises
        ------
        OutOfMemory
            If not even one picture fits.
        """
        shape = chroma_shape(recording)
        grey = _Grey(np.full((recording.height, recording.width), 128, np.uint8), np.full(shape, 128, np.uint8))
        for count in sorted({1, self.batch}):
            self.segment([grey] * count, recording)
        self.ready = True

    def text_features(self, prompt: str) -> tuple[Any, Any]:
        """The encoded prompt and its mask, computed once a prompt.

        Returns
        -------
        torch.Tensor[1, 32, hidden], torch.Tensor[1, 32]

        Raises
        ------
        BadParameters
            If the prompt is empty or too long.
        """
        found = self._texts.get(prompt)
        if found is None:
            import torch

            ids, mask = tokens_of(self._tokenizer, prompt, self.device)
            with torch.inference_mode():
                features = self._model.get_text_features(input_ids=ids, attention_mask=mask, return_dict=True)
            if len(self._texts) >= _PROMPTS:
                del self._texts[next(iter(self._texts))]
            found = self._texts[prompt] = (features.pooler_output, mask)
        return found

    def check(self, prompt: str) -> None:
        """See that a prompt can be understood.

        Raises
        ------
        BadParameters
            If it is empty or too long.
        """
        tokens_of(self._tokenizer, prompt, "cpu")

    def segment(
        self,
        pictures: Sequence[Picture],
        recording: Recording,
        prompts: Sequence[str] = (Wanted.prompt,),
        *,
        box: Box | None = None,
        score: float = Wanted.score,
        instances: int = Wanted.instances,
    ) -> list[list[Segmentation]]:
        """What the prompts find in pictures of one clip.

        Parameters
        ----------
        pictures : sequence of Picture
        recording : Recording
            For range, matrix, size and rotation.
        prompts : sequence of str, optional
        score : float
            Instances of less are dropped, 0-1.
        instances : int
            At most, for each prompt, those of the highest score.
        box : tuple of float, optional
            x0, y0, x1, y1 in luma pixels of the stored picture: an example of what is meant, in every picture.

        Returns
        -------
        list of list of Segmentation
            For each picture, for each prompt.

        Raises
        ------
        OutOfMemory
            If one picture alone needs more memory than the device has; the next call may succeed.
        BadParameters
            If a prompt is empty or too long, or a box is given and torchvision, which reads the picture under
            it, is not installed.
        """
        if box is not None and importlib.util.find_spec("torchvision") is None:
            raise BadParameters("an example box needs torchvision", hint="Install the build that fits torch.")
        asked = _Asked(recording, list(prompts), box, score, instances)
        done: list[list[Segmentation]] = []
        while len(done) < len(pictures):
            part = pictures[len(done) : len(done) + self.batch]
            found = self._tried(part, asked)
            if found is not None:
                done += found
                continue
            self._free()
            if len(part) == 1:
                raise OutOfMemory(
                    f"SAM 3 needs more memory than {self.device} has free, even for one picture",
                    hint=f"Lower SAM3_IMAGE_SIZE (now {self.settings.image_size}), or end what else uses the device.",
                )
            self.batch = len(part) // 2
        return done

    def _tried(self, part: Sequence[Picture], asked: _Asked) -> list[list[Segmentation]] | None:
        """One batch; None where memory did not suffice. What was allocated is let go of with this frame."""
        try:
            return self._segment(part, asked)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            return None

    def _segment(self, part: Sequence[Picture], asked: _Asked) -> list[list[Segmentation]]:
        import torch

        count, recording, box = len(part), asked.recording, asked.box
        if self.settings.compile:  # few shapes, so that little is compiled
            part = [*part, *[part[-1]] * ((1 << (count - 1).bit_length()) - count)]
        shape = chroma_shape(recording)
        with torch.inference_mode():
            pixels = pixel_values(part, recording, self.settings.image_size, self.device, self.dtype)
            vision = self._model.get_vision_features(pixels)
            by_prompt = []
            for prompt in asked.prompts:
                features, mask = self.text_features(prompt)
                given = {
                    "text_embeds": _TextFeatures(features.expand(len(part), -1, -1)),
                    "attention_mask": mask.expand(len(part), -1),
                }
                if box is not None:
                    centre = torch.tensor(shown_box(recording, box), device=self.device, dtype=self.dtype)
                    given["input_boxes"] = centre.expand(len(part), 1, 4)
                    given["input_boxes_labels"] = torch.ones((len(part), 1), dtype=torch.long, device=self.device)
                output = self._model(vision_embeds=vision, **given)
                by_prompt.append([self._read(output, number, asked, shape) for number in range(count)])
        return [list(of_picture) for of_picture in zip(*by_prompt, strict=True)]

    def _read(self, output: Any, number: int, asked: _Asked, shape: tuple[int, int]) -> Segmentation:
        import torch

        recording = asked.recording
        skin = to_chroma(output.semantic_seg[number].float().sigmoid(), recording, shape)[0]
        scores = output.pred_logits[number].float().sigmoid() * output.presence_logits[number].float().sigmoid()
        top = torch.topk(scores, min(len(scores), 2 * asked.instances))
        chosen = top.indices[top.values > asked.score]
        masks = output.pred_masks[number][chosen].float().sigmoid()
        values = scores[chosen].double().cpu().numpy()
        kept = without_duplicates((masks > 0.5).cpu().numpy(), values)[: asked.instances]
        boxes = output.pred_boxes[number][chosen].double().cpu().numpy()
        order = torch.from_numpy(kept).to(masks.device)
        return Segmentation(
            skin,
            to_chroma(masks[order], recording, shape),
            values[kept],
            np.array([stored_box(recording, tuple(box)) for box in boxes[kept]], np.float64).reshape(-1, 4),
        )

    def _free(self) -> None:
        import torch

        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def memory_bytes(self) -> int | None:
        """Bytes of the device that are in use at most since the start; None on a CPU."""
        import torch

        return int(torch.cuda.max_memory_allocated(self.device)) if self.device.type == "cuda" else None


@dataclass(frozen=True)
class _TextFeatures:
    """What `Sam3Model` reads of encoded text."""

    pooler_output: Any


@dataclass(frozen=True)
class _Grey:
    y: NDArray[np.uint8]
    u: NDArray[np.uint8]

    @property
    def v(self) -> NDArray[np.uint8]:
        return self.u


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the machine, has no memory left."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return "can't allocate memory" in str(error) or "CUDA out of memory" in str(error)
