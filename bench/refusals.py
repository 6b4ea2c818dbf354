"""Every bad input of the list gets a typed problem at once; every odd file ends in a result or a typed refusal.

python bench/refusals.py [--odd FOLDER]
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
from results import save

from phantom import PhantomSettings, write
from pulsemesh.embedded import EmbeddedMesh
from pulsemesh_client import Client, Refused

ODD = Path(__file__).parents[1] / ".." / "shared" / "oddmedia"
SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".3gp", ".264")


def bomb(side: int, frames: int) -> bytes:
    """A few kilobytes of H.264 that decode to gigabytes."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width = stream.height = side
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "40"}
        frame = av.VideoFrame(side, side, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        for number in range(frames):
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def sound() -> bytes:
    """A file with sound only."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        for number in range(100):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, 1024 * number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def picture() -> bytes:
    """A PNG."""
    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "rgb24"
        frame = av.VideoFrame.from_ndarray(np.full((240, 320, 3), 128, np.uint8))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def bad_inputs(folder: Path) -> dict[str, bytes]:
    """The list, by name."""
    clip, short = folder / "clip.mp4", folder / "short.mp4"
    write(PhantomSettings(seconds=6, width=160, height=120), clip)
    write(PhantomSettings(seconds=0.2, width=160, height=120), short)
    secret = folder / "secret.mp4"
    secret.write_bytes(clip.read_bytes())
    whole = clip.read_bytes()
    head = whole.find(b"mdat") + 4
    return {
        "empty file": b"",
        "text": b"This is not a video.\n" * 50,
        "truncated MP4": whole[: len(whole) // 2],
        "audio only": sound(),
        "0 frames": whole[:head] + bytes(len(whole) - head),
        "ffconcat named .mp4": f"ffconcat version 1.0\nfile {secret.name}\n".encode(),
        "HLS naming a file": f"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\nfile://{secret}\n#EXT-X-ENDLIST\n".encode(),
        "8192 x 8192": bomb(8192, 30),
        "a picture": picture(),
        "0.2 s": short.read_bytes(),
    }


def attempt(client: Client, name: str, content: bytes) -> dict[str, Any]:
    """Send it, and say what came back and when."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        clip.write_bytes(content)
        try:
            job = client.submit(clip)
        except Refused as refused:
            if refused.problem is None:
                raise
            return {
                "status": refused.status,
                "type": refused.problem.slug,
                "detail": refused.problem.detail,
                "seconds": round(time.perf_counter() - start, 2),
            }
    view = client.wait(job, every_s=0.02)
    took = time.perf_counter() - start
    client.erase(view.recording)
    slug = view.problem.slug if view.problem is not None else ""
    return {"status": 202, "state": view.state, "type": slug, "seconds": round(took, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--odd", type=Path, default=ODD)
    given = parser.parse_args()
    figures: dict[str, Any] = {"bad": {}, "odd": {}}
    with tempfile.TemporaryDirectory() as name:
        inputs = bad_inputs(Path(name))
        with EmbeddedMesh(workers=2) as mesh, Client(mesh.url) as client:
            for label, content in inputs.items():
                figures["bad"][label] = attempt(client, label, content)
            figures["jobs_left"] = len(client.jobs())
            if given.odd.exists():
                for file in sorted(p for p in given.odd.rglob("*") if p.suffix in SUFFIXES):
                    figures["odd"][f"{file.parent.name}/{file.name}"] = attempt(client, file.name, file.read_bytes())
            figures["service_restarts"] = mesh.restarts()
    save("refusals", figures)


if __name__ == "__main__":
    main()
