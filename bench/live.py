"""Live sessions: is the rate right after 10 s, and how long does a reading take with many sessions at once?

    python bench/live.py [--sessions 10] [--seconds 25] [--video 4]

A real mesh on this machine; each session is a WebSocket that sends the colours of 4 patches of skin in time, 5 messages
a second, as a browser would: of synthetic recordings, decoded again. `reading_ms` is what the gateway says a reading
took, from its second to the answer; `frame_to_number_ms` is the client's own: from sending the newest frame to the
update that has seen it, the wait for the next second included. `cpu_ms` is the time of a processor that one reading
needs, and one piece of half a second of coded video. Then some sessions that send such pieces: `piece_ms` is from
sending one to the word that its frames are taken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import websockets
from live_pieces import pieces_of
from numpy.typing import NDArray

from mesh.live import LiveMediaRequest
from phantom import PhantomSettings, write
from ppg.live import reading
from pulsemesh.embedded import EmbeddedMesh
from segmenter.live_media import colours as colours_of

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
    waits_ms : list of float
        From sending the newest frame to the update that has seen it.
    """

    bpm: float
    time_s: NDArray[np.float64]
    patches: NDArray[np.float64]
    updates: list[dict[str, Any]] = field(default_factory=list)
    waits_ms: list[float] = field(default_factory=list)
    _sent: dict[float, float] = field(default_factory=dict)

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
                self._sent[float(last)] = time.monotonic()
                await socket.send(json.dumps({"type": "frames", "t": time_s[part].tolist(), "rgb": rows}))
            await asyncio.sleep(1.2)
            await socket.send(json.dumps({"type": "end"}))
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, socket: Any) -> None:
        async for text in socket:
            update = json.loads(text)
            self.updates.append(update)
            sent = self._sent.pop(update.get("t"), None)
            if update.get("seconds", 0) >= 5 and sent is not None:
                self.waits_ms.append(1000 * (time.monotonic() - sent))

    def error_after(self, seconds: float) -> float | None:
        """Of the first rate that is given from then on, in bpm; None where none is."""
        for update in self.updates:
            if update["seconds"] >= seconds and update["heart_rate"]["status"] == "ok":
                return abs(float(update["heart_rate"]["value"]) - self.bpm)
        return None


@dataclass
class VideoSession(Session):
    """One client that sends pieces of coded video.

    Attributes
    ----------
    pieces : list of (float, bytes)
        As `live_pieces.pieces_of` has them.
    pieces_ms : list of float
        From sending each to the word that it is taken.
    """

    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    pieces_ms: list[float] = field(default_factory=list)

    async def run(self, url: str, seconds: float) -> None:
        """Send `seconds` as a recorder hands them out, and keep what comes."""
        async with websockets.connect(url.replace("http://", "ws://") + "/v1/live") as socket:
            await socket.send(json.dumps({"type": "start", "media": True}))
            assert json.loads(await socket.recv())["type"] == "session"
            sent: dict[int, float] = {}

            async def listen() -> None:
                async for text in socket:
                    message = json.loads(text)
                    assert message["type"] != "problem", message
                    if message["type"] == "taken":
                        self.pieces_ms.append(1000 * (time.monotonic() - sent[message["piece"]]))
                    else:
                        self.updates.append(message)

            listening = asyncio.create_task(listen())
            began = time.monotonic()
            for number, (due, data) in enumerate(self.pieces):
                if due > seconds:
                    break
                await asyncio.sleep(max(began + due - time.monotonic(), 0))
                sent[number] = time.monotonic()
                await socket.send(json.dumps({"type": "piece", "number": number}))
                await socket.send(data)
            await asyncio.sleep(1.5)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def many(url: str, recordings: list[Recording], sessions: int, seconds: float) -> list[Session]:
    """Sessions that begin within one second, as people do who do not know each other."""
    found = [Session(*recordings[k % len(recordings)]) for k in range(sessions)]
    await together(url, found, seconds)
    return found


