"""Motion magnification: small movements made large, frame by frame in bounded memory.

Three methods stand behind one protocol:

- `eulerian_motion.EulerianMotion` (Wu et al. 2012): a band-pass of each pixel's brightness, amplified by spatial scale;
- `phase.PhaseMotion` (Wadhwa et al. 2013): a band-pass of local phase in a complex steerable pyramid;
- `acceleration.AccelerationMotion` (Zhang et al. 2017): the same pyramid, but changes of speed in place of a band.

How a segment is made
---------------------
A worker makes one object a segment and shows it every decoded frame of [t0 - before, t1 + after] in order of time::

    support = support_s(settings)                  # (before, after) in seconds
    method = make_method(settings, rate_hz, (height, width), span=(t0, t1))
    for frame in frames:                           # media.decode.Frame, or anything with index, time, y, u, v
        for magnified in method.push(frame, weights):
            ...                                    # frames of the span alone, in order, each exactly once
    for magnified in method.finish():
        ...

What comes out for a frame does not depend on how the clip was cut: filters are finite, sums have a fixed order and the
grid of time is absolute (0 is the clip's first frame). The first and last frame that a method sees are taken for the
clip's own and mirrored there; where they are not, the support keeps that from reaching the span. Recursive filters
(`filter="iir"`, `"butterworth"`, everything with `compat`) have an infinite past, of which they see 5 s: a tolerance is
stated there.

`check_motion(settings, rate_hz, (height, width))` raises ValueError, in words that say what to change, for what cannot
work on a recording: call it before the job starts.
"""

from magnifier.motion.protocol import Frame, Magnified, Method
from magnifier.motion.registry import check_motion, make_method, support_s
from magnifier.motion.settings import AccelerationSettings, EulerianMotionSettings, PhaseSettings, Settings

__all__ = [
    "AccelerationSettings",
    "EulerianMotionSettings",
    "Frame",
    "Magnified",
    "Method",
    "PhaseSettings",
    "Settings",
    "check_motion",
    "make_method",
    "support_s",
]
