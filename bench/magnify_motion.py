"""Motion magnification: how near to the truth, how fast, how much memory.

Truth: clips whose movement is known, a texture shifted by parts of a pixel and a phantom that breathes, against the
same clip rendered with the movement (1 + alpha) times as large; beside doing nothing, whose PSNR is that of the clip
itself. PSNR and SSIM are those of luma, a mean over frames.

Speed: a clip decoded and magnified in one process, time of the processor on one core (others use the machine), against
a floor of the same run: one Fourier transform of each luma plane and back. Memory is what the process grew by; a second
run over three times the frames shows whether it grows with length.

    python bench/magnify_motion.py [CLIP]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from magnify_phantom import ssim
from numpy.typing import NDArray
from results import save
from scipy import fft

from magnifier.motion import AccelerationSettings, EulerianMotionSettings, PhaseSettings, Settings, make_method
from media.planes import planes_of
from phantom import PhantomSettings, render

RATE = 30.0
SIZE = (144, 192)
PUBLIC_PORT_S = 149.0  # the best public phase-based port on face.mp4, 301 frames of 528x592, 2 cores; 8.4 GB


@dataclass
class Still:
    index: int
    time: float
    y: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]


def shifted(pixels: NDArray[np.float64], noise: float, contrast: float) -> Iterator[Still]:
    """A texture of a seed that stands so many px to the right, half as many down."""
    draw = np.random.default_rng(0)
    radius = np.hypot(np.fft.fftfreq(SIZE[0])[:, None], np.fft.rfftfreq(SIZE[1])[None, :])
    radius[0, 0] = 1
    transform = np.fft.rfft2(draw.standard_normal(SIZE)) / radius * np.exp(-((radius / 0.25) ** 4))
    transform[0, 0] = 0
    transform *= contrast / np.fft.irfft2(transform, s=SIZE).std()
    chroma = np.full((SIZE[0] // 2, SIZE[1] // 2), 128, np.uint8)
    for number, shift in enumerate(pixels):
        ramp = np.fft.fftfreq(SIZE[0])[:, None] * shift / 2 + np.fft.rfftfreq(SIZE[1])[None, :] * shift
        y = 125 + np.fft.irfft2(transform * np.exp(-2j * np.pi * ramp), s=SIZE) + noise * draw.standard_normal(SIZE)
        yield Still(number, number / RATE, np.clip(np.rint(y), 0, 255).astype(np.uint8), chroma, chroma)


def breathing(motion: float) -> Iterator[Any]:
    """A phantom at rest that breathes 24 times a minute, without a pulse."""
    return render(
        PhantomSettings(
            seconds=4, width=SIZE[1], height=SIZE[0], scene="face", motion="still", amplitude=0, drift=0,
            breathing_rate=24, breathing_motion=motion, seed=5,
        )
    )  # fmt: skip


def tasks() -> dict[str, tuple[list[Any], list[Any], float, tuple[float, float]]]:
    """By name: clip, ideal clip, alpha, band."""
    wave = np.sin(2 * np.pi * np.arange(100) / RATE)
    found = {}
    for name, amplitude, alpha, noise, contrast in (
        ("texture, 0.1 px, noise 2", 0.1, 10.0, 2.0, 35.0),
        ("faint texture, 0.1 px, noise 2", 0.1, 10.0, 2.0, 8.0),
    ):
        clips = [list(shifted(m * amplitude * wave, noise, contrast)) for m in (1, 1 + alpha)]
        found[name] = (clips[0], clips[1], alpha, (0.5, 2.0))
    found["breathing phantom"] = (list(breathing(0.002)), list(breathing(0.012)), 5.0, (0.2, 0.8))
    return found


def methods(alpha: float, band: tuple[float, float]) -> dict[str, Settings]:
    return {
        "phase, octave": PhaseSettings(alpha=alpha, band_hz=band),
        "phase, half octave": PhaseSettings(alpha=alpha, band_hz=band, bands_per_octave=2),
        "acceleration": AccelerationSettings(alpha=alpha, frequency_hz=max(float(np.sqrt(band[0] * band[1])), 0.37)),
        "eulerian-motion": EulerianMotionSettings(alpha=alpha, band_hz=band, lambda_c=16),
        "eulerian-motion, compat=2012": EulerianMotionSettings(
            alpha=alpha, lambda_c=16, filter="iir", compat=True, chrom_attenuation=0.1
        ),
    }


def likeness(frames: list[Any], ideal: list[Any]) -> dict[str, float]:
    pairs = list(zip(frames, ideal, strict=True))
    errors = [max(float(np.mean((f.y.astype(np.float64) - i.y) ** 2)), 1e-3) for f, i in pairs]
    edge = slice(0, 15), slice(-15, None)
    return {
        "psnr_db": round(float(np.mean([10 * np.log10(255**2 / e) for e in errors])), 2),
        "ssim": round(float(np.mean([ssim(f.y.astype(np.float64), i.y.astype(np.float64)) for f, i in pairs[::7]])), 4),
        "psnr_db_first_and_last_half_second": round(
            float(np.mean([10 * np.log10(255**2 / e) for e in errors[edge[0]] + errors[edge[1]]])), 2
        ),
    }


def through(settings: Settings, frames: Any, size: tuple[int, int]) -> Iterator[Any]:
    method = make_method(settings, RATE, size)
    for frame in frames:
        yield from method.push(frame)
    yield from method.finish()


def decoded(clip: Path, times: int) -> Iterator[Still]:
    """Frames of a clip, over and over."""
    number = 0
    for _ in range(times):
        with av.open(str(clip)) as container:
            for frame in container.decode(video=0):
                yield Still(number, number / RATE, *planes_of(frame, frame.width, frame.height))
                number += 1


def _measured(clip: str, settings: Settings | None, times: int, crop: int | None, answer: Any) -> None:
    frames = decoded(Path(clip), times)
    if crop:
        c = crop // 2
        frames = (
            Still(f.index, f.time, f.y[:crop, :crop].copy(), f.u[:c, :c].copy(), f.v[:c, :c].copy()) for f in frames
        )
    first = next(frames)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    count = 1
    if settings is None:
        for frame in frames:
            fft.irfft2(fft.rfft2(frame.y.astype(np.float32)), s=frame.y.shape)
            count += 1
    else:
        method = make_method(settings, RATE, first.y.shape)
        count = len(method.push(first))
        for frame in frames:
            count += len(method.push(frame))
        count += len(method.finish())
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    answer.put((time.process_time() - start, grown // 1024, count))


def measured(clip: Path, settings: Settings | None, times: int = 1, crop: int | None = None) -> dict[str, Any]:
    """Seconds of the processor with decoding, MiB that the process grew by, frames."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=_measured, args=(str(clip), settings, times, crop, answer))
    process.start()
    seconds, mib, count = answer.get()
    process.join()
    return {"cpu_s": round(seconds, 2), "grown_mib": mib, "frames": count}


