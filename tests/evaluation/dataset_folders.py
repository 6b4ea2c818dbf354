"""Small folders in the layouts in which datasets are published, with a heart rate that is known."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import h5py
import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image

from phantom import PhantomSettings, render, write

RATE = 78.0
BREATHS = 15.0
SECONDS = 12.0
CLIP_RATES = {"calm": 58.0, "brisk": 102.0}


@dataclass(frozen=True)
class Rendered:
    """A short synthetic recording as RGB pictures."""

    time_s: NDArray[np.float64]
    rgb: NDArray[np.uint8]


def rendered(seconds: float = SECONDS, rate: float = RATE, seed: int = 1) -> Rendered:
    """96x72, a strong pulse, without the loss of a codec."""
    settings = PhantomSettings(
        seconds=seconds, width=96, height=72, heart_rate=rate, seed=seed, motion=0.0, amplitude=0.02, drift=0.0
    )
    times, pictures = [], []
    for frame in render(settings):
        picture = av.VideoFrame(settings.width, settings.height, "yuv420p")
        for plane, samples in zip(picture.planes, (frame.y, frame.u, frame.v), strict=True):
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            rows[: samples.shape[0], : samples.shape[1]] = samples
        times.append(frame.time)
        pictures.append(picture.to_ndarray(format="rgb24"))
    return Rendered(np.array(times), np.stack(pictures))


def pulse_wave(time_s: NDArray[np.float64], rate: float = RATE) -> NDArray[np.float64]:
    """A contact wave: systole and a smaller second wave."""
    phase = 2 * np.pi * rate / 60 * time_s
    wave: NDArray[np.float64] = np.sin(phase) + 0.3 * np.sin(2 * phase + 0.8) + 0.1 * np.sin(0.4 * time_s)
    return wave


def breath_wave(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """A belt's wave."""
    wave: NDArray[np.float64] = np.sin(2 * np.pi * BREATHS / 60 * time_s)
    return wave


def write_avi(path: Path, pictures: Rendered, codec: str = "rawvideo", fps: int = 30) -> None:
    """Uncompressed BGR as UBFC-rPPG has it, or a codec."""
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height = pictures.rgb.shape[2], pictures.rgb.shape[1]
        stream.pix_fmt = {"rawvideo": "bgr24", "mpeg4": "yuv420p", "mjpeg": "yuvj420p"}[codec]
        if codec != "rawvideo":
            stream.bit_rate = 4_000_000
        for index, rgb in enumerate(pictures.rgb):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(
                format=stream.pix_fmt
            )
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def ubfc1(root: Path, pictures: Rendered) -> Path:
    """UBFC-rPPG part 1: time in ms, heart rate, SpO2, wave at about 62 Hz."""
    folder = root / "DATASET_1" / "5-gt"
    folder.mkdir(parents=True)
    write_avi(folder / "vid.avi", pictures)
    times = np.cumsum(np.random.default_rng(0).uniform(14, 18, int(SECONDS * 62)))
    with (folder / "gtdump.xmp").open("w", newline="") as file:
        for time, value in zip(times, pulse_wave((times - times[0]) / 1000), strict=True):
            csv.writer(file).writerow([int(time), round(RATE), 98, round(50 + 40 * value)])
    return root


def ubfc2(root: Path, pictures: Rendered) -> Path:
    """UBFC-rPPG part 2: three lines of numbers, one a frame."""
    folder = root / "subject1"
    folder.mkdir(parents=True)
    write_avi(folder / "vid.avi", pictures)
    lines = [pulse_wave(pictures.time_s), np.full(len(pictures.time_s), RATE), pictures.time_s + 0.02]
    text = "\n".join(" ".join(f"{value:.7e}" for value in line) for line in lines)
    (folder / "ground_truth.txt").write_text(text + "\n")
    return root


def ubfc_phys(root: Path, pictures: Rendered) -> Path:
    """UBFC-Phys: motion JPEG and a wave at 64 Hz, three tasks."""
    folder = root / "s1"
    folder.mkdir(parents=True)
    wave = pulse_wave(np.arange(0, SECONDS, 1 / 64))
    for task in ("T1", "T2"):
        write_avi(folder / f"vid_s1_{task}.avi", pictures, "mjpeg")
        (folder / f"bvp_s1_{task}.csv").write_text("\n".join(f"{100 * value:.2f}" for value in wave) + "\n")
        (folder / f"eda_s1_{task}.csv").write_text("0.1\n")
    return root


