"""How much of a pulse x264 keeps: amplitude in the decoded clip over that rendered, still face, by CRF and noise.

    python bench/phantom_compression.py

The mean green over the true skin is fitted with a constant, a slope, a curve and the true blood volume.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np
from results import save

from phantom import PhantomSettings, maps_of, write

NOISE = {"little": (1.0, 1.5), "medium": (2.0, 3.0), "much": (4.0, 6.0)}  # read, shot, levels
CRF = (0, 12, 18, 23, 28, 33)


def kept(settings: PhantomSettings, path: Path) -> tuple[float, float]:
    """Part of the amplitude in green that is left, and bits a pixel of the file."""
    truth = write(settings, path)
    skin = maps_of(settings).labels == 1
    rows = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            y, u, v = (
                np.frombuffer(memoryview(p), np.uint8).reshape(-1, p.line_size)[: p.height, : p.width]
                for p in frame.planes
            )
            luma = y.reshape(skin.shape[0], 2, skin.shape[1], 2).mean(axis=(1, 3))
            rows.append([luma[skin].mean() - 16, u[skin].mean() - 128, v[skin].mean() - 128])
    green = np.array(rows) @ [255 / 219, -0.344136 * 255 / 224, -0.714136 * 255 / 224]  # BT.601, limited range
    time = np.arange(len(green)) / len(green)
    design = np.stack([np.ones_like(time), time, time**2, truth.blood_volume], axis=1)
    fit = np.linalg.lstsq(design, green, rcond=None)[0]
    bits = path.stat().st_size * 8 / (len(green) * settings.width * settings.height)
    return float(-fit[3] / green.mean() / truth.amplitude_rgb[1]), bits


def main() -> None:
    """Measure and save."""
    figures: dict[str, Any] = {"clip": "still face, 320x240, 12 s, 72 /min, amplitude 0.5 %, x264 veryfast"}
    with tempfile.TemporaryDirectory() as folder:
        for name, (read, shot) in NOISE.items():
            for crf in CRF:
                part, bits = kept(
                    PhantomSettings(
                        scene="face", motion="still", width=320, height=240, seconds=12, amplitude=0.005, crf=crf,
                        read_noise=read, shot_noise=shot,
                    ),
                    Path(folder) / "clip.mp4",
                )  # fmt: skip
                figures[f"noise {name} ({read:g}, {shot:g}), crf {crf}"] = {
                    "kept": round(part, 3), "bits_per_pixel": round(bits, 4),
                }  # fmt: skip
    save("phantom_compression", figures)


if __name__ == "__main__":
    main()