async def together(url: str, sessions: Sequence[Session], seconds: float) -> None:
    """Run sessions side by side."""

    async def one(session: Session, wait: float) -> None:
        await asyncio.sleep(wait)
        await session.run(url, seconds)

    await asyncio.gather(*(one(session, k / len(sessions)) for k, session in enumerate(sessions)))


def spread(values: Iterable[float]) -> dict[str, float]:
    """Median, 95th percentile and maximum."""
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 1),
        "p95": round(ordered[round(0.95 * (len(ordered) - 1))], 1),
        "max": round(ordered[-1], 1),
    }


def figures_of(found: Sequence[Session]) -> dict[str, Any]:
    """What the sessions show."""
    took = [update["took_ms"] for session in found for update in session.updates if update["seconds"] >= 5]
    waits = [wait for session in found for wait in session.waits_ms]
    pieces = [took for session in found if isinstance(session, VideoSession) for took in session.pieces_ms]
    errors = [session.error_after(9.5) for session in found]
    known = [error for error in errors if error is not None]
    states: dict[str, int] = {}
    for session in found:
        for update in session.updates:
            states[update["state"]] = states.get(update["state"], 0) + 1
    return {
        "readings": len(took),
        "reading_ms": spread(took),
        **({"frame_to_number_ms": spread(waits)} if waits else {}),
        **({"piece_ms": spread(pieces)} if pieces else {}),
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


def video_cpu_ms(pieces: list[tuple[float, bytes]]) -> float:
    """Time of a processor that a piece takes, the median, with all that is decoded again; the best of 3 rounds."""
    found = []
    for _ in range(3):
        taken, head, held = [], b"", b""
        after, skin = None, None
        for _, data in pieces:
            held += data
            began = time.process_time()
            said = colours_of(LiveMediaRequest(after_s=after, skin=skin), head + held)
            taken.append(1000 * (time.process_time() - began))
            whole = head + held
            head, held = whole[: said.head], whole[said.restart :]
            after, skin = said.t[-1] if said.t else after, said.skin
        found.append(statistics.median(taken))
    return round(min(found), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=25.0)
    parser.add_argument("--video", type=int, default=4, help="sessions of coded video, of 640 x 480")
    given = parser.parse_args()
    from results import save

    with tempfile.TemporaryDirectory() as name:
        recordings = [(bpm, *colours(Path(name), given.seconds, bpm, k)) for k, bpm in enumerate((58.0, 72.0, 97.0))]
        clip = Path(name) / "video.mp4"
        write(PhantomSettings(seconds=given.seconds, heart_rate=72.0), clip)
        sizes = {"320x240": (320, 240), "640x480": (640, 480)}
        video = {size: pieces_of(clip, bits_per_s=1_500_000, size=wide) for size, wide in sizes.items()}
    nothing = np.zeros(0)
    watched = [VideoSession(72.0, nothing, nothing, pieces=video["640x480"]) for _ in range(given.video)]
    warm = [VideoSession(72.0, nothing, nothing, pieces=video["320x240"][:8]) for _ in range(2)]
    with EmbeddedMesh(2) as mesh:
        asyncio.run(many(mesh.url, recordings, 2, 7.0))  # the children of the ppg service start with the first request
        asyncio.run(together(mesh.url, warm, 4.0))
        busy = psutil.getloadavg()[0]
        figures = {
            "sessions": given.sessions,
            "load_average_before": round(busy, 1),
            "cpu_ms": cpu_ms(recordings[1]),
            "one": figures_of(asyncio.run(many(mesh.url, recordings, 1, given.seconds))),
            "many": figures_of(asyncio.run(many(mesh.url, recordings, given.sessions, given.seconds))),
            "cpu_ms_piece_of_half_a_second": {size: video_cpu_ms(pieces) for size, pieces in video.items()},
        }
        if watched:
            asyncio.run(together(mesh.url, watched, given.seconds))
            figures["video"] = {"sessions": given.video, "size": "640x480"} | figures_of(watched)
    if busy > len(os.sched_getaffinity(0)):
        figures["note"] = "other work ran on this machine: latencies and missing rates say nothing; cpu_ms does"
    save("live", figures)


if __name__ == "__main__":
    main()
