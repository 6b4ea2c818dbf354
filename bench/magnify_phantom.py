"""Colour magnification against synthetic clips whose answer is known: gain, leakage, likeness to the ideal clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation, uniform_filter

from magnifier.field import FieldMaker, gathered
from magnifier.methods import METHODS, Segment
from magnifier.temporal import KernelRows, fir_kernel
from media.decode import Frame
from media.masks import FrameMask, MaskWriter, frame_mask
from media.pulse_blob import PersonWaves, Pulse
from mesh.contracts import Chunk, Grid, Plan, Recording
from mesh.names import BlobName
from mesh.parameters import Parameters
from mesh.stages import Input, Inputs
from mesh.support import fields_travel
from phantom import PhantomSettings, ideal_magnified, masks, render, truth_of

GAIN = 20.0
STILL = PhantomSettings(seconds=12, width=320, height=240, scene="face", motion="still", heart_rate=66, seed=11)
MOVING = STILL.model_copy(update={"seconds": 8, "width": 240, "height": 180})
# tasks of Estepp et al. 2014, as DeepMag (Chen and McDuff 2020) uses them: sitting still, turning, turning faster, a
# new orientation every second
TASKS = {"A, still": "still", "B, 10 deg/s": "rotation10", "C, 30 deg/s": "rotation30", "D, new every s": "reorient"}
METHODS_SHOWN: dict[str, dict[str, Any]] = {
    "uniform, luma": {"magnify": "uniform", "luma": True},
    "patch 16 px, rate": {"magnify": "patch"},
    "patch 16 px, fixed band": {"magnify": "patch", "band": "fixed"},
    "patch 2 px, rate": {"magnify": "patch", "magnify_patch": 2},
    "eulerian-colour, FIR": {"magnify": "eulerian-colour"},
    "eulerian-colour, Butterworth": {"magnify": "eulerian-colour", "temporal_filter": "butterworth"},
    "eulerian-colour, ideal": {"magnify": "eulerian-colour", "temporal_filter": "ideal"},
    "eulerian-colour, rate": {"magnify": "eulerian-colour", "band": "rate"},
    "acceleration-colour, rate": {"magnify": "acceleration-colour", "band": "rate"},
    "eulerian-colour, whole picture": {"magnify": "eulerian-colour", "region": "picture"},
}
IN_TABLE: dict[str, dict[str, Any]] = {
    # the band of a search for a pulse, over the whole picture, whatever moves: what a user of a port does
    "plain EVM": {
        "magnify": "eulerian-colour", "region": "picture", "temporal_filter": "ideal",
        "magnify_low_hz": 0.8, "magnify_high_hz": 2.0,
    },
    "uniform, luma": {"magnify": "uniform", "luma": True},
    "patch": {"magnify": "patch"},
    "eulerian-colour": {"magnify": "eulerian-colour", "magnify_low_hz": 0.8, "magnify_high_hz": 2.0},
}  # fmt: skip


@dataclass(frozen=True)
class RenderedSegment(Segment):
    """A whole clip as one segment, out of rendered frames: no codec comes between."""

    shown: list[Frame] = field(default_factory=list)
    skin: list[FrameMask] = field(default_factory=list)

    def frames(self, wanted: range | None = None) -> Iterator[tuple[Frame, FrameMask]]:
        """See `Segment.frames`."""
        wanted = self.own if wanted is None else wanted
        for index in wanted:
            yield self.shown[index], self.skin[index]


def rendered(settings: PhantomSettings, gain: float = 0.0) -> list[Frame]:
    """The frames of a synthetic clip, magnified ideally by `gain`."""
    return [
        Frame(f.index, f.time, f.y, f.u, f.v) for f in (ideal_magnified(settings, gain) if gain else render(settings))
    ]


def plan_of(settings: PhantomSettings, times: np.ndarray) -> Plan:
    """One chunk."""
    count = len(times)
    fps = (count - 1) / (times[-1] - times[0])
    recording = Recording(
        duration_s=count / fps, frames=count, width=settings.width, height=settings.height, fps=fps,
        variable_rate=False, codec="h264", container="mp4", pixel_format="yuv420p",
    )  # fmt: skip
    return Plan(
        recording=recording,
        time_base=(1, 90000),
        pts=[round(t * 90000) for t in times],
        chunks=[Chunk(index=0, first=0, frames=count, t0=0.0, t1=count / fps)],
        grid=Grid(origin_s=0.0, rate_hz=fps, samples=count),
    )


def true_pulse(settings: PhantomSettings, frames: list[Frame], skin: list[FrameMask]) -> Pulse:
    """The true rate and phase, and the means over the true skin through a band-pass, as `pulse` gives them."""
    truth = truth_of(settings)
    times = np.array(truth.time_s)
    beats = np.array(truth.beats_s)
    phase = 2 * np.pi * np.interp(times, beats, np.arange(len(beats)), left=np.nan, right=np.nan)
    known = np.isfinite(phase)
    slope = 2 * np.pi * settings.heart_rate / 60
    first, last = np.flatnonzero(known)[[0, -1]]
    phase[:first] = phase[first] - slope * (times[first] - times[:first])
    phase[last + 1 :] = phase[last] + slope * (times[last + 1 :] - times[last])
    stack = chroma_stack(frames)
    means = np.array([s[:, m.labels > 0].mean(axis=1) for s, m in zip(stack, skin, strict=True)], np.float32)
    rate = (len(times) - 1) / (times[-1] - times[0])
    rows = KernelRows(times, rate, fir_kernel(0.6, 4.0, rate))
    response = rows.response(settings.heart_rate / 60)
    chosen = [rows.row(index) for index in range(len(times))]
    deltas = np.array([r.weights @ means[r.first : r.first + len(r.weights)] for r in chosen]).T / response
    waves = PersonWaves(
        "1", ((0, len(times), 1),), *(np.zeros(len(times)) for _ in range(11)), *deltas, np.zeros(len(times)), phase,
        settings.heart_rate / 60,
    )  # fmt: skip
    return Pulse(True, times, [waves], [])


def magnified(settings: PhantomSettings, frames: list[Frame], skin: list[FrameMask], **given: Any) -> list[Any]:
    """Frames of a method with true masks and the true pulse."""
    parameters = Parameters(**given)
    plan = plan_of(settings, np.array([f.time for f in frames]))
    writer = MaskWriter((settings.height // 2, settings.width // 2))
    for mask in skin:
        writer.add(mask)
    blobs = [Input(BlobName("rec", "mask", "0", "0"), writer.finish())]
    if fields_travel(parameters):
        maker = FieldMaker(plan.recording, parameters)
        made = gathered(0, [maker.fields(f, m) for f, m in zip(frames, skin, strict=True)])
        blobs.append(Input(BlobName("rec", "field", "0", "0"), made.to_bytes()))
    segment = RenderedSegment(
        plan, 0, parameters, true_pulse(settings, frames, skin), Inputs(blobs, Path()), shown=frames, skin=skin
    )
    return list(METHODS[parameters.magnify](segment))


def chroma_stack(frames: list[Any]) -> np.ndarray:
    """Y (area-averaged), U, V of all frames at chroma resolution; float32[n, 3, h, w]."""
    return np.stack(
        [
            np.stack([f.y.reshape(f.y.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3), dtype=np.float32), f.u, f.v]).astype(
                np.float32
            )
            for f in frames
        ]
    )


def still_figures(settings: PhantomSettings = STILL, gain: float = GAIN) -> dict[str, Any]:
    """Achieved gain and leakage of every method on still skin."""
    frames = rendered(settings)
    labels = [(m > 0).astype(np.uint8) for m in masks(settings)]
    skin = [frame_mask(m, (settings.width, settings.height)) for m in labels]
    inside = labels[0] > 0
    outside = ~binary_dilation(inside, iterations=1)
    before = chroma_stack(frames)
    pulse = true_pulse(settings, frames, skin).people[0]
    window = np.hanning(len(frames) + 2)[1:-1]
    carrier = window * np.exp(-1j * pulse.phase) * 2 / window.sum()
    trend = np.stack([np.linspace(-1, 1, len(frames)) ** k for k in range(3)], axis=1)
    carrier = carrier - trend @ np.linalg.lstsq(trend, carrier, rcond=None)[0]  # blind to what is constant or drifts
    times = np.array([f.time for f in frames])
    figures: dict[str, Any] = {}
    for name, parameters in METHODS_SHOWN.items():
        after = chroma_stack(magnified(settings, frames, skin, gain=gain, **parameters))
        change = after - before
        levels = [np.einsum("t,tc->c", carrier, s[:, :, inside].mean(axis=2)) for s in (before, after)]
        effect = np.abs(np.einsum("t,tcyx->cyx", carrier, change, optimize=True))
        wave = change[:, 0][:, inside].mean(axis=1)
        spectrum = np.abs(np.fft.rfft((wave - np.average(wave, weights=window)) * window)) ** 2
        frequency = np.fft.rfftfreq(len(wave), float(np.diff(times).mean()))
        beyond = (frequency < 0.3) | (frequency > 4.6)
        figures[name] = {
            "gain_over_asked": [round(float(abs(b / a) / (1 + gain)), 3) for a, b in zip(*levels, strict=True)],
            "outside_skin_percent": round(100 * float(effect[:, outside].mean() / effect[:, inside].mean()), 2),
            "outside_band_percent": round(100 * float(np.sqrt(spectrum[beyond].sum() / spectrum.sum())), 2),
        }
        print(name, figures[name], flush=True)
    return figures


def ssim(one: np.ndarray, two: np.ndarray) -> float:
    """Structural similarity of two luma planes (Wang et al. 2004), with a uniform 7x7 window."""
    one, two = one.astype(np.float64), two.astype(np.float64)
    mean = [uniform_filter(p, 7) for p in (one, two)]
    var = [uniform_filter(p * p, 7) - m * m for p, m in zip((one, two), mean, strict=True)]
    both = uniform_filter(one * two, 7) - mean[0] * mean[1]
    a, b = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = (2 * mean[0] * mean[1] + a) * (2 * both + b) / ((mean[0] ** 2 + mean[1] ** 2 + a) * (var[0] + var[1] + b))
    return float(found.mean())


def likeness(frames: list[Any], ideal: list[Frame]) -> dict[str, float]:
    """PSNR over all samples of Y, U and V, and SSIM of luma (every fifth frame), against the ideal clip."""
    error, samples, similar = 0.0, 0, []
    for number, (one, two) in enumerate(zip(frames, ideal, strict=True)):
        for a, b in zip((one.y, one.u, one.v), (two.y, two.u, two.v), strict=True):
            difference = a.astype(np.float32) - b
            error += float((difference * difference).sum(dtype=np.float64))
            samples += difference.size
        if number % 5 == 0:
            similar.append(ssim(one.y, two.y))
    return {"psnr_db": round(10 * np.log10(255**2 * samples / error), 2), "ssim": round(float(np.mean(similar)), 4)}


def task_figures(task: str, settings: PhantomSettings = MOVING, gain: float = GAIN) -> dict[str, Any]:
    """One motion task: every method, doing nothing and plain EVM, with true masks and the true phase."""
    settings = settings.model_copy(update={"motion": TASKS[task]})
    frames, ideal = rendered(settings), rendered(settings, gain)
    skin = [frame_mask((m > 0).astype(np.uint8), (settings.width, settings.height)) for m in masks(settings)]
    figures: dict[str, Any] = {"nothing": likeness(frames, ideal)}
    for name, given in IN_TABLE.items():
        figures[name] = likeness(magnified(settings, frames, skin, gain=gain, **given), ideal)
    print(task, figures, flush=True)
    return figures
