"""What can be seen: each scene is a list of parts."""

from __future__ import annotations

import numpy as np

from phantom.scenes.ellipse import Ellipse, ellipse_parts, skin_ellipse
from phantom.scenes.face import face_parts, mannequin_parts
from phantom.scenes.limbs import forearm_parts, hand_parts
from phantom.scenes.objects import lamp_parts, object_parts, photo_parts, wall_parts
from phantom.scenes.wrist import wrist_parts
from phantom.settings import PhantomSettings
from phantom.sheet import Part

_SCENES = {
    "ellipse": ellipse_parts,
    "face": face_parts,
    "forearm": forearm_parts,
    "hand": hand_parts,
    "wrist": wrist_parts,
    "wall": wall_parts,
    "mannequin": mannequin_parts,
    "photo": photo_parts,
    "photo_waved": photo_parts,
    "lamp": lamp_parts,
    "object": object_parts,
}


def parts_of(settings: PhantomSettings, width: int, height: int) -> list[Part]:
    """The parts of the scene, the farthest first, in a picture of that size."""
    return _SCENES[settings.scene](settings, width, height, np.random.default_rng([settings.seed, 4]))


__all__ = ["Ellipse", "parts_of", "skin_ellipse"]
