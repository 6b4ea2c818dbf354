"""What every use of x264 needs here so that the same frames always give the same stream."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def instructions() -> tuple[str, ...]:
    """x264's option that keeps it off AVX-512.

    Its macroblock tree in AVX-512 reads memory that was never written where the width is no multiple of 128: the
    same frames gave different streams (seen by filling fresh memory with different bytes; none of the others does).
    A processor with AVX-512 has all of those that are named here.
    """
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ()
    return ("asm=SSE2Fast,LZCNT,AVX2,FMA3,BMI2",) if "avx512" in flags else ()
