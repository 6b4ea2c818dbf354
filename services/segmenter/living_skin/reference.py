"""The reference colour of the chroma key: given by the user, or found by itself because its pixels share a pulse."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from media.color import CHROMA_ZERO, opencv_from_stored, stored_from_opencv
from mesh.contracts import Recording
from segmenter.living_skin.cells import Cells
from segmenter.living_skin.clusters import MANUAL_SIMILARITY, Cluster, clusters, skin_prior
from segmenter.living_skin.pulse import SharedPulse, shared_pulse

LEAST_AREA = 0.01  # of the picture
_MOST_PIECES = 6  # of one colour that are asked for a pulse of their own
_DARK, _BRIGHT = 40.0, 235.0  # stored Y beyond which chroma says nothing
# What shows no clear pulse is kept only where something that may be one is shared all the same, its colour is that of
# skin, and it does not fill the picture as a wall does
_FAINT, _LIKELY, _FILLS = 0.10, 0.3, 0.85
_MAYBE_BLOOD, _MAYBE_AMPLITUDE = (0.1, 2.0), 0.015
_UNLIKELY_SHARED = 0.4  # a colour that skin has under odd light alone needs a pulse as clear as this
_UNASKED = 0.15  # of the score where the pulse says nothing
_PALE = 12.0  # OpenCV's levels from grey


@dataclass(frozen=True)
class Reference:
    """The key, or why there is none.

    Attributes
    ----------
    chroma : tuple of float or None
        U, V in OpenCV's units, rounded to hundredths.
    stored : tuple of float or None
        The same in stored levels.
    score : float
        0-1; 1 where the user named the colour.
    reason : str or None
        Why there is no skin.
    similarity : float
        Squared distance in OpenCV's units up to which samples are skin, where the parameters name none.
    living : bool or None
        Whether what has this colour shares a pulse; None where that was not asked or cannot be told.
    warning : str or None
        What the user should know of this key.
    """

    chroma: tuple[float, float] | None
    stored: tuple[float, float] | None
    score: float
    reason: str | None = None
    similarity: float = MANUAL_SIMILARITY
    living: bool | None = None
    warning: str | None = None


def reference_at(
    recording: Recording,
    chroma: tuple[float, float],
    score: float = 1.0,
    *,
    similarity: float = MANUAL_SIMILARITY,
    living: bool | None = None,
    warning: str | None = None,
) -> Reference:
    """The reference with a given colour, U, V in OpenCV's units."""
    u, v = round(float(chroma[0]), 2), round(float(chroma[1]), 2)
    stored = stored_from_opencv(recording, (u, v))
    return Reference(
        (u, v), (float(stored[0]), float(stored[1])), round(float(score), 4),
        similarity=round(float(similarity), 2), living=living, warning=warning,
    )  # fmt: skip


def _nothing(reason: str) -> Reference:
    return Reference(None, None, 0.0, reason)


def _seen(recording: Recording, cells: Cells) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.bool_]]:
    """Mean U, V in OpenCV's units, mean stored Y, and which cells are lit well."""
    chroma = opencv_from_stored(recording, np.stack([cells.u.mean(axis=0), cells.v.mean(axis=0)], axis=-1))
    luma: NDArray[np.float32] = cells.y.mean(axis=0)
    return chroma, luma, (luma > _DARK) & (luma < _BRIGHT)


def find_reference(recording: Recording, cells: Cells) -> Reference:
    """The colour of living skin, or the reason why none was found.

    Clusters of the clip's colours are candidates. Each is scored by prior x sqrt(area) x what its pixels share in
    the band of the pulse; the best one is the key.

    Parameters
    ----------
    recording : Recording
        For range and matrix.
    cells : Cells
        Of the first seconds of the clip.

    Returns
    -------
    Reference
    """
    chroma, luma, lit = _seen(recording, cells)
    if lit.mean() < LEAST_AREA:
        dark = float(np.median(luma)) <= _DARK
        return _nothing("the picture is too dark" if dark else "the picture is overexposed")
    best: tuple[float, Cluster, SharedPulse | None] | None = None
    lifeless: str | None = None
    for cluster in clusters(chroma[lit]):
        region = cluster.holds(chroma) & lit
        area = float(region.mean())
        prior = float(skin_prior(cluster.chroma))
        if area < LEAST_AREA:
            continue
        pulse = shared_pulse(recording, cells, region)
        if pulse is not None and not pulse.living and prior >= _LIKELY:
            pulse = _of_pieces(recording, cells, region) or pulse
        refused = _lifeless(pulse, prior, area / float(lit.mean()))
        if refused is not None:
            lifeless = lifeless or (refused if prior >= _LIKELY else None)
            continue
        shared = 0.0 if pulse is None else pulse.shared * (1.0 if pulse.living else 0.5)
        score = max(prior, _UNASKED) * math.sqrt(area) * (_UNASKED + shared)
        if best is None or score > best[0]:
            best = score, cluster, pulse
    if best is None:
        return _nothing(lifeless or "nothing that covers a hundredth of the picture has the colour of skin")
    score, cluster, pulse = best
    living = None if pulse is None else pulse.living
    warning = None
    if living is False:
        warning = (
            "what has the colour of skin shows no clear pulse in the first seconds: look at what was taken for skin"
        )
    key = (float(cluster.chroma[0]), float(cluster.chroma[1]))
    return reference_at(recording, key, min(score, 1.0), similarity=cluster.similarity, living=living, warning=warning)


