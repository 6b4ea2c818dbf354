"""Decoded planes to what SAM 3 takes, and its masks back to chroma resolution, both on the device.

Planes go to the device as they are stored, 1.5 bytes a pixel. Colour is affine, so each plane is scaled by itself and
only the small picture is converted. SAM 3 sees the picture as shown (turned by the clip's rotation); masks are turned
back to the stored one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.color import rgb_from_yuv
from mesh.contracts import Recording
from segmenter.frames import Picture

_MIDDLE = 127.5  # SAM 3 takes (rgb / 255 - 0.5) / 0.5


def quarter_turns(recording: Recording) -> int:
    """Clockwise quarter turns from the stored picture to the one that is shown."""
    return recording.rotation // 90 % 4


def pixel_values(pictures: Sequence[Picture], recording: Recording, size: int, device: Any, dtype: Any) -> Any:
    """The input of SAM 3's image encoder.

    Parameters
    ----------
    pictures : sequence of Picture
        Of one clip, all of one size.
    recording : Recording
        For range, matrix and rotation.
    size : int
        Side of the encoder's picture, px; the aspect is not kept, as in training.
    device : torch.device
    dtype : torch.dtype

    Returns
    -------
    torch.Tensor[n, 3, size, size]
        R, G, B in -1 to 1, in the orientation shown.
    """
    import torch

    matrix, offset = (torch.from_numpy(part).to(device, torch.float32) for part in rgb_from_yuv(recording))
    turns = quarter_turns(recording)
    done = torch.empty((len(pictures), 3, size, size), dtype=dtype, device=device)
    for place, picture in zip(done, pictures, strict=True):
        yuv = torch.cat([_scaled(plane, size, device) for plane in (picture.y, picture.u, picture.v)])
        rgb = (torch.tensordot(matrix, yuv, 1) + offset[:, None, None]).clamp_(0.0, 255.0)
        place.copy_(torch.rot90(rgb, -turns, (1, 2)) / _MIDDLE - 1.0)
    return done


def _scaled(plane: NDArray[np.uint8], size: int, device: Any) -> Any:
    """float32[1, size, size], bilinear, averaging where it gets smaller."""
    import torch

    samples = torch.from_numpy(np.ascontiguousarray(plane)).to(device).to(torch.float32)[None, None]
    return torch.nn.functional.interpolate(samples, (size, size), mode="bilinear", align_corners=False, antialias=True)[
        0
    ]


def to_chroma(masks: Any, recording: Recording, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Masks of SAM 3 at chroma resolution, in the orientation stored.

    Parameters
    ----------
    masks : torch.Tensor[k, side, side]
        Probabilities, in the orientation shown; k may be 0.
    recording : Recording
    shape : tuple of int
        Height and width of the chroma planes.

    Returns
    -------
    float32[k, height, width]
    """
    import torch

    if len(masks) == 0:
        return np.zeros((0, *shape), np.float32)
    stored = torch.rot90(masks.to(torch.float32), quarter_turns(recording), (1, 2))
    scaled = torch.nn.functional.interpolate(
        stored[:, None], shape, mode="bilinear", align_corners=False, antialias=True
    )
    found: NDArray[np.float32] = scaled[:, 0].clamp_(0.0, 1.0).cpu().numpy()
    return found


def shown_box(recording: Recording, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """A box of the stored picture as SAM 3 takes it.

    Parameters
    ----------
    recording : Recording
    box : tuple of float
        x0, y0, x1, y1 in luma pixels of the stored picture.

    Returns
    -------
    tuple of float
        Centre x, centre y, width, height as parts (0-1) of the picture as shown.
    """
    x0, x1 = sorted((box[0] / recording.width, box[2] / recording.width))
    y0, y1 = sorted((box[1] / recording.height, box[3] / recording.height))
    x, y, width, height = (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0
    for _ in range(quarter_turns(recording)):
        x, y, width, height = 1 - y, x, height, width
    return x, y, width, height


def stored_box(recording: Recording, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """A box of SAM 3 in luma pixels of the stored picture.

    Parameters
    ----------
    recording : Recording
    box : tuple of float
        x0, y0, x1, y1 as parts (0-1) of the picture as shown.

    Returns
    -------
    tuple of float
        x0, y0, x1, y1.
    """
    x0, y0, x1, y1 = box
    for _ in range(quarter_turns(recording)):
        x0, y0, x1, y1 = y0, 1 - x1, y1, 1 - x0
    return x0 * recording.width, y0 * recording.height, x1 * recording.width, y1 * recording.height
