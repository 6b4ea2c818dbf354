"""Colours of skin that no camera and no codec has touched: what a perfect recording looks like to the gate.

Every rendered clip of the calibration set is coded at 320x240. A model that was fitted to those alone has never seen a
fast pulse that is clear, and trusts it less the clearer it is. These are made as arrays: a pulse with the colour of
blood (0.33 : 0.77 : 0.53 in R : G : B), or none, with noise of patches, of the whole skin and of the light.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.patches import group_length
from ppg.signals import Signals

Floats = NDArray[np.float64]

SECONDS = 31.0
ABSORPTION = np.array([0.33, 0.77, 0.53])
FACES = np.array([[200.0, 150.0, 125.0], [160.0, 115.0, 95.0], [95.0, 62.0, 48.0]])  # R, G, B
FRAMES_PER_S = (24.0, 25.0, 30.0, 50.0, 60.0)
COUNT = 240
LIFELESS = 0.33  # part of them without a pulse


def _pink(rng: np.random.Generator, rows: int, n: int) -> Floats:
    frequency = np.fft.rfftfreq(n)
    weight = np.divide(1.0, frequency, out=np.zeros_like(frequency), where=frequency > 0)
    spectrum = weight * (rng.standard_normal((rows, len(weight))) + 1j * rng.standard_normal((rows, len(weight))))
    drift = np.fft.irfft(spectrum, n, axis=-1)
    found: Floats = drift / drift.std(axis=-1, keepdims=True)
    return found


def pristine(seed: int) -> tuple[Signals, dict[str, Any]]:
    """Signals of one recording, and what is true of it, as `phantom_matrix` keeps it.

    Parameters
    ----------
    seed : int
    """
    rng = np.random.default_rng(seed)
    fps = float(rng.choice(FRAMES_PER_S))
    n = round(SECONDS * fps)
    time = np.arange(n) / fps
    skin = FACES[rng.integers(len(FACES))]
    patches = int(rng.integers(4, 48))
    alive = rng.random() >= LIFELESS
    bpm = rng.uniform(40, 218)
    # breathing and a slow wander change the rate by up to some per cent
    wander = 0.02 * np.sin(2 * np.pi * 0.25 * time + rng.uniform(0, 6)) + 0.01 * _pink(rng, 1, n)[0]
    rate = bpm * (1 + rng.uniform(0, 1) * wander) / 60
    phase = 2 * np.pi * np.cumsum(rate) / fps
    wave = np.sin(phase) + rng.uniform(0.1, 0.5) * np.sin(2 * phase + rng.uniform(0, 3))
    amplitude = 10 ** rng.uniform(-2.9, -1.8) if alive else 0.0
    pulse = -skin[:, None] * ABSORPTION[:, None] * amplitude * wave
    light = 10 ** rng.uniform(-4.5, -2) * _pink(rng, 1, n)[0]
    if rng.random() < 0.3:  # a lamp
        light = light + 10 ** rng.uniform(-3.5, -2) * np.sin(2 * np.pi * rng.uniform(0.8, 3.6) * time)
    whole = skin[:, None] * (1 + light) + pulse + 10 ** rng.uniform(-3, -1.3) * rng.standard_normal((3, n))
    noise = 10 ** rng.uniform(-1.5, 0.3)
    strength = rng.uniform(0.5, 1.5, (patches, 1, 1))
    each = whole + (strength - strength.mean()) * pulse + noise * rng.standard_normal((patches, 3, n))
    group = group_length(fps)
    kept = n // group * group
    grouped = each[:, :, :kept].reshape(patches, 3, -1, group).mean(axis=-1)
    signals = Signals(
        time_s=time,
        rgb=each.mean(axis=0),
        background=120 * (1 + light) + 0.03 * rng.standard_normal((3, n)) if rng.random() < 0.7 else None,
        patch_time_s=time[:kept].reshape(-1, group).mean(axis=1),
        patches=grouped,
        patch_counts=np.full(patches, 64.0),
        skin_fraction=0.2,
        bits_per_pixel=float(10 ** rng.uniform(-0.7, 1.0)),
        displacement=10 ** rng.uniform(-2.5, -0.7) * _pink(rng, 2, n) if rng.random() < 0.7 else None,
    )
    truth = {
        "time_s": time.tolist(),
        "heart_rate": (60 * rate).tolist() if alive else None,
        "stratum": "pristine" if alive else "lifeless",
        "condition": {"light": "steady"},
    }
    return signals, truth
