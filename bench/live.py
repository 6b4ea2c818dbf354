"""Live sessions: is the rate right after 10 s, and how long does a reading take with many sessions at once?

    python bench/live.py [--sessions 10] [--seconds 25]

A real mesh on this machine; each session is a WebSocket that sends the colours of 4 patches of skin in time, 5 messages
a second, as a browser would: of synthetic recordings, decoded again. Latency is what the gateway says a reading took
(`took_ms`), from the end of the second to the answer. `cpu_ms` is the time of a processor that one reading needs, which
does not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import websockets
from numpy.typing import NDArray

from phantom import PhantomSettings, write
from ppg.live import reading
from pulsemesh.embedded import EmbeddedMesh

FPS = 30.0
BATCH = 6  # frames a message
PATCHES = 4


def colours(folder: Path, seconds: float, bpm: float, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a browser would send of a synthetic recording: rendered, encoded, decoded, averaged over patches.

    Returns
    -------
    time_s : float64[n]
        Times of the frames.
    patches : float64[n, 4, 3]
        Mean R, G, B of the quarters of a box inside the skin.
    """
    settings = PhantomSettings(seconds=seconds, fps=FPS, width=160, height=120, heart_rate=bpm, seed=seed)
    path = folder / f"{seed}.mp4"
    ellipses = np.array(write(settings, path).ellipses)
    times, found = [], []
    with av.open(str(path)) as container:
        for frame, (x, y, a, b) in zip(container.decode(video=0), ellipses, strict=True):
            rgb = frame.to_ndarray(format="rgb24")
            box = rgb[round(y - b / 2) : round(y + b / 2), round(x - a / 2) : round(x + a / 2)].astype(np.float64)
            rows, columns = box.shape[0] // 2, box.shape[1] // 2
            quarters = (box[:rows, :columns], box[:rows, columns:], box[rows:, :columns], box[rows:, columns:])
            found.append([quarter.mean(axis=(0, 1)) for quarter in quarters])
            times.append(float(frame.time))
    return np.array(times), np.array(found)


Recording = tuple[float, NDArray[np.float64], NDArray[np.float64]]


@dataclass
class Session:
    """One client.

    Attributes
    ----------
    updates : list of dict
    took_ms : list of float
        The gateway's time for each reading.
    """

    bpm: float
    time_s: NDArray[np.float64]
    patches: NDArray[np.float64]
    updates: list[dict[str, Any]] = field(default_factory=list)

    async def run(self, url: str, seconds: float) -> None:
        """Send `seconds` as a browser would, and keep what comes."""
        inside = self.time_s < seconds
        time_s, patches = self.time_s[inside], self.patches[inside]
        address = url.replace("http://", "ws://") + "/v1/live"
        async with websockets.connect(address) as socket:
            await socket.send(json.dumps({"type": "start", "patches": PATCHES}))
            assert json.loads(await socket.recv())["type"] == "session"
            listening = asyncio.create_task(self._listen(socket))
            began = time.monotonic()
            for start in range(0, len(time_s), BATCH):
                part = slice(start, start + BATCH)
                last = time_s[part][-1]
                await asyncio.sleep(max(began + last - time.monotonic(), 0))
                rows = np.round(patches[part], 3).tolist()
                await socket.send(json.dumps({"type": "frames", "t": time_s[part].tolist(), "rgb": rows}))
            await asyncio.sleep(1.2)
            await socket.send(json.dumps({"type": "end"}))
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, socket: Any) -> None:
        async for text in socket:
            self.updates.append(json.loads(text))

    def error_after(self, seconds: float) -> float | None:
        """Of the first rate that is given from then on, in bpm; None where none is."""
        for update in self.updates:
            if update["seconds"] >= seconds and update["heart_rate"]["status"] == "ok":
                return abs(float(update["heart_rate"]["value"]) - self.bpm)
        return None


async def many(url: str, recordings: list[Recording], sessions: int, seconds: float) -> list[Session]:
    """Sessions that begin within one second, as people do who do not know each other."""
    found = [Session(*recordings[k % len(recordings)]) for k in range(sessions)]

    async def one(session: Session, wait: float) -> None:
        await asyncio.sleep(wait)
        await session.run(url, seconds)

    await asyncio.gather(*(one(session, k / sessions) for k, session in enumerate(found)))
    return found


def figures_of(found: list[Session]) -> dict[str, Any]:
    """What the sessions show."""
    took = sorted(update["took_ms"] for session in found for update in session.updates if update["seconds"] >= 5)
    errors = [session.error_after(9.5) for session in found]
    known = [error for error in errors if error is not None]
    states: dict[str, int] = {}
    for session in found:
        for update in session.updates:
            states[update["state"]] = states.get(update["state"], 0) + 1
    return {
        "readings": len(took),
        "reading_ms": {
            "median": round(statistics.median(took), 1),
            "p95": round(took[round(0.95 * (len(took) - 1))], 1),
            "max": round(took[-1], 1),
        },
        "sessions_with_a_rate_after_10_s": len(known),
        "largest_error_bpm": round(max(known), 2) if known else None,
        "states": states,
    }


def cpu_ms(recording: Recording) -> dict[str, float]:
    """Time of a processor that one reading takes, by the seconds of signal; the best of 5."""
    _, time_s, patches = recording
    found = {}
    for seconds in (6, 10, 15, 20):
        inside = time_s < seconds
        taken = []
        for _ in range(5):
            began = time.process_time()
            reading(time_s[inside], patches[inside])
            taken.append(1000 * (time.process_time() - began))
        found[f"{seconds}_s"] = round(min(taken), 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=25.0)
    given = parser.parse_args()
    from results import save

    with tempfile.TemporaryDirectory() as name:
        recordings = [(bpm, *colours(Path(name), given.seconds, bpm, k)) for k, bpm in enumerate((58.0, 72.0, 97.0))]
    with EmbeddedMesh(2) as mesh:
        asyncio.run(many(mesh.url, recordings, 2, 7.0))  # the children of the ppg service start with the first request
        busy = psutil.getloadavg()[0]
        figures = {
            "sessions": given.sessions,
            "load_average_before": round(busy, 1),
            "cpu_ms": cpu_ms(recordings[1]),
            "one": figures_of(asyncio.run(many(mesh.url, recordings, 1, given.seconds))),
            "many": figures_of(asyncio.run(many(mesh.url, recordings, given.sessions, given.seconds))),
        }
    if busy > len(os.sched_getaffinity(0)):
        figures["note"] = "other work ran on this machine: latencies and missing rates say nothing; cpu_ms does"
    save("live", figures)


if __name__ == "__main__":
    main()
