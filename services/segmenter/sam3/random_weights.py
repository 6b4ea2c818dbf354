"""SAM 3 with random weights: the real classes of `transformers`, for tests (tiny) and for benchmarks (full size).

Nobody should have to be let in at Meta's to test this package. Masks of random weights mean nothing; shapes, memory,
speed and every line of code are those of the real model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TINY_IMAGE = 112  # px: 8 x 8 patches
_VOCABULARY = 512


def tiny_configuration(image_size: int = TINY_IMAGE, *, video: bool = False) -> Any:
    """A configuration of the same shape as the real one, and some thousandths of its size.

    The tracker wants hidden sizes that are equal everywhere, a multiple of 64, and 128 at least.

    Parameters
    ----------
    image_size : int
        px, a multiple of 14.
    video : bool
        Of `Sam3VideoModel` (detector and tracker) instead of `Sam3Model`.

    Returns
    -------
    transformers.Sam3Config or transformers.Sam3VideoConfig
    """
    from transformers import Sam3Config, Sam3VideoConfig

    hidden = 128 if video else 32
    grid = image_size // 14
    part = {"hidden_size": hidden, "intermediate_size": 2 * hidden, "num_attention_heads": 4}
    detector = {
        "vision_config": {
            "model_type": "sam3_vision_model",
            "backbone_config": {
                "model_type": "sam3_vit_model",
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "image_size": image_size,
                "pretrain_image_size": image_size,
                "patch_size": 14,
                "window_size": 4,
                "global_attn_indexes": [0, 1],
            },
            "fpn_hidden_size": hidden,
            "scale_factors": [4.0, 2.0, 1.0, 0.5],
            "backbone_feature_sizes": [[4 * grid] * 2, [2 * grid] * 2, [grid] * 2],
        },
        "text_config": {
            "model_type": "clip_text_model",
            "vocab_size": _VOCABULARY,
            "hidden_size": 32,
            "intermediate_size": 64,
            "projection_dim": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 4,
            "max_position_embeddings": 32,
            "bos_token_id": _VOCABULARY - 2,
            "eos_token_id": _VOCABULARY - 1,
            "pad_token_id": _VOCABULARY - 1,
        },
        "geometry_encoder_config": {**part, "num_layers": 1},
        "detr_encoder_config": {**part, "num_layers": 1},
        "detr_decoder_config": {**part, "num_layers": 1, "num_queries": 5},
        "mask_decoder_config": {"hidden_size": hidden, "num_upsampling_stages": 2, "num_attention_heads": 4},
    }
    if not video:
        return Sam3Config(**detector)
    tracker = {
        "vision_config": detector["vision_config"],
        "prompt_encoder_config": {"hidden_size": hidden, "image_size": image_size, "patch_size": 14},
        "mask_decoder_config": {
            "hidden_size": hidden,
            "mlp_dim": 2 * hidden,
            "num_attention_heads": 4,
            "iou_head_hidden_dim": hidden,
        },
        "memory_attention_hidden_size": hidden,
        "memory_attention_num_layers": 1,
        "memory_attention_feed_forward_hidden_size": 2 * hidden,
        "memory_attention_rope_feat_sizes": [grid, grid],
        "memory_encoder_hidden_size": hidden,
        "memory_encoder_output_channels": 64,
        "mask_downsampler_embed_dim": hidden,
        "memory_fuser_embed_dim": hidden,
        "memory_fuser_intermediate_dim": 2 * hidden,
        "image_size": image_size,
    }
    return Sam3VideoConfig(
        detector_config={"model_type": "sam3", **detector},
        tracker_config={"model_type": "sam3_tracker_video", **tracker},
        low_res_mask_size=image_size * 2 // 7,
        # random scores are low: with these everything is found, up to a few objects
        score_threshold_detection=0.0,
        new_det_thresh=0.0,
        max_num_objects=3,
    )


def full_configuration(image_size: int = 1008, *, video: bool = False) -> Any:
    """The configuration of facebook/sam3: the defaults of `transformers`."""
    from transformers import Sam3Config, Sam3VideoConfig

    configuration = Sam3VideoConfig() if video else Sam3Config()
    configuration.image_size = image_size
    return configuration


def random_model(configuration: Any, seed: int = 0, *, lively: bool = False) -> Any:
    """A model of this configuration, on the CPU in float32, ready for inference.

    Parameters
    ----------
    configuration
        Of `Sam3Model` or `Sam3VideoModel`.
    seed : int
    lively : bool
        Weights of unit gain instead of those that a training starts from: then all that goes in, memories of the
        tracker among it, shows in the masks, and tracked objects are seen. Without it they are hidden.
    """
    import torch
    from transformers import Sam3Model, Sam3VideoModel

    torch.manual_seed(seed)
    is_video = configuration.model_type == "sam3_video"
    model = (Sam3VideoModel if is_video else Sam3Model)(configuration).eval()
    if lively:
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() >= 2:
                    parameter.normal_(0.0, parameter[0].numel() ** -0.5)
            if is_video:
                for name, parameter in model.tracker_model.named_parameters():
                    if "layer" in name and name.endswith("scale"):
                        parameter.fill_(1.0)
                    if "obj_score" in name and name.endswith("proj_out.bias"):
                        parameter.fill_(50.0)  # every object is seen
    return model


def write_random_weights(folder: Path, configuration: Any, seed: int = 0) -> None:
    """A folder such as `SAM3_WEIGHTS` names: config.json, model.safetensors, and a tokenizer of single bytes.

    Parameters
    ----------
    folder : Path
        Made where it does not exist.
    configuration
        As `tiny_configuration` makes it; its vocabulary must hold 512 tokens or more.
    seed : int
    """
    from transformers import CLIPTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    random_model(configuration, seed).save_pretrained(folder)
    characters = _byte_characters()
    vocabulary = {character: number for number, character in enumerate(characters)}
    vocabulary |= {f"{character}</w>": 256 + number for number, character in enumerate(characters[:254])}
    vocabulary |= {"<|startoftext|>": _VOCABULARY - 2, "<|endoftext|>": _VOCABULARY - 1}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(folder)


def _byte_characters() -> list[str]:
    """The printable character that stands for each byte in a byte-level vocabulary, printable bytes first."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return [chr(byte) for byte in printable] + [chr(256 + number) for number in range(len(others))]