def _of_pieces(recording: Recording, cells: Cells, region: NDArray[np.bool_]) -> SharedPulse | None:
    """The clearest pulse of one piece of a region, None where no piece lives: several people share no pulse."""
    labels, count = ndimage.label(region, np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    large = [number for number in np.argsort(-areas)[:_MOST_PIECES] if areas[number] >= LEAST_AREA * region.size]
    if len(large) < 2:
        return None
    found = [shared_pulse(recording, cells, labels == number + 1) for number in large]
    living = [pulse for pulse in found if pulse is not None and pulse.living]
    return max(living, key=lambda pulse: pulse.shared, default=None)


def _lifeless(pulse: SharedPulse | None, prior: float, part: float) -> str | None:
    """Why a cluster is not taken for skin; None where it may be. `part` is of all that is lit well."""
    if pulse is None:  # too short or too small to ask: its colour decides
        return None if prior >= _LIKELY else "its colour is not that of skin"
    if pulse.living:
        return None if prior >= _LIKELY or pulse.shared >= _UNLIKELY_SHARED else "its colour is not that of skin"
    if prior < _LIKELY:
        return "its colour is not that of skin"
    may_be_blood = _MAYBE_BLOOD[0] <= pulse.blood <= _MAYBE_BLOOD[1] and pulse.amplitude <= _MAYBE_AMPLITUDE
    if pulse.shared < _FAINT or not may_be_blood or part > _FILLS:
        return "what has the colour of skin shows no pulse that its parts share, so it may be a wall or a picture"
    return None


def check_colour(recording: Recording, cells: Cells, reference: Reference, similarity: float) -> Reference:
    """A colour that the user named, with a warning where it is hardly skin.

    Parameters
    ----------
    recording : Recording
    cells : Cells
        Of the first seconds of the clip.
    reference : Reference
        With a colour.
    similarity : float
        Squared distance up to which samples are taken.

    Returns
    -------
    Reference
        The same colour, with `living` and `warning`.
    """
    assert reference.chroma is not None
    chroma, _, lit = _seen(recording, cells)
    centre = np.array(reference.chroma)
    cluster = Cluster(centre, similarity)
    pulse = shared_pulse(recording, cells, cluster.holds(chroma) & lit)
    living = None if pulse is None else pulse.living
    return reference_at(
        recording, reference.chroma, reference.score,
        similarity=reference.similarity, living=living, warning=colour_warning(centre, living),
    )  # fmt: skip


def colour_warning(chroma: NDArray[np.float64], living: bool | None) -> str | None:
    """What is doubtful about a colour that the user named as skin; None where nothing is.

    Parameters
    ----------
    chroma : float64[2]
        U, V in OpenCV's units.
    living : bool or None
        Whether its pixels share a pulse, where that is known.
    """
    if living:
        return None
    likely = float(skin_prior(chroma)) >= _LIKELY
    pale = float(np.hypot(*(chroma - CHROMA_ZERO))) < _PALE
    if likely and living is None and not pale:
        return None
    named = f"the colour that was named as skin (U {chroma[0]:.0f}, V {chroma[1]:.0f})"
    if likely and living is None:
        return f"{named} is almost grey, as walls and cloth are: was the spot on skin?"
    if likely:
        return f"what has {named} shows no clear pulse in the first seconds: was the spot on skin?"
    if living is None:
        return f"{named} is hardly one that skin has: was the spot on a wall or on cloth?"
    return f"{named} is hardly one that skin has, and shows no pulse: was the spot on a wall or on cloth?"