def truth() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (clip, ideal, alpha, band) in tasks().items():
        row = {"alpha": alpha, "doing nothing": likeness(clip, ideal)}
        for method, settings in methods(alpha, band).items():
            if method == "acceleration":  # phase with a filter of one frequency
                continue
            row[method] = likeness(list(through(settings, clip, SIZE)), ideal)
        found[name] = row
        print(name, row, flush=True)
    return found


def speed(clip: Path) -> dict[str, Any]:
    band = (0.7, 2.0)
    floor = measured(clip, None)
    found: dict[str, Any] = {"decode and one transform of luma and back": floor}
    for name, settings in methods(10.0, band).items():
        if name in ("acceleration", "phase, half octave"):  # the same with another filter; about twice the work
            continue
        found[name] = measured(clip, settings)
        found[name]["over_floor"] = round(found[name]["cpu_s"] / floor["cpu_s"], 1)
        print(name, found[name], flush=True)
    phase = found["phase, octave"]
    phase["public_port_s"], phase["times_faster_on_one_core"] = PUBLIC_PORT_S, round(PUBLIC_PORT_S / phase["cpu_s"], 1)
    settings = PhaseSettings(alpha=10.0, band_hz=band)
    found["phase on 96x96 px, grown_mib by clips played"] = {
        str(times): measured(clip, settings, times, 96)["grown_mib"] for times in (1, 3)
    }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, nargs="?", help="measure speed and memory on this clip; likeness without it")
    options = parser.parse_args()
    if options.clip is None:
        save("magnify_motion_truth", truth())
    else:
        save("magnify_motion_speed", speed(options.clip))


if __name__ == "__main__":
    main()
