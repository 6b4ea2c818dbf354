"""Loads SAM 3 through `transformers`: the image model, or the one that tracks; its tokenizer; device and precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesh.errors import BadParameters, MissingWeights
from segmenter.sam3.settings import PATCH, Sam3Settings
from segmenter.sam3.weights import STEPS, find_weights, require_libraries

TOKENS = 32  # of a prompt, as SAM 3 was trained
_MASK_SIDE = 4  # samples of a mask a patch
Tokenizer = Callable[..., Any]


def load_pretrained(settings: Sam3Settings, *, video: bool = False) -> tuple[Any, Tokenizer]:
    """The model and its tokenizer, on the CPU in float32.

    Parameters
    ----------
    settings : Sam3Settings
    video : bool
        `Sam3VideoModel`, detector and tracker, instead of `Sam3Model`.

    Returns
    -------
    transformers.Sam3Model or transformers.Sam3VideoModel, tokenizer

    Raises
    ------
    MissingWeights
        If weights or libraries are not there, or are not those of SAM 3.
    BadParameters
        If the settings name a device that is not there.
    """
    require_libraries()
    choose_device(settings.device)
    weights = find_weights(settings)
    if video and weights.model_type != "sam3_video":
        raise MissingWeights(f"{weights.folder} holds no tracker, only the image model", hint=STEPS)
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoTokenizer, Sam3Model, Sam3VideoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()  # the tracker says on every frame that it may follow no more objects
    try:
        configuration = AutoConfig.from_pretrained(weights.folder)
        if not video:
            configuration = getattr(configuration, "detector_config", configuration)
        if configuration.image_size != settings.image_size:
            configuration.image_size = settings.image_size
            if video:
                configuration.low_res_mask_size = _MASK_SIDE * settings.image_size // PATCH
        kind = Sam3VideoModel if video else Sam3Model
        model, notes = kind.from_pretrained(
            weights.folder, config=configuration, use_safetensors=True, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(weights.folder)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise MissingWeights(f"{weights.folder} cannot be loaded: {error}", hint=STEPS) from error
    missing = sorted(str(key) for key in notes["missing_keys"])
    if missing:
        raise MissingWeights(
            f"{weights.folder} lacks {len(missing)} of SAM 3's arrays, {missing[0]} for one", hint=STEPS
        )
    return model, tokenizer


def choose_device(wanted: str) -> Any:
    """The device of a setting; `auto` is the first CUDA device, or the CPU.

    Returns
    -------
    torch.device

    Raises
    ------
    BadParameters
        If a CUDA device is asked for that is not there.
    """
    import torch

    if wanted == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    device = torch.device(wanted)
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise BadParameters(f"SAM3_DEVICE={wanted}: there are {count} CUDA devices", hint="Use auto or cpu.")
    return device


def choose_dtype(device: Any) -> Any:
    """bfloat16 on a CUDA device that knows it, else float32."""
    import torch

    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32


def tokens_of(tokenizer: Tokenizer, prompt: str, device: Any) -> tuple[Any, Any]:
    """The tokens of a prompt and their mask.

    Returns
    -------
    torch.Tensor[1, 32], torch.Tensor[1, 32]

    Raises
    ------
    BadParameters
        If the prompt is empty or too long.
    """
    if not prompt.strip():
        raise BadParameters("the prompt is empty", hint="Name what to find, e.g. skin.")
    tokens = tokenizer(prompt, padding="max_length", max_length=TOKENS, return_tensors="pt")
    ids, mask = tokens["input_ids"].to(device), tokens["attention_mask"].to(device)
    if ids.shape[1] > TOKENS:
        raise BadParameters(
            f"the prompt has {ids.shape[1]} tokens, at most {TOKENS} are understood", hint="Use a short noun phrase."
        )
    return ids, mask
