"""Pictures of skin that moves as it is told, for the tests beside this module."""

import numpy as np
from scipy import ndimage

SHAPE = (120, 160)


def texture(seed, shape=(200, 240), fine=1.2):
    """Skin-like structure of many sizes, standard deviation 6 levels about 130."""
    draw = np.random.default_rng(seed)
    total = sum(
        s * ndimage.zoom(draw.normal(size=(shape[0] // s, shape[1] // s)), s, order=3)[: shape[0], : shape[1]] / s
        for s in (2, 4, 8, 20)
    )
    total = ndimage.gaussian_filter(total, fine)
    return 130 + 6 * (total - total.mean()) / total.std()


def seen(source, matrix, middle, shape=SHAPE, noise=0.5, seed=0):
    """`source` so that what lies at x in the template (the source's own middle part) lies at matrix(x).

    matrix is [[a, -b, x], [b, a, y]] about `middle`.
    """
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    away = np.stack([columns - middle[0] - matrix[0, 2], rows - middle[1] - matrix[1, 2]])
    back = np.linalg.inv(matrix[:, :2])
    x, y = np.tensordot(back, away, 1)
    margin = ((source.shape[0] - shape[0]) // 2, (source.shape[1] - shape[1]) // 2)
    at = np.stack([y + middle[1] + margin[0], x + middle[0] + margin[1]])
    picture = ndimage.map_coordinates(source, at, order=3, mode="reflect")
    return picture + np.random.default_rng(seed).normal(0, noise, shape)


def stored(picture):
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def similarity(x=0.0, y=0.0, turn=0.0, grown=1.0):
    a, b = grown * np.cos(turn), grown * np.sin(turn)
    return np.array([[a, -b, x], [b, a, y]])


def limb(shape=SHAPE):
    """Skin that crosses the picture, away from its upper and lower edge."""
    skin = np.zeros(shape, bool)
    skin[shape[0] // 4 : -shape[0] // 4] = True
    return skin