def pure(root: Path, pictures: Rendered) -> Path:
    """PURE: PNG with a time in nanoseconds in the name, the wave at 60 Hz on the same clock."""
    folder = root / "01-05"
    (folder / "01-05").mkdir(parents=True)
    start = 1_392_643_993_642_815_000
    for time, rgb in zip(pictures.time_s, pictures.rgb, strict=True):
        Image.fromarray(rgb).save(folder / "01-05" / f"Image{start + round(time * 1e9)}.png", compress_level=1)
    times = np.arange(0, SECONDS, 1 / 60)
    levels = np.rint(50 + 40 * pulse_wave(times)).astype(int).tolist()
    content = {
        "/FullPackage": [
            {"Timestamp": start + round(time * 1e9), "Value": {"pulseRate": 78, "o2saturation": 98, "waveform": value}}
            for time, value in zip(times.tolist(), levels, strict=True)
        ],
        "/Image": [{"Timestamp": start + round(time * 1e9), "Value": {}} for time in pictures.time_s.tolist()],
    }  # fmt: skip
    (folder / "01-05.json").write_text(json.dumps(content))
    return root


def cohface(root: Path, pictures: Rendered) -> Path:
    """COHFACE: MPEG-4 part 2, pulse and respiration at 256 Hz in HDF5."""
    time_s = np.arange(0, SECONDS, 1 / 256)
    for session in ("0", "2"):
        folder = root / "1" / session
        folder.mkdir(parents=True)
        write_avi(folder / "data.avi", pictures, "mpeg4")
        with h5py.File(folder / "data.hdf5", "w") as file:
            file["pulse"] = pulse_wave(time_s)
            file["respiration"] = breath_wave(time_s)
            file["time"] = time_s
    return root


def mmpd(root: Path, pictures: Rendered) -> Path:
    """MMPD: frames in parts of 1, a wave of one value a frame, labels as MATLAB has them."""
    folder = root / "subject7"
    folder.mkdir(parents=True)
    scipy.io.savemat(
        folder / "p7_3.mat",
        {
            "video": (pictures.rgb / 255).astype(np.float32),
            "GT_ppg": pulse_wave(pictures.time_s)[None, :],
            "light": "LED-low",
            "motion": "Stationary (after exercise)",
            "exercise": "True",
            "skin_color": 5,
            "gender": "female",
            "glasser": "False",
            "hair_cover": "False",
            "makeup": "False",
        },
    )
    return root


def scamps(root: Path, pictures: Rendered) -> Path:
    """SCAMPS: MATLAB's version 7.3; as HDF5 the axes are colour, column, row, frame."""
    root.mkdir(parents=True, exist_ok=True)
    with h5py.File(root / "P000001.mat", "w") as file:
        file["RawFrames"] = (pictures.rgb / 255).astype(np.float64).transpose(3, 2, 1, 0)
        file["d_ppg"] = pulse_wave(pictures.time_s)[:, None]
        file["d_br"] = breath_wave(pictures.time_s)[:, None]
    return root


def fingertip(root: Path, seconds: int = 70, rate: float = RATE) -> Path:
    """The fingertip recordings: colours at 30 fps, monitors once a second, columns shifted against their names."""
    (root / "rgb").mkdir(parents=True)
    (root / "gt").mkdir()
    time_s = np.arange(0, seconds, 1 / 30)
    draw = np.random.default_rng(2)
    wave = pulse_wave(time_s, rate) + 1.5 * breath_wave(time_s)
    for hand in ("Left", "Right"):
        with (root / "rgb" / f"100009-{hand}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["R", "G", "B"])
            for value, noise in zip(wave.tolist(), draw.normal(0, 0.02, (len(time_s), 3)).tolist(), strict=True):
                writer.writerow(
                    [180 - 0.3 * value + noise[0], 40 - 0.35 * value + noise[1], 30 - 0.25 * value + noise[2]]
                )
    with (root / "gt" / "100009.csv").open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(["Time", *(f"name {k}" for k in range(1, 45)), "", ""])
        for second in range(seconds):
            row = [
                f" 23:59:{30 + second:02d}"
                if second < 30
                else f" 00:{(second - 30) // 60:02d}:{(second - 30) % 60:02d}"
            ]
            values = [0.0] * 50
            values[41], values[45] = rate, BREATHS
            writer.writerow([*row, *values[1:]])
        writer.writerow([" Collection Halted", *[50] * 49])
    return root


def phantom_clips(folder: Path) -> Path:
    """Two clips of 21 s with a pulse, one without, and a file that is no clip."""
    common = {"seconds": 21.0, "width": 320, "height": 240, "amplitude": 0.015, "crf": 10, "motion": "still"}
    scenes = {name: {"scene": "face", "heart_rate": rate} for name, rate in CLIP_RATES.items()}
    for seed, (name, scene) in enumerate({**scenes, "wall": {"scene": "wall"}}.items()):
        write(PhantomSettings.model_validate({**common, **scene, "seed": seed}), folder / f"{name}.mp4",
              folder / f"{name}.json")  # fmt: skip
    (folder / "broken.mp4").write_bytes(b"no clip")
    (folder / "broken.json").write_text((folder / "calm.json").read_text())
    return folder
