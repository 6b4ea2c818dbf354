"""A process that serves SAM 3 as `segmenter.sam3.server` does, on a model that needs no torch: dark is skin.

`python sam3_fake_server.py <mode> <socket>`; modes: good, missing, dies (on the second request), silent.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from mesh.errors import BadParameters, MissingWeights
from segmenter.sam3.model import Segmentation
from segmenter.sam3.server import Server


class Darkness:
    """Finds what is darker than 100, and each half of the picture as an instance."""

    batch = 4

    def __init__(self, dies: bool = False) -> None:
        self.description = {"device": "cpu", "name": "darkness"}
        self.calls: list[int] = []
        self._dies = dies

    def check(self, prompt: str) -> None:
        if len(prompt) > 20:
            raise BadParameters("the prompt is too long")

    def segment(self, pictures: Any, recording: Any, prompts: Any, *, score: float, instances: int) -> Any:
        self.calls.append(len(pictures))
        if self._dies and len(self.calls) > 1:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return [[self._one(picture, score, instances) for _ in prompts] for picture in pictures]

    @staticmethod
    def _one(picture: Any, score: float, instances: int) -> Segmentation:
        skin = (picture.y[::2, ::2] < 100).astype(np.float32)
        left = skin.copy()
        left[:, skin.shape[1] // 2 :] = 0
        found = [one for one in (left, skin - left) if one.any()][:instances]
        scores = np.array([0.9, 0.8])[: len(found)]
        keep = scores > score
        stacked = np.stack(found)[keep] if found else np.zeros((0, *skin.shape), np.float32)
        return Segmentation(skin, stacked, scores[keep], np.zeros((int(keep.sum()), 4)))


def main(mode: str, address: str) -> None:
    if mode == "silent":
        sys.exit(3)
    if mode == "missing":
        print(json.dumps({"failure": MissingWeights("there are none", hint="get some").problem().model_dump()}))
        sys.exit(1)
    server = Server(Darkness(mode == "dies"), Path(address))
    print(json.dumps({"ready": Darkness().description}), flush=True)
    while sys.stdin.buffer.read(1 << 12):
        pass
    server.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
