"""How far around a chunk stages look: seconds before and after it on which their output depends."""

from __future__ import annotations

import math

from mesh.parameters import COLOUR_FIELDS, MOTION, Parameters

SKIN_SECONDS = 10.0  # the reference colour is found in the first ten seconds of a clip
FIELD_SECONDS = 2.5  # fields of colour and of movement are filtered over +- 2.5 s
RECURSIVE_SECONDS = 5.0  # of its infinite past, what a recursive filter is shown
FINEST_FIELD_PX = 16  # patches of a field that is stored; the fields of finer ones are larger than the coded chunk
KEY_SECONDS = 1.0  # the chroma key is decided on chroma averaged over +- 1 s

Span = tuple[float, float]  # seconds before and after


def key_support(parameters: Parameters) -> Span:
    """Seconds of chroma before and after a frame that decide its mask."""
    return (KEY_SECONDS, KEY_SECONDS) if parameters.key == "steady" else (0.0, 0.0)


def mask_support(parameters: Parameters) -> Span:
    """Seconds before and after a chunk of which its masks may be made, whatever segmenter `skin` chooses."""
    before, after = key_support(parameters)
    if parameters.segmenter == "face":
        return KEY_SECONDS, KEY_SECONDS
    if parameters.segmenter in ("auto", "sam3"):  # a cell, and the keyframe that closes it
        return max(before, parameters.sam3_cell_s), max(after, 2 * parameters.sam3_cell_s)
    return before, after


def butterworth_half_length_s(low_hz: float, high_hz: float) -> float:
    """Seconds after which the impulse response of a zero-phase Butterworth band-pass of order 2 is below -60 dB.

    Its slowest pole decays with exp(-pi (high - low) t / sqrt 2) in a narrow band, with exp(-2 pi low t / sqrt 2) in a
    wide one; ln 1000 = 6.9, and some more for the window that two passes make.
    """
    return 10.0 / (math.pi / math.sqrt(2) * min(high_hz - low_hz, 2 * low_hz))


def segment_support(parameters: Parameters) -> Span:
    """Seconds before and after a frame that its magnified form depends on; infinite for a filter of the whole clip."""
    if parameters.magnify in MOTION:
        recursive = parameters.temporal_filter in ("iir", "butterworth")
        return (RECURSIVE_SECONDS, 0.0) if recursive else (FIELD_SECONDS, FIELD_SECONDS)
    if parameters.magnify not in COLOUR_FIELDS:
        return 0.0, 0.0
    if parameters.band == "fixed" and parameters.magnify != "acceleration-colour":
        if parameters.temporal_filter == "ideal":
            return math.inf, math.inf
        if parameters.temporal_filter == "butterworth":
            # where the rate follows a person the window of that fits in, too
            longest = butterworth_half_length_s(*parameters.magnify_band_hz)
            return longest, longest
    return FIELD_SECONDS, FIELD_SECONDS


def fields_travel(parameters: Parameters) -> bool:
    """Whether fields are coarse enough to be blobs; finer ones are made again from the chunks around a segment."""
    if parameters.magnify == "patch":
        return parameters.magnify_patch >= FINEST_FIELD_PX or segment_support(parameters)[0] == math.inf
    return parameters.magnify in COLOUR_FIELDS
